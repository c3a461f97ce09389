//! Holds claims, orders, ledger and escrows against each other (对账), a slice at a time.
//!
//! | walk | through | holds |
//! |---|---|---|
//! | ledger | the ledger's own slices | the ledger against itself and its chain |
//! | orders | what no claim leads to, in order of id | FUND and REFUND orders against the ledger, and every funded packet's escrow: see [`escrows`] |
//! | claims | each partition's log up to its cursor | every claim against its order, and that order against the ledger |
//!
//! A run keeps nothing here: where it stands is a [`Position`], which a caller brings back and the periodic run ([`run`])
//! stores. Every stretch is read by an index, in pages; nothing is held whole.
//!
//! Money moves on meanwhile. Each comparison therefore reads the side that lags first, and compares only what must be on
//! the other side by then:
//!
//! - cursors, then the log: what the log has behind a cursor is on its way, not missing;
//! - orders, then the ledger: what an order says has moved, the ledger has shown before;
//! - escrows: see [`escrows`].

mod claims;
mod escrows;
mod found;
mod orders;
mod position;
pub mod run;

use std::time::Duration;

use tokio::time::Instant;

use super::{Ports, Result};
use crate::domain::{Difference, DifferenceKind};
use found::Found;

pub use position::{NoPosition, Position};

/// Rows read at a time: one batch call to the account service.
const PAGE: u64 = 500;
/// When a slice ends however few rows it had: an answer must come within the deadline of any caller.
const PATIENCE: Duration = Duration::from_secs(2);
/// A slice ends when it has this many differences: enough to see a pattern.
const MAX_DIFFERENCES: usize = 1_000;

/// What came of a slice.
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
    /// Everything that does not agree; empty means that what was looked at is right.
    pub differences: Vec<Difference>,
    /// Where the next slice begins; `None` after the last.
    pub next: Option<Position>,
    /// How far all slices so far have come, 0 to 1,000.
    pub progress_permille: i32,
}

/// How much a slice may do yet.
struct Budget {
    rows: u64,
    ends: Instant,
}

impl Budget {
    fn is_spent(&self, found: &Found) -> bool {
        self.rows == 0 || Instant::now() >= self.ends || found.report.differences.len() >= MAX_DIFFERENCES
    }

    fn spend(&mut self, rows: u64) {
        self.rows = self.rows.saturating_sub(rows.max(1));
    }
}

/// Looks at about `rows` rows behind `from`. Every difference that is found has a repair case afterwards.
pub async fn reconcile(ports: &Ports, from: Position, rows: u64) -> Result<Report> {
    let mut found = Found::new(ports.clock.now());
    let mut budget = Budget {
        rows,
        ends: Instant::now() + PATIENCE,
    };
    let mut progress_permille = from.permille(1);
    let mut next = Some(from);
    while let Some(at) = next.take_if(|_| !budget.is_spent(&found)) {
        next = match at {
            Position::Ledger(token) => {
                let (to, ledger_permille) = ledger(ports, &token, &mut budget, &mut found).await?;
                let to = Position::Ledger(to.unwrap_or_default());
                let is_done = to == Position::Ledger(String::new());
                progress_permille = Position::within_ledger(ledger_permille);
                Some(if is_done { Position::Orders(None) } else { to })
            }
            Position::Orders(after) => {
                let to = orders::walk(ports, after, &mut budget, &mut found).await?;
                Some(to.map_or(Position::Claims(claims::Place::default()), |to| {
                    Position::Orders(Some(to))
                }))
            }
            Position::Claims(place) => claims::walk(ports, place, &mut budget, &mut found)
                .await?
                .map(Position::Claims),
        };
    }
    found.open_cases(ports).await?;
    let mut report = found.report;
    report.open_case_count = ports.store.open_case_count().await?;
    report.progress_permille = match &next {
        None => 1_000,
        Some(Position::Ledger(_)) => progress_permille,
        Some(next) => next.permille(ports.store.cursors().await?.len()),
    };
    report.next = next;
    Ok(report)
}

/// Lets the ledger verify a slice of itself. Returns the token of the next one, if there is one, and how far it has come.
async fn ledger(ports: &Ports, token: &str, budget: &mut Budget, found: &mut Found) -> Result<(Option<String>, i32)> {
    let rows = i32::try_from(budget.rows.max(1)).unwrap_or(i32::MAX);
    let slice = ports.ledger.verify(token, rows).await?;
    // It stopped where it had looked at as much as it may, unless it came to its end.
    budget.spend(match slice.next {
        Some(_) => budget.rows,
        None => u64::try_from(slice.transfer_count).unwrap_or(u64::MAX),
    });
    found.report.transfer_count = found.report.transfer_count.saturating_add(slice.transfer_count);
    for difference in slice.differences {
        found.finding(Difference {
            kind: DifferenceKind::Ledger,
            description: difference.description,
            subject: difference.subject,
            packet: None,
            transfer: difference.transfer,
            difference_fen: difference.difference_fen,
            case: None,
        });
    }
    Ok((slice.next, slice.progress_permille))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slice_ends_with_its_rows_its_time_or_its_differences() {
        let fresh = || Budget {
            rows: 10,
            ends: Instant::now() + PATIENCE,
        };
        let mut found = Found::new(clock::from_micros(0));
        let mut budget = fresh();
        budget.spend(9);
        assert!(!budget.is_spent(&found));
        budget.spend(0);
        assert!(budget.is_spent(&found), "looking at nothing counts as a row");

        for n in 0..MAX_DIFFERENCES {
            assert!(!fresh().is_spent(&found), "{n}");
            found.finding(Difference {
                kind: DifferenceKind::EscrowMismatch,
                description: String::new(),
                subject: n.to_string(),
                packet: None,
                transfer: None,
                difference_fen: 1,
                case: None,
            });
        }
        assert!(fresh().is_spent(&found));

        let budget = fresh();
        tokio::time::advance(PATIENCE).await;
        assert!(budget.is_spent(&Found::new(clock::from_micros(0))));
    }
}
