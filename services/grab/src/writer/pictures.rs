//! The pictures that a lane remembers.

use std::collections::{BTreeMap, HashMap};

use guard::Guard;
use id::{PacketId, Partition};

use crate::{
    domain::{
        claim::{Claim, Head, Tally},
        picture::Picture,
    },
    store::Missed,
};

/// Shares of all pictures in one generation; two generations are kept. A share costs up to some 200 bytes.
const MAX_SHARES: u64 = 1_000_000;
/// Claims of others that are read to bring pictures up to date. Beyond that it is cheaper to begin again with the packets
/// that somebody still asks for.
const MAX_MISSED: i64 = 1_000;

/// Pictures of packets, exact for the heads of their partitions noted beside them. Old ones go by generations: when the
/// young generation is full it becomes the old one, and what nobody asked for since the last time is forgotten.
#[derive(Debug, Default)]
pub struct Pictures {
    partitions: BTreeMap<Partition, Known>,
    /// Told apart from it, what was painted before a partition was forgotten is worth nothing.
    last_epoch: u64,
    young: HashMap<PacketId, Entry>,
    old: HashMap<PacketId, Entry>,
    young_shares: u64,
}

/// What is known of a partition.
#[derive(Clone, Copy, Debug)]
struct Known {
    head: Head,
    epoch: u64,
    /// How often others were found to have written.
    foreign_writes: u64,
}

#[derive(Debug)]
struct Entry {
    picture: Picture,
    epoch: u64,
    /// Those of others that its tally was held against.
    foreign_writes: u64,
}

impl Pictures {
    /// Holds a partition's locked head against the one that its pictures are exact for. If another writer was there
    /// meanwhile, what it wrote must be entered with [`Pictures::follow`], and every picture is in doubt.
    pub fn fence(&mut self, head: Head) -> Option<Missed> {
        let Some(known) = self.partitions.get_mut(&head.partition) else {
            self.begin(head);
            return None;
        };
        if !guard::stands(Guard::WriterFence) || known.head.version == head.version {
            return None;
        }
        let missed = head.next_seq - known.head.next_seq;
        if !(0..=MAX_MISSED).contains(&missed) {
            self.begin(head);
            return None;
        }
        let after_seq = known.head.last_seq();
        known.head = head;
        known.foreign_writes += 1;
        (missed > 0).then_some(Missed {
            partition: head.partition,
            after_seq,
        })
    }

    fn begin(&mut self, head: Head) {
        self.last_epoch += 1;
        let known = Known {
            head,
            epoch: self.last_epoch,
            foreign_writes: 0,
        };
        self.partitions.insert(head.partition, known);
    }

    /// Enters a claim that another writer committed.
    pub fn follow(&mut self, claim: &Claim) {
        let followed = self
            .get(claim.packet_id)
            .is_none_or(|picture| picture.follow(claim).is_ok());
        if !followed {
            self.drop(claim.packet_id); // it is painted anew if it is asked for, and then it is right or refused
        }
    }

    /// The pictures of this partition are exact for this head, which this lane has just committed.
    pub fn committed(&mut self, head: Head) {
        if let Some(known) = self.partitions.get_mut(&head.partition) {
            known.head = head;
        }
    }

    /// Forgets a partition and its pictures.
    pub fn forget(&mut self, partition: Partition) {
        self.partitions.remove(&partition);
    }

    /// The picture of a packet.
    pub fn get(&mut self, packet_id: PacketId) -> Option<&mut Picture> {
        if let Some(entry) = self.old.remove(&packet_id) {
            self.insert(entry);
        }
        let entry = self.young.get_mut(&packet_id)?;
        let known = self.partitions.get(&entry.picture.packet().partition())?;
        (entry.epoch == known.epoch).then_some(&mut entry.picture)
    }

    /// Whether the picture of a packet must be held against the packet's tally before it is used: others wrote, and a close
    /// leaves no claim.
    pub fn is_in_doubt(&self, packet_id: PacketId) -> bool {
        self.young.get(&packet_id).is_some_and(|entry| {
            let known = self.partitions.get(&entry.picture.packet().partition());
            known.is_some_and(|known| known.foreign_writes != entry.foreign_writes)
        })
    }

    /// Holds the picture of a packet against its tally; drops it if it is another packet's story.
    pub fn confirm(&mut self, packet_id: PacketId, tally: Tally) {
        let Some(entry) = self.young.get_mut(&packet_id) else {
            return;
        };
        if entry.picture.confirm(tally).is_err() {
            return self.drop(packet_id);
        }
        if let Some(known) = self.partitions.get(&entry.picture.packet().partition()) {
            entry.foreign_writes = known.foreign_writes;
        }
    }

    /// Remembers a picture that was read under the fenced head.
    pub fn put(&mut self, picture: Picture) {
        if let Some(known) = self.partitions.get(&picture.packet().partition()) {
            self.insert(Entry {
                picture,
                epoch: known.epoch,
                foreign_writes: known.foreign_writes,
            });
        }
    }

