//! The ledger against itself, and every order against the ledger.

use crate::{
    domain::{CaseEvent, Difference, DifferenceKind, Kind, Order},
    ops::{Ports, Result},
};

use super::{PAGE, Report, suspect};

/// Lets the ledger verify itself.
pub async fn sums(ports: &Ports, report: &mut Report) -> Result<()> {
    let found = ports.ledger.verify().await?;
    report.transfer_count = found.transfer_count;
    let differences = found.differences.into_iter().map(|found| Difference {
        kind: DifferenceKind::Ledger,
        description: found.description,
        packet: None,
        transfer: found.transfer,
        difference_fen: found.difference_fen,
        case: None,
    });
    report.differences.extend(differences);
    Ok(())
}

/// Holds every order against what the ledger has under its ids.
pub async fn orders(ports: &Ports, report: &mut Report, suspects: &mut Vec<(Order, CaseEvent)>) -> Result<()> {
    let mut after = None;
    loop {
        let orders = ports.store.orders_after(after, false, PAGE).await?;
        let Some(last) = orders.last() else {
            return Ok(());
        };
        after = Some(last.id);
        let ids: Vec<_> = orders.iter().flat_map(Order::ledger_ids).collect();
        let posted = ports.ledger.posted(&ids).await?;
        for order in orders {
            let Some(difference) = order.explained(|id| posted.get(&id)) else {
                continue;
            };
            match order.kind {
                // Nothing that an operator could send on: the sender's wallet and the escrow must be looked at.
                Kind::Fund => report.differences.push(difference),
                Kind::Settle | Kind::Refund => suspect(report, suspects, order, difference, ports),
            }
        }
    }
}
