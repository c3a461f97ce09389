//! Each seal against the one before it and the transfers under it.

use id::TransferId;

use super::{Finding, Report, Subject, count, transfers::Trace};
use crate::domain::chain::{Hash, Head, Member, Seal, digest};

/// A member of a seal and what is there under its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What was posted.
    pub member: Member,
    /// What is there.
    pub trace: Trace,
}

/// Seals behind one, in order, with their members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealSlice {
    /// Each with what is listed at its positions, in order.
    pub seals: Vec<(Seal, Vec<Sealed>)>,
    /// The head on record; `None` if there is none.
    pub head: Option<Head>,
    /// Whether no seals follow.
    pub is_last: bool,
    /// In the last slice, transfers that are listed before the first position of the chain or behind the head's last. Not all
    /// of them if there are many.
    pub beyond: Vec<TransferId>,
}

/// Judges what is in `slice`, which is behind `at`. Returns the head up to there; `None` at the end. A seal is held against
/// what the one before it says, so that one that was changed is found once, or twice if its hash was.
pub fn walk(at: Head, slice: &SealSlice, known: Option<(i64, Hash)>, report: &mut Report) -> Option<Head> {
    let mut before = at;
    for (seal, members) in &slice.seals {
        if seal.seal_no != before.seal_no.saturating_add(1) {
            report.add(Finding::SealMissing, Subject::Seal(before.seal_no.saturating_add(1)), 0);
        } else if before.seal(members.iter().map(|sealed| &sealed.member)) != *seal {
            report.add(Finding::SealBroken, Subject::Seal(seal.seal_no), 0);
        }
        if known.is_some_and(|(seal_no, hash)| seal_no == seal.seal_no && hash != seal.hash) {
            report.add(Finding::HeadUnknown, Subject::Seal(seal.seal_no), 0);
        }
        for sealed in members {
            sealed.judge(seal.seal_no, report);
        }
        report.sealed_count = report.sealed_count.saturating_add(count(members.len()));
        before = Head::of(seal);
    }
    if !slice.is_last {
        return Some(before);
    }
    let head = slice.head.unwrap_or(Head::GENESIS);
    if head.seal_no > before.seal_no {
        report.add(Finding::SealMissing, Subject::Seal(before.seal_no.saturating_add(1)), 0);
    } else if head != before {
        report.add(Finding::HeadMoved, Subject::Seal(head.seal_no), 0);
    }
    for id in &slice.beyond {
        report.add(Finding::NotSealed, Subject::Transfer(*id), 0);
    }
    if let Some((seal_no, _)) = known.filter(|(seal_no, _)| *seal_no > before.seal_no) {
        report.add(Finding::HeadUnknown, Subject::Seal(seal_no), 0);
    }
    None
}

