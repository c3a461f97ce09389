//! What was asked and what was heard, with the times: the clients' side of the story.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use clock::{Clock as _, System};
use serde::Serialize;

/// One request and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// When it was asked, in microseconds since 1970.
    pub began_us: i64,
    /// When the answer was there.
    pub ended_us: i64,
    /// Who asked.
    pub user: String,
    /// What.
    pub asked: Asked,
    /// The answer.
    pub heard: Heard,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Asked {
    /// To send a packet.
    Send {
        /// The client's name for it; a repeat has the same.
        request_id: String,
        /// How much, in fen.
        total_fen: i64,
        /// In how many shares.
        share_count: u32,
    },
    /// For a share.
    Grab {
        /// Of which packet.
        packet_id: String,
        /// To open it in the same call.
        open: bool,
    },
    /// To open a share.
    Open {
        /// Of which packet.
        packet_id: String,
    },
    /// To see something: a packet, claims, records, the wallet.
    Look(&'static str),
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Heard {
    /// The packet is there.
    Sent {
        /// Which it is.
        packet_id: String,
    },
    /// A voucher.
    Granted,
    /// A share was opened, by this call or before.
    Opened(Told),
    /// No share, for this reason.
    NoShare(NoShare),
    /// What others and the caller opened.
    Seen(Vec<Told>),
    /// Something that says nothing of claims.
    Something,
    /// An error.
    Error {
        /// Its code, as the gRPC documents spell it.
        code: &'static str,
        /// The reason of its `ErrorInfo`; empty where it has none.
        reason: String,
        /// Its message.
        message: String,
    },
}

impl Heard {
    /// The code of an error; not of a refusal by the rules, such as a look at a packet that is for others or a voucher that
    /// has lapsed, which has nothing to do with faults.
    pub fn error(&self) -> Option<&'static str> {
        match self {
            Self::Error { code, .. } if !["PERMISSION_DENIED", "FAILED_PRECONDITION"].contains(code) => Some(code),
            _ => None,
        }
    }
}

/// What somebody was told of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Told {
    /// Whose claim.
    pub user: String,
    /// Of which packet.
    pub packet_id: String,
    /// Which share.
    pub share_no: u32,
    /// How much.
    pub amount_fen: i64,
}

/// Why a grab or an open gave no share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum NoShare {
    /// None is free just now.
    AllHeld,
    /// None is left. Final.
    Exhausted,
    /// Too late. Final.
    Expired,
    /// Too early.
    NotStarted,
    /// Not for this user.
    NotInAudience,
    /// Not with these words.
    WrongPassphrase,
}

/// How much of everything there was so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets whose send was answered.
    pub sent: u64,
    /// Grabs that gave a voucher or a share.
    pub grabbed: u64,
    /// Answers that showed the caller what was in a share of its own.
    pub opened: u64,
    /// Other answers.
    pub other: u64,
    /// Errors, but for refusals by the rules.
    pub errors: u64,
}

/// All of it. Many write at once.
#[derive(Debug, Default)]
pub struct History {
    records: Mutex<Vec<Record>>,
    sent: AtomicU64,
    grabbed: AtomicU64,
    opened: AtomicU64,
    other: AtomicU64,
    errors: AtomicU64,
}

/// Now, as records have it.
pub fn now_us() -> i64 {
    System.now().as_microsecond()
}

impl Record {
    /// Whether it gave the caller a share, or the right to one.
    pub fn is_grab(&self) -> bool {
        matches!(self.asked, Asked::Grab { .. }) && matches!(self.heard, Heard::Granted | Heard::Opened(_))
    }
}

impl History {
    /// Adds one.
    pub fn note(&self, record: Record) {
        let mut counters = Vec::with_capacity(2);
        match &record.heard {
            Heard::Sent { .. } => counters.push(&self.sent),
            Heard::Granted => counters.push(&self.grabbed),
            Heard::Opened(_) => {
                counters.push(&self.opened);
                counters.extend(record.is_grab().then_some(&self.grabbed));
            }
            Heard::NoShare(_) | Heard::Seen(_) | Heard::Something => counters.push(&self.other),
            error if error.error().is_some() => counters.push(&self.errors),
            Heard::Error { .. } => counters.push(&self.other),
        }
        for counter in counters {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    /// How much there is.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            sent: read(&self.sent),
            grabbed: read(&self.grabbed),
            opened: read(&self.opened),
            other: read(&self.other),
            errors: read(&self.errors),
        }
    }

    /// Everything, in the order in which the answers came.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
