//! What an open records, and how far a packet has come.

use clock::Timestamp;
use guard::Guard;
use id::{PacketId, Partition, UserId};
use money::Fen;

/// The durable record that a user opened a share. Whoever holds one got it from SQL or after a commit (CLAIM-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The packet.
    pub packet_id: PacketId,
    /// The share.
    pub share_no: u32,
    /// Who opened it.
    pub user_id: UserId,
    /// What it held.
    pub amount_fen: Fen,
    /// When it was decided.
    pub claim_time: Timestamp,
    /// The partition whose log it is in.
    pub partition: Partition,
    /// Its position in that log, from 1, gapless (LOG-1).
    pub seq: i64,
    /// Whether it is the luckiest of its packet; false until all shares are opened.
    pub luckiest: bool,
    /// Who sent the packet.
    pub sender_id: UserId,
}

/// What a position of a claim log holds. Every position up to the log's head holds something (LOG-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A claim.
    Claim(Claim),
    /// There was a claim, and what is left of it cannot be understood.
    Unreadable(Unreadable),
}

/// A position whose record cannot be understood: somebody damaged it behind our back. A person has to find out who was to be
/// paid what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The partition whose log it is in.
    pub partition: Partition,
    /// The position.
    pub seq: i64,
    /// Whether there is no record at all.
    pub missing: bool,
    /// What the record holds, for a person: at most [`Unreadable::MAX_FACTS`] characters that can be printed.
    pub facts: String,
}

impl Unreadable {
    /// Longest text of facts, in characters: a claim's own fields fit, and a thousand of them fit a message.
    pub const MAX_FACTS: usize = 320;

    /// A record that holds `facts`, which may be of any length.
    pub fn damaged(partition: Partition, seq: i64, facts: &str) -> Self {
        let printable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        Self {
            partition,
            seq,
            missing: false,
            facts: facts.trim().chars().map(printable).take(Self::MAX_FACTS).collect(),
        }
    }

    /// No record.
    pub fn missing(partition: Partition, seq: i64) -> Self {
        Self {
            partition,
            seq,
            missing: true,
            facts: String::new(),
        }
    }
}

impl Entry {
    /// The position.
    pub fn seq(&self) -> i64 {
        match self {
            Self::Claim(claim) => claim.seq,
            Self::Unreadable(unreadable) => unreadable.seq,
        }
    }
}

/// The running account of one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many shares are opened.
    pub opened_count: u32,
    /// Their sum.
    pub opened_fen: Fen,
    /// When the packet was closed, if it was.
    pub close_time: Option<Timestamp>,
}

/// What a close found: the facts that the refund is computed from (CLOSE-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// How many shares were opened.
    pub opened_count: u32,
    /// Their sum.
    pub opened_fen: Fen,
    /// When the packet was closed, the first time.
    pub close_time: Timestamp,
}

impl Tally {
    /// Closes the packet, or finds that it was closed: always the first answer, and whether this was it.
    pub fn close(&mut self, now: Timestamp) -> (Closing, bool) {
        let first = self.close_time.is_none();
        let close_time = *self.close_time.get_or_insert(now);
        let closing = Closing {
            opened_count: self.opened_count,
            opened_fen: self.opened_fen,
            close_time,
        };
        (closing, first)
    }
}

/// The head of one partition's claim log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The partition.
    pub partition: Partition,
    /// The `seq` that the next claim gets, from 1.
    pub next_seq: i64,
    /// How many transactions wrote to the partition: claims and closes. The fence between writers.
    pub version: i64,
}

impl Head {
    /// The `seq` of the last claim; 0 before the first.
    pub fn last_seq(&self) -> i64 {
        self.next_seq - 1
    }
}

/// How far one packet has come, as anyone may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The packet.
    pub packet_id: PacketId,
    /// How many shares there are.
    pub share_count: u32,
    /// What was opened so far.
    pub tally: Tally,
    /// The seed, once the packet has ended (SEED-1).
    pub seed: Option<split::Seed>,
}

impl Progress {
    /// The progress of `packet`; reveals `seed` only if the packet has ended.
    pub fn new(packet_id: PacketId, share_count: u32, tally: Tally, seed: split::Seed) -> Self {
        let ended = tally.close_time.is_some() || tally.opened_count == share_count;
        let told = ended || !guard::stands(Guard::SeedLast);
        Self {
            packet_id,
            share_count,
            tally,
            seed: told.then_some(seed),
        }
    }

    /// Whether no claim can follow: all shares are opened or the packet is closed.
    pub fn has_ended(&self) -> bool {
        self.seed.is_some()
    }
}

/// What one user received in one year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many shares.
    pub claim_count: i64,
    /// Their sum.
    pub amount_fen: Fen,
    /// How often theirs was the luckiest.
    pub luckiest_count: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clock::from_micros;

    #[test]
    fn a_second_close_gives_the_first_answer() {
        let mut tally = Tally {
            opened_count: 2,
            opened_fen: Fen::new(30),
            close_time: None,
        };
        let (first, new) = tally.close(from_micros(5));
        assert!(new);
        assert_eq!(first.close_time, from_micros(5));
        assert_eq!(tally.close(from_micros(9)), (first, false));
    }

    #[test]
    fn the_seed_is_revealed_at_the_end_only() {
        let seed = || split::Seed::from_bytes([1; 32]);
        let id = PacketId::new(1, &[1; 10]);
        let mut tally = Tally::default();
        assert_eq!(Progress::new(id, 1, tally, seed()).seed, None);
        tally.close(from_micros(1));
        assert!(Progress::new(id, 1, tally, seed()).has_ended());
        let all = Tally {
            opened_count: 1,
            ..Tally::default()
        };
        assert!(Progress::new(id, 1, all, seed()).has_ended());
    }
}
