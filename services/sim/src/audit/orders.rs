//! LOG-1: a cursor never goes back. CLAIM-3: no claim is passed over; what a cursor has passed is paid or has a repair case.
//! ID-1: what was answered stays.

use std::collections::BTreeMap;

use id::{PacketId, Partition, TransferId};
use transfer::{
    domain::{Kind, State},
    store::memory::{OrderRow, Snapshot},
};

use super::{Book, claims, ledger};

/// What the transfer service has settled, as the auditor saw it.
#[derive(Default)]
pub struct Picture {
    cursors: BTreeMap<Partition, i64>,
    last: Option<Snapshot>,
}

impl Picture {
    /// The rows as they were last seen.
    pub fn rows(&self) -> Option<&Snapshot> {
        self.last.as_ref()
    }

    /// The last position of a partition that is settled.
    pub fn cursor(&self, partition: Partition) -> i64 {
        self.cursors.get(&partition).copied().unwrap_or(0)
    }

    pub fn look(&mut self, rows: &Snapshot, claims: &claims::Picture, ledger: &ledger::Picture, book: &Book<'_>) {
        for (partition, cursor) in rows.cursors() {
            let before = self.cursor(*partition);
            let (after, last_seq) = (cursor.after_seq, claims.last_seq(*partition));
            book.hold("LOG-1", (before..=last_seq).contains(&after), || {
                format!("the cursor of {partition} went from {before} to {after}, the log ends at {last_seq}")
            });
            self.cursors.insert(*partition, after);
        }
        for (partition, log) in claims.logs() {
            for claim in log.iter().take_while(|claim| claim.seq <= self.cursor(partition)) {
                let id = TransferId::settle(claim.packet, claim.share_no);
                let is_known = rows.orders().contains_key(&id)
                    || rows.orders().contains_key(&TransferId::unpayable(partition, claim.seq));
                book.hold("CLAIM-3", is_known, || format!("{claim:?} was passed over"));
            }
        }
        for (id, row) in rows.orders() {
            check(*id, row, rows, ledger, book);
        }
        if let Some(last) = &self.last {
            check_kept(last, rows, book);
        }
        self.last = Some(rows.clone());
    }

    /// Whether a packet's sender was answered that it will never be funded.
    pub fn is_rejected(&self, packet: PacketId) -> bool {
        let row = self
            .rows()
            .and_then(|rows| rows.orders().get(&TransferId::fund(packet)));
        row.is_some_and(|row| row.order.state == State::Rejected)
    }
}

/// What was recorded stays: an order stands for the same fact as long as there is one, an answer that was given is not taken
/// back, and nothing is taken out of a case.
fn check_kept(before: &Snapshot, now: &Snapshot, book: &Book<'_>) {
    for (id, row) in before.orders() {
        let (before, now) = (&row.order, now.orders().get(id).map(|row| &row.order));
        let same = now.is_some_and(|now| {
            (
                before.kind,
                before.packet,
                &before.user,
                before.amount_fen,
                before.claim,
            ) == (now.kind, now.packet, &now.user, now.amount_fen, now.claim)
        });
        book.hold("MONEY-3", same, || format!("{before:?} became {now:?}"));
        let stays = match (before.kind, before.state) {
            (_, State::Pending) => true,
            (_, State::Rejected | State::Repaired) | (Kind::Fund, _) => {
                now.is_some_and(|now| now.state == before.state)
            }
            _ => now.is_some_and(|now| !matches!(now.state, State::Pending | State::Rejected)),
        };
        book.hold("ID-1", stays, || format!("{id} was {:?} and is {now:?}", before.state));
    }
    for (id, row) in before.cases() {
        let kept = now
            .cases()
            .get(id)
            .is_some_and(|now| now.events.starts_with(&row.events));
        book.hold("CLAIM-3", kept, || format!("what was recorded of case {id} is gone"));
    }
}

/// An order says what is true of its money.
fn check(id: TransferId, row: &OrderRow, rows: &Snapshot, ledger: &ledger::Picture, book: &Book<'_>) {
    let order = &row.order;
    let posted = ledger.transfer(id).is_some();
    let has_case = rows.cases().contains_key(&id);
    let holds = match order.state {
        State::Pending => true,
        State::Posted => posted,
        State::Rejected => !posted,
        State::Suspended => posted && has_case,
        State::Stuck | State::Repaired => has_case,
    };
    book.hold("CLAIM-3", holds, || {
        let (is, case) = (if posted { "is" } else { "is not" }, if has_case { "a" } else { "no" });
        format!(
            "{:?} {id} is {:?}, {is} posted and has {case} case",
            order.kind, order.state
        )
    });
}
