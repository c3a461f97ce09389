//! The store in memory, on a simulated disk that outlives it. What SQL refuses by its keys and CHECKs is refused here too.
//!
//! Without what makes SQL slow there is nothing that would make this one fit for more than simulations and tests: each
//! commit copies the tables that it changes, so that readers and whoever looks at a [`Snapshot`] keep the instant they saw.

mod batch;
mod claims;
mod tables;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU16, NonZeroUsize},
    sync::Arc,
};

use async_trait::async_trait;
use disk::{Disk, Link, Weather};
use guard::Guard;
use id::{PacketId, Partition};
use sql::{Error, Result};
use tokio::sync::Mutex;

use super::{Batch, LogStore, PacketStore, Stored};
use crate::domain::{
    claim::{Entry, Head},
    terms::Promise,
};
use batch::MemoryBatch;
use tables::Tables;

pub use tables::Snapshot;

/// What survives every instance of the service: the tables, and the locks of those that are connected to them. Clones are
/// the same disk.
#[derive(Clone, Debug)]
pub struct MemoryDisk {
    tables: Disk<Tables>,
    heads: Arc<BTreeMap<Partition, Arc<Mutex<()>>>>,
    ranges: Arc<[Vec<Partition>]>,
}

impl MemoryDisk {
    /// An empty one, laid out as so many databases that each hold a contiguous range of so many partitions.
    pub fn new(partitions: NonZeroU16, databases: NonZeroUsize) -> Self {
        let all: Vec<Partition> = Partition::all(partitions).collect();
        let width = all.len().div_ceil(databases.get());
        Self {
            tables: Disk::new(Tables::new(&all)),
            heads: Arc::new(all.iter().map(|partition| (*partition, Arc::default())).collect()),
            ranges: all.chunks(width).map(<[Partition]>::to_vec).collect(),
        }
    }

    /// A way to it under `weather`: one instance's connection.
    pub fn store(&self, weather: Arc<dyn Weather>) -> MemoryStore {
        MemoryStore {
            link: self.tables.link(weather),
            disk: self.clone(),
        }
    }

    /// Everything on it as of this instant. Cheap.
    pub fn snapshot(&self) -> Snapshot {
        self.tables.read(|tables| Snapshot::of(tables.clone()))
    }

    /// Writes over the user of the claim at a position of a log, behind the service's back. With a text that is no name, the
    /// claim cannot be understood any more.
    pub fn damage(&self, partition: Partition, seq: i64, user_id: &str) {
        self.tamper(|tables| tables.damage((partition, seq), user_id));
    }

    /// Removes the claim at a position of a log, behind the service's back.
    pub fn lose(&self, partition: Partition, seq: i64) {
        self.tamper(|tables| tables.lose((partition, seq)));
    }

    fn tamper(&self, act: impl FnOnce(&mut Tables)) {
        let done = self.tables.write(|tables| {
            act(tables);
            Ok(())
        });
        debug_assert!(done.is_ok(), "nothing refuses it");
    }
}

/// The three ports over a [`MemoryDisk`]. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    link: Link<Tables>,
    disk: MemoryDisk,
}

impl MemoryStore {
    /// The disk that it leads to.
    pub fn disk(&self) -> &MemoryDisk {
        &self.disk
    }
}

#[async_trait]
impl PacketStore for MemoryStore {
    async fn keep(&self, promise: &Promise, _: Partition) -> Result<Stored> {
        self.link.write("packets.keep", |tables| Ok(tables.keep(promise))).await
    }

    async fn promise(&self, packet_id: PacketId) -> Result<Option<Promise>> {
        let look = |tables: &Tables| Ok(tables.promise(packet_id).cloned());
        self.link.read("packets.promise", look).await
    }
}

#[async_trait]
impl LogStore for MemoryStore {
    fn ranges(&self) -> Vec<Vec<Partition>> {
        self.disk.ranges.to_vec()
    }

    async fn heads(&self, partitions: &[Partition]) -> Result<Vec<Head>> {
        let wanted: BTreeSet<Partition> = partitions.iter().copied().collect();
        self.link.read("log.heads", |tables| Ok(tables.heads(&wanted))).await
    }

    async fn log(&self, partition: Partition, after_seq: i64, limit: u64) -> Result<Vec<Entry>> {
        let look = |tables: &Tables| {
            let heads = tables.heads(&BTreeSet::from([partition]));
            let last_seq = heads.first().map_or(0, Head::last_seq);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let positions = after_seq + 1..=last_seq.min(after_seq.saturating_add(limit));
            Ok(positions.map(|seq| tables.at(partition, seq)).collect())
        };
        self.link.read("log.log", look).await
    }

    async fn begin(&self, partitions: &[Partition]) -> Result<Box<dyn Batch>> {
        let wanted: BTreeSet<Partition> = partitions.iter().copied().collect();
        let Some(first) = wanted.first() else {
            return Err(Error::inconsistent("a batch needs a partition"));
        };
        let range = self.disk.ranges.iter().find(|range| range.contains(first));
        if !range.is_some_and(|range| wanted.iter().all(|partition| range.contains(partition))) {
            return Err(Error::inconsistent("a batch cannot span databases"));
        }
        // In order, so that no two batches wait for each other in a circle.
        let mut locks = Vec::new();
        for partition in wanted.iter().filter(|_| guard::stands(Guard::LogOrder)) {
            if let Some(head) = self.disk.heads.get(partition) {
                locks.push(head.clone().lock_owned().await);
            }
        }
        let heads = self.link.read("log.begin", |tables| Ok(tables.heads(&wanted))).await?;
        Ok(Box::new(MemoryBatch::new(self.link.clone(), heads, locks)))
    }
}
