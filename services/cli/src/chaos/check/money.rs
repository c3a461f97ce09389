//! Settlements, refunds, escrows, wallets, the ledger.

use std::collections::{HashMap, HashSet};

use super::{Index, Story, Violation};
use crate::chaos::books::{Books, Order, OrderKind, OrderState, PacketState};

pub(super) fn check(story: &Story, books: &Books, index: &Index) -> Vec<Violation> {
    let mut found = settlements(books, index);
    found.extend(packets(story, books, index));
    found.extend(escrows(books));
    found.extend(wallets(story, books));
    let stray = books
        .cases
        .iter()
        .filter(|case| case.open && !story.frozen.contains(&case.user));
    found.extend(stray.map(|case| Violation::StrayCase {
        case_id: case.id.clone(),
        user: case.user.clone(),
    }));
    if books.ledger_sum_fen != 0 {
        found.push(Violation::LedgerSum(books.ledger_sum_fen));
    }
    if books.unsettled != 0 {
        found.push(Violation::StillUnsettled(books.unsettled));
    }
    found.extend(books.ledger_faults.iter().cloned().map(Violation::Ledger));
    found.extend(books.differences.iter().cloned().map(Violation::Difference));
    found
}

/// Every claim has one order over its amount, which has moved the money or is an open case; no order is without a claim.
fn settlements(books: &Books, index: &Index) -> Vec<Violation> {
    let mut found = Vec::new();
    let open: HashSet<&str> = books
        .cases
        .iter()
        .filter(|case| case.open)
        .map(|case| case.id.as_str())
        .collect();
    let mut settled: HashSet<(&str, &str)> = HashSet::new();
    for order in books.orders.iter().filter(|order| order.kind == OrderKind::Settle) {
        let person = (order.packet_id.as_str(), order.user.as_str());
        let claim = index.by_person.get(&person);
        let is_it = claim.is_some_and(|claim| (claim.share_no, claim.amount_fen) == (order.share_no, order.amount_fen));
        if !is_it || !settled.insert(person) {
            found.push(Violation::OrderDiffers(order.clone()));
        }
        let is_done = match order.state {
            OrderState::Moved => true,
            OrderState::Suspended | OrderState::Stuck => open.contains(order.id.as_str()),
            OrderState::Unmoved => false,
        };
        if let Some(claim) = claim.filter(|_| !is_done) {
            found.push(Violation::Unsettled((*claim).clone()));
        }
    }
    let unsettled = books
        .claims
        .iter()
        .filter(|claim| !settled.contains(&(claim.packet_id.as_str(), claim.user.as_str())));
    found.extend(unsettled.cloned().map(Violation::Unsettled));
    found
}

/// Everything whose time is up has come to its end, and what nobody took went back.
fn packets(story: &Story, books: &Books, index: &Index) -> Vec<Violation> {
    let mut found = Vec::new();
    for (packet_id, packet) in &books.packets {
        let is_finished = match packet.state {
            PacketState::Rejected | PacketState::Completed => true,
            PacketState::Active => packet.expire_us > story.read_us,
            PacketState::Funding | PacketState::Closing => false,
        };
        if !is_finished {
            found.push(Violation::Unfinished {
                packet_id: packet_id.clone(),
                packet: packet.clone(),
            });
        }
        let left_fen = packet.total_fen.saturating_sub(index.claimed_fen(packet_id));
        if packet.state == PacketState::Completed && packet.refunded_fen != left_fen {
            found.push(Violation::RefundDiffers {
                packet_id: packet_id.clone(),
                refunded_fen: packet.refunded_fen,
                left_fen,
            });
        }
    }
    found
}

/// An escrow holds what was paid in and has not left: nothing, once its packet is completed and no case is stuck.
fn escrows(books: &Books) -> Vec<Violation> {
    let mut left: HashMap<&str, i64> = HashMap::new();
    let leaves = |order: &&Order| order.kind != OrderKind::Fund && order.state.has_left_escrow();
    for order in books.orders.iter().filter(leaves) {
        let sum = left.entry(&order.packet_id).or_default();
        *sum = sum.saturating_add(order.amount_fen);
    }
    let stuck: HashMap<&str, i64> = books
        .orders
        .iter()
        .filter(|order| order.state == OrderState::Stuck)
        .fold(HashMap::new(), |mut stuck, order| {
            let sum = stuck.entry(order.packet_id.as_str()).or_default();
            *sum = sum.saturating_add(order.amount_fen);
            stuck
        });
    let differs = |(packet_id, packet): (&String, &super::super::books::Packet)| {
        let balance_fen = books.escrows.get(packet_id).copied().unwrap_or(0);
        let paid_fen = if packet.is_paid() { packet.total_fen } else { 0 };
        let expected_fen = if packet.state == PacketState::Completed {
            stuck.get(packet_id.as_str()).copied().unwrap_or(0)
        } else {
            paid_fen.saturating_sub(left.get(packet_id.as_str()).copied().unwrap_or(0))
        };
        (balance_fen != expected_fen).then(|| Violation::EscrowDiffers {
            packet_id: packet_id.clone(),
            balance_fen,
            expected_fen,
        })
    };
    books.packets.iter().filter_map(differs).collect()
}

/// A wallet holds what its owner began with, less what was sent, and what came back and in.
fn wallets(story: &Story, books: &Books) -> Vec<Violation> {
    let mut expected: HashMap<&str, i64> = books
        .wallets
        .keys()
        .map(|user| (user.as_str(), story.start_fen))
        .collect();
    let mut add = |user: &str, fen: i64| {
        if let Some(sum) = expected.get_mut(user) {
            *sum = sum.saturating_add(fen);
        }
    };
    for packet in books.packets.values().filter(|packet| packet.is_paid()) {
        add(&packet.sender, packet.total_fen.saturating_neg());
        if packet.state == PacketState::Completed {
            add(&packet.sender, packet.refunded_fen);
        }
    }
    for claim in &books.claims {
        add(&claim.user, claim.amount_fen);
    }
    let is_held = |order: &&Order| matches!(order.state, OrderState::Suspended | OrderState::Stuck);
    for order in books.orders.iter().filter(is_held) {
        add(&order.user, order.amount_fen.saturating_neg());
    }
    let differs = |(user, expected_fen): (&str, i64)| {
        let balance_fen = books.wallets.get(user).copied()?;
        (balance_fen != expected_fen).then(|| Violation::WalletDiffers {
            user: user.to_owned(),
            balance_fen,
            expected_fen,
        })
    };
    expected.into_iter().filter_map(differs).collect()
}
