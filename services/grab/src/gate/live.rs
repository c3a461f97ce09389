//! The live state of one packet in process memory, pure and synchronous.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
};

use clock::{Timestamp, after, until};
use id::UserId;

use super::{RETRY_DELAY, Reservation, Timing, Verdict};
use crate::domain::{claim::Claim, packet::Packet, roll::Roll, shares::Shares};

/// Who opened, who holds, what is free.
#[derive(Debug)]
pub struct Live {
    timing: Timing,
    roll: Roll,
    closed: bool,
    /// Held or opened.
    busy: Shares,
    holds: HashMap<UserId, Hold>,
    /// When holds end; an entry whose hold was renewed, opened or dropped since means nothing.
    ends: BinaryHeap<Reverse<(Timestamp, UserId)>>,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    share_no: u32,
    lapse_time: Timestamp,
}

impl Live {
    /// The state that a packet's durable claims give: nothing is held.
    pub fn new(packet: Arc<Packet>, closed: bool, claims: &[Claim], timing: Timing) -> Self {
        let mut live = Self {
            timing,
            closed,
            busy: Shares::all_free(packet.share_count()),
            roll: Roll::new(packet),
            holds: HashMap::new(),
            ends: BinaryHeap::new(),
        };
        for claim in claims {
            live.opened(claim);
        }
        live
    }

    /// Decides one ask. The order of the answers is that of [`Verdict`].
    pub fn grab(&mut self, user_id: &UserId, admitted: bool, now: Timestamp) -> Verdict {
        self.take_back(now);
        if let Some(claim) = self.claim_of(user_id) {
            return Verdict::AlreadyOpened(claim);
        }
        let hold = self.holds.get(user_id).copied();
        if let Some(hold) = hold.filter(|hold| now < hold.lapse_time) {
            return Verdict::Granted(hold.into());
        }
        if self.closed {
            return Verdict::Closed;
        }
        if !admitted {
            return Verdict::NotAdmitted;
        }
        if self.is_exhausted() {
            return Verdict::Exhausted;
        }
        // A hold that lapsed but whose share did not go back yet is simply renewed.
        let own = hold.map(|hold| hold.share_no);
        let Some(share_no) = own
            .filter(|share_no| !self.roll.opened().is_taken(*share_no))
            .or_else(|| self.busy.lowest_free())
        else {
            let retry_delay = self.next_end().map_or(*RETRY_DELAY.end(), |end| until(now, end));
            return Verdict::AllHeld {
                retry_delay: retry_delay.clamp(*RETRY_DELAY.start(), *RETRY_DELAY.end()),
            };
        };
        Verdict::Granted(self.hold(user_id, share_no, now).into())
    }

    fn hold(&mut self, user_id: &UserId, share_no: u32, now: Timestamp) -> Hold {
        let lapse_time = after(now, self.timing.voucher_ttl);
        let hold = Hold { share_no, lapse_time };
        self.busy.take(share_no);
        self.holds.insert(user_id.clone(), hold);
        self.ends.push(Reverse((self.end(hold), user_id.clone())));
        hold
    }

    /// When the share of a hold goes back.
    fn end(&self, hold: Hold) -> Timestamp {
        after(hold.lapse_time, self.timing.lapse_grace)
    }

    /// The earliest end of a hold that still stands.
    fn next_end(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((end, user_id))) = self.ends.peek() {
            if self.holds.get(user_id).is_some_and(|hold| self.end(*hold) == *end) {
                return Some(*end);
            }
            self.ends.pop();
        }
        None
    }

    /// Takes back the shares of holds that have ended.
    fn take_back(&mut self, now: Timestamp) {
        while self.next_end().is_some_and(|end| end <= now) {
            if let Some(Reverse((_, user_id))) = self.ends.pop() {
                self.drop_hold(&user_id);
            }
        }
    }

    fn drop_hold(&mut self, user_id: &UserId) {
        if let Some(hold) = self.holds.remove(user_id)
            && !self.roll.opened().is_taken(hold.share_no)
        {
            self.busy.release(hold.share_no);
        }
    }

    /// The claim of a user.
    pub fn claim_of(&self, user_id: &UserId) -> Option<Claim> {
        self.roll.claim_of(user_id)
    }

    /// Whether all shares are opened.
    pub fn is_exhausted(&self) -> bool {
        self.roll.opened().is_full()
    }

    /// A claim is durable.
    pub fn opened(&mut self, claim: &Claim) {
        self.roll
            .enter(&claim.user_id, claim.share_no, claim.seq, claim.claim_time);
        self.busy.take(claim.share_no);
        self.drop_hold(&claim.user_id);
        self.finish();
    }

    /// A share was opened by somebody.
    pub fn taken(&mut self, share_no: u32) {
        self.roll.enter_unnamed(share_no);
        self.busy.take(share_no);
        self.finish();
    }

    /// The packet is closed.
    pub fn close(&mut self) {
        self.closed = true;
        self.finish();
    }

    /// When nothing is left or nothing can be opened any more, no hold is worth anything.
    fn finish(&mut self) {
        if self.closed || self.is_exhausted() {
            self.holds = HashMap::new();
            self.ends = BinaryHeap::new();
        }
    }
}

