//! Claims into posted transfers.
//!
//! | step | round trips | if it stops behind this step |
//! |---|---|---|
//! | deliver the batch ([`super::deliver`]) | 1 to the ledger, 2 or 3 more where wallets refuse | the repeat hears `ALREADY_POSTED` |
//! | record orders, cases and cursors in one transaction | 1 commit | the cursors are past the claims |
//!
//! One batch takes claims of any number of partitions: within a partition in order, across partitions as they come. At
//! least once, deterministic ids, idempotent posting: exactly one effect.
//!
//! What fails in passing is repeated without end, in order. What is refused, and would be again, is looked into
//! ([`super::isolate`]): whose fault it is gets a case, and the others are settled.

use std::collections::BTreeMap;

use clock::Timestamp;
use guard::Guard;
use id::Partition;
use uuid::Uuid;

use super::{Ports, Result, deliver::deliver, isolate};
use crate::{
    domain::{CaseEvent, Delivery, LoggedClaim, Order, State},
    peer::PeerError,
    store::Stretch,
};

/// The claims of one partition that follow its cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The cursor before them.
    pub from_seq: i64,
    /// In order, without gaps, at least one.
    pub claims: Vec<LoggedClaim>,
}

impl Batch {
    /// The cursor behind them.
    pub fn to_seq(&self) -> i64 {
        self.claims.last().map_or(self.from_seq, |claim| claim.seq)
    }
}

/// Settles `batches` as `owner`, all in one. Returns the partitions that are no longer `owner`'s, or not where the batch
/// began: what was done for them somebody else did, or will do, to the same effect.
///
/// May be repeated after an error. After an outcome that is unknown the repeat may find the cursors moved, by itself.
pub async fn settle(ports: &Ports, owner: Uuid, batches: &BTreeMap<Partition, Batch>) -> Result<Vec<Partition>> {
    let now = ports.clock.now();
    let payable = payable(batches, now);
    let deliveries = deliver(&*ports.ledger, &payable).await?;
    let stretches = stretches(batches, deliveries.into_iter().map(Ok), now);
    Ok(ports.store.settle(owner, &stretches).await?)
}

/// Settles `batches` as [`settle`] does, looking for what in them is refused: that gets a case, so that it no longer holds up
/// what is around and behind it. It is refused still if nothing in them is accepted: then nothing is known about any of it.
///
/// Takes many calls; for batches that were refused for a while.
pub async fn settle_apart(ports: &Ports, owner: Uuid, batches: &BTreeMap<Partition, Batch>) -> Result<Vec<Partition>> {
    let now = ports.clock.now();
    let payable = payable(batches, now);
    let deliveries = isolate::deliver_apart(&*ports.ledger, &payable).await?;
    let stretches = stretches(batches, deliveries, now);
    isolate::record_apart(&*ports.store, owner, stretches, now).await
}

/// The orders of those claims that can be understood, in order.
fn payable(batches: &BTreeMap<Partition, Batch>, now: Timestamp) -> Vec<Order> {
    let claims = batches.values().flat_map(|batch| &batch.claims);
    let orders = claims.map(|claim| Order::for_claim(claim, now));
    orders.filter(|order| order.state == State::Pending).collect()
}

/// What became of all claims; `deliveries` has one for each that is payable, in order.
fn stretches(
    batches: &BTreeMap<Partition, Batch>,
    deliveries: impl IntoIterator<Item = std::result::Result<Delivery, PeerError>>,
    now: Timestamp,
) -> Vec<Stretch> {
    let mut deliveries = deliveries.into_iter();
    let mut conclude = |claim: &LoggedClaim| {
        let order = Order::for_claim(claim, now);
        let delivery = (order.state == State::Pending).then(|| deliveries.next()).flatten();
        match delivery {
            Some(Ok(delivery)) => {
                let (order, words) = order.concluded(delivery, now);
                let opening = words.filter(|_| guard::stands(Guard::CaseOpened));
                (order, opening.map(|words| CaseEvent::opened(now, words)))
            }
            Some(Err(fault)) => isolate::without_verdict(order, &fault, now),
            None => {
                let opening = CaseEvent::opened(now, "the claim cannot be understood; no money has moved");
                (order, Some(opening.with_detail(claim.facts())))
            }
        }
    };
    let stretch = |(partition, batch): (&Partition, &Batch)| Stretch {
        partition: *partition,
        from_seq: batch.from_seq,
        to_seq: batch.to_seq(),
        orders: batch.claims.iter().map(&mut conclude).collect(),
    };
    batches.iter().map(stretch).collect()
}
