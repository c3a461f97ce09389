//! Settlement, the split, the books.

use clock::Timestamp;
use money::Fen;
use proto::transfer::v1::{OrderKind, OrderState, TransferOrder};

use super::{
    act::Played,
    cast::{Cast, Person},
    until,
};
use crate::{
    client::Client,
    command::{books::reconcile, operation::transfers, packet::get, verify::Verify},
    failure::Failure,
    show::{books::Reconciled, line, rows},
};

/// Waits until every claim of a packet is posted, and tells how long after the last claim that was.
pub async fn settled(cast: &Cast, played: &Played) -> Result<(), Failure> {
    let progress = get(&cast.sender.client, played.packet).await?.progress;
    let opened = progress.map_or(0, |progress| progress.opened_count);
    let orders = until("every claim settles", async || {
        let (orders, _) = transfers(&cast.operator, played.packet, usize::MAX).await?;
        let posted: Vec<_> = orders.into_iter().filter(is_posted_settlement).collect();
        Ok((posted.len() as u64 == u64::from(opened)).then_some(posted))
    })
    .await?;
    let last = |of: fn(&TransferOrder) -> Option<prost_types::Timestamp>| -> Option<Timestamp> {
        orders.iter().filter_map(|order| clock::from_proto(&of(order)?)).max()
    };
    let (claimed, posted) = (last(|order| order.claim_time), last(|order| order.update_time));
    let took = claimed
        .zip(posted)
        .map_or(0, |(claimed, posted)| clock::until(claimed, posted).as_millis());
    line(&format!(
        "{:<10}  {opened:>2} claims settled, the last of them {took} ms after the last claim",
        played.name
    ))
}

fn is_posted_settlement(order: &TransferOrder) -> bool {
    order.kind() == OrderKind::Settle && order.state() == OrderState::Posted
}

/// Tells whose balance changed; fails unless all of them together have what they had.
pub fn balances(before: &[(&Person, Fen)], after: &[(&Person, Fen)]) -> Result<(), Failure> {
    let changed = before
        .iter()
        .zip(after)
        .filter(|((_, before), (_, after))| before != after);
    line(&rows(
        ["who", "#before", "#after", "#change"],
        changed.map(|((person, before), (_, after))| {
            [
                format!("{} ({})", person.name, person.id),
                before.to_string(),
                after.to_string(),
                after
                    .checked_sub(*before)
                    .map_or_else(String::new, |change| change.to_string()),
            ]
        }),
        "nobody's balance changed",
    ))?;
    let sum = |balances: &[(&Person, Fen)]| Fen::checked_sum(balances.iter().map(|(_, balance)| *balance));
    match (sum(before), sum(after)) {
        (Some(before), Some(after)) if before == after => {
            line(&format!("all of them together: {before} before, {after} after"))
        }
        (before, after) => Err(Failure::new(format!(
            "money was made or lost: {before:?} before, {after:?} after"
        ))),
    }
}

/// Recomputes a packet's split and holds it against the commitment that was noted at the send.
pub async fn verified(cast: &Cast, played: &Played) -> Result<(), Failure> {
    let verify = Verify {
        packet: played.packet,
        commitment: Some(played.commitment),
    };
    let verdict = verify.run(&cast.sender.client).await?;
    line(&format!("{:<10}  {}", played.name, verdict.line()))?;
    if verdict.verified {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "packet {} is not what was promised",
            played.packet
        )))
    }
}

/// Reconciles once nothing is on its way any more.
pub async fn books(client: &Client) -> Result<Reconciled, Failure> {
    until("nothing is on its way to settlement", async || {
        let found = reconcile(client).await?;
        Ok((found.unsettled_count == 0 || !found.differences.is_empty()).then_some(found))
    })
    .await
}
