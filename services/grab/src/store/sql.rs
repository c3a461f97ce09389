//! The store on SQL, over one database or several.
//!
//! Everything of a packet is in the database of its partition, so that no transaction needs two; what is asked of a
//! user is asked of all.

mod batch;
mod claims;
mod entity;
mod log;
mod migration;
mod row;

use std::num::NonZeroU16;

use async_trait::async_trait;
use futures::future::try_join_all;
use id::{PacketId, Partition};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use sql::{ConnectError, Database, Error, Result, Shards};

use super::{Batch, LogStore, PacketStore, Stored};
use crate::domain::{
    claim::{Entry, Head, Tally},
    terms::Promise,
};
use entity::{head, packet, tally};

/// The three ports. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqlStore {
    shards: Shards,
}

impl SqlStore {
    /// Opens the databases as [`Shards::open`] does, and creates the heads of their partitions on first use. Safe to
    /// repeat and to race.
    pub async fn open(
        urls: &[sql::Url],
        pool: sql::Pool,
        partitions: NonZeroU16,
    ) -> std::result::Result<Self, ConnectError> {
        let shards = Shards::open::<migration::Migrator>(urls, pool, partitions).await?;
        for (database, range) in shards.iter().zip(shards.ranges()) {
            let created = sql::repeat(|| create_heads(database, &range)).await;
            created.map_err(|fault| ConnectError::Store {
                url: database.url().to_string(),
                fault,
            })?;
        }
        Ok(Self { shards })
    }

    /// A store of a test's own.
    #[cfg(test)]
    pub(crate) async fn in_dir(dir: &testkit::Dir) -> Self {
        let url = dir.sqlite("grab").parse().unwrap();
        Self::open(&[url], sql::Pool::default(), Partition::DEFAULT_COUNT)
            .await
            .unwrap()
    }

    /// Brings the schemas up to date.
    pub async fn migrate(urls: &[sql::Url]) -> std::result::Result<(), ConnectError> {
        Shards::migrate::<migration::Migrator>(urls).await
    }

    /// Whether all databases answer and can be written to.
    pub async fn ping(&self) -> Result<()> {
        self.shards.ping().await
    }

    /// Closes all connections, after which every call fails.
    pub async fn close(self) {
        self.shards.close().await;
    }

    /// The databases themselves, for tests that look into them.
    #[cfg(test)]
    pub fn shards(&self) -> &Shards {
        &self.shards
    }

    fn shard_no(&self, packet_id: PacketId) -> usize {
        self.shards.shard_no(packet_id.partition(self.shards.partitions()))
    }

    /// The database that holds everything of a packet.
    fn database(&self, packet_id: PacketId) -> &Database {
        self.shards.of(packet_id.partition(self.shards.partitions()))
    }
}

/// Writes the heads of `range` if there are none.
async fn create_heads(database: &Database, range: &[Partition]) -> Result<()> {
    let transaction = database.begin().await?;
    let found = find_heads(transaction.as_ref(), None).await?;
    if found.is_empty() {
        let heads = range.iter().map(|partition| {
            row::to_head(&Head {
                partition: *partition,
                next_seq: 1,
                version: 0,
            })
        });
        head::Entity::insert_many(heads)
            .exec_without_returning(transaction.as_ref())
            .await?;
        return transaction.commit().await;
    }
    if found.iter().map(|head| head.partition).eq(range.iter().copied()) {
        return Ok(());
    }
    let (found, expected) = (found.len(), range.len());
    Err(Error::inconsistent(format!(
        "it has the heads of {found} partitions, not of the {expected} that it should"
    )))
}

/// The heads there are, or those of `partitions` that there are, in order.
async fn find_heads(on: &impl ConnectionTrait, partitions: Option<&[Partition]>) -> Result<Vec<Head>> {
    let mut query = head::Entity::find().order_by_asc(head::Column::PartitionNo);
    if let Some(partitions) = partitions {
        query = query.filter(heads_of(partitions));
    }
    query.all(on).await?.iter().map(row::from_head).collect()
}

fn heads_of(partitions: &[Partition]) -> sea_orm::sea_query::SimpleExpr {
    head::Column::PartitionNo.is_in(partitions.iter().copied().map(row::partition_no))
}

#[async_trait]
impl PacketStore for SqlStore {
    async fn keep(&self, promise: &Promise, partition: Partition) -> Result<Stored> {
        let packet_id = promise.terms.packet_id;
        let keep = || async {
            let transaction = self.shards.of(partition).begin().await?;
            if let Some(kept) = find_promise(transaction.as_ref(), packet_id).await? {
                return Ok(if kept == *promise { Stored::Same } else { Stored::Other });
            }
            packet::Entity::insert(row::to_packet(promise, partition))
                .exec_without_returning(transaction.as_ref())
                .await?;
            tally::Entity::insert(row::to_tally(packet_id, &Tally::default()))
                .exec_without_returning(transaction.as_ref())
                .await?;
            transaction.commit().await?;
            Ok(Stored::New)
        };
        self.shards.of(partition).repeat(keep).await
    }

    async fn promise(&self, packet_id: PacketId) -> Result<Option<Promise>> {
        find_promise(self.database(packet_id).read(), packet_id).await
    }
}

async fn find_promise(on: &impl ConnectionTrait, packet_id: PacketId) -> Result<Option<Promise>> {
    let found = packet::Entity::find_by_id(packet_id.as_uuid()).one(on).await?;
    found.map(row::from_packet).transpose()
}

#[async_trait]
impl LogStore for SqlStore {
    fn ranges(&self) -> Vec<Vec<Partition>> {
        self.shards.ranges()
    }

    async fn heads(&self, partitions: &[Partition]) -> Result<Vec<Head>> {
        let found = self.shards.iter().enumerate().map(|(shard_no, database)| async move {
            let here = partitions.iter().copied();
            let here: Vec<Partition> = here
                .filter(|partition| self.shards.shard_no(*partition) == shard_no)
                .collect();
            if here.is_empty() {
                return Ok(Vec::new());
            }
            find_heads(database.read(), Some(&here)).await
        });
        // Ranges are in order, and so are the heads of each.
        Ok(try_join_all(found).await?.concat())
    }

    async fn log(&self, partition: Partition, after_seq: i64, limit: u64) -> Result<Vec<Entry>> {
        log::read(self.shards.of(partition), partition, after_seq, limit).await
    }

    async fn begin(&self, partitions: &[Partition]) -> Result<Box<dyn Batch>> {
        let mut shards = partitions.iter().map(|partition| self.shards.shard_no(*partition));
        let first = shards.next();
        if !shards.all(|shard_no| Some(shard_no) == first) {
            return Err(Error::inconsistent("a batch cannot span databases"));
        }
        let Some(partition) = partitions.first() else {
            return Err(Error::inconsistent("a batch needs a partition"));
        };
        let database = self.shards.of(*partition);
        Ok(Box::new(
            database.note(batch::SqlBatch::lock(database, partitions).await)?,
        ))
    }
}
