//! For every packet: funded = settled + suspense + refunded + still in escrow.
//!
//! With traffic: once funded, an escrow only falls, and an order is recorded as having left it only after it has. So what
//! the orders leave in escrow, read before the balance, is never below the balance. A balance that is too high is a
//! difference at once. One that is too low is explained by orders that were recorded since, or by movements that the
//! ledger has and nobody has recorded yet: settlements of claims behind the cursor, the refund, and what operators have sent
//! on its way that was stuck. Those are looked up; what they do not explain is a difference.

use std::collections::{HashMap, HashSet};

use id::{PacketId, TransferId};
use paging::Page;

use crate::{
    domain::{Account, Difference, DifferenceKind, Kind, LoggedClaim, Order, State},
    ops::{Ports, Result},
    store::{ListKey, Of},
};

use super::{PAGE, Report};

/// Packets whose escrow held less than their orders said, with what may explain it.
#[derive(Default)]
pub struct Behind(HashMap<PacketId, Packet>);

/// One packet's funding, what was in its escrow, and the ids of what may have left it unrecorded.
struct Packet {
    id: PacketId,
    funded_fen: i64,
    balance_fen: i64,
    unrecorded: Vec<TransferId>,
}

/// Holds every funded packet's escrow against its orders. Returns those that need another look, see [`explain`].
pub async fn compare(ports: &Ports, report: &mut Report) -> Result<Behind> {
    let mut behind = Behind::default();
    let mut after = None;
    loop {
        let funds = ports.store.orders_after(after, true, PAGE).await?;
        let Some(last) = funds.last() else {
            return Ok(behind);
        };
        after = Some(last.id);
        let count = i64::try_from(funds.len()).unwrap_or(i64::MAX);
        report.packet_count = report.packet_count.saturating_add(count);
        page(ports, &funds, report, &mut behind).await?;
    }
}

async fn page(ports: &Ports, funds: &[Order], report: &mut Report, behind: &mut Behind) -> Result<()> {
    let ids: Vec<PacketId> = funds.iter().filter_map(|fund| fund.packet).collect();
    let left = ports.store.left_escrow(&ids).await?;
    let balances = ports.ledger.escrows(&ids).await?;
    for (fund, id) in funds.iter().zip(ids) {
        let packet = Packet {
            id,
            funded_fen: fund.amount_fen,
            balance_fen: balances.get(&id).copied().unwrap_or(0),
            unrecorded: vec![TransferId::refund(id)],
        };
        let expected_fen = packet.expected(&left);
        if packet.balance_fen > expected_fen {
            report.differences.push(packet.differs(expected_fen));
        } else if packet.balance_fen < expected_fen {
            behind.0.insert(id, packet);
        }
    }
    Ok(())
}

impl Behind {
    /// A claim behind the cursor: its settlement may have been posted already.
    pub fn note(&mut self, claim: &LoggedClaim) {
        let packet = claim.packet_id.parse().ok();
        if let Some(packet) = packet.and_then(|packet: PacketId| self.0.get_mut(&packet)) {
            packet.unrecorded.push(TransferId::settle(packet.id, claim.share_no));
        }
    }
}

/// Reports the packets of `behind` whose escrow neither orders nor the ledger explain. To be called when all claims behind
/// the cursors were noted, with cursors that were read after the balances.
pub async fn explain(ports: &Ports, behind: Behind, report: &mut Report) -> Result<()> {
    let packets: Vec<Packet> = behind.0.into_values().collect();
    for packets in packets.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        let ids: Vec<PacketId> = packets.iter().map(|packet| packet.id).collect();
        let left = ports.store.left_escrow(&ids).await?;
        for packet in packets {
            if packet.balance_fen < packet.expected(&left) {
                let expected_fen = packet.explained(ports).await?;
                if packet.balance_fen < expected_fen {
                    report.differences.push(packet.differs(expected_fen));
                }
            }
        }
    }
    Ok(())
}

impl Packet {
    /// What the orders leave in escrow, in fen.
    fn expected(&self, left: &HashMap<PacketId, i64>) -> i64 {
        let left_fen = left.get(&self.id).copied().unwrap_or(0);
        self.funded_fen.saturating_sub(left_fen)
    }

    /// What orders, and movements that the ledger has and no order tells of, leave in escrow, in fen. Orders are read before
    /// the ledger, so that what is recorded meanwhile is in one of them at least; and it counts once if it is in both.
    async fn explained(&self, ports: &Ports) -> Result<i64> {
        let orders = orders(ports, self.id).await?;
        let out = orders.iter().filter(|order| order.kind != Kind::Fund);
        let (left, not_left): (Vec<_>, Vec<_>) = out.partition(|order| State::LEFT_ESCROW.contains(&order.state));
        let stuck = not_left.iter().filter(|order| order.state == State::Stuck);
        let mut unrecorded: HashSet<TransferId> = stuck.map(|order| order.id).collect();
        unrecorded.extend(&self.unrecorded);
        for order in &left {
            unrecorded.remove(&order.id);
        }
        let unrecorded: Vec<TransferId> = unrecorded.into_iter().collect();
        let posted = ports.ledger.posted(&unrecorded).await?;
        let posted = posted.values().flatten();
        let posted = posted.filter(|movement| movement.debit == Account::Escrow(self.id));
        let fen = left.iter().map(|order| order.amount_fen);
        let fen = fen.chain(posted.map(|movement| movement.amount_fen));
        Ok(fen.fold(self.funded_fen, i64::saturating_sub))
    }

    fn differs(&self, expected_fen: i64) -> Difference {
        Difference {
            kind: DifferenceKind::EscrowMismatch,
            description: format!(
                "of {} fen funded the orders leave {expected_fen} in escrow, the ledger shows {}",
                self.funded_fen, self.balance_fen
            ),
            packet: Some(self.id),
            transfer: None,
            difference_fen: self.balance_fen.saturating_sub(expected_fen),
            case: None,
        }
    }
}

/// All orders of a packet.
async fn orders(ports: &Ports, packet: PacketId) -> Result<Vec<Order>> {
    let mut page = Page {
        size: usize::try_from(PAGE).unwrap_or(usize::MAX),
        after: None,
    };
    let mut orders = Vec::new();
    loop {
        let found = ports.store.list(&Of::Packet(packet), &page).await?;
        let is_last = found.len() <= page.size;
        orders.extend(found.into_iter().take(page.size));
        page.after = orders.last().map(ListKey::of);
        if is_last {
            return Ok(orders);
        }
    }
}
