//! The store's ports, by who needs them. [`SqlStore`] is all of them.
//!
//! Every method is one transaction: it happens completely or not at all, also when its caller goes away meanwhile. Every
//! method that writes may be repeated with the same arguments, and repeats itself a few times where another instance is in
//! its way and where the answer to a commit is lost. What is left then is an error: after
//! [`::sql::Error::OutcomeUnknown`] it may have happened, after any other nothing has.

#[cfg(any(test, feature = "sim"))]
pub mod memory;
mod sql;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    num::NonZeroU16,
    str::FromStr,
};

use async_trait::async_trait;
use clock::Timestamp;
use id::{PacketId, Partition, TransferId, UserId};
use paging::Page;
use uuid::Uuid;

use crate::domain::{Act, Case, CaseEvent, CaseKind, CaseState, Failure, Order, Payee, RecordedAct, State, Verdict};

pub use self::sql::{Migrator, SqlStore};
pub use ::sql::{Error, Result};

/// Everything the service stores.
pub trait Store: Orders + Cursors + Cases + Books + Runs {}

impl<S: Orders + Cursors + Cases + Books + Runs> Store for S {}

/// One try to post a FUND order or an operator's act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Names the try.
    pub id: Uuid,
    /// Until when a posting of this try may still take effect.
    pub until: Timestamp,
}

/// What a FUND finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FundStart {
    /// The order is PENDING and the try is on record.
    Begun {
        /// The order.
        order: Order,
        /// Until when a try that this one took over from may still take effect.
        doubt: Option<Timestamp>,
    },
    /// Another try may still take effect, until the given time at the latest.
    Held(Timestamp),
    /// The order is decided, or asks for something else.
    Known(Order),
}

/// How a FUND's try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FundEnd {
    /// The ledger has it.
    Funded,
    /// The ledger refused it: the verdict and the balance that fell short.
    Refused(Verdict, i64),
    /// Nothing was decided, and nothing of this try can take effect any more; of one that it took over from perhaps until
    /// then.
    Undecided(Option<Timestamp>),
}

/// Whose orders to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// Of one packet.
    Packet(PacketId),
    /// With this user's wallet.
    User(UserId),
}

/// The key that orders lists: time of creation, then id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListKey {
    /// When it was created.
    pub created: Timestamp,
    /// Which one.
    pub id: TransferId,
}

/// Transfer orders.
#[async_trait]
pub trait Orders: Send + Sync {
    /// Records the FUND order `draft` and `attempt` at it, unless the order is known and decided, asks for something else,
    /// or another attempt is open at `now`.
    async fn begin_fund(&self, draft: &Order, attempt: Attempt, now: Timestamp) -> Result<FundStart>;

    /// Like [`begin_fund`](Self::begin_fund), but takes over from an attempt that is open: never [`FundStart::Held`]. The order
    /// then counts as attempted until both ends are past.
    async fn take_over_fund(&self, draft: &Order, attempt: Attempt, now: Timestamp) -> Result<FundStart>;

    /// Ends an attempt and returns the order as it is then. [`FundEnd::Funded`] always counts; a refusal counts only if the
    /// order is PENDING and `attempt` is still the one on record.
    async fn end_fund(&self, id: TransferId, attempt: Attempt, end: FundEnd, now: Timestamp) -> Result<Order>;

    /// Records the REFUND order `draft`; returns it, or the one that was there before.
    async fn begin_refund(&self, draft: &Order) -> Result<Order>;

    /// Takes a PENDING order to its `concluded` state, with a repair case if there is `opening`. An order that is no longer
    /// PENDING stays as it is. Returns the order as it is then.
    async fn conclude(&self, concluded: &Order, opening: Option<CaseEvent>) -> Result<Order>;

    /// How much of the packet the claims that were recorded have taken, in fen: wherever that money is by now. Claims that
    /// cannot be understood and those that contradict another one do not count.
    async fn claimed_fen(&self, packet: PacketId) -> Result<i64>;

    /// One order.
    async fn order(&self, id: TransferId) -> Result<Option<Order>>;

    /// Orders, oldest first; one more than the page shows if there are more. Empty if there are none.
    async fn list(&self, of: &Of, page: &Page<ListKey>) -> Result<Vec<Order>>;
}

