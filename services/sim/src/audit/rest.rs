//! What must be true in the end: everything has settled, or is a repair case that somebody can see.

use account::domain::account::AccountRef;
use id::TransferId;
use transfer::domain::State;

use super::{Auditor, Picture};

/// What a world came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Packets that were sent.
    pub packets: usize,
    /// Of those, packets that were never funded.
    pub rejected: usize,
    /// Claims.
    pub claims: usize,
    /// People who were shown an amount.
    pub shown: usize,
    /// Refunds that moved money.
    pub refunds: usize,
    /// Repair cases, open or resolved.
    pub cases: usize,
}

impl Auditor {
    /// What keeps the world from being at rest, if anything does.
    pub fn unrest(&self) -> Option<String> {
        self.picture().unrest()
    }

    /// What the world came to.
    pub fn sums(&self) -> Sums {
        let picture = self.picture();
        let packets = picture.packets.all();
        let rejected = packets.filter(|(_, sent)| sent.rejected).count();
        let refunds = picture.packets.all();
        Sums {
            packets: picture.packets.all().count(),
            rejected,
            claims: picture.claims.logs().map(|(_, log)| log.len()).sum(),
            shown: picture.answers.count(),
            refunds: refunds
                .filter(|(packet, _)| picture.ledger.transfer(TransferId::refund(*packet)).is_some())
                .count(),
            cases: picture.orders.rows().map_or(0, |rows| rows.cases().len()),
        }
    }
}

impl Picture {
    fn unrest(&self) -> Option<String> {
        for (packet, sent) in self.packets.all() {
            if !sent.is_over() {
                return Some(format!("{packet} is {:?}", sent.phase()));
            }
        }
        for (partition, log) in self.claims.logs() {
            let (cursor, last) = (self.orders.cursor(partition), log.len());
            if i64::try_from(last) != Ok(cursor) {
                return Some(format!("partition {partition} is settled up to {cursor} of {last}"));
            }
        }
        let rows = self.orders.rows()?;
        let pending = rows.orders().iter().find(|(_, row)| row.order.state == State::Pending);
        if let Some((id, row)) = pending {
            return Some(format!("{:?} {id} is pending", row.order.kind));
        }
        for (_, log) in self.claims.logs() {
            for claim in log {
                let id = TransferId::settle(claim.packet, claim.share_no);
                if self.ledger.transfer(id).is_none() && !rows.cases().contains_key(&id) {
                    return Some(format!("{claim:?} is neither paid nor a case"));
                }
            }
        }
        for (packet, _) in self.packets.all() {
            let held_fen = self.ledger.balance(&AccountRef::Escrow(packet));
            let stuck_fen: i64 = rows
                .orders()
                .values()
                .filter(|row| row.order.packet == Some(packet) && row.order.state == State::Stuck)
                .map(|row| row.order.amount_fen)
                .sum();
            if held_fen != stuck_fen {
                return Some(format!(
                    "the escrow of {packet} holds {held_fen}, of which {stuck_fen} has a case"
                ));
            }
        }
        None
    }
}
