//! The ports to what the service remembers.
//!
//! Several of them, because the rows behind them need not share a database: a sender's requests and daily sums live
//! with the sender, a packet lives with its partition. So no method touches both, and a use case that needs both must be
//! right when it stops between them. What is due is asked of each database by itself, so that one that is away holds up
//! nothing but its own packets.
//!
//! All methods may be dropped at any await; what was not committed then never was. Errors are
//! [`sql::Error`](::sql::Error): *driver* and *contended* mean that nothing changed, *outcome unknown* that repeating the
//! call finds out, *inconsistent* that a person must look. Methods that say that they are idempotent repeat by themselves
//! what the engine wants repeated, a lost answer to COMMIT included.

use std::time::Duration;

use async_trait::async_trait;
use clock::Timestamp;
use id::{GroupId, PacketId, RequestId, UserId};
use paging::Page;

use crate::domain::{DailyLimits, DailyUse, Packet, Phase, Reservation, State};

#[cfg(test)]
pub(crate) mod contract;
#[cfg(any(test, feature = "sim"))]
pub mod memory;
pub mod sql;

/// What became of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The request has a packet: the one offered, or the one that an earlier attempt reserved.
    Held(Reservation),
    /// The day is full; this is what the sender has sent in it. Nothing changed.
    DayFull(DailyUse),
}

/// The sends of each sender, by the client's name for them, and the sender's daily sums.
#[async_trait]
pub trait Requests: Send + Sync + 'static {
    /// What was reserved for a request; `None` if nothing was. Reads only.
    async fn find(&self, sender: &UserId, request: &RequestId) -> ::sql::Result<Option<Reservation>>;

    /// Reserves a packet for a request and counts it in the sender's day, in one transaction. Idempotent by (sender,
    /// request): the first reservation stays, is returned to every later attempt, and counts once.
    async fn reserve(&self, offer: &Reservation, limits: DailyLimits) -> ::sql::Result<Reserved>;

    /// Takes a rejected packet out of its sender's day, in one transaction. Idempotent: it is taken out once. Nothing
    /// happens for an unknown packet.
    async fn release(&self, sender: &UserId, packet: PacketId) -> ::sql::Result<()>;
}

/// Whose packets are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// Sent by a user.
    Sender(UserId),
    /// Sent to a group.
    Group(GroupId),
}

/// A packet that this instance drives until the lease runs out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// The packet as it was when it was leased.
    pub packet: Packet,
    /// When others may take it; also what tells this lease from any other.
    pub until: Timestamp,
    /// How often driving it failed since it last moved.
    pub attempts: u32,
}

/// Packets, wherever they are.
#[async_trait]
pub trait Packets: Send + Sync + 'static {
    /// Records a new packet, due for recovery at `due`. Idempotent by packet id: the first insertion decides the packet,
    /// with its seed, and is returned to every later one.
    async fn insert(&self, packet: &Packet, due: Timestamp) -> ::sql::Result<Packet>;

    /// The packets that exist, in no order, each once; unknown ids are left out.
    async fn get(&self, ids: &[PacketId]) -> ::sql::Result<Vec<Packet>>;

    /// Packets newest first, from behind the page's key on: one more than its size, if there are so many.
    async fn list(&self, of: &Of, page: &Page<PacketId>) -> ::sql::Result<Vec<Packet>>;

    /// Moves a packet from the state it has in `packet` to `next`; `false` if it is no longer there: it was moved by
    /// someone else, or by this very call when the first answer to its commit was lost. Sets when it is due as
    /// [`Packet::due`] says.
    async fn change(&self, packet: &Packet, next: &State) -> ::sql::Result<bool>;
}

/// Packets that should have been driven by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// How many.
    pub count: u64,
    /// Since when the one that waits longest: its expiry or, if it is FUNDING, its creation.
    pub since: Option<Timestamp>,
}

impl Overdue {
    /// These and those.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            since: self.since.into_iter().chain(other.since).min(),
        }
    }
}

/// The packets of one database by the instant at which each wants attention next: a FUNDING packet when its send should
/// be done, an ACTIVE one at its expiry. Whoever drives a packet moves that instant ahead, and so keeps others away for a
/// while: a lease that nobody has to give back. The lease saves work; it decides nothing. Two that drive the same packet
/// do no harm, because each step is idempotent.
#[async_trait]
pub trait Agenda: Send + Sync + 'static {
    /// Which database it is, for logs.
    fn place(&self) -> &str;

    /// Leases up to `limit` packets in one of `phases` that are due at `now`, the longest waiting first, until
    /// `until`, in one transaction. Two callers never get the same packet before its lease runs out, and neither waits
    /// for the other. If the answer to its commit is lost, nobody has what was leased, until `until`.
    async fn lease(&self, phases: &[Phase], now: Timestamp, until: Timestamp, limit: u64)
    -> ::sql::Result<Vec<Leased>>;

    /// Ends a lease after a failure: the packet is due again at `due` and has one more attempt behind it. Nothing
    /// happens if the packet moved or someone else leased it meanwhile.
    async fn postpone(&self, leased: &Leased, due: Timestamp) -> ::sql::Result<()>;

    /// The packets in one of `phases` that wanted attention at `now` or before, however often they were leased or postponed
    /// since, which moves them ahead by less than `horizon`.
    async fn overdue(&self, phases: &[Phase], now: Timestamp, horizon: Duration) -> ::sql::Result<Overdue>;

    /// When the next packet in one of `phases` is due; `None` if there is none. May be in the past.
    async fn next_due(&self, phases: &[Phase]) -> ::sql::Result<Option<Timestamp>>;
}