impl Sealed {
    fn judge(&self, seal_no: i64, report: &mut Report) {
        let id = self.member.transfer;
        let subject = Subject::Sealed(id, seal_no);
        match self.trace {
            Trace::Gone => report.add(Finding::TransferRemoved, subject, 0),
            Trace::Posted(payload, at) if digest(id, &payload, at) == self.member.digest => {}
            Trace::Posted(..) | Trace::Unreadable => report.add(Finding::TransferChanged, subject, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::transfer::{Payload, Reason};
    use clock::from_micros;
    use id::{AccountId, PacketId};
    use money::Fen;
    use std::slice;

    fn sealed(n: u32) -> Sealed {
        let packet = PacketId::new(1, &[1; 10]);
        let payload = Payload {
            debit: AccountId::escrow(packet),
            credit: AccountId::external(),
            amount: Fen::new(5),
            reason: Reason::Settle,
            packet: Some(packet),
        };
        let (transfer, at) = (TransferId::settle(packet, n), from_micros(7));
        Sealed {
            member: Member {
                transfer,
                digest: digest(transfer, &payload, at),
            },
            trace: Trace::Posted(payload, at),
        }
    }

    /// Three seals of two.
    fn sound() -> SealSlice {
        let mut head = Head::GENESIS;
        let seals = [[0, 1], [2, 3], [4, 5]].map(|members| {
            let members = members.map(sealed).to_vec();
            let seal = head.seal(members.iter().map(|sealed| &sealed.member));
            head = Head::of(&seal);
            (seal, members)
        });
        SealSlice {
            seals: seals.to_vec(),
            head: Some(head),
            is_last: true,
            beyond: Vec::new(),
        }
    }

    fn judged(slice: &SealSlice, known: Option<(i64, Hash)>) -> Vec<(Finding, Subject)> {
        let mut report = Report::default();
        assert_eq!(walk(Head::GENESIS, slice, known, &mut report), None);
        report
            .differences
            .iter()
            .map(|found| (found.finding, found.subject))
            .collect()
    }

    #[test]
    fn a_sound_chain_has_no_differences_however_it_is_sliced() {
        let slice = sound();
        assert_eq!(judged(&slice, None), []);
        let mut report = Report::default();
        let mut at = Some(Head::GENESIS);
        for seal in &slice.seals {
            let one = SealSlice {
                seals: slice::from_ref(seal).to_vec(),
                is_last: seal.0.seal_no == 3,
                ..slice.clone()
            };
            at = walk(at.unwrap(), &one, Some((2, slice.seals[1].0.hash)), &mut report);
        }
        assert_eq!((at, report.sealed_count), (None, 6));
        assert_eq!(report.differences, []);
    }

    /// What is done to a sound chain, and what is said then.
    #[test]
    fn every_change_is_found() {
        type Change = fn(&mut SealSlice);
        type Row<'a> = (&'a str, Change, Vec<(Finding, Subject)>);
        let (a, b) = (sealed(2).member.transfer, sealed(3).member.transfer);
        let at = |finding, seal_no| (finding, Subject::Seal(seal_no));
        let of = |finding, transfer| (finding, Subject::Sealed(transfer, 2));
        let table: [Row<'_>; 12] = [
            (
                "a transfer edited",
                |slice| {
                    if let Trace::Posted(payload, _) = &mut slice.seals[1].1[0].trace {
                        payload.amount = Fen::new(6);
                    }
                },
                vec![of(Finding::TransferChanged, a)],
            ),
            (
                "a transfer beyond reading",
                |slice| slice.seals[1].1[0].trace = Trace::Unreadable,
                vec![of(Finding::TransferChanged, a)],
            ),
            (
                "a transfer removed",
                |slice| slice.seals[1].1[1].trace = Trace::Gone,
                vec![of(Finding::TransferRemoved, b)],
            ),
            (
                "two moved",
                |slice| slice.seals[1].1.swap(0, 1),
                vec![at(Finding::SealBroken, 2)],
            ),
            (
                "a member taken out",
                |slice| slice.seals[1].1.truncate(1),
                vec![at(Finding::SealBroken, 2)],
            ),
            (
                "a member put in",
                |slice| slice.seals[1].1.push(sealed(9)),
                vec![at(Finding::SealBroken, 2)],
            ),
            (
                "an edit with its digest",
                |slice| {
                    let other = sealed(8);
                    slice.seals[1].1[0] = other;
                },
                vec![at(Finding::SealBroken, 2)],
            ),
            (
                "a hash",
                |slice| slice.seals[1].0.hash = [1; 32],
                vec![at(Finding::SealBroken, 2), at(Finding::SealBroken, 3)],
            ),
            (
                "a seal",
                |slice| drop(slice.seals.remove(1)),
                vec![at(Finding::SealMissing, 2)],
            ),
            (
                "the last seal",
                |slice| slice.seals.truncate(2),
                vec![at(Finding::SealMissing, 3)],
            ),
            (
                "the head",
                |slice| slice.head = Some(Head::of(&slice.seals[1].0)),
                vec![at(Finding::HeadMoved, 2)],
            ),
            (
                "all of it",
                |slice| (slice.seals, slice.head) = (Vec::new(), None),
                vec![],
            ),
        ];
        for (name, change, expected) in table {
            let mut slice = sound();
            change(&mut slice);
            assert_eq!(judged(&slice, None), expected, "{name}");
        }
    }

    /// Who rewrites everything from some seal on is found by the head that was noted before.
    #[test]
    fn a_head_that_was_noted_must_still_be_there() {
        let slice = sound();
        let noted = |seal_no: usize| (slice.seals[seal_no - 1].0.seal_no, slice.seals[seal_no - 1].0.hash);
        for seal_no in 1..=3 {
            assert_eq!(judged(&slice, Some(noted(seal_no))), []);
        }
        assert_eq!(judged(&slice, Some((0, [0; 32]))), []);
        let unknown = |seal_no| vec![(Finding::HeadUnknown, Subject::Seal(seal_no))];
        assert_eq!(judged(&slice, Some((2, [1; 32]))), unknown(2));
        assert_eq!(judged(&slice, Some((4, [1; 32]))), unknown(4));
        let emptied = SealSlice {
            seals: Vec::new(),
            head: None,
            ..sound()
        };
        assert_eq!(judged(&emptied, Some(noted(3))), unknown(3));
    }
}
