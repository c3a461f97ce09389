//! The ports to the store, in the words of the domain.
//!
//! Three of them, by who uses them: [`PacketStore`] keeps promises, [`ClaimStore`] answers questions, [`LogStore`] is
//! where claims are made and followed. Errors mean what [`::sql::Error`] says; what a method adds to that is said there.

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod engine;
#[cfg(any(test, feature = "sim"))]
pub mod memory;
pub mod sql;

use std::{collections::HashMap, fmt, ops::Range, str::FromStr};

use ::sql::Result;
use async_trait::async_trait;
use clock::Timestamp;
use id::{PacketId, Partition, UserId};

use crate::domain::{
    claim::{Claim, Entry, Head, Progress, Summary, Tally},
    terms::Promise,
};

/// What storing a promise found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is stored now.
    New,
    /// The same promise was stored before; nothing changed.
    Same,
    /// Another promise was stored for this packet before; nothing changed.
    Other,
}

/// Keeps promises. They never change.
#[async_trait]
pub trait PacketStore: Send + Sync {
    /// Stores a promise and an empty tally. Atomic; safe to repeat and to race: the first one stays.
    async fn keep(&self, promise: &Promise, partition: Partition) -> Result<Stored>;

    /// The promise of a packet, if it is known.
    async fn promise(&self, packet_id: PacketId) -> Result<Option<Promise>>;
}

/// Answers questions. Reads only what was committed, and waits for no writer.
#[async_trait]
pub trait ClaimStore: Send + Sync {
    /// The tally and all claims of a packet as of one instant, in order of `seq`. A packet never kept has an empty tally.
    async fn history(&self, packet_id: PacketId) -> Result<(Tally, Vec<Claim>)>;

    /// The claim of one user in one packet.
    async fn claim_of(&self, packet_id: PacketId, user_id: &UserId) -> Result<Option<Claim>>;

    /// At most `limit` claims of a packet behind `after_seq` in order of `seq`, and the progress as of the same instant;
    /// `None` if the packet was never kept.
    async fn claims(&self, packet_id: PacketId, after_seq: i64, limit: u64) -> Result<Option<(Progress, Vec<Claim>)>>;

    /// The progress of those of the packets that are known, in no particular order.
    async fn progress(&self, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Progress>>;

    /// At most `limit` claims of a user behind `after`, newest first.
    async fn claims_of_user(&self, user_id: &UserId, after: Option<ByTime>, limit: u64) -> Result<Vec<Claim>>;

    /// The sums over a user's claims with a `claim_time` in `span`.
    async fn summarize(&self, user_id: &UserId, span: Range<Timestamp>) -> Result<Summary>;
}

/// Where claims are made and followed.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// All partitions in order, in the groups that one batch can span: those of one database.
    fn ranges(&self) -> Vec<Vec<Partition>>;

    /// The heads of these partitions, in order of partition.
    async fn heads(&self, partitions: &[Partition]) -> Result<Vec<Head>>;

    /// The positions of a partition's log behind `after_seq` up to its head, at most `limit`, in order and without a gap.
    /// Because `seq` is taken under the lock that lasts until commit, no claim can appear later in front of one that was
    /// read (LOG-1). A record that cannot be understood, or that is gone, stands as such in its place, so that it keeps
    /// nobody from what follows it.
    async fn log(&self, partition: Partition, after_seq: i64, limit: u64) -> Result<Vec<Entry>>;

    /// Opens a write transaction that holds the heads of these partitions locked, in order of partition, until it ends.
    /// They must be of one of the [`ranges`](Self::ranges), and one at the least.
    async fn begin(&self, partitions: &[Partition]) -> Result<Box<dyn Batch>>;
}

/// A write transaction on some partitions. Dropping it changes nothing. A row that cannot be understood is logged and
/// left out, so that it is missed by those whom it concerns and by nobody else.
#[async_trait]
pub trait Batch: Send + Sync {
    /// The heads as locked, in order of partition.
    fn heads(&self) -> &[Head];

    /// The claims behind these positions of the logs of some of the locked partitions, in order of `seq`.
    async fn log(&self, missed: &[Missed]) -> Result<Vec<Claim>>;

    /// The tallies of those of the packets that are known.
    async fn tallies(&self, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Tally>>;

    /// All claims of all these packets.
    async fn claims(&self, packet_ids: &[PacketId]) -> Result<Vec<Claim>>;

    /// Writes everything and commits. Every error but [`::sql::Error::OutcomeUnknown`] means that nothing changed:
    /// [`::sql::Error::Conflict`] that a share, a user or a `seq` has a claim already (CLAIM-1, LOG-1).
    async fn commit(self: Box<Self>, changes: Changes) -> Result<()>;
}

/// The end of a partition's log that a writer does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The partition.
    pub partition: Partition,
    /// The last position that it knows.
    pub after_seq: i64,
}

/// What a batch does.
#[derive(Debug, Default)]
pub struct Changes {
    /// The new heads of the partitions written to.
    pub heads: Vec<Head>,
    /// The new claims.
    pub claims: Vec<Claim>,
    /// The new tallies of the packets written to.
    pub tallies: Vec<(PacketId, Tally)>,
    /// The luckiest shares of the packets that this batch completed; their claims may be older.
    pub luckiest: Vec<(PacketId, u32)>,
}

/// The key that orders a user's claims over all packets. A user has one claim a packet, so it is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByTime {
    /// When.
    pub claim_time: Timestamp,
    /// Which packet.
    pub packet_id: PacketId,
}

impl ByTime {
    /// The key of a claim.
    pub fn of(claim: &Claim) -> Self {
        Self {
            claim_time: claim.claim_time,
            packet_id: claim.packet_id,
        }
    }
}

impl fmt::Display for ByTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.claim_time.as_microsecond(), self.packet_id)
    }
}

/// The text is not such a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByTimeError;

impl FromStr for ByTime {
    type Err = ByTimeError;

    fn from_str(text: &str) -> std::result::Result<Self, ByTimeError> {
        let (micros, packet_id) = text.split_once(':').ok_or(ByTimeError)?;
        Ok(Self {
            claim_time: clock::from_micros(micros.parse().map_err(|_| ByTimeError)?),
            packet_id: packet_id.parse().map_err(|_| ByTimeError)?,
        })
    }
}
