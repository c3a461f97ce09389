//! The use cases, over the ports.
//!
//! In reading order: [`send`] reserves, inserts and hands on to [`advance`], which brings a FUNDING packet to ACTIVE or
//! REJECTED; [`sweep`] brings an expired one to COMPLETED; [`recover`] is [`advance`] for packets whose send stopped on
//! the way; [`rounds`] is the loop behind both; [`query`] reads.
//!
//! Every step is idempotent and every change of state is a compare-and-set, so an operation may stop anywhere, be
//! repeated, and run twice at once.

use std::sync::{Arc, Mutex, PoisonError};

use id::{GroupId, PacketId, RequestId, UserId};
use rand::rngs::StdRng;

use crate::{
    domain::{DailyLimits, DailyUse, Fault, Misstep, Packet, Rejection, State},
    peer,
    store::Packets,
};

pub mod advance;
pub mod query;
pub mod recover;
pub mod rounds;
pub mod send;
pub mod sweep;

#[cfg(test)]
mod crashes;

/// Why an operation did not end as asked. In order of precedence where several would fit a send.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request id named another payload before (ID-1). Nothing changed.
    #[error("request {0} was used for another payload")]
    RequestIdReused(RequestId),
    /// The order breaks limits. Nothing changed.
    #[error("the order breaks limits: {0:?}")]
    Limits(Vec<Fault>),
    /// There is no such user. Nothing changed.
    #[error("there is no user {0}")]
    UserNotFound(UserId),
    /// The sender's wallet is frozen. Nothing changed.
    #[error("the wallet of {0} is frozen")]
    AccountFrozen(UserId),
    /// There is no such group. Nothing changed.
    #[error("there is no group {0}")]
    GroupNotFound(GroupId),
    /// The sender is not in the group. Nothing changed.
    #[error("{user} is not in group {group}")]
    NotAMember {
        /// Who sends.
        user: UserId,
        /// Whose members should grab.
        group: GroupId,
    },
    /// The sender's day is full. Nothing changed.
    #[error("the day of {sender} is full: {used:?} of {limits:?}")]
    DayFull {
        /// Who sends.
        sender: UserId,
        /// What was sent before.
        used: DailyUse,
        /// What may be sent.
        limits: DailyLimits,
    },
    /// The packet could not be funded and is REJECTED; final for this request.
    #[error("packet {} is rejected: {}", .packet_id, .rejection.reason)]
    Rejected {
        /// The packet.
        packet_id: PacketId,
        /// Who sent it.
        sender: UserId,
        /// What it should hold, in fen.
        total_fen: i64,
        /// Why.
        rejection: Rejection,
    },
    /// There is no such packet.
    #[error("there is no packet {0}")]
    PacketNotFound(PacketId),
    /// A peer said what a packet cannot become.
    #[error(transparent)]
    Misstep(#[from] Misstep),
    /// Another service did not answer; what was begun is finished by a repeat or by the recovery.
    #[error(transparent)]
    Peer(#[from] peer::Error),
    /// A packet was not driven to its end while the lease lasted; what was begun is finished by the recovery.
    #[error("it takes longer than the lease lasts")]
    Overtime,
    /// The store failed; what was begun is finished by a repeat or by the recovery.
    #[error(transparent)]
    Store(#[from] sql::Error),
}

impl Error {
    /// Whether it goes away by itself.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Peer(peer::Error::Unavailable { .. })
                | Self::Store(
                    sql::Error::Driver(_)
                        | sql::Error::Unwritable(..)
                        | sql::Error::Contended(_)
                        | sql::Error::Conflict(_)
                        | sql::Error::OutcomeUnknown(_)
                )
                | Self::Overtime
        )
    }
}

/// A CSPRNG seeded by the operating system, shared by all operations. Cheap to clone.
#[derive(Clone)]
pub struct SharedRng(Arc<Mutex<StdRng>>);

impl SharedRng {
    /// Shares `rng`.
    pub fn new(rng: StdRng) -> Self {
        Self(Arc::new(Mutex::new(rng)))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Moves a packet to `next`, or finds it where someone else moved it meanwhile.
async fn step(packets: &dyn Packets, packet: Packet, next: State) -> Result<Packet, Error> {
    if packets.change(&packet, &next).await? {
        return Ok(Packet { state: next, ..packet });
    }
    let moved = packets.get(&[packet.id()]).await?.pop();
    Ok(moved.ok_or_else(|| sql::Error::inconsistent(format_args!("packet {} is gone", packet.id())))?)
}
