//! A packet's gate without any cleverness, to hold the clever ones against: what each share and each user is, looked up by
//! scanning.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use clock::{Timestamp, after};
use id::UserId;
use proptest::prelude::*;

use super::{Timing, Verdict};
use crate::domain::{
    claim::Claim,
    packet::{Packet, sample::START},
};

/// Ten seconds and two, in which the model reckons.
pub const TIMING: Timing = Timing {
    voucher_ttl: Duration::from_secs(10),
    lapse_grace: Duration::from_secs(2),
};

pub fn user(number: u8) -> UserId {
    format!("u{number}").parse().unwrap()
}

/// So many seconds after the start.
pub fn at(secs: u64) -> Timestamp {
    after(START, Duration::from_secs(secs))
}

pub fn claim(packet: &Packet, user_id: UserId, share_no: u32, seq: i64) -> Claim {
    Claim {
        packet_id: packet.id(),
        share_no,
        user_id,
        amount_fen: packet.amount_fen(share_no).unwrap(),
        claim_time: START,
        partition: packet.partition(),
        seq,
        luckiest: false,
        sender_id: packet.terms().sender_id.clone(),
    }
}

/// The share and the lapse time of a grant.
pub fn granted(verdict: &Verdict) -> (u32, Timestamp) {
    match verdict {
        Verdict::Granted(reservation) => (reservation.share_no.unwrap(), reservation.lapse_time),
        other => panic!("not granted: {other:?}"),
    }
}

pub struct Model {
    count: u32,
    opened: BTreeMap<u8, u32>,
    holds: BTreeMap<u8, (u32, u64)>,
    closed: bool,
}

impl Model {
    pub fn new(count: u32) -> Self {
        Self {
            count,
            opened: BTreeMap::new(),
            holds: BTreeMap::new(),
            closed: false,
        }
    }

    /// The name of the verdict.
    pub fn grab(&mut self, user: u8, admitted: bool, now: u64) -> &'static str {
        self.holds.retain(|_, (_, lapse)| *lapse + 2 > now);
        if self.opened.contains_key(&user) {
            return "already";
        }
        if self.holds.get(&user).is_some_and(|(_, lapse)| now < *lapse) {
            return "granted";
        }
        if self.closed {
            return "closed";
        }
        if !admitted {
            return "not admitted";
        }
        if self.is_exhausted() {
            return "exhausted";
        }
        let opened: BTreeSet<u32> = self.opened.values().copied().collect();
        let held: BTreeSet<u32> = self
            .holds
            .iter()
            .filter(|(u, _)| **u != user)
            .map(|(_, h)| h.0)
            .collect();
        let own = self
            .holds
            .get(&user)
            .map(|hold| hold.0)
            .filter(|share| !opened.contains(share));
        let free = own.or_else(|| (0..self.count).find(|share| !opened.contains(share) && !held.contains(share)));
        match free {
            Some(share) => {
                self.holds.insert(user, (share, now + 10));
                "granted"
            }
            None => "all held",
        }
    }

    /// Opens a share for a user, if both can be; whether they could.
    pub fn open(&mut self, user: u8, share: u32) -> bool {
        let can = share < self.count && !self.opened.contains_key(&user) && !self.opened.values().any(|s| *s == share);
        if can {
            self.opened.insert(user, share);
            self.holds.remove(&user);
        }
        if self.has_ended() {
            self.holds.clear(); // a voucher for nothing is worth nothing
        }
        can
    }

    pub fn close(&mut self) {
        self.closed = true;
        self.holds.clear();
    }

    /// What a user holds: the share, and the second in which it lapses.
    pub fn hold_of(&self, user: u8) -> Option<(u32, u64)> {
        self.holds.get(&user).copied()
    }

    pub fn has_ended(&self) -> bool {
        self.closed || self.is_exhausted()
    }

    fn is_exhausted(&self) -> bool {
        self.opened.len() == self.count as usize
    }
}

pub fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::AlreadyOpened(_) => "already",
        Verdict::Granted(_) => "granted",
        Verdict::Closed => "closed",
        Verdict::NotAdmitted => "not admitted",
        Verdict::Exhausted => "exhausted",
        Verdict::AllHeld { .. } => "all held",
    }
}

#[derive(Clone, Debug)]
pub enum Step {
    Grab(u8, bool),
    /// Opens the user's held share.
    Open(u8),
    /// Opens some share for a user, whatever the gate thinks.
    Astray(u8, u32),
    Pass(u64),
    Close,
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0..8_u8, prop::bool::weighted(0.9)).prop_map(|(user, admitted)| Step::Grab(user, admitted)),
        4 => (0..8_u8).prop_map(Step::Open),
        1 => (0..8_u8, 0..6_u32).prop_map(|(user, share)| Step::Astray(user, share)),
        4 => (1..8_u64).prop_map(Step::Pass),
        1 => Just(Step::Close),
    ]
}
