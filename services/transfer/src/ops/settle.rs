//! Claims into posted transfers.
//!
//! | step | round trips | if it stops behind this step |
//! |---|---|---|
//! | deliver the batch ([`super::deliver`]) | 1 to the ledger, 2 or 3 more where wallets refuse | the repeat hears `ALREADY_POSTED` |
//! | record orders, cases and cursors in one transaction | 1 commit | the cursors are past the claims |
//!
//! One batch takes claims of any number of partitions: within a partition in order, across partitions as they come. At
//! least once, deterministic ids, idempotent posting: exactly one effect.

use std::collections::BTreeMap;

use id::Partition;
use uuid::Uuid;

use super::{Ports, Result, deliver::deliver};
use crate::{
    domain::{CaseEvent, LoggedClaim, Order, State},
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

/// Settles `batches` as `owner`. Returns the partitions that are no longer `owner`'s, or not where the batch began: what
/// was done for them somebody else did, or will do, to the same effect.
///
/// May be repeated after an error. After an outcome that is unknown the repeat may find the cursors moved, by itself.
pub async fn settle(ports: &Ports, owner: Uuid, batches: &BTreeMap<Partition, Batch>) -> Result<Vec<Partition>> {
    let now = ports.clock.now();
    let claims = batches.values().flat_map(|batch| &batch.claims);
    let orders: Vec<Order> = claims.map(|claim| Order::for_claim(claim, now)).collect();
    let payable: Vec<Order> = orders
        .iter()
        .filter(|order| order.state == State::Pending)
        .cloned()
        .collect();
    let mut deliveries = deliver(&*ports.ledger, &payable).await?.into_iter();

    let mut concluded = orders.into_iter().map(|order| {
        let delivery = (order.state == State::Pending).then(|| deliveries.next()).flatten();
        let (order, words) = match delivery {
            Some(delivery) => order.concluded(delivery, now),
            None => (
                order,
                Some("the claim cannot be understood; no money has moved".to_owned()),
            ),
        };
        (order, words.map(|words| CaseEvent::opened(now, words)))
    });
    let stretches: Vec<Stretch> = batches
        .iter()
        .map(|(partition, batch)| Stretch {
            partition: *partition,
            from_seq: batch.from_seq,
            to_seq: batch.to_seq(),
            orders: concluded.by_ref().take(batch.claims.len()).collect(),
        })
        .collect();
    Ok(ports.store.settle(owner, &stretches).await?)
}
