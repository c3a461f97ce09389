//! What an open records, and how far a packet has come.

use clock::Timestamp;
use id::{PacketId, Partition, UserId};
use money::Fen;

/// The durable record that a user opened a share. Whoever holds one got it from SQL or after a commit (CLAIM-3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "`claim_time` is its name everywhere")]
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
        Self {
            packet_id,
            share_count,
            tally,
            seed: ended.then_some(seed),
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
