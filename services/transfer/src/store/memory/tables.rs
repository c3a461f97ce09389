//! The tables, with the keys and checks that SQL has on them.

use std::{collections::BTreeMap, sync::Arc};

use clock::Timestamp;
use disk::{check, key};
use id::{Partition, RequestId, TransferId};
use sql::{Error, Result};
use uuid::Uuid;

use crate::{
    domain::{Case, CaseEvent, CaseState, Kind, Order, RecordedAct, State},
    store::Run,
};

/// A transfer order as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// The order.
    pub order: Order,
    /// The open try of a FUND.
    pub attempt_id: Option<Uuid>,
    /// Until when it may take effect.
    pub attempt_until: Option<Timestamp>,
}

/// A cursor into the log of one partition, with its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last position that is settled.
    pub after_seq: i64,
    /// The instance that holds it, if one does.
    pub owner: Option<Uuid>,
    /// Until when, unless renewed.
    pub until: Timestamp,
}

/// A repair case as it is stored, beside its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    /// Whether it still needs someone.
    pub state: CaseState,
    /// When it was opened.
    pub created: Timestamp,
    /// What happened, oldest first.
    pub events: Vec<CaseEvent>,
}

/// An operator's act as it is stored, with its latest try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRow {
    /// The act.
    pub recorded: RecordedAct,
    /// The latest try at it.
    pub attempt_id: Uuid,
    /// Until when a try may take effect.
    pub attempt_until: Timestamp,
}

/// The periodic run through the books, and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Where it stands.
    pub run: Run,
    /// The instance that holds it, if one does.
    pub owner: Option<Uuid>,
    /// Until when, unless renewed.
    pub until: Timestamp,
}

/// Everything stored. Each table is shared with whoever saw it, until it is changed.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    orders: Arc<BTreeMap<TransferId, OrderRow>>,
    cursors: Arc<BTreeMap<Partition, Cursor>>,
    workers: Arc<BTreeMap<Uuid, Timestamp>>,
    cases: Arc<BTreeMap<TransferId, CaseRow>>,
    acts: Arc<BTreeMap<RequestId, ActRow>>,
    run: Option<RunRow>,
}

impl From<&Order> for OrderRow {
    /// The row of an order with no try open.
    fn from(order: &Order) -> Self {
        Self {
            order: order.clone(),
            attempt_id: None,
            attempt_until: None,
        }
    }
}

impl Tables {
    pub fn orders(&self) -> &BTreeMap<TransferId, OrderRow> {
        &self.orders
    }

    /// An order that was there a moment ago and is not deleted by anybody.
    pub fn known(&self, id: TransferId) -> Result<&OrderRow> {
        let row = self.orders.get(&id);
        row.ok_or_else(|| Error::inconsistent(format!("order {id} is gone")))
    }

    /// Stores a row, new or not.
    pub fn put_order(&mut self, row: OrderRow) -> Result<()> {
        may_be_stored(&row.order)?;
        let free = row.order.claim.is_none_or(|claim| {
            let mut others = self.orders.values().filter(|other| other.order.id != row.order.id);
            let position = (claim.partition, claim.seq);
            !others.any(|other| other.order.claim.map(|claim| (claim.partition, claim.seq)) == Some(position))
        });
        key(free, "CLAIM-3: orders (partition, seq)")?;
        Arc::make_mut(&mut self.orders).insert(row.order.id, row);
        Ok(())
    }

    /// Stores an order, with no try open, unless there is one of its id.
    pub fn add_order(&mut self, order: &Order) -> Result<()> {
        may_be_stored(order)?;
        if self.orders.contains_key(&order.id) {
            return Ok(());
        }
        self.put_order(order.into())
    }

    pub fn cursors(&self) -> &BTreeMap<Partition, Cursor> {
        &self.cursors
    }

    pub fn cursors_mut(&mut self) -> &mut BTreeMap<Partition, Cursor> {
        Arc::make_mut(&mut self.cursors)
    }

    pub fn workers_mut(&mut self) -> &mut BTreeMap<Uuid, Timestamp> {
        Arc::make_mut(&mut self.workers)
    }

    pub fn cases(&self) -> &BTreeMap<TransferId, CaseRow> {
        &self.cases
    }

    pub fn case_mut(&mut self, id: TransferId) -> Option<&mut CaseRow> {
        Arc::make_mut(&mut self.cases).get_mut(&id)
    }

    /// Opens a case, unless there is one.
    pub fn add_case(&mut self, id: TransferId, opening: &CaseEvent) {
        let case = Arc::make_mut(&mut self.cases).entry(id);
        case.or_insert_with(|| CaseRow {
            state: CaseState::Open,
            created: opening.at,
            events: vec![opening.clone()],
        });
    }

    pub fn run_mut(&mut self) -> &mut Option<RunRow> {
        &mut self.run
    }

    pub fn acts(&self) -> &BTreeMap<RequestId, ActRow> {
        &self.acts
    }

    /// Stores an act, new or not.
    pub fn put_act(&mut self, row: ActRow) {
        let request = row.recorded.act.request.clone();
        Arc::make_mut(&mut self.acts).insert(request, row);
    }

    /// A case with its order.
    pub fn complete(&self, id: TransferId, row: &CaseRow) -> Case {
        Case {
            id,
            order: self.orders.get(&id).map(|row| row.order.clone()),
            state: row.state,
            events: row.events.clone(),
            created: row.created,
        }
    }
}

fn may_be_stored(order: &Order) -> Result<()> {
    // Only what a person must look at may have an amount that no ledger takes.
    let payable = order.amount_fen > 0 || order.state == State::Stuck;
    check(payable, "orders: amount_fen")?;
    check(
        order.state != State::Rejected || order.kind == Kind::Fund,
        "orders: state",
    )
}

/// What was stored at one instant, in the raw.
#[derive(Clone, Debug)]
pub struct Snapshot(Tables);

impl Snapshot {
    pub(super) fn of(tables: Tables) -> Self {
        Self(tables)
    }

    /// All orders with their open tries.
    pub fn orders(&self) -> &BTreeMap<TransferId, OrderRow> {
        &self.0.orders
    }

    /// All cursors with their leases.
    pub fn cursors(&self) -> &BTreeMap<Partition, Cursor> {
        &self.0.cursors
    }

    /// The instances that read the log, and until when they count as alive.
    pub fn workers(&self) -> &BTreeMap<Uuid, Timestamp> {
        &self.0.workers
    }

    /// All repair cases, by the id of their order.
    pub fn cases(&self) -> &BTreeMap<TransferId, CaseRow> {
        &self.0.cases
    }

    /// All operators' acts, by their requests.
    pub fn acts(&self) -> &BTreeMap<RequestId, ActRow> {
        &self.0.acts
    }
}
