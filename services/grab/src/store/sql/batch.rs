//! A write transaction on some partitions.

use std::collections::HashMap;

use async_trait::async_trait;
use id::{PacketId, Partition};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, LockType, OnConflict},
};
use sql::{Database, Result, Transaction};

use super::{
    entity::{claim, head, tally},
    heads_of, row,
};
use crate::{
    domain::claim::{Claim, Head, Tally},
    store::{Batch, Changes, Missed},
};

/// Rows of one INSERT: nine variables each, and SQLite binds at most 32,766.
const MAX_ROWS: usize = 3_000;

pub struct SqlBatch {
    database: Database,
    transaction: Transaction,
    heads: Vec<Head>,
}

impl SqlBatch {
    /// Locks the heads in order of partition, so that no two batches wait for each other in a circle.
    pub async fn lock(database: &Database, partitions: &[Partition]) -> Result<Self> {
        let transaction = database.begin().await?;
        let rows = head::Entity::find()
            .filter(heads_of(partitions))
            .order_by_asc(head::Column::PartitionNo)
            .lock(LockType::Update)
            .all(transaction.as_ref())
            .await?;
        let heads = rows.iter().map(row::from_head).collect::<Result<_>>()?;
        Ok(Self {
            database: database.clone(),
            transaction,
            heads,
        })
    }
}

#[async_trait]
impl Batch for SqlBatch {
    fn heads(&self) -> &[Head] {
        &self.heads
    }

    async fn log(&self, missed: &[Missed]) -> Result<Vec<Claim>> {
        let behind = missed.iter().map(|missed| {
            Condition::all()
                .add(claim::Column::PartitionNo.eq(row::partition_no(missed.partition)))
                .add(claim::Column::Seq.gt(missed.after_seq))
        });
        let rows = claim::Entity::find()
            .filter(behind.fold(Condition::any(), Condition::add))
            .order_by_asc(claim::Column::PartitionNo)
            .order_by_asc(claim::Column::Seq)
            .all(self.transaction.as_ref())
            .await?;
        Ok(readable(rows.into_iter().map(row::from_claim)).collect())
    }

    async fn tallies(&self, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Tally>> {
        let rows = tally::Entity::find()
            .filter(tally::Column::PacketId.is_in(packet_ids.iter().map(PacketId::as_uuid)))
            .all(self.transaction.as_ref())
            .await?;
        let tallies = rows
            .iter()
            .map(|tally| Ok((tally.packet_id.into(), row::from_tally(tally)?)));
        Ok(readable(tallies).collect())
    }

    async fn claims(&self, packet_ids: &[PacketId]) -> Result<Vec<Claim>> {
        let rows = claim::Entity::find()
            .filter(claim::Column::PacketId.is_in(packet_ids.iter().map(PacketId::as_uuid)))
            .all(self.transaction.as_ref())
            .await?;
        Ok(readable(rows.into_iter().map(row::from_claim)).collect())
    }

    async fn commit(self: Box<Self>, changes: Changes) -> Result<()> {
        let database = self.database.clone();
        database.note(self.write(changes).await)
    }
}

impl SqlBatch {
    async fn write(self, changes: Changes) -> Result<()> {
        let on = self.transaction.as_ref();
        let mut claims = changes.claims.into_iter().map(row::to_claim).peekable();
        while claims.peek().is_some() {
            claim::Entity::insert_many(claims.by_ref().take(MAX_ROWS))
                .exec_without_returning(on)
                .await?;
        }
        if !changes.luckiest.is_empty() {
            let luckiest = changes.luckiest.iter().map(|(packet_id, share_no)| {
                Condition::all()
                    .add(claim::Column::PacketId.eq(packet_id.as_uuid()))
                    .add(claim::Column::ShareNo.eq(i64::from(*share_no)))
            });
            claim::Entity::update_many()
                .col_expr(claim::Column::Luckiest, Expr::value(true))
                .filter(luckiest.fold(Condition::any(), Condition::add))
                .exec(on)
                .await?;
        }
        tally::Entity::insert_many(
            changes
                .tallies
                .iter()
                .map(|(packet_id, tally)| row::to_tally(*packet_id, tally)),
        )
        .on_conflict(
            OnConflict::column(tally::Column::PacketId)
                .update_columns([
                    tally::Column::OpenedCount,
                    tally::Column::OpenedFen,
                    tally::Column::CloseTimeUs,
                ])
                .to_owned(),
        )
        .exec_without_returning(on)
        .await?;
        head::Entity::insert_many(changes.heads.iter().map(row::to_head))
            .on_conflict(
                OnConflict::column(head::Column::PartitionNo)
                    .update_columns([head::Column::NextSeq, head::Column::Version])
                    .to_owned(),
            )
            .exec_without_returning(on)
            .await?;
        self.transaction.commit().await
    }
}

/// What can be read; the rest is told to whoever operates this.
fn readable<T>(rows: impl Iterator<Item = Result<T>>) -> impl Iterator<Item = T> {
    rows.filter_map(|row| {
        row.inspect_err(|fault| tracing::error!(%fault, "a row is left out"))
            .ok()
    })
}
