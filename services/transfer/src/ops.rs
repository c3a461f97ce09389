//! The use cases, one file each, over the ports.

pub mod attempts;
pub mod deliver;
pub mod fund;
pub mod isolate;
pub mod reconcile;
pub mod refund;
pub mod repair;
pub mod settle;

use std::{sync::Arc, time::Duration};

use clock::SharedClock;
use id::{PacketId, RequestId, TransferId};

use crate::{
    domain::{Case, Order},
    peer::{ClaimLog, Ledger, PeerError},
    store::Store,
};

/// What every use case stands on. Cheap to clone.
#[derive(Clone)]
pub struct Ports {
    /// Our own records.
    pub store: Arc<dyn Store>,
    /// Where the money is.
    pub ledger: Arc<dyn Ledger>,
    /// What creates the right to be paid.
    pub log: Arc<dyn ClaimLog>,
    /// The hour.
    pub clock: SharedClock,
}

/// Why a use case gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Our store failed.
    #[error(transparent)]
    Store(#[from] sql::Error),
    /// Another service failed, in passing.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The records contradict each other: a person must look.
    #[error("{0}")]
    Broken(String),
    /// There is no order with this id.
    #[error("there is no transfer {0}")]
    NoTransfer(TransferId),
    /// There is no case with this id.
    #[error("there is no repair case {0}")]
    NoCase(TransferId),
    /// The packet has an order of this kind with another user or amount (MONEY-3).
    #[error("packet {0} was asked for with other facts")]
    OtherFacts(PacketId),
    /// The packet's FUND was refused for good; the order says why.
    #[error("the funding was refused")]
    FundRejected(Box<Order>),
    /// Another try for the same packet may still take effect: worth repeating after this long.
    #[error("another try is under way")]
    Busy(Duration),
    /// There is no posted FUND order of this packet.
    #[error("packet {0} is not funded")]
    NotFunded(PacketId),
    /// More is to be refunded than was funded.
    #[error("more than the {funded_fen} fen that were funded")]
    ExceedsFunded {
        /// What was funded, in fen.
        funded_fen: i64,
    },
    /// More is to be refunded than claims have left.
    #[error("more than the {rest_fen} fen that claims have left")]
    ExceedsRest {
        /// What they have left, in fen.
        rest_fen: i64,
    },
    /// The refund is to go to somebody else than who funded the packet.
    #[error("somebody else funded packet {0}")]
    NotTheSender(PacketId),
    /// The case is resolved by another act than this; nothing more can be done to it.
    #[error("case {} is resolved", .0.id)]
    CaseResolved(Box<Case>),
    /// The operator's request was used for something else (ID-1).
    #[error("request {0} was used for another act")]
    RequestReused(RequestId),
    /// The order that the case is about is not in the store.
    #[error("the order of case {0} is missing")]
    CaseWithoutOrder(TransferId),
    /// The case's claim does not say what is asked for: from which packet, how much, or to whom.
    #[error("case {0} does not say enough to move money")]
    CaseUnpayable(TransferId),
}

/// Result of a use case.
pub type Result<T> = std::result::Result<T, Error>;
