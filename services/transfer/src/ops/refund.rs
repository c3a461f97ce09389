//! Escrow → sender: what nobody took (CLOSE-1).
//!
//! The order is recorded PENDING, so that its amount is fixed; then its money is sent on its way ([`super::deliver`]); then
//! what came of it is recorded, with a repair case if it did not reach the wallet. Repeated at any point, by anyone, the
//! same comes out.

use guard::Guard;
use id::{PacketId, TransferId, UserId};

use super::{Error, Ports, Result, deliver::deliver};
use crate::domain::{CaseEvent, Kind, Order, State};

/// Gives `amount_fen` of the packet's escrow back to `sender`. Returns the order, which is POSTED, has a repair case, or
/// had one; `None` where there is nothing to give.
pub async fn refund(ports: &Ports, packet: PacketId, sender: UserId, amount_fen: i64) -> Result<Option<Order>> {
    let now = ports.clock.now();
    let draft = Order::refund(packet, sender, amount_fen, now);
    if let Some(known) = ports.store.order(draft.id).await? {
        return finish(ports, known, &draft).await.map(Some);
    }
    let fund = ports.store.order(TransferId::fund(packet)).await?;
    let fund = fund.filter(|fund| fund.kind == Kind::Fund && fund.state == State::Posted);
    let fund = fund.ok_or(Error::NotFunded(packet))?;
    if fund.user != draft.user {
        return Err(Error::NotTheSender(packet));
    }
    if amount_fen > fund.amount_fen {
        let funded_fen = fund.amount_fen;
        return Err(Error::ExceedsFunded { funded_fen });
    }
    // CLAIM-3: what claims have taken stays for their receivers, also where it is stuck. Claims that are not recorded yet are
    // not seen here; that the amount is what nobody took is the packet service's to know (CLOSE-1).
    let rest_fen = fund.amount_fen.saturating_sub(ports.store.claimed_fen(packet).await?);
    if guard::stands(Guard::RefundRest) && amount_fen > rest_fen {
        return Err(Error::ExceedsRest { rest_fen });
    }
    if amount_fen == 0 {
        return Ok(None);
    }
    let order = ports.store.begin_refund(&draft).await?;
    finish(ports, order, &draft).await.map(Some)
}

/// Takes the order on record to its end, if it is what `draft` asks for.
async fn finish(ports: &Ports, order: Order, draft: &Order) -> Result<Order> {
    if !order.asks_the_same(draft) {
        let incomplete = || Error::Broken(format!("REFUND order {} is incomplete", order.id));
        return Err(Error::OtherFacts(order.packet.ok_or_else(incomplete)?));
    }
    if order.state != State::Pending {
        return Ok(order);
    }
    let deliveries = deliver(&*ports.ledger, std::slice::from_ref(&order)).await?;
    let now = ports.clock.now();
    let delivery = deliveries.into_iter().next();
    let delivery = delivery.ok_or_else(|| Error::Broken(format!("REFUND order {} was not delivered", order.id)))?;
    let (concluded, opening) = order.concluded(delivery, now);
    let opening = opening.map(|words| CaseEvent::opened(now, words));
    Ok(ports.store.conclude(&concluded, opening).await?)
}
