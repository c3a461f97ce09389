//! Who opened which share of one packet.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use clock::Timestamp;
use guard::Guard;
use id::UserId;

use super::{claim::Claim, packet::Packet, shares::Shares};

/// The roll of one packet's claims. Amounts are not kept: they follow from the packet (CLAIM-2).
#[derive(Debug)]
pub struct Roll {
    packet: Arc<Packet>,
    by_user: HashMap<UserId, Opened>,
    opened: Shares,
    /// The largest share so far, ties to the earliest: by amount, then by `seq` backwards.
    luckiest: Option<((i64, Reverse<i64>), u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Opened {
    share_no: u32,
    seq: i64,
    claim_time: Timestamp,
}

impl Roll {
    /// Nobody has opened anything.
    pub fn new(packet: Arc<Packet>) -> Self {
        Self {
            opened: Shares::all_free(packet.share_count()),
            packet,
            by_user: HashMap::new(),
            luckiest: None,
        }
    }

    /// The packet.
    pub fn packet(&self) -> &Arc<Packet> {
        &self.packet
    }

    /// Which shares are opened, by whomever.
    pub fn opened(&self) -> &Shares {
        &self.opened
    }

    /// The highest share that nobody opened.
    pub fn highest_free(&mut self) -> Option<u32> {
        self.opened.highest_free()
    }

    /// The claim of `user_id`, if there is one.
    pub fn claim_of(&self, user_id: &UserId) -> Option<Claim> {
        let opened = self.by_user.get(user_id)?;
        Some(Claim {
            packet_id: self.packet.id(),
            share_no: opened.share_no,
            user_id: user_id.clone(),
            amount_fen: self.packet.amount_fen(opened.share_no)?,
            claim_time: opened.claim_time,
            partition: self.packet.partition(),
            seq: opened.seq,
            luckiest: self.luckiest() == Some(opened.share_no),
            sender_id: self.packet.terms().sender_id.clone(),
        })
    }

    /// Enters a claim. `false`, and nothing happens, if its user is on the roll or its share does not exist.
    pub fn enter(&mut self, user_id: &UserId, share_no: u32, seq: i64, claim_time: Timestamp) -> bool {
        let Some(amount_fen) = self.packet.amount_fen(share_no) else {
            return false;
        };
        if guard::stands(Guard::UserOnce) && self.by_user.contains_key(user_id) {
            return false;
        }
        self.opened.take(share_no);
        let opened = Opened {
            share_no,
            seq,
            claim_time,
        };
        self.by_user.insert(user_id.clone(), opened);
        let luck = ((amount_fen.get(), Reverse(seq)), share_no);
        self.luckiest = self.luckiest.max(Some(luck));
        true
    }

    /// Enters that a share was opened by somebody.
    pub fn enter_unnamed(&mut self, share_no: u32) {
        self.opened.take(share_no);
    }

    /// The luckiest share, once every share's claim is on the roll.
    pub fn luckiest(&self) -> Option<u32> {
        let complete = self.by_user.len() == self.packet.share_count() as usize;
        self.luckiest.filter(|_| complete).map(|(_, share_no)| share_no)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{packet::sample, terms::Promise};
    use id::Partition;
    use split::Kind;

    #[test]
    fn the_luckiest_is_the_largest_and_then_the_earliest_and_only_at_the_end() {
        let mut promise: Promise = sample::promise(1, 3);
        promise.terms.kind = Kind::Equal; // all shares tie
        let packet = Arc::new(Packet::new(promise, Partition::DEFAULT_COUNT).unwrap());
        let mut roll = Roll::new(packet);
        let users: Vec<UserId> = ["a", "b", "c"].map(|user| user.parse().unwrap()).into();
        for (user, share_no, seq) in [(0, 2, 9), (1, 0, 7), (2, 1, 8)] {
            assert_eq!(roll.luckiest(), None);
            assert!(roll.enter(&users[user], share_no, seq, sample::START));
        }
        assert_eq!(roll.luckiest(), Some(0), "seq 7 was first");
        assert!(roll.claim_of(&users[1]).unwrap().luckiest);
        assert!(!roll.claim_of(&users[0]).unwrap().luckiest);
        assert!(!roll.enter(&users[0], 0, 10, sample::START), "one claim a user");
    }
}
