//! Every claim against its order, and every SETTLE order against its claim and the ledger.

use std::collections::BTreeMap;

use futures::{StreamExt, stream::FuturesOrdered};
use id::{PacketId, Partition, TransferId};

use super::{
    Budget, PAGE,
    found::{Found, differing, unfunded},
};
use crate::{
    domain::{Damage, Difference, DifferenceKind, Failure, LoggedClaim, Order, State, claim::continuing},
    ops::{Error, Ports, Result},
};

/// Messages of the log that are held against the orders at once: while the store reads for one, the ledger does for another.
const AT_ONCE: usize = 3;

/// Where the walk stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The partition's index.
    pub partition: u16,
    /// Where in its log; `None` at the beginning.
    pub log: Option<Log>,
}

/// Where in a partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// Where the partition's cursor was when the walk came to it: what is behind is on its way.
    pub cursor: i64,
    /// Up to where claims, or orders behind the end of the log, were looked at.
    pub seen: i64,
    /// Whether the log has ended, and only orders are left.
    pub ended: bool,
}

/// Goes on from `place`. Returns where it stands; `None` at the end.
pub async fn walk(ports: &Ports, place: Place, budget: &mut Budget, found: &mut Found) -> Result<Option<Place>> {
    let cursors = ports.store.cursors().await?;
    let Some((partition, cursor)) = cursors
        .into_iter()
        .find(|(partition, _)| partition.index() == place.partition)
    else {
        return Ok(None);
    };
    let mut log = if let Some(log) = place.log {
        log
    } else {
        stray(ports, partition, found).await?;
        Log {
            cursor,
            seen: 0,
            ended: false,
        }
    };
    if !log.ended {
        follow(ports, partition, &mut log, budget, found).await?;
        if log.ended && log.seen < log.cursor && !ports.log.reaches(partition, log.cursor).await? {
            found.finding(beyond(partition, &log));
        }
    }
    while log.ended && log.seen < log.cursor && !budget.is_spent(found) {
        let orders = ports.store.settled(partition, log.seen, log.cursor, PAGE).await?;
        budget.spend(orders.len() as u64);
        let last = orders.last().and_then(|order| order.claim);
        log.seen = last.map_or(log.cursor, |claim| claim.seq);
        for order in orders {
            without_claim(order, found);
        }
    }
    budget.spend(1);
    Ok(Some(if log.ended && log.seen >= log.cursor {
        Place {
            partition: place.partition.saturating_add(1),
            log: None,
        }
    } else {
        Place {
            log: Some(log),
            ..place
        }
    }))
}

/// Orders before the log's beginning, and behind its end. Those behind the cursor are left out where the log has come that
/// far: who put the cursor back has moved no money, and its claims are settled once more, to the same effect.
async fn stray(ports: &Ports, partition: Partition, found: &mut Found) -> Result<()> {
    let last = ports.store.last_settled(partition).await?;
    let cursor = ports.store.cursors().await?.get(&partition).copied().unwrap_or(0);
    let mut orders = ports.store.settled(partition, i64::MIN, 0, PAGE).await?;
    if last.is_some_and(|last| last > cursor) {
        orders.extend(ports.store.settled(partition, cursor, i64::MAX, PAGE).await?);
    }
    for order in orders {
        let seq = order.claim.map_or(0, |claim| claim.seq);
        if seq <= 0 || !ports.log.reaches(partition, seq).await? {
            without_claim(order, found);
        }
    }
    Ok(())
}

/// Reads the log from where it stands, while there is budget. What is behind the cursor is counted only.
async fn follow(
    ports: &Ports,
    partition: Partition,
    log: &mut Log,
    budget: &mut Budget,
    found: &mut Found,
) -> Result<()> {
    let mut claims = ports.log.tail(partition, log.seen, false).await?;
    let mut checks = FuturesOrdered::new();
    let mut read = log.seen;
    loop {
        while checks.len() < AT_ONCE && !log.ended && !budget.is_spent(found) {
            let Some(message) = claims.next().await else {
                log.ended = true;
                break;
            };
            let fresh = continuing(read, message?).map_err(|gap| Error::Broken(format!("{partition}: {gap}")))?;
            let Some(last) = fresh.last() else {
                continue;
            };
            budget.spend(fresh.len() as u64);
            let from = std::mem::replace(&mut read, last.seq);
            checks.push_back(check(ports, partition, from, log.cursor, fresh, found.now()));
        }
        let Some(checked) = checks.next().await else {
            return Ok(());
        };
        let checked = checked?;
        log.seen = checked.to;
        found.report.claim_count = found.report.claim_count.saturating_add(checked.claim_count);
        found.report.unsettled_count = found.report.unsettled_count.saturating_add(checked.unsettled_count);
        found.unfunded(checked.unfunded);
        for (order, difference) in checked.differences {
            found.about(order, difference);
        }
    }
}