    fn insert(&mut self, entry: Entry) {
        self.young_shares += weight(&entry.picture);
        if let Some(replaced) = self.young.insert(entry.picture.packet().id(), entry) {
            self.young_shares -= weight(&replaced.picture);
        }
    }

    fn drop(&mut self, packet_id: PacketId) {
        if let Some(dropped) = self.young.remove(&packet_id) {
            self.young_shares -= weight(&dropped.picture);
        }
    }

    /// Forgets what is too much. Called between two batches, because a batch needs all of its pictures to its end.
    pub fn trim(&mut self) {
        if self.young_shares > MAX_SHARES {
            self.old = std::mem::take(&mut self.young);
            self.young_shares = 0;
        }
    }
}

fn weight(picture: &Picture) -> u64 {
    // A packet without its shares weighs about as much as ten of them.
    u64::from(picture.packet().share_count()) + 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        packet::sample::{self, START},
        picture::{Opening, Position},
    };

    fn picture(number: u8, share_count: u32) -> Picture {
        Picture::new(sample::packet(number, share_count), Tally::default(), &[]).unwrap()
    }

    fn head(partition: Partition, next_seq: i64, version: i64) -> Head {
        Head {
            partition,
            next_seq,
            version,
        }
    }

    fn opened(picture: &mut Picture, user: &str, seq: i64) -> Claim {
        match picture.open(&user.parse().unwrap(), None, Position { seq, now: START }) {
            Opening::Opened(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_others_wrote_is_followed_and_doubted() {
        let (one, two) = (picture(1, 3), picture(2, 3));
        let (a, b) = (one.packet().clone(), two.packet().clone());
        assert_ne!(a.partition(), b.partition());
        let mut pictures = Pictures::default();
        for (picture, partition) in [(one, a.partition()), (two, b.partition())] {
            assert_eq!(pictures.fence(head(partition, 1, 0)), None);
            pictures.put(picture);
        }
        pictures.committed(head(a.partition(), 2, 1));
        opened(pictures.get(a.id()).unwrap(), "own", 1);
        assert_eq!(pictures.fence(head(a.partition(), 2, 1)), None);
        assert!(!pictures.is_in_doubt(a.id()));

        // Somebody else opened a share.
        let missed = pictures.fence(head(a.partition(), 3, 2));
        let (partition, after_seq) = (a.partition(), 1);
        assert_eq!(missed, Some(Missed { partition, after_seq }));
        let mut theirs = picture(1, 3);
        opened(&mut theirs, "own", 1);
        let claim = opened(&mut theirs, "other", 2);
        pictures.follow(&claim);
        assert!(pictures.is_in_doubt(a.id()) && !pictures.is_in_doubt(b.id()));
        let mut tally = theirs.tally();
        tally.close_time = Some(START);
        pictures.confirm(a.id(), tally);
        assert!(!pictures.is_in_doubt(a.id()));
        assert_eq!(pictures.get(a.id()).unwrap().tally(), tally);

        // A claim that does not fit the picture, and a tally that does not.
        pictures.follow(&claim);
        assert!(pictures.get(a.id()).is_none());
        assert_eq!(pictures.fence(head(b.partition(), 1, 1)), None, "a close");
        assert!(pictures.is_in_doubt(b.id()));
        pictures.confirm(b.id(), tally);
        assert!(pictures.get(b.id()).is_none());
    }

    #[test]
    fn too_much_to_follow_and_what_was_forgotten_begin_again() {
        let mut pictures = Pictures::default();
        let packet = picture(1, 3).packet().clone();
        for (next_seq, version) in [(1 + MAX_MISSED + 1, 1), (1, 2)] {
            pictures.forget(packet.partition());
            pictures.fence(head(packet.partition(), 1, 0));
            pictures.put(picture(1, 3));
            assert!(pictures.get(packet.id()).is_some());
            assert_eq!(pictures.fence(head(packet.partition(), next_seq, version)), None);
            assert_eq!(
                pictures.get(packet.id()).is_some(),
                next_seq == 1,
                "one version on and no claim: a close"
            );
        }
        pictures.forget(packet.partition());
        assert!(pictures.get(packet.id()).is_none());
        pictures.fence(head(packet.partition(), 1, 2));
        assert!(pictures.get(packet.id()).is_none(), "painted before it was forgotten");
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let mut pictures = Pictures::default();
        let packets = [1, 2, 3].map(|number| sample::packet(number, 1));
        for packet in &packets {
            pictures.fence(head(packet.partition(), 1, 0));
        }
        let ids = packets.map(|packet| packet.id());
        pictures.put(picture(1, 600_000));
        pictures.put(picture(2, 600_000));
        assert!(
            ids[..2].iter().all(|id| pictures.get(*id).is_some()),
            "a batch keeps all of its own"
        );
        pictures.trim();
        assert!(pictures.get(ids[0]).is_some());
        pictures.put(picture(3, 600_000));
        pictures.trim();
        let kept = ids.map(|id| pictures.get(id).is_some());
        assert_eq!(kept, [true, false, true]);
    }
}