impl From<Hold> for Reservation {
    fn from(hold: Hold) -> Self {
        Self {
            share_no: Some(hold.share_no),
            lapse_time: hold.lapse_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::packet::sample,
        gate::model::{Model, Step, TIMING, at, claim, granted, name, step, user},
    };

    #[test]
    fn a_hold_lapses_is_renewed_and_goes_back_after_the_grace() {
        let mut live = Live::new(sample::packet(1, 1), false, &[], TIMING);
        assert_eq!(granted(&live.grab(&user(1), true, at(0))), (0, at(10)));
        assert_eq!(granted(&live.grab(&user(1), true, at(9))), (0, at(10)), "as it was");
        let held = |secs| Verdict::AllHeld {
            retry_delay: Duration::from_secs(secs),
        };
        assert_eq!(live.grab(&user(2), true, at(9)), held(2), "capped");
        assert_eq!(
            live.grab(&user(2), true, at(11)),
            held(1),
            "lapsed, but within the grace"
        );
        assert_eq!(granted(&live.grab(&user(1), true, at(11))), (0, at(21)), "renewed");
        assert_eq!(live.grab(&user(2), true, at(22)), held(1));
        assert_eq!(granted(&live.grab(&user(2), true, at(23))), (0, at(33)));
        assert_eq!(live.grab(&user(1), true, at(23)), held(2), "it is another's now");
    }

    #[test]
    fn a_share_that_went_to_another_does_not_come_back() {
        let packet = sample::packet(1, 2);
        let mut live = Live::new(packet.clone(), false, &[], TIMING);
        assert_eq!(granted(&live.grab(&user(1), true, at(0))).0, 0);
        // Share 0 was opened by a user whom the gate never gave it.
        live.opened(&claim(&packet, user(2), 0, 1));
        assert_eq!(
            granted(&live.grab(&user(3), true, at(12))).0,
            1,
            "share 0 is not free again"
        );
        live.taken(1);
        assert_eq!(live.grab(&user(4), true, at(12)), Verdict::Exhausted);
        assert!(live.holds.is_empty() && live.ends.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn behaves_like_the_naive_model(count in 1..6_u32, steps in prop::collection::vec(step(), 1..80)) {
            let packet = sample::packet(1, count);
            let mut live = Live::new(packet.clone(), false, &[], TIMING);
            let (mut model, mut now, mut seq) = (Model::new(count), 0, 0);
            for step in steps {
                let mut open = |model: &mut Model, live: &mut Live, n: u8, share: u32| {
                    if model.open(n, share) {
                        seq += 1;
                        live.opened(&claim(&packet, user(n), share, seq));
                    }
                };
                match step {
                    Step::Grab(n, admitted) => {
                        let verdict = live.grab(&user(n), admitted, at(now));
                        prop_assert_eq!(name(&verdict), model.grab(n, admitted, now));
                        if let Verdict::Granted(_) = verdict {
                            prop_assert_eq!(granted(&verdict), { let (share, lapse) = model.hold_of(n).unwrap(); (share, at(lapse)) });
                        }
                    }
                    Step::Open(n) => if let Some((share, _)) = model.hold_of(n) {
                        open(&mut model, &mut live, n, share);
                    },
                    Step::Astray(n, share) => open(&mut model, &mut live, n, share),
                    Step::Pass(secs) => now += secs,
                    Step::Close => { live.close(); model.close(); }
                }
                // Never one share with two users whose vouchers are both good, unless somebody opened it astray.
                let good: Vec<u32> = live.holds.values().map(|hold| hold.share_no).filter(|no| !live.roll.opened().is_taken(*no)).collect();
                prop_assert_eq!(good.iter().collect::<BTreeSet<_>>().len(), good.len());
            }
        }
    }
}
