//! Every claim against its order, and every SETTLE order against its claim.

use std::collections::BTreeMap;

use futures::StreamExt;
use id::Partition;

use crate::{
    domain::{CaseEvent, DifferenceKind, Failure, LoggedClaim, Order, State, claim::continuing},
    ops::{Error, Ports, Result},
};

use super::{PAGE, Report, escrows::Behind, suspect};

/// Goes through the log of every partition up to where its cursor was at the beginning. What is behind it is counted and
/// noted for those packets whose escrow is already lower than their orders say.
pub async fn compare(
    ports: &Ports,
    report: &mut Report,
    suspects: &mut Vec<(Order, CaseEvent)>,
    behind: &mut Behind,
) -> Result<()> {
    for (partition, cursor) in ports.store.cursors().await? {
        let mut log = ports.log.tail(partition, 0, false).await?;
        let mut seen = 0;
        while let Some(batch) = log.next().await {
            let claims = continuing(seen, batch?).map_err(|gap| Error::Broken(format!("{partition}: {gap}")))?;
            let Some(last) = claims.last() else {
                continue;
            };
            let to_seq = last.seq.min(cursor);
            let (passed, waiting): (Vec<_>, Vec<_>) = claims.into_iter().partition(|claim| claim.seq <= cursor);
            for claim in &waiting {
                behind.note(claim);
            }
            report.unsettled_count = report.unsettled_count.saturating_add(count(&waiting));
            report.claim_count = report.claim_count.saturating_add(count(&passed));
            let mut orders = between(ports, partition, seen, to_seq).await?;
            for claim in &passed {
                let order = orders.remove(&claim.seq);
                hold(ports, claim, order, report, suspects);
            }
            without_claim(ports, orders, report, suspects);
            seen = last_seq(&passed, &waiting, seen);
        }
        while seen < cursor {
            let orders = ports.store.settled(partition, seen, cursor, PAGE).await?;
            seen = orders
                .last()
                .and_then(|order| order.claim)
                .map_or(cursor, |claim| claim.seq);
            without_claim(ports, by_seq(orders), report, suspects);
        }
    }
    Ok(())
}

fn count(claims: &[LoggedClaim]) -> i64 {
    i64::try_from(claims.len()).unwrap_or(i64::MAX)
}

fn last_seq(passed: &[LoggedClaim], waiting: &[LoggedClaim], seen: i64) -> i64 {
    waiting.last().or(passed.last()).map_or(seen, |claim| claim.seq)
}

fn by_seq(orders: Vec<Order>) -> BTreeMap<i64, Order> {
    orders
        .into_iter()
        .filter_map(|order| Some((order.claim?.seq, order)))
        .collect()
}

/// The orders of the claims behind `after_seq` up to `to_seq`. A claim has at most one, so their number is bounded by the
/// log's message.
async fn between(ports: &Ports, partition: Partition, after_seq: i64, to_seq: i64) -> Result<BTreeMap<i64, Order>> {
    if to_seq <= after_seq {
        return Ok(BTreeMap::new());
    }
    let limit = u64::try_from(to_seq.saturating_sub(after_seq)).unwrap_or(PAGE);
    Ok(by_seq(ports.store.settled(partition, after_seq, to_seq, limit).await?))
}

fn hold(
    ports: &Ports,
    claim: &LoggedClaim,
    order: Option<Order>,
    report: &mut Report,
    suspects: &mut Vec<(Order, CaseEvent)>,
) {
    let expected = Order::for_claim(claim, ports.clock.now());
    match order {
        None => {
            // The order that should be there: an operator's retry posts it, or learns that it was posted.
            let lost = Order {
                state: State::Stuck,
                failure: expected.failure.or(Some(Failure::ClaimWithoutTransfer)),
                ..expected
            };
            let text = format!("claim {} of {} has no order", claim.seq, claim.partition);
            let difference = lost.differs(DifferenceKind::ClaimWithoutTransfer, &text, lost.amount_fen);
            suspect(report, suspects, lost, difference, ports);
        }
        Some(order) if !order.asks_the_same(&expected) => {
            let text = format!("claim {} of {} and its order differ", claim.seq, claim.partition);
            let apart_fen = expected.amount_fen.saturating_sub(order.amount_fen);
            let difference = order.differs(DifferenceKind::ClaimTransferMismatch, &text, apart_fen);
            suspect(report, suspects, order, difference, ports);
        }
        Some(_) => {}
    }
}

fn without_claim(
    ports: &Ports,
    orders: BTreeMap<i64, Order>,
    report: &mut Report,
    suspects: &mut Vec<(Order, CaseEvent)>,
) {
    for (seq, order) in orders {
        let text = format!("there is no claim {seq} for this order");
        let difference = order.differs(DifferenceKind::TransferWithoutClaim, &text, order.amount_fen);
        suspect(report, suspects, order, difference, ports);
    }
}
