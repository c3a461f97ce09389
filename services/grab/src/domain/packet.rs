//! A packet as the race sees it: its promise, its partition, and the amount of every share.

use std::num::NonZeroU16;

use clock::Timestamp;
use guard::Guard;
use id::{PacketId, Partition};
use money::Fen;
use split::{Kind, SplitError};

use super::terms::{Promise, Terms};

/// Why a user may not have a *new* share. In the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// The packet's time is up.
    Expired,
    /// Its time has not come.
    NotStarted {
        /// When it comes.
        start_time: Timestamp,
    },
    /// It is for others.
    NotInAudience,
    /// The passphrase is not the sender's.
    WrongPassphrase {
        /// None was given at all.
        missing: bool,
    },
}

/// A packet with its amounts, which are a function of its promise and nothing else (SEED-1, CLAIM-2).
#[derive(Debug)]
pub struct Packet {
    promise: Promise,
    partition: Partition,
    amounts_fen: Box<[i64]>,
}

impl Packet {
    /// Splits the promised total; fails where the terms cannot be split.
    pub fn new(promise: Promise, partitions: NonZeroU16) -> Result<Self, SplitError> {
        let terms = &promise.terms;
        let drawn = guard::stands(Guard::AmountFromSeed);
        let amounts_fen = split::split(
            if drawn { terms.kind } else { Kind::Equal },
            &promise.seed,
            terms.total_fen.get(),
            terms.share_count,
            terms.share_cap_fen.map(Fen::get),
        )?;
        Ok(Self {
            partition: terms.packet_id.partition(partitions),
            amounts_fen: amounts_fen.into(),
            promise,
        })
    }

    /// The packet's id.
    pub fn id(&self) -> PacketId {
        self.promise.terms.packet_id
    }

    /// The partition that orders its claims.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The promise that it was made from.
    pub fn promise(&self) -> &Promise {
        &self.promise
    }

    /// Its public terms.
    pub fn terms(&self) -> &Terms {
        &self.promise.terms
    }

    /// How many shares there are.
    pub fn share_count(&self) -> u32 {
        self.promise.terms.share_count
    }

    /// What share `share_no` holds; `None` if there is no such share.
    pub fn amount_fen(&self, share_no: u32) -> Option<Fen> {
        let amount = self.amounts_fen.get(usize::try_from(share_no).ok()?)?;
        Some(Fen::new(*amount))
    }

    /// Whether the hour bars everyone.
    pub fn bar_by_hour(&self, now: Timestamp) -> Option<Bar> {
        let Terms {
            start_time,
            expire_time,
            ..
        } = self.promise.terms;
        if now >= expire_time {
            Some(Bar::Expired)
        } else if now < start_time {
            Some(Bar::NotStarted { start_time })
        } else {
            None
        }
    }

    /// Whether the words bar this grab.
    pub fn bar_by_words(&self, passphrase: &str) -> Option<Bar> {
        let digest = self.promise.passphrase.as_ref()?;
        let missing = passphrase.is_empty();
        (missing || !digest.matches(passphrase)).then_some(Bar::WrongPassphrase { missing })
    }
}

#[cfg(test)]
pub(crate) mod sample {
    //! Packets for tests.

    use std::sync::Arc;

    use clock::{Timestamp, from_micros};
    use id::{PacketId, Partition};
    use money::Fen;
    use passphrase::PassphraseDigest;
    use split::{Kind, Seed};

    use super::Packet;
    use crate::domain::terms::{Audience, Promise, Terms};

    /// The hour at which sample packets start; they last an hour.
    pub const START: Timestamp = Timestamp::UNIX_EPOCH;

    /// A promise of `share_count` shares with a mean of one yuan, for anyone.
    pub fn promise(number: u8, share_count: u32) -> Promise {
        Promise {
            terms: Terms {
                packet_id: PacketId::new(1, &[number; 10]),
                sender_id: "sender".parse().unwrap(),
                kind: Kind::DoubleMean,
                total_fen: Fen::new(i64::from(share_count) * 100),
                share_count,
                share_cap_fen: None,
                audience: Audience::Anyone,
                start_time: START,
                expire_time: from_micros(3_600_000_000),
                greeting: "恭喜发财".to_owned(),
                cover: String::new(),
            },
            seed: Seed::from_bytes([number; 32]),
            passphrase: None,
        }
    }

    /// The packet of that promise.
    pub fn packet(number: u8, share_count: u32) -> Arc<Packet> {
        Arc::new(Packet::new(promise(number, share_count), Partition::DEFAULT_COUNT).unwrap())
    }

    /// The same with a passphrase.
    pub fn guarded(number: u8, share_count: u32, words: &str) -> Packet {
        let mut promise = promise(number, share_count);
        promise.passphrase = Some(PassphraseDigest::new(words, &[9; passphrase::SALT_LEN]));
        Packet::new(promise, Partition::DEFAULT_COUNT).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clock::from_micros;

    #[test]
    fn the_amounts_are_the_split() {
        let packet = sample::packet(1, 10);
        let sum = Fen::checked_sum((0..10).map(|share_no| packet.amount_fen(share_no).unwrap())).unwrap();
        assert_eq!(sum, packet.terms().total_fen);
        assert_eq!(packet.amount_fen(10), None);
        assert_eq!(packet.amount_fen(u32::MAX), None);
    }

    #[test]
    fn bars_by_hour_and_words() {
        let mut promise = sample::promise(1, 1);
        promise.terms.start_time = from_micros(10);
        promise.terms.expire_time = from_micros(20);
        let packet = Packet::new(promise, Partition::DEFAULT_COUNT).unwrap();
        let start_time = from_micros(10);
        for (now, bar) in [
            (20, Some(Bar::Expired)),
            (19, None),
            (10, None),
            (9, Some(Bar::NotStarted { start_time })),
        ] {
            assert_eq!(packet.bar_by_hour(from_micros(now)), bar, "{now}");
        }
        assert_eq!(packet.bar_by_words("anything"), None);

        let guarded = sample::guarded(1, 1, "芝麻开门");
        for (words, bar) in [
            ("", Some(Bar::WrongPassphrase { missing: true })),
            ("芝麻", Some(Bar::WrongPassphrase { missing: false })),
            ("芝麻开门", None),
        ] {
            assert_eq!(guarded.bar_by_words(words), bar, "{words}");
        }
    }
}
