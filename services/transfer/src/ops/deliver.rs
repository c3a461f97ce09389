//! Money out of escrow: to the wallet or, where that is refused for good, to suspense.
//!
//! | round | what | when |
//! |---|---|---|
//! | 1 | all orders, escrow → wallet | always |
//! | 2 | escrow → suspense, under the same id | those whose wallet cannot take it |
//! | 3 | look up what the ledger has, and judge by where the money went | those whose id was used in another way |
//!
//! Both ways out have the order's own id, so that the ledger lets through exactly one of them (MONEY-3), whoever asks,
//! how often, and how late. A crash between the rounds, an unfreeze between a crash and the repeat, a packet that was
//! long on its way: the repeat finds out what happened and changes nothing. So does one over records that were restored
//! from an old copy, when an operator had sent the money on since.

use crate::{
    domain::{
        Delivery, Movement, Order, Verdict,
        verdict::{OnSuspense, OnWallet},
    },
    peer::{Ledger, PeerError},
};

/// Sends the money of each order on its way; one delivery each. Orders whose movement cannot be made up are told as
/// contradicted.
///
/// May be repeated after an error and at any time later, to the same effect.
pub async fn deliver(ledger: &dyn Ledger, orders: &[Order]) -> Result<Vec<Delivery>, PeerError> {
    let mut deliveries = vec![Delivery::Contradicted; orders.len()];

    let to_wallets = movements(orders, 0..orders.len(), Order::movement);
    let mut refused = Vec::new();
    for (index, verdict) in post(ledger, to_wallets).await? {
        match verdict.on_wallet() {
            OnWallet::Paid => deliveries[index] = Delivery::Paid,
            OnWallet::Stuck => deliveries[index] = Delivery::Stuck(verdict, None),
            OnWallet::TrySuspense => refused.push((index, verdict)),
        }
    }

    let indices = refused.iter().map(|(index, _)| *index);
    let to_suspense = movements(orders, indices, Order::to_suspense);
    let mut unclear = Vec::new();
    for ((index, verdict), (_, wallet)) in post(ledger, to_suspense).await?.into_iter().zip(refused) {
        match verdict.on_suspense() {
            OnSuspense::Suspended => deliveries[index] = Delivery::Suspended(wallet),
            OnSuspense::Stuck => deliveries[index] = Delivery::Stuck(wallet, Some(verdict)),
            OnSuspense::AskLedger => unclear.push(index),
        }
    }

    let ids: Vec<_> = unclear.iter().map(|index| orders[*index].id).collect();
    if !ids.is_empty() {
        let posted = ledger.posted(&ids).await?;
        for index in unclear {
            let order = &orders[index];
            if let Some(Some(movement)) = posted.get(&order.id) {
                deliveries[index] = order.went_by(movement);
            }
        }
    }
    Ok(deliveries)
}

fn movements(
    orders: &[Order],
    indices: impl Iterator<Item = usize>,
    movement: impl Fn(&Order) -> Option<Movement>,
) -> Vec<(usize, Movement)> {
    indices
        .filter_map(|index| Some((index, movement(&orders[index])?)))
        .collect()
}

async fn post(ledger: &dyn Ledger, movements: Vec<(usize, Movement)>) -> Result<Vec<(usize, Verdict)>, PeerError> {
    if movements.is_empty() {
        return Ok(Vec::new());
    }
    let (indices, movements): (Vec<_>, Vec<_>) = movements.into_iter().unzip();
    let answers = ledger.post(&movements).await?;
    let verdicts = answers.into_iter().map(|answer| answer.verdict);
    Ok(indices.into_iter().zip(verdicts).collect())
}
