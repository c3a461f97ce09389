//! The writer's exact picture of one packet, and the decision that it takes with it.

use std::sync::Arc;

use clock::Timestamp;
use guard::Guard;
use id::UserId;

use super::{
    claim::{Claim, Closing, Tally},
    packet::Packet,
    roll::Roll,
};

/// What comes of an open. In the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The user has opened a share of this packet before (CLAIM-1): that claim.
    Already(Claim),
    /// The packet was closed first (CLOSE-1). Final.
    Closed,
    /// Every share is opened by others. Final.
    Exhausted,
    /// A new claim, not durable before the transaction it was decided in commits.
    Opened(Claim),
}

/// Where and when a new claim stands in its partition's log.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Its `seq`.
    pub seq: i64,
    /// The hour.
    pub now: Timestamp,
}

/// One packet exactly as SQL has it at the version of its partition that the writer has locked. It is never right by
/// itself: the fence of the partition's `version` says whether it still is.
#[derive(Debug)]
pub struct Picture {
    roll: Roll,
    tally: Tally,
}

/// The claims in SQL do not add up to the tally in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claims of the packet do not add up to its tally")]
pub struct Mismatch;

impl Picture {
    /// The picture that a packet's claims and tally give.
    pub fn new(packet: Arc<Packet>, tally: Tally, claims: &[Claim]) -> Result<Self, Mismatch> {
        let mut picture = Self {
            roll: Roll::new(packet),
            tally: Tally::default(),
        };
        for claim in claims {
            picture.follow(claim)?;
        }
        picture.confirm(tally)?;
        Ok(picture)
    }

    /// Enters a claim that is in SQL. If it does not fit, throw the picture away.
    pub fn follow(&mut self, claim: &Claim) -> Result<(), Mismatch> {
        let share_is_right = self.packet().amount_fen(claim.share_no) == Some(claim.amount_fen)
            && !self.roll.opened().is_taken(claim.share_no);
        let opened_fen = self.tally.opened_fen.checked_add(claim.amount_fen).ok_or(Mismatch)?;
        if !share_is_right
            || !self
                .roll
                .enter(&claim.user_id, claim.share_no, claim.seq, claim.claim_time)
        {
            return Err(Mismatch);
        }
        self.tally.opened_count = self.roll.opened().taken();
        self.tally.opened_fen = opened_fen;
        Ok(())
    }

    /// Holds the claims that were entered against the tally in SQL, which alone says whether the packet is closed. If it
    /// does not fit, throw the picture away.
    pub fn confirm(&mut self, tally: Tally) -> Result<(), Mismatch> {
        if (self.tally.opened_count, self.tally.opened_fen) != (tally.opened_count, tally.opened_fen) {
            return Err(Mismatch);
        }
        self.tally = tally;
        Ok(())
    }

    /// The packet.
    pub fn packet(&self) -> &Arc<Packet> {
        self.roll.packet()
    }

    /// The running account.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The luckiest share, once all are opened.
    pub fn luckiest(&self) -> Option<u32> {
        self.roll.luckiest()
    }

    /// Decides an open and enters it. `wanted` is the voucher's share; if it is taken, or the voucher is provisional,
    /// another free share is given, from the high end, where the gate's own low end is met last.
    ///
    /// The picture is ahead of SQL from here on until the transaction commits; if it does not, throw the picture away.
    pub fn open(&mut self, user_id: &UserId, wanted: Option<u32>, at: Position) -> Opening {
        if guard::stands(Guard::UserOnce)
            && let Some(claim) = self.roll.claim_of(user_id)
        {
            return Opening::Already(claim);
        }
        if guard::stands(Guard::CloseFirst) && self.tally.close_time.is_some() {
            return Opening::Closed;
        }
        let is_taken = |share_no| guard::stands(Guard::ShareOnce) && self.roll.opened().is_taken(share_no);
        let free = wanted.filter(|share_no| !is_taken(*share_no));
        let Some(share_no) = free.or_else(|| self.roll.highest_free()) else {
            return Opening::Exhausted;
        };
        self.enter(user_id, share_no, at)
            .map_or(Opening::Exhausted, Opening::Opened)
    }

    fn enter(&mut self, user_id: &UserId, share_no: u32, at: Position) -> Option<Claim> {
        let amount_fen = self.packet().amount_fen(share_no)?;
        // Amounts sum to a total that fits, so this never fails for claims that are on the roll once.
        let opened_fen = self.tally.opened_fen.checked_add(amount_fen)?;
        self.roll.enter(user_id, share_no, at.seq, at.now);
        self.tally.opened_count += 1;
        self.tally.opened_fen = opened_fen;
        self.roll.claim_of(user_id)
    }

