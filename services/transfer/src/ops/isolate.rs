//! Whose fault it is that a batch is refused.
//!
//! A ledger that answers a batch with an error of its own, or a store that refuses a row, says nothing of which order it is
//! about. Here the batch is halved until that is known. The others go their way, and whoever is left alone gets a repair case.
//!
//! The proof that it is the order's fault, and not the ledger's, is that the ledger refuses it after it took another: a refusal
//! before that proves nothing, and the order is asked for again. So a ledger that is broken for everybody makes no heap of
//! cases, and none when it is mended in the middle of the search.

use std::{collections::VecDeque, ops::Range};

use clock::Timestamp;
use id::Partition;
use uuid::Uuid;

use super::{Error, Result, deliver::deliver};
use crate::{
    domain::{CaseEvent, Delivery, Failure, Order, State},
    peer::{Ledger, PeerError},
    store::{Cursors, Stretch},
};

/// Calls to a ledger that refuses all of them, before it is believed to refuse everything: enough to find one order in a
/// hundred that is accepted.
const MAX_REFUSALS: usize = 160;

/// Whether the same would be refused again, so that it makes sense to look for whose fault it is.
pub fn is_refusal(fault: &Error) -> bool {
    match fault {
        Error::Store(fault) => fault.is_refusal(),
        Error::Peer(fault) => fault.refused,
        _ => false,
    }
}

/// Delivers as [`deliver`] does; what the ledger refuses to answer for by itself is told in its place. Fails as a whole where
/// the ledger fails in passing, and where it takes nothing at all.
pub async fn deliver_apart(
    ledger: &dyn Ledger,
    orders: &[Order],
) -> std::result::Result<Vec<std::result::Result<Delivery, PeerError>>, PeerError> {
    let mut deliveries: Vec<_> = orders.iter().map(|_| Ok(Delivery::Contradicted)).collect();
    let mut accepted = false;
    let mut refusals = 0;
    // Refused by themselves before anything was accepted.
    let mut doubted: Vec<(Range<usize>, PeerError)> = Vec::new();
    // The widest first: most of a batch is good, and the sooner some of it is taken, the sooner it is known that it can be.
    let mut ranges: VecDeque<Range<usize>> = VecDeque::new();
    ranges.push_back(0..orders.len());
    while let Some(range) = ranges.pop_front() {
        match deliver(ledger, &orders[range.clone()]).await {
            Ok(delivered) => {
                for (index, delivery) in range.zip(delivered) {
                    deliveries[index] = Ok(delivery);
                }
                accepted = true;
                ranges.extend(doubted.drain(..).map(|(range, _)| range));
            }
            Err(fault) if !fault.refused => return Err(fault),
            Err(fault) => {
                refusals += 1;
                if !accepted && refusals > MAX_REFUSALS {
                    return Err(fault);
                }
                if range.len() > 1 {
                    let middle = range.start.midpoint(range.end);
                    ranges.extend([range.start..middle, middle..range.end]);
                } else if accepted {
                    deliveries[range.start] = Err(fault);
                } else {
                    doubted.push((range, fault));
                }
            }
        }
    }
    match doubted.pop() {
        Some((_, fault)) => Err(fault),
        None => Ok(deliveries),
    }
}

/// An order that the ledger has no verdict on, and the case it gets.
pub fn without_verdict(mut order: Order, fault: &PeerError, now: Timestamp) -> (Order, Option<CaseEvent>) {
    let claim = order.claim.map(|claim| (claim.partition.index(), claim.seq));
    tracing::error!(transfer = %order.id, ?claim, %fault, "the ledger has no verdict on this one; it becomes a case");
    order.state = State::Stuck;
    order.failure = Some(Failure::NoVerdict);
    order.updated = now;
    let words =
        "the ledger gives no verdict on this transfer, while it takes others; whether the money moved is not known";
    (
        order,
        Some(CaseEvent::opened(now, words).with_detail(fault.to_string())),
    )
}

/// Records as [`Cursors::settle`] does; an order that the store refuses to record is stood for by one that says so.
pub async fn record_apart(
    store: &(impl Cursors + ?Sized),
    owner: Uuid,
    stretches: Vec<Stretch>,
    now: Timestamp,
) -> Result<Vec<Partition>> {
    let mut lost: Vec<Partition> = Vec::new();
    let mut waiting: VecDeque<Stretch> = stretches.into();
    while let Some(stretch) = waiting.pop_front() {
        if lost.contains(&stretch.partition) {
            continue; // what followed in it is read again from wherever its cursor is
        }
        let fault = match store.settle(owner, std::slice::from_ref(&stretch)).await {
            Ok(not_ours) => {
                lost.extend(not_ours);
                continue;
            }
            Err(fault) if !fault.is_refusal() => return Err(fault.into()),
            Err(fault) => fault,
        };
        match split(stretch) {
            Ok([one, other]) => {
                waiting.push_front(other);
                waiting.push_front(one);
            }
            Err(alone) => lost.extend(store.settle(owner, &[unrecorded(alone, &fault, now)]).await?),
        }
    }
    Ok(lost)
}

/// Two halves, the first to be recorded first; or the stretch, if it is of one claim.
fn split(mut stretch: Stretch) -> std::result::Result<[Stretch; 2], Stretch> {
    let middle = stretch.orders.len() / 2;
    let seq = |order: &Order| order.claim.map(|claim| claim.seq);
    let Some(seam) = stretch.orders[..middle].last().and_then(|(order, _)| seq(order)) else {
        return Err(stretch);
    };
    let rest = Stretch {
        partition: stretch.partition,
        from_seq: seam,
        to_seq: stretch.to_seq,
        orders: stretch.orders.split_off(middle),
    };
    stretch.to_seq = seam;
    Ok([stretch, rest])
}

/// The stretch of one claim with something in its order's place that the store should take.
fn unrecorded(mut stretch: Stretch, fault: &sql::Error, now: Timestamp) -> Stretch {
    for (order, opening) in &mut stretch.orders {
        tracing::error!(transfer = %order.id, %fault, "this order cannot be recorded; it becomes a case without it");
        let words = "the order for this claim cannot be recorded; the ledger may have posted it";
        let detail = format!("{fault}; {:?} of transfer {}, {:?}", order.state, order.id, order.claim);
        *opening = Some(CaseEvent::opened(now, words).with_detail(detail));
        *order = Order::unreadable(stretch.partition, stretch.to_seq, now);
    }
    stretch
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(count: i64) -> Stretch {
        let partition = Partition::all(Partition::DEFAULT_COUNT).next().unwrap();
        let order = |seq| (Order::unreadable(partition, seq, Timestamp::UNIX_EPOCH), None);
        Stretch {
            partition,
            from_seq: 7,
            to_seq: 7 + count,
            orders: (8..8 + count).map(order).collect(),
        }
    }

    /// However it is split, the parts follow each other without a gap.
    #[test]
    fn halves_continue_each_other() {
        assert!(split(stretch(1)).is_err());
        for count in 2..20 {
            let whole = stretch(count);
            let [one, other] = split(whole.clone()).unwrap();
            assert_eq!((one.from_seq, one.to_seq, other.to_seq), (7, other.from_seq, 7 + count));
            for half in [&one, &other] {
                let seqs = half.orders.iter().map(|(order, _)| order.claim.unwrap().seq);
                assert!(seqs.eq(half.from_seq + 1..=half.to_seq), "{count}");
            }
            assert_eq!([one.orders, other.orders].concat(), whole.orders);
        }
    }
}
