//! For every packet: funded = settled + suspense + refunded + still in escrow.
//!
//! With traffic: once funded, an escrow only falls, and an order is recorded as having left it only after it has. So what
//! the orders leave in escrow, read before the balance, is never below the balance. A balance that is too high is a
//! difference at once. One that is too low is explained by orders that were recorded since, or by movements that the
//! ledger has and nobody has recorded yet: settlements of claims behind the cursor, the refund, and what operators have sent
//! on its way that was stuck. Those are looked up; what they do not explain is a difference.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::StreamExt;
use id::{PacketId, Partition, TransferId};
use paging::Page;

use super::{PAGE, found::Found};
use crate::{
    domain::{Account, Difference, DifferenceKind, Kind, Order, State},
    ops::{Ports, Result},
    store::{ListKey, Of},
};

/// Packets whose orders are added up in one statement: a packet may have 100,000.
const PACKETS: usize = 25;

/// One packet's funding, what was in its escrow, and the ids of what may have left it unrecorded.
struct Packet {
    id: PacketId,
    funded_fen: i64,
    balance_fen: i64,
    unrecorded: Vec<TransferId>,
}

/// Holds the escrow of every packet that `funds`, POSTED orders, has funded against its orders.
pub async fn compare(ports: &Ports, funds: &[Order], found: &mut Found) -> Result<()> {
    found.report.packet_count = found
        .report
        .packet_count
        .saturating_add(i64::try_from(funds.len()).unwrap_or(i64::MAX));
    let mut behind = BTreeMap::new();
    for funds in funds.chunks(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
        // One that names another packet than its id does, or none, is told as not being what the ledger has.
        let funds = funds.iter().filter_map(|fund| {
            let packet = fund.packet.filter(|packet| TransferId::fund(*packet) == fund.id)?;
            Some((packet, fund.amount_fen))
        });
        let (ids, amounts): (Vec<PacketId>, Vec<i64>) = funds.unzip();
        let left = left_escrow(ports, &ids).await?;
        let balances = ports.ledger.escrows(&ids).await?;
        for (id, funded_fen) in ids.into_iter().zip(amounts) {
            let packet = Packet {
                id,
                funded_fen,
                balance_fen: balances.get(&id).copied().unwrap_or(0),
                unrecorded: vec![TransferId::refund(id)],
            };
            let expected_fen = packet.expected(&left);
            if packet.balance_fen > expected_fen {
                found.finding(packet.differs(expected_fen));
            } else if packet.balance_fen < expected_fen {
                behind.insert(id, packet);
            }
        }
    }
    explain(ports, behind, found).await
}

async fn left_escrow(ports: &Ports, packets: &[PacketId]) -> Result<HashMap<PacketId, i64>> {
    let mut left = HashMap::with_capacity(packets.len());
    for packets in packets.chunks(PACKETS) {
        left.extend(ports.store.left_escrow(packets).await?);
    }
    Ok(left)
}

/// Reports the packets of `behind` whose escrow neither orders nor the ledger explain.
async fn explain(ports: &Ports, mut behind: BTreeMap<PacketId, Packet>, found: &mut Found) -> Result<()> {
    if behind.is_empty() {
        return Ok(());
    }
    // Cursors that are read after the balances: what was posted before is behind one of them, or recorded.
    let cursors = ports.store.cursors().await?;
    let left = left_escrow(ports, &behind.keys().copied().collect::<Vec<_>>()).await?;
    behind.retain(|_, packet| packet.balance_fen < packet.expected(&left));
    note_waiting_claims(ports, &cursors, &mut behind).await?;
    for packet in behind.values() {
        let expected_fen = packet.explained(ports).await?;
        if packet.balance_fen < expected_fen {
            found.finding(packet.differs(expected_fen));
        }
    }
    Ok(())
}

/// Claims behind the cursors: their settlement may have been posted already.
async fn note_waiting_claims(
    ports: &Ports,
    cursors: &BTreeMap<Partition, i64>,
    behind: &mut BTreeMap<PacketId, Packet>,
) -> Result<()> {
    let Ok(count) = u16::try_from(cursors.len()).unwrap_or(u16::MAX).try_into() else {
        return Ok(());
    };
    let partitions: BTreeSet<Partition> = behind.keys().map(|packet| packet.partition(count)).collect();
    for (partition, cursor) in cursors.iter().filter(|(partition, _)| partitions.contains(partition)) {
        if !ports.log.reaches(*partition, *cursor).await? {
            continue; // nothing can be behind it; the walk through the claims tells
        }
        let mut log = ports.log.tail(*partition, *cursor, false).await?;
        while let Some(claims) = log.next().await {
            for claim in claims? {
                let packet = claim.packet_id.parse().ok();
                if let Some(packet) = packet.and_then(|packet: PacketId| behind.get_mut(&packet)) {
                    packet.unrecorded.push(TransferId::settle(packet.id, claim.share_no));
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
        let out = orders
            .iter()
            .filter(|order| matches!(order.kind, Kind::Settle | Kind::Refund));
        let (left, not_left): (Vec<_>, Vec<_>) = out.partition(|order| State::LEFT_ESCROW.contains(&order.state));
        let stuck = not_left.iter().filter(|order| order.state == State::Stuck);
        let mut unrecorded: BTreeSet<TransferId> = stuck.map(|order| order.id).collect();
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
            subject: format!("packet {}", self.id),
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
