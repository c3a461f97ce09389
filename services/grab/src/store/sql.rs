//! The store on SQL.

mod batch;
mod entity;
mod migration;
mod row;

use std::{collections::HashMap, num::NonZeroU16, ops::Range};

use async_trait::async_trait;
use clock::Timestamp;
use id::{PacketId, Partition, UserId};
use money::Fen;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};
use sql::{ConnectError, Database, Error, Result};

use super::{Batch, ByTime, ClaimStore, LogStore, PacketStore, Stored};
use crate::domain::{
    claim::{Claim, Head, Progress, Summary, Tally},
    terms::Promise,
};
use entity::{claim, head, packet, tally};

/// The three ports on one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqlStore {
    database: Database,
}

impl SqlStore {
    /// Connects and brings the schema up to date.
    pub async fn open(url: &str) -> std::result::Result<Self, ConnectError> {
        let database = Database::connect(url).await?;
        database.migrate::<migration::Migrator>().await?;
        Ok(Self { database })
    }

    /// Whether the database answers and can be written to.
    pub async fn ping(&self) -> Result<()> {
        self.database.ping().await
    }
}

#[async_trait]
impl PacketStore for SqlStore {
    async fn fix_partitions(&self, partitions: NonZeroU16) -> Result<NonZeroU16> {
        let transaction = self.database.begin().await?;
        let found = head::Entity::find().count(transaction.as_ref()).await?;
        if found > 0 {
            return u16::try_from(found)
                .ok()
                .and_then(NonZeroU16::new)
                .ok_or_else(|| Error::inconsistent(format!("the store has {found} partitions")));
        }
        let heads = Partition::all(partitions).map(|partition| {
            row::to_head(&Head {
                partition,
                next_seq: 1,
                version: 0,
            })
        });
        head::Entity::insert_many(heads)
            .exec_without_returning(transaction.as_ref())
            .await?;
        transaction.commit().await?;
        Ok(partitions)
    }

    async fn keep(&self, promise: &Promise, partition: Partition) -> Result<Stored> {
        let packet_id = promise.terms.packet_id;
        let transaction = self.database.begin().await?;
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
    }

    async fn promise(&self, packet_id: PacketId) -> Result<Option<Promise>> {
        find_promise(self.database.read(), packet_id).await
    }
}

async fn find_promise(on: &impl ConnectionTrait, packet_id: PacketId) -> Result<Option<Promise>> {
    let found = packet::Entity::find_by_id(packet_id.as_uuid()).one(on).await?;
    found.map(row::from_packet).transpose()
}

#[async_trait]
impl ClaimStore for SqlStore {
    async fn history(&self, packet_id: PacketId) -> Result<(Tally, Vec<Claim>)> {
        let snapshot = self.database.snapshot().await?;
        let tally = tally::Entity::find_by_id(packet_id.as_uuid())
            .one(snapshot.as_ref())
            .await?;
        let claims = claim::Entity::find()
            .filter(claim::Column::PacketId.eq(packet_id.as_uuid()))
            .order_by_asc(claim::Column::Seq)
            .all(snapshot.as_ref())
            .await?;
        let tally = tally.as_ref().map(row::from_tally).transpose()?.unwrap_or_default();
        Ok((tally, into_claims(claims)?))
    }

    async fn claim_of(&self, packet_id: PacketId, user_id: &UserId) -> Result<Option<Claim>> {
        let found = claim::Entity::find()
            .filter(claim::Column::PacketId.eq(packet_id.as_uuid()))
            .filter(claim::Column::UserId.eq(user_id.as_str()))
            .one(self.database.read())
            .await?;
        found.map(row::from_claim).transpose()
    }

    async fn claims(&self, packet_id: PacketId, after_seq: i64, limit: u64) -> Result<Option<(Progress, Vec<Claim>)>> {
        let snapshot = self.database.snapshot().await?;
        let mut progress = find_progress(snapshot.as_ref(), &[packet_id]).await?;
        let Some(progress) = progress.remove(&packet_id) else {
            return Ok(None);
        };
        let claims = claim::Entity::find()
            .filter(claim::Column::PacketId.eq(packet_id.as_uuid()))
            .filter(claim::Column::Seq.gt(after_seq))
            .order_by_asc(claim::Column::Seq)
            .limit(limit)
            .all(snapshot.as_ref())
            .await?;
        Ok(Some((progress, into_claims(claims)?)))
    }

