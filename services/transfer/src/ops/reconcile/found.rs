//! What a slice has found so far, and the cases that it needs.

use std::collections::{BTreeSet, HashSet};

use clock::Timestamp;
use id::{PacketId, TransferId};

use super::Report;
use crate::{
    domain::{CaseEvent, Difference, DifferenceKind, Kind, Order, State},
    ops::{Ports, Result},
};

/// A report, and the orders whose cases it needs.
pub struct Found {
    pub report: Report,
    suspects: Vec<(Order, CaseEvent)>,
    unfunded: HashSet<PacketId>,
    now: Timestamp,
}

impl Found {
    pub fn new(now: Timestamp) -> Self {
        Self {
            report: Report::default(),
            suspects: Vec::new(),
            unfunded: HashSet::new(),
            now,
        }
    }

    /// When the slice began.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Notes a difference about `order`, which gets the case: an operator may send its money on. With a FUND order that is so
    /// only where it should not have been posted; otherwise the wallet and the escrow must be looked at.
    pub fn about(&mut self, order: Order, difference: Difference) {
        let may_move = match order.kind {
            Kind::Settle | Kind::Refund => true,
            Kind::Fund => difference.kind == DifferenceKind::RejectedButPosted,
            Kind::Finding => false,
        };
        if may_move {
            self.with_case(order, difference);
        } else {
            self.finding(difference);
        }
    }

    /// Notes a difference that is about no order: what stands for it gets the case.
    pub fn finding(&mut self, difference: Difference) {
        self.with_case(Order::finding(&difference, self.now), difference);
    }

    fn with_case(&mut self, order: Order, difference: Difference) {
        let words = format!("{}: {}", difference.kind.name(), difference.description);
        let opening = CaseEvent::opened(self.now, words).with_detail(&difference.subject);
        self.report.differences.push(Difference {
            case: Some(order.id),
            ..difference
        });
        self.suspects.push((order, opening));
    }

    /// Notes packets that have paid out without a FUND order, each once.
    pub fn unfunded(&mut self, packets: Vec<PacketId>) {
        for packet in packets {
            if self.unfunded.insert(packet) {
                self.finding(Difference {
                    kind: DifferenceKind::FundMissing,
                    description: "orders say that the packet has paid out, and none that it was funded".to_owned(),
                    subject: format!("packet {packet}"),
                    packet: Some(packet),
                    transfer: Some(TransferId::fund(packet).to_string()),
                    difference_fen: 0,
                    case: None,
                });
            }
        }
    }

    /// What `orders`, that all were read before, have in the ledger; and whether those whose money waits have a case.
    pub async fn hold_against_ledger(&mut self, ports: &Ports, orders: Vec<Order>) -> Result<()> {
        let unfunded = unfunded(ports, &orders).await?;
        self.unfunded(unfunded);
        for (order, difference) in differing(ports, orders).await? {
            self.about(order, difference);
        }
        Ok(())
    }

    /// Opens the cases, one an order. What is there stays as it is.
    pub async fn open_cases(&mut self, ports: &Ports) -> Result<()> {
        let mut seen = HashSet::<TransferId>::new();
        for (order, opening) in self.suspects.drain(..) {
            if seen.insert(order.id) {
                ports.store.open_case(&order, opening).await?;
            }
        }
        Ok(())
    }
}

/// Those of `orders` that the ledger does not bear out, or whose money waits without a case.
pub async fn differing(ports: &Ports, orders: Vec<Order>) -> Result<Vec<(Order, Difference)>> {
    let ids: Vec<TransferId> = orders.iter().flat_map(Order::ledger_ids).collect();
    let posted = ports.ledger.posted(&ids).await?;
    let waits = |order: &&Order| matches!(order.state, State::Suspended | State::Stuck);
    let waiting: Vec<TransferId> = orders.iter().filter(waits).map(|order| order.id).collect();
    let with_case = if waiting.is_empty() {
        HashSet::new()
    } else {
        ports.store.with_case(&waiting).await?
    };
    let judge = |order: Order| {
        let difference = order.explained(|id| posted.get(&id)).or_else(|| {
            let is_lost = waits(&&order) && !with_case.contains(&order.id);
            let text = "the order's money waits for an operator, and there is no repair case";
            is_lost.then(|| order.differs(DifferenceKind::CaseMissing, text, order.amount_fen))
        })?;
        Some((order, difference))
    };
    Ok(orders.into_iter().filter_map(judge).collect())
}

/// Packets of which `orders` say that they have paid out, and that have no FUND order.
pub async fn unfunded(ports: &Ports, orders: &[Order]) -> Result<Vec<PacketId>> {
    let out = orders
        .iter()
        .filter(|order| matches!(order.kind, Kind::Settle | Kind::Refund) && State::LEFT_ESCROW.contains(&order.state));
    let packets: BTreeSet<PacketId> = out.filter_map(|order| order.packet).collect();
    if packets.is_empty() {
        return Ok(Vec::new());
    }
    let funds: Vec<TransferId> = packets.iter().map(|packet| TransferId::fund(*packet)).collect();
    let stored = ports.store.stored(&funds).await?;
    let has_none = |packet: &PacketId| !stored.contains(&TransferId::fund(*packet));
    Ok(packets.into_iter().filter(has_none).collect())
}
