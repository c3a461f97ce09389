//! The packets in process memory, in front of the store.
//!
//! A promise never changes, so that a packet once read is good for ever. Made-up ids are remembered as unknown for a
//! moment, apart from the packets, so that they neither reach SQL nor push real packets out.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use id::PacketId;
use moka::{future::Cache, policy::EvictionPolicy};
use tokio::time::Instant;

use crate::{
    domain::{packet::Packet, terms::Promise},
    store::PacketStore,
};

/// Shares of all packets in memory together; a share's amount is 8 bytes, so this bounds them at 64 MB.
const MAX_SHARES: u64 = 8_000_000;
/// What a packet weighs besides its shares, in shares: some 500 bytes of terms and texts.
const PACKET_WEIGHT: u32 = 64;
/// How long an unknown id is not asked for again. Preload overrides it at once in the process that it reaches; another
/// process may answer `NOT_FOUND` for this long.
const UNKNOWN_TTL: Duration = Duration::from_secs(1);
/// Unknown ids remembered at most; some 100 bytes each.
const MAX_UNKNOWN: u64 = 100_000;

/// All packets, by id.
pub struct Packets {
    known: Cache<PacketId, Arc<Packet>>,
    /// When it was found that there is no such packet.
    unknown: Cache<PacketId, Instant>,
    store: Arc<dyn PacketStore>,
    partitions: NonZeroU16,
}

/// Why there is no packet.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PacketError {
    /// Nobody preloaded it.
    #[error("there is no packet {0}")]
    Unknown(PacketId),
    /// The store cannot say.
    #[error("reading a packet: {0}")]
    Store(Arc<sql::Error>),
}

impl Packets {
    /// The packets of `store`, whose claims are spread over `partitions`.
    pub fn new(store: Arc<dyn PacketStore>, partitions: NonZeroU16) -> Self {
        let known = Cache::builder()
            .max_capacity(MAX_SHARES)
            .weigher(|_, packet: &Arc<Packet>| packet.share_count().saturating_add(PACKET_WEIGHT))
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self {
            known,
            unknown: Cache::builder().max_capacity(MAX_UNKNOWN).build(),
            store,
            partitions,
        }
    }

    /// Over how many partitions claims are spread.
    pub fn partitions(&self) -> NonZeroU16 {
        self.partitions
    }

    /// A packet, from memory or else the store. Many who miss at once wait for one read.
    pub async fn get(&self, packet_id: PacketId) -> Result<Arc<Packet>, PacketError> {
        if let Some(packet) = self.known.get(&packet_id).await {
            return Ok(packet);
        }
        let unknown = self.unknown.get(&packet_id).await;
        if unknown.is_some_and(|since| since.elapsed() < UNKNOWN_TTL) {
            return Err(PacketError::Unknown(packet_id));
        }
        let found = self.known.try_get_with(packet_id, self.read(packet_id)).await;
        let found = found.map_err(|fault| PacketError::clone(&fault));
        if let Err(PacketError::Unknown(_)) = found {
            self.unknown.insert(packet_id, Instant::now()).await;
        }
        found
    }

    async fn read(&self, packet_id: PacketId) -> Result<Arc<Packet>, PacketError> {
        let store_fault = |fault| PacketError::Store(Arc::new(fault));
        let promise = self.store.promise(packet_id).await.map_err(store_fault)?;
        let packet = self.make(promise.ok_or(PacketError::Unknown(packet_id))?);
        packet.map(Arc::new).map_err(|fault| {
            // It was split when it was preloaded, and the split never changes.
            store_fault(sql::Error::inconsistent(format!("packet {packet_id}: {fault}")))
        })
    }

    /// The packet that a promise makes, in memory only.
    pub fn make(&self, promise: Promise) -> Result<Packet, split::SplitError> {
        Packet::new(promise, self.partitions)
    }

    /// Remembers a packet that the store has.
    pub async fn put(&self, packet: Arc<Packet>) {
        self.known.insert(packet.id(), packet).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::packet::sample, store::sql::SqlStore};
    use id::Partition;

    #[tokio::test]
    async fn a_preloaded_packet_is_found_though_it_was_unknown_a_moment_ago() {
        let dir = testkit::Dir::new();
        let store = Arc::new(SqlStore::in_dir(&dir).await);
        let packets = Packets::new(store.clone(), Partition::DEFAULT_COUNT);
        let packet = sample::packet(1, 3);
        for _ in 0..2 {
            assert!(matches!(packets.get(packet.id()).await, Err(PacketError::Unknown(_))));
        }
        store.keep(packet.promise(), packet.partition()).await.unwrap();
        assert!(packets.get(packet.id()).await.is_err(), "remembered as unknown");
        packets.put(packet.clone()).await;
        assert_eq!(packets.get(packet.id()).await.unwrap().promise(), packet.promise());
        let elsewhere = Packets::new(store, Partition::DEFAULT_COUNT);
        assert_eq!(elsewhere.get(packet.id()).await.unwrap().promise(), packet.promise());
    }
}
