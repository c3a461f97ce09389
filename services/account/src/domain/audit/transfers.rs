//! Every transfer against its two entries, and against the chain.

use clock::Timestamp;
use id::{AccountId, TransferId};
use money::Fen;

use super::{Finding, Report, Subject, count};
use crate::domain::{
    chain::{Hash, digest},
    transfer::Payload,
};

/// What is there under a transfer's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing.
    Gone,
    /// A row that says what no row can say.
    Unreadable,
    /// A transfer, posted at that time.
    Posted(Payload, Timestamp),
}

/// What the chain knows of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is listed under a seal; whether rightly is for the walk through the seals to say.
    Sealed,
    /// It waits to be sealed with this digest.
    Waits(Hash),
    /// Nothing.
    Unknown,
}

/// A transfer, or the id of one that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Its id.
    pub id: TransferId,
    /// What is there.
    pub trace: Trace,
    /// All entries that name it: whose, and what they change.
    pub entries: Vec<(AccountId, Fen)>,
    /// What the chain knows.
    pub mark: Mark,
}

/// Transfers behind one, in order of id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferSlice {
    /// How many transfers the slice has.
    pub transfer_count: i64,
    /// All of them, and ids between them that only entries name. A store may leave out what surely is sound.
    pub suspects: Vec<Suspect>,
    /// Up to which id it goes; `None` if nothing follows.
    pub to: Option<TransferId>,
}

/// Judges what is in `slice`.
pub fn judge(slice: &TransferSlice, report: &mut Report) {
    report.transfer_count = report.transfer_count.saturating_add(slice.transfer_count);
    for suspect in &slice.suspects {
        suspect.judge(report);
    }
}

impl Suspect {
    fn judge(&self, report: &mut Report) {
        let subject = Subject::Transfer(self.id);
        let (found, created) = (count(self.entries.len()), self.sum(|_| true));
        report.balance_sum += created;
        let (payload, at) = match self.trace {
            Trace::Gone => {
                if found > 0 {
                    report.add(Finding::NoSuchTransfer, subject, created);
                }
                return;
            }
            Trace::Unreadable if self.mark == Mark::Sealed => return, // told with its seal
            Trace::Unreadable => return report.add(Finding::TransferChanged, subject, 0),
            Trace::Posted(payload, at) => (payload, at),
        };
        let amount = i128::from(payload.amount.get());
        let has = |account: AccountId, delta: i128| {
            let is_side = |(of, change): &&(AccountId, Fen)| *of == account && i128::from(change.get()) == delta;
            self.entries.iter().filter(is_side).count() == 1
        };
        if found != 2 || !has(payload.debit, -amount) || !has(payload.credit, amount) {
            // What the entries create or destroy or, where they balance, by how much they move more than the transfer.
            let moved = self.sum(|delta| delta > 0);
            let excess = if created == 0 { moved - amount } else { created };
            report.add(Finding::Entries { found }, subject, excess);
        }
        match self.mark {
            Mark::Sealed => {}
            Mark::Waits(posted) if posted == digest(self.id, &payload, at) => {}
            Mark::Waits(_) => report.add(Finding::TransferChanged, subject, 0),
            Mark::Unknown => report.add(Finding::NotSealed, subject, 0),
        }
    }

    fn sum(&self, of: impl Fn(i64) -> bool) -> i128 {
        let deltas = self.entries.iter().map(|(_, delta)| delta.get());
        deltas.filter(|delta| of(*delta)).map(i128::from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{account::AccountRef, transfer::Reason};
    use clock::from_micros;
    use id::PacketId;

    #[test]
    #[expect(
        clippy::too_many_lines,
        reason = "a table of everything that can be wrong with one transfer"
    )]
    fn what_a_transfer_needs() {
        let packet = PacketId::new(1, &[1; 10]);
        let (from, to) = (
            AccountRef::Wallet("a".parse().unwrap()).id(),
            AccountRef::Escrow(packet).id(),
        );
        let payload = Payload {
            debit: from,
            credit: to,
            amount: Fen::new(5),
            reason: Reason::Fund,
            packet: Some(packet),
        };
        let (id, at) = (TransferId::fund(packet), from_micros(7));
        let here = Trace::Posted(payload, at);
        let waits = Mark::Waits(digest(id, &payload, at));
        let sides = |sides: &[(AccountId, i64)]| -> Vec<(AccountId, Fen)> {
            sides
                .iter()
                .map(|(account, delta)| (*account, Fen::new(*delta)))
                .collect()
        };
        let both = sides(&[(from, -5), (to, 5)]);
        let entries = |found| Finding::Entries { found };
        let table = [
            (here, both.clone(), Mark::Sealed, vec![], 0),
            (here, both.clone(), waits, vec![], 0),
            (
                here,
                both.clone(),
                Mark::Waits([0; 32]),
                vec![(Finding::TransferChanged, 0)],
                0,
            ),
            (here, both.clone(), Mark::Unknown, vec![(Finding::NotSealed, 0)], 0),
            (
                here,
                vec![],
                Mark::Unknown,
                vec![(entries(0), -5), (Finding::NotSealed, 0)],
                0,
            ),
            (here, sides(&[(from, -5)]), Mark::Sealed, vec![(entries(1), -5)], -5),
            (
                here,
                sides(&[(to, -5), (from, 5)]),
                Mark::Sealed,
                vec![(entries(2), 0)],
                0,
            ),
            (
                here,
                sides(&[(from, -6), (to, 6)]),
                Mark::Sealed,
                vec![(entries(2), 1)],
                0,
            ),
            (
                here,
                [both.clone(), both.clone()].concat(),
                Mark::Sealed,
                vec![(entries(4), 5)],
                0,
            ),
            (
                Trace::Gone,
                both.clone(),
                Mark::Sealed,
                vec![(Finding::NoSuchTransfer, 0)],
                0,
            ),
            (
                Trace::Gone,
                sides(&[(to, 5)]),
                Mark::Unknown,
                vec![(Finding::NoSuchTransfer, 5)],
                5,
            ),
            (Trace::Unreadable, both.clone(), Mark::Sealed, vec![], 0),
            (Trace::Unreadable, both, waits, vec![(Finding::TransferChanged, 0)], 0),
        ];
        for (trace, entries, mark, expected, sum) in table {
            let mut report = Report::default();
            let suspect = Suspect {
                id,
                trace,
                entries,
                mark,
            };
            let slice = TransferSlice {
                transfer_count: 1,
                suspects: vec![suspect],
                to: None,
            };
            judge(&slice, &mut report);
            let found: Vec<_> = report
                .differences
                .iter()
                .map(|found| (found.finding, found.excess.get()))
                .collect();
            assert_eq!((found, report.balance_sum), (expected, sum), "{slice:?}");
        }
    }
}
