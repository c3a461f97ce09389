//! Packets and the partition each belongs to.

use std::{fmt, num::NonZeroU16, str::FromStr};

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// One red packet: a `UUIDv7`, so that ids sort by time of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(Uuid);

/// The text is not a UUID in its hyphenated form of 36 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID such as 0192d3c4-5b6a-7c8d-9e0f-112233445566")]
pub struct PacketIdError;

impl PacketId {
    /// A new id from the time in milliseconds since the epoch and ten random bytes (RFC 9562, section 5.7).
    pub fn new(unix_ms: u64, random: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid())
    }

    /// The id as a UUID, for SQL.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }

    /// The id's 16 bytes, most significant first.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The partition the packet belongs to: the first eight bytes of `SHA-256(packet_id)`, big-endian, modulo
    /// `partitions`. The time in a `UUIDv7`'s high bits would put a whole burst on neighbouring partitions; the digest
    /// spreads it. `partitions` must never change over the life of a store.
    pub fn partition(&self, partitions: NonZeroU16) -> Partition {
        Partition::of(self.as_bytes(), partitions)
    }
}

impl From<Uuid> for PacketId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl FromStr for PacketId {
    type Err = PacketIdError;

    fn from_str(text: &str) -> Result<Self, PacketIdError> {
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(PacketIdError);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| PacketIdError)
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One of the fixed number of slices of packet space, `0..partitions`. Claims are ordered within a partition (LOG-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u16);

impl Partition {
    /// The default number of partitions.
    pub const DEFAULT_COUNT: NonZeroU16 = NonZeroU16::new(64).unwrap();

    /// The largest number of partitions: each is a feed that transfer keeps open and a row that grab keeps.
    pub const MAX_COUNT: NonZeroU16 = NonZeroU16::new(4096).unwrap();

    /// The partition numbered `index`, or `None` from `partitions` up.
    pub fn new(index: u32, partitions: NonZeroU16) -> Option<Self> {
        u16::try_from(index)
            .ok()
            .filter(|index| *index < partitions.get())
            .map(Self)
    }

    /// The partition that a name of any kind falls into, by the same rule as [`PacketId::partition`]. For what is stored
    /// beside packets but belongs to somebody else, such as a sender's daily sums.
    pub fn of_key(key: &str, partitions: NonZeroU16) -> Self {
        Self::of(key.as_bytes(), partitions)
    }

    fn of(bytes: &[u8], partitions: NonZeroU16) -> Self {
        let digest = Sha256::digest(bytes);
        let mut head = [0; 8];
        head.copy_from_slice(&digest[..8]);
        let slot = u64::from_be_bytes(head) % u64::from(partitions.get());
        Self(u16::try_from(slot).unwrap_or(u16::MAX))
    }

    /// All partitions in order.
    pub fn all(partitions: NonZeroU16) -> impl Iterator<Item = Self> {
        (0..partitions.get()).map(Self)
    }

    /// The partition's number.
    pub const fn index(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:02}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let (older, newer) = (PacketId::new(1, &[0xff; 10]), PacketId::new(2, &[0; 10]));
        assert!(older < newer);
        assert_eq!(older.to_string().parse(), Ok(older));
        assert_eq!(older.as_uuid().get_version_num(), 7);
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        for text in [
            "",
            "x",
            "0192d3c45b6a7c8d9e0f112233445566",
            "{0192d3c4-5b6a-7c8d-9e0f-11223344556}",
        ] {
            assert_eq!(text.parse::<PacketId>(), Err(PacketIdError), "{text:?}");
        }
    }

    /// The mapping is stored in every row and every other language's router: it may never change.
    #[test]
    fn the_partition_of_an_id_is_fixed() {
        let id: PacketId = "0192d3c4-5b6a-7c8d-9e0f-112233445566".parse().unwrap();
        assert_eq!(id.partition(Partition::DEFAULT_COUNT).index(), 9);
    }

    #[test]
    fn a_burst_spreads_over_all_partitions() {
        let mut hits = [0_u32; 64];
        for n in 0..6400_u32 {
            let mut random = [0; 10];
            random[6..].copy_from_slice(&n.to_be_bytes());
            let id = PacketId::new(1_700_000_000_000, &random);
            hits[usize::from(id.partition(Partition::DEFAULT_COUNT).index())] += 1;
        }
        assert!(hits.iter().all(|&n| (50..=160).contains(&n)), "{hits:?}");
    }

    #[test]
    fn a_partition_is_below_the_count() {
        assert!(Partition::new(63, Partition::DEFAULT_COUNT).is_some());
        assert!(Partition::new(64, Partition::DEFAULT_COUNT).is_none());
        assert!(Partition::new(u32::MAX, Partition::DEFAULT_COUNT).is_none());
    }
}
