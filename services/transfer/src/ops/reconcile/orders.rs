//! Orders that no claim leads to, against the ledger; funded packets against their escrow.

use id::TransferId;

use super::{Budget, escrows, found::Found};
use crate::{
    domain::{DifferenceKind, Kind, Order, State},
    ops::{Ports, Result},
};

/// Orders of all kinds that are looked at, at a time. Most are SETTLE orders, which the engine passes over.
const SPAN: u64 = 5_000;
/// What a row that is passed over counts: far less than one that is read.
const ROWS_A_SPAN: u64 = 500;

/// Goes on behind `after`. Returns where it stands; `None` at the end.
pub async fn walk(
    ports: &Ports,
    after: Option<TransferId>,
    budget: &mut Budget,
    found: &mut Found,
) -> Result<Option<TransferId>> {
    let partitions = ports.store.cursors().await?.len();
    let others = ports.store.others(after, partitions, SPAN).await?;
    budget.spend(ROWS_A_SPAN + others.orders.len() as u64);
    let (strays, ours): (Vec<Order>, Vec<Order>) =
        others.orders.into_iter().partition(|order| order.kind == Kind::Settle);
    for order in strays {
        let text = "no claim can have asked for this order";
        let difference = order.differs(DifferenceKind::TransferWithoutClaim, text, order.amount_fen);
        found.about(order, difference);
    }
    let is_funded = |order: &&Order| order.kind == Kind::Fund && order.state == State::Posted;
    let funds: Vec<Order> = ours.iter().filter(is_funded).cloned().collect();
    for orders in ours.chunks(usize::try_from(super::PAGE).unwrap_or(usize::MAX)) {
        found.hold_against_ledger(ports, orders.to_vec()).await?;
    }
    escrows::compare(ports, &funds, found).await?;
    Ok(others.to)
}