    async fn progress(&self, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Progress>> {
        find_progress(self.database.read(), packet_ids).await
    }

    async fn claims_of_user(&self, user_id: &UserId, after: Option<ByTime>, limit: u64) -> Result<Vec<Claim>> {
        let mut query = claim::Entity::find().filter(claim::Column::UserId.eq(user_id.as_str()));
        if let Some(after) = after {
            let claim_time_us = after.claim_time.as_microsecond();
            query = query.filter(
                Condition::any().add(claim::Column::ClaimTimeUs.lt(claim_time_us)).add(
                    Condition::all()
                        .add(claim::Column::ClaimTimeUs.eq(claim_time_us))
                        .add(claim::Column::PacketId.lt(after.packet_id.as_uuid())),
                ),
            );
        }
        let rows = query
            .order_by_desc(claim::Column::ClaimTimeUs)
            .order_by_desc(claim::Column::PacketId)
            .limit(limit)
            .all(self.database.read())
            .await?;
        into_claims(rows)
    }

    async fn summarize(&self, user_id: &UserId, span: Range<Timestamp>) -> Result<Summary> {
        #[derive(FromQueryResult)]
        struct Sums {
            claim_count: i64,
            amount_fen: Option<i64>,
            luckiest_count: Option<i64>,
        }
        let read = self.database.read();
        let lucky: SimpleExpr = Expr::case(claim::Column::Luckiest.eq(true), 1).finally(0).into();
        let sums = claim::Entity::find()
            .select_only()
            .column_as(claim::Column::Seq.count(), "claim_count")
            .column_as(integer(claim::Column::AmountFen.sum(), read), "amount_fen")
            .column_as(integer(lucky.sum(), read), "luckiest_count")
            .filter(claim::Column::UserId.eq(user_id.as_str()))
            .filter(claim::Column::ClaimTimeUs.gte(span.start.as_microsecond()))
            .filter(claim::Column::ClaimTimeUs.lt(span.end.as_microsecond()))
            .into_model::<Sums>()
            .one(read)
            .await?;
        Ok(sums.map_or_else(Summary::default, |sums| Summary {
            claim_count: sums.claim_count,
            amount_fen: Fen::new(sums.amount_fen.unwrap_or_default()),
            luckiest_count: sums.luckiest_count.unwrap_or_default(),
        }))
    }
}

/// A sum as a 64-bit integer: some engines widen sums to decimals, and each names the narrow type its own way.
fn integer(sum: SimpleExpr, on: &impl ConnectionTrait) -> SimpleExpr {
    let name = match on.get_database_backend() {
        DbBackend::MySql => "SIGNED",
        _ => "BIGINT",
    };
    sum.cast_as(name)
}

async fn find_progress(on: &impl ConnectionTrait, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Progress>> {
    let ids = || packet_ids.iter().map(PacketId::as_uuid);
    let tallies = find_tallies(on, packet_ids).await?;
    let packets: Vec<(sea_orm::prelude::Uuid, i64, Vec<u8>)> = packet::Entity::find()
        .select_only()
        .column(packet::Column::PacketId)
        .column(packet::Column::ShareCount)
        .column(packet::Column::Seed)
        .filter(packet::Column::PacketId.is_in(ids()))
        .into_tuple()
        .all(on)
        .await?;
    packets
        .into_iter()
        .map(|(uuid, share_count, seed)| {
            let packet_id = PacketId::from(uuid);
            let tally = tallies
                .get(&packet_id)
                .ok_or_else(|| Error::inconsistent(format!("packet {packet_id} has no tally")))?;
            let share_count = u32::try_from(share_count).map_err(Error::inconsistent)?;
            let progress = Progress::new(packet_id, share_count, *tally, row::seed(uuid, seed)?);
            Ok((packet_id, progress))
        })
        .collect()
}

async fn find_tallies(on: &impl ConnectionTrait, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Tally>> {
    tally::Entity::find()
        .filter(tally::Column::PacketId.is_in(packet_ids.iter().map(PacketId::as_uuid)))
        .all(on)
        .await?
        .iter()
        .map(|tally| Ok((tally.packet_id.into(), row::from_tally(tally)?)))
        .collect()
}

fn into_claims(rows: Vec<claim::Model>) -> Result<Vec<Claim>> {
    rows.into_iter().map(row::from_claim).collect()
}

#[async_trait]
impl LogStore for SqlStore {
    async fn heads(&self) -> Result<Vec<Head>> {
        let rows = head::Entity::find()
            .order_by_asc(head::Column::PartitionNo)
            .all(self.database.read())
            .await?;
        rows.iter().map(row::from_head).collect()
    }

    async fn log(&self, partition: Partition, after_seq: i64, limit: u64) -> Result<Vec<Claim>> {
        let rows = claim::Entity::find()
            .filter(claim::Column::PartitionNo.eq(row::partition_no(partition)))
            .filter(claim::Column::Seq.gt(after_seq))
            .order_by_asc(claim::Column::Seq)
            .limit(limit)
            .all(self.database.read())
            .await?;
        let claims = into_claims(rows)?;
        let gapless = claims
            .iter()
            .zip(after_seq + 1..)
            .all(|(claim, expected_seq)| claim.seq == expected_seq);
        if gapless {
            Ok(claims)
        } else {
            Err(Error::inconsistent(format!(
                "the log of {partition} has a gap behind {after_seq} (LOG-1)"
            )))
        }
    }

    async fn begin(&self, partitions: &[Partition]) -> Result<Box<dyn Batch>> {
        let transaction = self.database.begin().await?;
        Ok(Box::new(batch::SqlBatch::lock(transaction, partitions).await?))
    }
}
