//! What waits to be settled, for those who watch.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clock::Timestamp;
use id::Partition;

use crate::domain::LoggedClaim;

/// The claims that this instance has read and not settled, and the partitions whose log it should follow and does not. When
/// settling stands still feeds stop reading, so the count is a lower bound then; the oldest claim of each partition is
/// always among those that were read. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Backlog(Arc<Mutex<BTreeMap<Partition, Waiting>>>);

#[derive(Debug, Default)]
struct Waiting {
    followed: bool,
    messages: VecDeque<Message>,
}

#[derive(Debug)]
struct Message {
    to_seq: i64,
    claims: u64,
    oldest: Option<Timestamp>,
}

/// A backlog at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Partitions held.
    pub partitions: u64,
    /// Those of them whose log does not come just now.
    pub not_followed: u64,
    /// Claims read and not settled.
    pub claims: u64,
    /// When the oldest of them was made.
    pub oldest: Option<Timestamp>,
}

impl Backlog {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Partition, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a partition's log comes.
    pub fn follows(&self, partition: Partition, followed: bool) {
        self.lock().entry(partition).or_default().followed = followed;
    }

    /// `claims` of a partition were read.
    pub fn read(&self, partition: Partition, claims: &[LoggedClaim]) {
        let Some(last) = claims.last() else {
            return;
        };
        let message = Message {
            to_seq: last.seq,
            claims: claims.len() as u64,
            oldest: claims.iter().filter_map(|claim| claim.at).min(),
        };
        self.lock().entry(partition).or_default().messages.push_back(message);
    }

    /// A partition is settled up to `to_seq`.
    pub fn settled(&self, partition: Partition, to_seq: i64) {
        if let Some(waiting) = self.lock().get_mut(&partition) {
            waiting.messages.retain(|message| message.to_seq > to_seq);
        }
    }

    /// A partition is read anew, or by somebody else.
    pub fn forget(&self, partition: Partition) {
        self.lock().remove(&partition);
    }

    /// Forgets all partitions that are no longer held.
    pub fn keep_only(&self, is_held: impl Fn(Partition) -> bool) {
        self.lock().retain(|partition, _| is_held(*partition));
    }

    /// As of now.
    pub fn figures(&self) -> Figures {
        let waiting = self.lock();
        let messages = || waiting.values().flat_map(|waiting| &waiting.messages);
        Figures {
            partitions: waiting.len() as u64,
            not_followed: waiting.values().filter(|waiting| !waiting.followed).count() as u64,
            claims: messages().map(|message| message.claims).sum(),
            oldest: messages().filter_map(|message| message.oldest).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(partition: Partition, seq: i64) -> LoggedClaim {
        LoggedClaim {
            partition,
            seq,
            packet_id: String::new(),
            share_no: 0,
            user_id: String::new(),
            amount_fen: 0,
            at: Some(clock::from_micros(1_000 * i64::from(partition.index()) + seq)),
            damage: None,
        }
    }

    #[test]
    fn the_oldest_is_of_what_waits_in_any_partition() {
        let partition = |index| Partition::new(index, Partition::DEFAULT_COUNT).unwrap();
        let (one, two) = (partition(1), partition(2));
        let backlog = Backlog::default();
        assert_eq!(backlog.figures(), Figures::default());
        backlog.follows(one, true);
        backlog.follows(two, false);
        let read = |partition, seqs: &[i64]| {
            let claims: Vec<_> = seqs.iter().map(|seq| claim(partition, *seq)).collect();
            backlog.read(partition, &claims);
        };
        read(two, &[1]);
        read(one, &[1, 2]);
        read(one, &[3]);
        let seen = || {
            let figures = backlog.figures();
            (figures.claims, figures.oldest.map(Timestamp::as_microsecond))
        };
        assert_eq!(seen(), (4, Some(1_001)));
        assert_eq!((backlog.figures().partitions, backlog.figures().not_followed), (2, 1));
        backlog.settled(one, 2);
        assert_eq!(seen(), (2, Some(1_003)));
        backlog.settled(one, 3);
        assert_eq!(seen(), (1, Some(2_001)));
        read(one, &[4]);
        backlog.keep_only(|held| held == one);
        assert_eq!(seen(), (1, Some(1_004)));
        backlog.forget(one);
        assert_eq!(backlog.figures(), Figures::default());
    }
}