/// What came of a message.
struct Checked {
    to: i64,
    claim_count: i64,
    unsettled_count: i64,
    differences: Vec<(Order, Difference)>,
    unfunded: Vec<PacketId>,
}

/// Holds `claims`, the ones behind `from`, against their orders, and those against the ledger.
async fn check(
    ports: &Ports,
    partition: Partition,
    from: i64,
    cursor: i64,
    claims: Vec<LoggedClaim>,
    now: clock::Timestamp,
) -> Result<Checked> {
    let to = claims.last().map_or(from, |claim| claim.seq);
    let (passed, waiting): (Vec<_>, Vec<_>) = claims.into_iter().partition(|claim| claim.seq <= cursor);
    let mut orders = between(ports, partition, from, to.min(cursor)).await?;
    let mut differences = Vec::new();
    let mut agreed = Vec::with_capacity(orders.len());
    for claim in &passed {
        match hold(claim, orders.remove(&claim.seq), now) {
            (order, Some(difference)) => differences.push((order, difference)),
            (order, None) => agreed.push(order),
        }
    }
    differences.extend(orders.into_values().map(|order| {
        let difference = lacks_claim(&order);
        (order, difference)
    }));
    let unfunded = unfunded(ports, &agreed).await?;
    differences.extend(differing(ports, agreed).await?);
    Ok(Checked {
        to,
        claim_count: count(&passed),
        unsettled_count: count(&waiting),
        differences,
        unfunded,
    })
}

/// The orders of the claims behind `after_seq` up to `to_seq`. A claim has at most one, so their number is bounded by the
/// log's message.
async fn between(ports: &Ports, partition: Partition, after_seq: i64, to_seq: i64) -> Result<BTreeMap<i64, Order>> {
    if to_seq <= after_seq {
        return Ok(BTreeMap::new());
    }
    let limit = u64::try_from(to_seq.saturating_sub(after_seq)).unwrap_or(PAGE);
    let orders = ports.store.settled(partition, after_seq, to_seq, limit).await?;
    let by_seq = orders.into_iter().filter_map(|order| Some((order.claim?.seq, order)));
    Ok(by_seq.collect())
}

fn count(claims: &[LoggedClaim]) -> i64 {
    i64::try_from(claims.len()).unwrap_or(i64::MAX)
}

fn hold(claim: &LoggedClaim, order: Option<Order>, now: clock::Timestamp) -> (Order, Option<Difference>) {
    let place = format!("claim {} of partition {}", claim.seq, claim.partition.index());
    let expected = Order::for_claim(claim, now);
    let is_missing = matches!(&claim.damage, Some(Damage { missing: true, .. }));
    let Some(order) = order else {
        // The order that should be there: an operator's retry posts it, or learns that it was posted.
        let lost = Order {
            state: State::Stuck,
            failure: expected.failure.or(Some(Failure::ClaimWithoutTransfer)),
            ..expected
        };
        let kind = if is_missing {
            DifferenceKind::ClaimMissing
        } else {
            DifferenceKind::ClaimWithoutTransfer
        };
        let found = lost.differs(kind, &format!("{place} has no order"), lost.amount_fen);
        return (
            lost,
            Some(Difference {
                subject: place,
                ..found
            }),
        );
    };
    // A claim that contradicts an earlier one has an order of its own.
    let is_its_own = [expected.id, TransferId::unpayable(claim.partition, claim.seq)].contains(&order.id);
    let found = if is_its_own && order.asks_the_same(&expected) {
        None
    } else if is_missing {
        let found = order.differs(
            DifferenceKind::ClaimMissing,
            &format!("the log has lost {place}"),
            order.amount_fen,
        );
        Some(Difference {
            subject: place,
            ..found
        })
    } else {
        let apart_fen = expected.amount_fen.saturating_sub(order.amount_fen);
        let text = format!("{place} and its order differ");
        Some(order.differs(DifferenceKind::ClaimTransferMismatch, &text, apart_fen))
    };
    (order, found)
}

fn lacks_claim(order: &Order) -> Difference {
    let seq = order.claim.map_or(0, |claim| claim.seq);
    let text = format!("there is no claim {seq} for this order");
    order.differs(DifferenceKind::TransferWithoutClaim, &text, order.amount_fen)
}

fn without_claim(order: Order, found: &mut Found) {
    let difference = lacks_claim(&order);
    found.about(order, difference);
}

fn beyond(partition: Partition, log: &Log) -> Difference {
    let Log { cursor, seen, .. } = log;
    Difference {
        kind: DifferenceKind::CursorBeyondLog,
        description: format!("the cursor is at {cursor}, the log ends at {seen}"),
        subject: format!("partition {}", partition.index()),
        packet: None,
        transfer: None,
        difference_fen: 0,
        case: None,
    }
}