/// A stretch of one partition's log, settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The partition.
    pub partition: Partition,
    /// The cursor before it.
    pub from_seq: i64,
    /// The cursor behind it.
    pub to_seq: i64,
    /// Its orders, each with what its case opens with if it has one.
    pub orders: Vec<(Order, Option<CaseEvent>)>,
}

impl Stretch {
    /// Refuses a stretch that does not lead on.
    fn leads_on(&self) -> Result<()> {
        if self.to_seq > self.from_seq {
            return Ok(());
        }
        let Self {
            partition,
            from_seq,
            to_seq,
            ..
        } = self;
        Err(Error::inconsistent(format!(
            "a stretch of {partition} from {from_seq} to {to_seq} does not lead on"
        )))
    }
}

/// Cursors into the claim log and who holds them.
#[async_trait]
pub trait Cursors: Send + Sync {
    /// Makes a cursor for each partition.
    ///
    /// [`Error::Inconsistent`] if there are more already: the number of partitions never changes.
    async fn prepare(&self, partitions: NonZeroU16) -> Result<()>;

    /// Says that `owner` is alive until `until`, renews its leases, takes and lets go partitions so that all live instances
    /// have their share. Returns the cursors of the partitions that it holds then.
    async fn lease(&self, owner: Uuid, now: Timestamp, until: Timestamp) -> Result<BTreeMap<Partition, i64>>;

    /// Lets go everything that `owner` holds.
    async fn retire(&self, owner: Uuid) -> Result<()>;

    /// Records orders and cases, and moves the cursors past their claims. A stretch whose cursor `owner` does not hold, or
    /// that is not at `from_seq`, is dropped whole and its partition returned: somebody else settled it, to the same effect.
    /// Orders that are there already stay as they are.
    ///
    /// [`Error::Inconsistent`] for a stretch that does not lead on: a cursor never goes back.
    async fn settle(&self, owner: Uuid, stretches: &[Stretch]) -> Result<Vec<Partition>>;
}

/// What an act on a case finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActStart {
    /// There is no such case.
    NotFound,
    /// The order that the case is about is not in the store.
    OrderMissing,
    /// The request is on record: it has its outcome, or asked for something else.
    Known(RecordedAct),
    /// The case is decided.
    Resolved,
    /// An act on this case is unfinished, and until then a try at it may still take effect. It is this act or another one.
    Held(Act, Timestamp),
    /// The act and the try are on record.
    Begun {
        /// The order that the case is about.
        order: Order,
        /// Until when a try at this act that this one took over from may still take effect.
        doubt: Option<Timestamp>,
    },
}

/// How a try at an act ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActEnd {
    /// The money is there: the case is resolved.
    Paid(Payee),
    /// There was nothing to move: the case is resolved, the order stays as it is.
    Closed,
    /// The ledger refused it with this verdict: the case stays open.
    Refused(String),
    /// The money turned out to be in suspense. The act goes on from there.
    InSuspense,
    /// Nothing was decided, and until then a try may still take effect.
    Undecided(Option<Timestamp>),
}

/// Repair cases.
#[async_trait]
pub trait Cases: Send + Sync {
    /// One case.
    async fn case(&self, id: TransferId) -> Result<Option<Case>>;

    /// Cases in a state (`None`: in any), oldest first; one more than the page shows if there are more.
    async fn cases(&self, state: Option<CaseState>, page: &Page<ListKey>) -> Result<Vec<Case>>;

    /// How many cases of each kind are open, and since when the oldest of them; absent where there is none.
    async fn open_cases(&self) -> Result<BTreeMap<CaseKind, (u64, Timestamp)>>;

    /// Records `act` on an open case and `attempt` at it, before money moves. A case has one unfinished act at most; a
    /// request is known under its id for ever, on whatever case. An act that is on record is tried again, but while another
    /// attempt at it is open only if this one is to take it `over`; the act then counts as attempted until both ends are past.
    async fn begin_act(&self, act: &Act, attempt: Attempt, now: Timestamp, over: bool) -> Result<ActStart>;

    /// Ends an attempt at `act` with `event`, and returns the act as it is then. That money moved, and where it is, always
    /// counts; everything else only if `attempt` is still the one on record. What is known of an act never changes, and that
    /// the money is somewhere ends the act that waits for another try on the same case, too. An event DELAYED is kept once
    /// for an act.
    async fn end_act(&self, act: &Act, attempt: Attempt, end: ActEnd, event: CaseEvent) -> Result<RecordedAct>;