    /// Closes the packet: the first answer, and whether this was it.
    pub fn close(&mut self, now: Timestamp) -> (Closing, bool) {
        self.tally.close(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::packet::sample::{self, START};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn user(number: u8) -> UserId {
        format!("u{number}").parse().unwrap()
    }

    fn at(seq: i64) -> Position {
        Position { seq, now: START }
    }

    fn empty(share_count: u32) -> Picture {
        Picture::new(sample::packet(1, share_count), Tally::default(), &[]).unwrap()
    }

    fn opened(opening: Opening) -> Claim {
        match opening {
            Opening::Opened(claim) => claim,
            other => panic!("not opened: {other:?}"),
        }
    }

    #[test]
    fn decisions_in_order_of_precedence() {
        let mut picture = empty(3);
        let first = opened(picture.open(&user(1), Some(1), at(1)));
        assert_eq!((first.share_no, first.seq), (1, 1));
        assert_eq!(first.amount_fen, picture.packet().amount_fen(1).unwrap(), "CLAIM-2");
        // The voucher's share is taken: another, from the high end. So for a provisional voucher.
        assert_eq!(opened(picture.open(&user(2), Some(1), at(2))).share_no, 2);
        assert_eq!(opened(picture.open(&user(3), None, at(3))).share_no, 0);

        assert_eq!(picture.open(&user(4), Some(0), at(4)), Opening::Exhausted);
        let (closing, new) = picture.close(START);
        assert!(new);
        assert_eq!(
            (closing.opened_count, closing.opened_fen),
            (3, picture.packet().terms().total_fen)
        );
        assert_eq!(picture.open(&user(4), Some(0), at(4)), Opening::Closed);
        // The earlier claim is told whatever happened since, now with its luck.
        let Opening::Already(again) = picture.open(&user(1), Some(0), at(4)) else {
            panic!("the claim is gone");
        };
        assert_eq!((again.share_no, again.seq), (1, 1));
        assert_eq!(again.luckiest, picture.luckiest() == Some(1));
    }

    #[test]
    fn rows_that_do_not_add_up_give_no_picture() {
        let packet = sample::packet(1, 3);
        let mut picture = empty(3);
        let claim = opened(picture.open(&user(1), Some(1), at(1)));
        let tally = picture.tally();
        let read = |tally, claims: &[Claim]| Picture::new(packet.clone(), tally, claims).map(|picture| picture.tally());
        assert_eq!(read(tally, std::slice::from_ref(&claim)), Ok(tally));
        assert_eq!(read(tally, &[]), Err(Mismatch));
        assert_eq!(read(Tally::default(), std::slice::from_ref(&claim)), Err(Mismatch));
        assert_eq!(read(tally, &[claim.clone(), claim.clone()]), Err(Mismatch));
        let mut other = claim;
        other.share_no = 2;
        assert_eq!(read(tally, &[other]), Err(Mismatch), "another share's amount");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Open(u8, Option<u32>),
        Close,
        Reload,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            10 => (0..20_u8, prop::option::of(0..12_u32)).prop_map(|(user, wanted)| Step::Open(user, wanted)),
            1 => Just(Step::Close),
            1 => Just(Step::Reload),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        /// CLAIM-1, CLOSE-1 and conservation under any order of opens and closes, with the picture rebuilt from its
        /// claims in between.
        #[test]
        fn no_share_and_no_user_twice(count in 1..12_u32, steps in prop::collection::vec(step(), 1..60)) {
            let mut picture = empty(count);
            let mut claims: Vec<Claim> = Vec::new();
            for step in steps {
                let seq = i64::try_from(claims.len()).unwrap() + 1;
                match step {
                    Step::Open(n, wanted) => match picture.open(&user(n), wanted, at(seq)) {
                        Opening::Opened(claim) => {
                            prop_assert!(picture.tally().close_time.is_none());
                            claims.push(claim);
                        }
                        Opening::Already(claim) => prop_assert!(claims.iter().any(|c| (&c.user_id, c.share_no, c.seq) == (&claim.user_id, claim.share_no, claim.seq))),
                        Opening::Exhausted => prop_assert_eq!(claims.len(), count as usize),
                        Opening::Closed => prop_assert!(picture.tally().close_time.is_some()),
                    },
                    Step::Close => { picture.close(START); }
                    Step::Reload => picture = Picture::new(picture.packet().clone(), picture.tally(), &claims).unwrap(),
                }
            }
            let shares: BTreeSet<u32> = claims.iter().map(|claim| claim.share_no).collect();
            let users: BTreeSet<&UserId> = claims.iter().map(|claim| &claim.user_id).collect();
            prop_assert_eq!((shares.len(), users.len()), (claims.len(), claims.len()));
            let sum = money::Fen::checked_sum(claims.iter().map(|claim| claim.amount_fen)).unwrap();
            prop_assert_eq!(picture.tally().opened_fen, sum);
        }
    }
}
