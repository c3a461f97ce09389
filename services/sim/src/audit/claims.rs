//! CLAIM-1, CLAIM-2, LOG-1, CLOSE-1: logs that the auditor numbers itself, amounts that it splits itself.

use std::collections::{BTreeMap, BTreeSet};

use grab::{
    domain::{claim::Claim, terms::Promise},
    store::memory::Snapshot,
};
use id::{PacketId, Partition, TransferId, UserId};

use super::{Book, ByTransfer, Fact};

/// Claims as the auditor has them.
#[derive(Default)]
pub struct Picture {
    promised: BTreeMap<PacketId, Promised>,
    logs: BTreeMap<Partition, Vec<Fact>>,
    by_share: BTreeMap<(PacketId, u32), Fact>,
    by_user: BTreeSet<(PacketId, UserId)>,
    by_transfer: ByTransfer<Fact>,
    opened: BTreeMap<PacketId, Sums>,
    closed: BTreeMap<PacketId, Sums>,
}

/// What was promised of a packet.
struct Promised {
    promise: Promise,
    amounts_fen: Vec<i64>,
}

/// How much of a packet was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many shares.
    pub count: u32,
    /// Their sum.
    pub fen: i64,
}

impl Picture {
    /// The claim that a transfer out of escrow pays.
    pub fn by_transfer(&self, id: TransferId) -> Option<&Fact> {
        self.by_transfer.get(&id)
    }

    /// The claim to a share.
    pub fn by_share(&self, packet: PacketId, share_no: u32) -> Option<&Fact> {
        self.by_share.get(&(packet, share_no))
    }

    /// All claims, by partition in the order of its log.
    pub fn logs(&self) -> impl Iterator<Item = (Partition, &[Fact])> {
        self.logs.iter().map(|(partition, log)| (*partition, log.as_slice()))
    }

    /// The end of a partition's log.
    pub fn last_seq(&self, partition: Partition) -> i64 {
        self.logs
            .get(&partition)
            .and_then(|log| log.last())
            .map_or(0, |last| last.seq)
    }

    /// What a closed packet's close found.
    pub fn closed(&self, packet: PacketId) -> Option<Sums> {
        self.closed.get(&packet).copied()
    }

    /// What was opened of a packet so far.
    pub fn opened(&self, packet: PacketId) -> Sums {
        self.opened.get(&packet).copied().unwrap_or_default()
    }

    /// A packet's total, if grab knows the packet.
    pub fn total_fen(&self, packet: PacketId) -> Option<i64> {
        Some(self.promised.get(&packet)?.promise.terms.total_fen.get())
    }

    /// Whether all shares are opened.
    pub fn is_exhausted(&self, packet: PacketId) -> bool {
        let count = self
            .promised
            .get(&packet)
            .map(|promised| promised.promise.terms.share_count);
        count == Some(self.opened(packet).count)
    }

    pub fn look(&mut self, rows: &Snapshot, book: &Book<'_>) {
        self.keep(rows, book);
        let mut logs: BTreeMap<Partition, Vec<&Claim>> = BTreeMap::new();
        for claim in rows.claims() {
            logs.entry(claim.partition).or_default().push(claim);
        }
        for (partition, log) in &logs {
            let known = self.logs.get(partition).map_or(0, Vec::len);
            let unchanged = log.len() >= known
                && log
                    .iter()
                    .zip(self.logs.get(partition).into_iter().flatten())
                    .all(|(claim, fact)| fact.is(claim));
            book.hold("LOG-1", unchanged, || {
                format!("what the log of {partition} held was changed")
            });
            if !unchanged {
                return;
            }
            for claim in &log[known..] {
                self.enter(*partition, claim, book);
            }
        }
        for (partition, head) in rows.heads() {
            let last_seq = self.last_seq(*partition);
            book.hold("LOG-1", head.next_seq == last_seq + 1, || {
                format!(
                    "the log of {partition} ends at {last_seq}, its head says that {} is next",
                    head.next_seq
                )
            });
        }
        for (packet, tally) in rows.tallies() {
            let sums = self.opened(*packet);
            let tallied = Sums {
                count: tally.opened_count,
                fen: tally.opened_fen.get(),
            };
            book.hold("CLOSE-1", tallied == sums, || {
                format!("{packet} is tallied at {tallied:?}, its claims are {sums:?}")
            });
            if tally.close_time.is_some() {
                let first = *self.closed.entry(*packet).or_insert(sums);
                book.hold("CLOSE-1", first == sums, || {
                    format!("{packet} was closed at {first:?} and is at {sums:?} now")
                });
            }
        }
    }

