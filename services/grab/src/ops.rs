//! The use cases.
//!
//! [`Race`] is what changes something: [`grab`], [`open`](mod@open), [`preload`], [`close`]. [`Records`] answers questions
//! ([`records`]), [`Feed`] follows the claim log ([`feed`]).

pub mod close;
pub mod feed;
pub mod grab;
pub mod open;
pub mod preload;
pub mod records;

use std::sync::Arc;

use clock::SharedClock;
use id::{PacketId, UserId};

use crate::{
    domain::voucher::{KeyRing, Refusal},
    gate::{Gate, GateError},
    packets::{PacketError, Packets},
    peer::directory::{Directory, DirectoryError},
    store::{ClaimStore, PacketStore},
    writer::{WriteError, Writer},
};

pub use feed::Feed;
pub use records::Records;

/// Everything that a grab and an open need.
pub struct Race {
    /// The packets in memory.
    pub packets: Arc<Packets>,
    /// Who exists and who belongs where.
    pub directory: Arc<dyn Directory>,
    /// Who gets which share.
    pub gate: Arc<dyn Gate>,
    /// Who makes it durable.
    pub writer: Writer,
    /// Who signs it.
    pub keys: KeyRing,
    /// Where promises are kept.
    pub promises: Arc<dyn PacketStore>,
    /// Where claims are found that nobody remembers.
    pub claims: Arc<dyn ClaimStore>,
    /// The hour.
    pub clock: SharedClock,
}

/// Why a use case failed. What can be expected (exhausted, expired, ...) is no failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody preloaded the packet.
    #[error("there is no packet {0}")]
    UnknownPacket(PacketId),
    /// The directory knows no such user.
    #[error("there is no user {0}")]
    UnknownUser(UserId),
    /// The voucher is refused.
    #[error("the voucher: {0}")]
    Voucher(#[from] Refusal),
    /// The packet was preloaded before with another promise.
    #[error("packet {0} was preloaded with other terms")]
    OtherPromise(PacketId),
    /// The terms cannot be split.
    #[error(transparent)]
    Split(#[from] split::SplitError),
    /// A position beyond the end of the log.
    #[error("the log of the partition ends at {last_seq}")]
    BeyondEnd {
        /// The last position there is.
        last_seq: i64,
    },
    /// As many as may do it at once do it.
    #[error("too many {0} just now")]
    TooManyStreams(&'static str),
    /// The directory cannot answer.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The gate cannot answer.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The writer gave no answer.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The store failed.
    #[error(transparent)]
    Store(Arc<sql::Error>),
}

impl From<PacketError> for Error {
    fn from(fault: PacketError) -> Self {
        match fault {
            PacketError::Unknown(packet_id) => Self::UnknownPacket(packet_id),
            PacketError::Store(fault) => Self::Store(fault),
        }
    }
}

impl From<sql::Error> for Error {
    fn from(fault: sql::Error) -> Self {
        Self::Store(Arc::new(fault))
    }
}