    /// Up to `limit` acts without an outcome of which no attempt is open at `now`, in the order in which those ended.
    async fn unfinished_acts(&self, now: Timestamp, limit: u64) -> Result<Vec<Act>>;

    /// Makes sure that `order` is stored and has a case. An order or case that is there stays as it is.
    async fn open_case(&self, order: &Order, opening: CaseEvent) -> Result<()>;
}

/// A stretch of orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// In order of id.
    pub orders: Vec<Order>,
    /// Up to which order was looked; `None` if none follows.
    pub to: Option<TransferId>,
}

/// What reconciliation reads.
#[async_trait]
pub trait Books: Send + Sync {
    /// All cursors.
    async fn cursors(&self) -> Result<BTreeMap<Partition, i64>>;

    /// Up to `limit` SETTLE orders for claims behind `after_seq` and up to `to_seq` of a partition's log, in its order.
    async fn settled(&self, partition: Partition, after_seq: i64, to_seq: i64, limit: u64) -> Result<Vec<Order>>;

    /// Looks at the `span` orders behind `after`, in order of id, and returns those of them that no claim leads to: FUND and
    /// REFUND orders, and SETTLE orders that are in none of the logs of `partitions` partitions.
    async fn others(&self, after: Option<TransferId>, partitions: usize, span: u64) -> Result<Others>;

    /// The highest position of a SETTLE order in a partition's log.
    async fn last_settled(&self, partition: Partition) -> Result<Option<i64>>;

    /// For each packet, what its SETTLE and REFUND orders say has left the escrow, in fen; absent where nothing has.
    async fn left_escrow(&self, packets: &[PacketId]) -> Result<HashMap<PacketId, i64>>;

    /// Those of the orders that are stored.
    async fn stored(&self, orders: &[TransferId]) -> Result<HashSet<TransferId>>;

    /// Those of the orders that have a case.
    async fn with_case(&self, orders: &[TransferId]) -> Result<HashSet<TransferId>>;

    /// How many cases are open.
    async fn open_case_count(&self) -> Result<i64>;
}

/// The periodic run through the books, one of all instances'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number, from 1.
    pub run_no: i64,
    /// When it began.
    pub begun: Timestamp,
    /// Where it stands; `None` if it has ended.
    pub position: Option<String>,
    /// When it came there.
    pub updated: Timestamp,
    /// How many differences it has found.
    pub difference_count: i64,
}

/// Where the periodic run stands, so that a restart goes on with it and one instance does it.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Gives the run to `owner` until `until`, unless another one holds it at `now`: the one that is under way, or a new one if
    /// the last ended at `due` or before. `None` if there is nothing to do. Before the first run, the one before it counts as
    /// ended when this was first asked.
    async fn take_run(&self, owner: Uuid, due: Timestamp, now: Timestamp, until: Timestamp) -> Result<Option<Run>>;

    /// Keeps how far the run has come, and the hold on it until `until`. Whether `owner` holds it still; otherwise nothing
    /// changes.
    async fn keep_run(&self, owner: Uuid, run: &Run, until: Timestamp) -> Result<bool>;
}

/// Why a STUCK order may stand for nothing that is owed.
pub(crate) const NOT_OWED: [Failure; 2] = [Failure::UnreadableClaim, Failure::Refused(Verdict::IdReused)];

impl State {
    /// The states in which an order's money has left the escrow.
    pub const LEFT_ESCROW: [Self; 3] = [Self::Posted, Self::Suspended, Self::Repaired];
}

impl ListKey {
    /// The key of an order.
    pub fn of(order: &Order) -> Self {
        Self {
            created: order.created,
            id: order.id,
        }
    }
}

impl fmt::Display for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.created.as_microsecond(), self.id)
    }
}

/// The text is no list key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListKeyError;

impl FromStr for ListKey {
    type Err = ListKeyError;

    fn from_str(text: &str) -> std::result::Result<Self, ListKeyError> {
        let (micros, id) = text.split_once(':').ok_or(ListKeyError)?;
        Ok(Self {
            created: clock::from_micros(micros.parse().map_err(|_| ListKeyError)?),
            id: id.parse().map_err(|_| ListKeyError)?,
        })
    }
}
