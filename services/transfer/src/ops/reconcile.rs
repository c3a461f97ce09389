//! Holds claims, orders, ledger and escrows against each other (对账).
//!
//! Money moves on meanwhile. Each comparison therefore reads the side that lags first, and compares only what must be on
//! the other side by then:
//!
//! - cursors, then the log: what the log has behind a cursor is on its way, not missing;
//! - orders, then the ledger: what an order says has moved, the ledger has shown before;
//! - escrows: see [`escrows`].
//!
//! Rows are read in pages and the log in messages; nothing is held whole.

mod claims;
mod escrows;
mod ledger;

use std::collections::HashSet;

use id::TransferId;

use super::{Ports, Result};
use crate::domain::{CaseEvent, Difference, Order};

/// Rows read at a time: one batch call to the account service.
const PAGE: u64 = 500;

/// What reconciliation found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Packets that were held against their escrow.
    pub packet_count: i64,
    /// Claims that were held against their order.
    pub claim_count: i64,
    /// Ledger transfers that the account service verified.
    pub transfer_count: i64,
    /// Claims behind the cursors: on their way.
    pub unsettled_count: i64,
    /// Open repair cases: known to operators, no difference.
    pub open_case_count: i64,
    /// Everything that does not agree; empty means that the books are right.
    pub differences: Vec<Difference>,
}

/// One run over all books. A difference that has an order behind it has a repair case afterwards.
pub async fn reconcile(ports: &Ports) -> Result<Report> {
    let mut report = Report::default();
    let mut suspects = Vec::new();
    ledger::sums(ports, &mut report).await?;
    let mut behind = escrows::compare(ports, &mut report).await?;
    claims::compare(ports, &mut report, &mut suspects, &mut behind).await?;
    escrows::explain(ports, behind, &mut report).await?;
    ledger::orders(ports, &mut report, &mut suspects).await?;
    open_cases(ports, &suspects).await?;
    report.differences.sort_by_key(|difference| difference.kind);
    report.open_case_count = ports.store.open_case_count().await?;
    Ok(report)
}

/// Notes a difference about `order`, which then gets a repair case.
fn suspect(
    report: &mut Report,
    suspects: &mut Vec<(Order, CaseEvent)>,
    order: Order,
    difference: Difference,
    ports: &Ports,
) {
    let words = format!("{}: {}", difference.kind.name(), difference.description);
    report.differences.push(Difference {
        case: Some(order.id),
        ..difference
    });
    suspects.push((order, CaseEvent::opened(ports.clock.now(), words)));
}

/// Opens the cases, one an order.
async fn open_cases(ports: &Ports, suspects: &[(Order, CaseEvent)]) -> Result<()> {
    let mut seen = HashSet::<TransferId>::new();
    for (order, opening) in suspects {
        if seen.insert(order.id) {
            ports.store.open_case(order, opening.clone()).await?;
        }
    }
    Ok(())
}
