//! The gate: the fast filter in front of the claim log.
//!
//! It hands out shares without asking SQL, so that a crowd costs memory and not transactions. It is never believed: SQL
//! is the arbiter (CLAIM-1), and whatever a gate forgets, repeats or invents, the writer gives another free share or
//! says that none is left. What it says of *claims*, though, was told to it after their commit, so that it may be shown
//! (CLAIM-3).

pub mod breaker;
#[cfg(test)]
mod contract;
pub mod degraded;
#[cfg(test)]
mod faults;
pub mod live;
pub mod local;
pub mod memory;
#[cfg(test)]
mod model;
pub mod reads;
pub mod redis;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use async_trait::async_trait;
use clock::Timestamp;
use id::{PacketId, UserId};

use crate::domain::{claim::Claim, packet::Packet};

/// One user asks for a share of one packet.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The packet.
    pub packet: Arc<Packet>,
    /// Who asks.
    pub user_id: UserId,
    /// Whether the user may have a *new* share. What the user has already is told either way.
    pub admitted: bool,
}

/// The gate's answer. In the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The user has opened a share before: that claim.
    AlreadyOpened(Claim),
    /// A share is reserved for the user: by an earlier grab that has not lapsed, or (if nothing of what follows
    /// holds) by this one.
    Granted(Reservation),
    /// The packet was closed. Final.
    Closed,
    /// The user was not admitted, and has nothing from before.
    NotAdmitted,
    /// All shares are opened. Final.
    Exhausted,
    /// All shares are opened or reserved.
    AllHeld {
        /// When it is worth asking again.
        retry_delay: Duration,
    },
}

/// A share set aside for one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The share; `None` if none could be set aside (a degraded gate).
    pub share_no: Option<u32>,
    /// Until when.
    pub lapse_time: Timestamp,
}

/// What the writer found out, after its commit.
#[derive(Clone, Debug)]
pub enum News {
    /// This claim is durable.
    Opened(Claim),
    /// This share was opened by somebody else than it was reserved for.
    Taken {
        /// The packet.
        packet_id: PacketId,
        /// The share.
        share_no: u32,
    },
    /// The packet is closed.
    Closed(PacketId),
    /// The gate had a free share where there is none, or a claim may be durable that nobody will be told of: the gate's
    /// state of this packet is worth nothing.
    Astray(PacketId),
}

impl News {
    /// The packet that they are of.
    pub fn packet_id(&self) -> PacketId {
        match self {
            Self::Opened(claim) => claim.packet_id,
            Self::Taken { packet_id, .. } | Self::Closed(packet_id) | Self::Astray(packet_id) => *packet_id,
        }
    }
}

/// The gate cannot answer just now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the gate: {0}")]
pub struct GateError(pub Arc<str>);

impl GateError {
    /// A gate answers every ask; this one did not.
    pub fn silent() -> Self {
        Self("no answer".into())
    }
}

/// Bounds of [`Verdict::AllHeld`]'s hint when to ask again: not so soon that the crowd asks in a circle, and not so late
/// that a share which comes free because somebody else's open was given another one lies around.
const RETRY_DELAY: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(2);

/// How long reservations live.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a voucher is good.
    pub voucher_ttl: Duration,
    /// How much later its share goes back to the pool, so that clocks may differ.
    pub lapse_grace: Duration,
}

/// A gate. Every method takes many at once, so that a remote gate answers a batch in one round trip; one that does
/// nothing but repeat itself does no harm.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Decides each ask in one atomic step; answers in the order asked. Repeating an ask gives the same reservation or
    /// claim.
    async fn grab(&self, asks: Vec<Ask>) -> Vec<Result<Verdict, GateError>>;

    /// The claim of this user, if the gate happens to know it; `None` says nothing.
    async fn recall(&self, packet_id: PacketId, user_id: &UserId) -> Option<Claim>;

    /// Hears the news. Order and repetition do not matter.
    async fn tell(&self, news: Vec<News>);

    /// Gets ready for the first grab of a packet (预热).
    async fn warm(&self, packet: Arc<Packet>) -> Result<(), GateError>;
}