    fn keep(&mut self, rows: &Snapshot, book: &Book<'_>) {
        let known = self.promised.len();
        for (packet, promise) in rows.promises() {
            if let Some(promised) = self.promised.get(packet) {
                book.hold("CLAIM-2", promised.promise == *promise, || {
                    format!("the promise of {packet} was changed")
                });
                continue;
            }
            let terms = &promise.terms;
            let cap = terms.share_cap_fen.map(money::Fen::get);
            let amounts = split::split(terms.kind, &promise.seed, terms.total_fen.get(), terms.share_count, cap);
            let amounts_fen = amounts.unwrap_or_default();
            book.hold(
                "SEED-1",
                amounts_fen.iter().sum::<i64>() == terms.total_fen.get(),
                || format!("the shares of {packet} are {amounts_fen:?}"),
            );
            let promised = Promised {
                promise: promise.clone(),
                amounts_fen,
            };
            self.promised.insert(*packet, promised);
        }
        book.hold("CLAIM-2", rows.promises().len() >= known, || {
            "a promise is gone".to_owned()
        });
    }

    fn enter(&mut self, partition: Partition, claim: &Claim, book: &Book<'_>) {
        let fact = Fact::of(claim);
        let (packet, share_no) = (fact.packet, fact.share_no);
        let log = self.logs.entry(partition).or_default();
        let expected_seq = log.last().map_or(1, |last| last.seq + 1);
        book.hold("LOG-1", fact.seq == expected_seq, || {
            format!("{fact:?} follows {} in the log of {partition}", expected_seq - 1)
        });
        log.push(fact.clone());

        book.hold("CLOSE-1", !self.closed.contains_key(&packet), || {
            format!("{fact:?} after the close")
        });
        let again = self.by_share.insert((packet, share_no), fact.clone());
        book.hold("CLAIM-1", again.is_none(), || format!("{fact:?}, and before {again:?}"));
        let first = self.by_user.insert((packet, fact.user.clone()));
        book.hold("CLAIM-1", first, || format!("{fact:?} is not the first of its user"));

        let promised = self.promised.get(&packet);
        let amounts = promised.map(|promised| &promised.amounts_fen);
        let amount_fen = amounts
            .and_then(|amounts| amounts.get(usize::try_from(share_no).ok()?))
            .copied();
        book.hold("CLAIM-2", amount_fen == Some(fact.amount_fen), || {
            format!("{fact:?}, but the seed says {amount_fen:?}")
        });
        let sums = self.opened.entry(packet).or_default();
        sums.count += 1;
        sums.fen += fact.amount_fen;
        let total_fen = promised.map_or(0, |promised| promised.promise.terms.total_fen.get());
        book.hold("CLAIM-1", sums.fen <= total_fen, || {
            format!("{packet} of {total_fen} has {sums:?} opened")
        });
        self.by_transfer.insert(TransferId::settle(packet, share_no), fact);
    }
}

impl Fact {
    fn of(claim: &Claim) -> Self {
        Self {
            packet: claim.packet_id,
            share_no: claim.share_no,
            user: claim.user_id.clone(),
            amount_fen: claim.amount_fen.get(),
            seq: claim.seq,
        }
    }

    fn is(&self, claim: &Claim) -> bool {
        (self.packet, self.share_no, self.amount_fen, self.seq)
            == (claim.packet_id, claim.share_no, claim.amount_fen.get(), claim.seq)
            && self.user == claim.user_id
    }
}
