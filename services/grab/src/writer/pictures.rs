//! The pictures that a lane remembers.

use std::collections::{BTreeMap, HashMap};

use id::{PacketId, Partition};

use crate::domain::{claim::Head, picture::Picture};

/// Shares of all pictures in one generation; two generations are kept. A share costs up to some 200 bytes.
const MAX_SHARES: u64 = 1_000_000;

/// Pictures of packets, exact for the partition versions noted beside them. Old ones go by generations: when the young
/// generation is full it becomes the old one, and what nobody asked for since the last time is forgotten.
#[derive(Debug, Default)]
pub struct Pictures {
    versions: BTreeMap<Partition, i64>,
    young: HashMap<PacketId, Picture>,
    old: HashMap<PacketId, Picture>,
    young_shares: u64,
}

impl Pictures {
    /// Holds a partition's locked head against the version that its pictures are exact for, and drops them if another
    /// writer was there meanwhile.
    pub fn fence(&mut self, head: Head) {
        if self.versions.get(&head.partition) != Some(&head.version) {
            self.forget(head.partition);
            self.versions.insert(head.partition, head.version);
        }
    }

    /// The pictures of this partition are exact for this head's version, which this lane has just committed.
    pub fn committed(&mut self, head: Head) {
        self.versions.insert(head.partition, head.version);
    }

    /// Drops the pictures of a partition and its version.
    pub fn forget(&mut self, partition: Partition) {
        self.versions.remove(&partition);
        for generation in [&mut self.young, &mut self.old] {
            generation.retain(|_, picture| picture.packet().partition() != partition);
        }
        self.young_shares = self.young.values().map(weight).sum();
    }

    /// The picture of a packet.
    pub fn get(&mut self, packet_id: PacketId) -> Option<&mut Picture> {
        if let Some(picture) = self.old.remove(&packet_id) {
            self.put(picture);
        }
        self.young.get_mut(&packet_id)
    }

    /// Remembers a picture that was read at the fenced version.
    pub fn put(&mut self, picture: Picture) {
        self.young_shares += weight(&picture);
        self.young.insert(picture.packet().id(), picture);
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
    use crate::domain::{claim::Tally, packet::sample};

    fn picture(number: u8, share_count: u32) -> Picture {
        Picture::new(sample::packet(number, share_count), Tally::default(), &[]).unwrap()
    }

    #[test]
    fn another_version_drops_the_partition_and_no_other() {
        let (one, two) = (picture(1, 1), picture(2, 1));
        let (a, b) = (one.packet().clone(), two.packet().clone());
        assert_ne!(a.partition(), b.partition());
        let head = |partition, version| Head {
            partition,
            next_seq: 1,
            version,
        };
        let mut pictures = Pictures::default();
        pictures.fence(head(a.partition(), 0));
        pictures.fence(head(b.partition(), 0));
        pictures.put(one);
        pictures.put(two);
        pictures.committed(head(a.partition(), 1));
        pictures.fence(head(a.partition(), 1));
        assert!(pictures.get(a.id()).is_some());
        pictures.fence(head(a.partition(), 2));
        assert!(pictures.get(a.id()).is_none());
        assert!(pictures.get(b.id()).is_some());
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let mut pictures = Pictures::default();
        let ids = [1, 2, 3].map(|number| sample::packet(number, 1).id());
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
