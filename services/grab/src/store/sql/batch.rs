//! A write transaction on some partitions.

use std::collections::HashMap;

use async_trait::async_trait;
use id::{PacketId, Partition};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, LockType, OnConflict},
};
use sql::{Error, Result, Transaction};

use super::{
    entity::{claim, head, tally},
    find_tallies, into_claims, row,
};
use crate::{
    domain::claim::{Claim, Head, Tally},
    store::{Batch, Changes},
};

/// Rows of one INSERT: nine variables each, and SQLite binds at most 32,766.
const MAX_ROWS: usize = 3_000;

pub struct SqlBatch {
    transaction: Transaction,
    heads: Vec<Head>,
}

impl SqlBatch {
    /// Locks the heads in order of partition, so that no two batches wait for each other in a circle.
    pub async fn lock(transaction: Transaction, partitions: &[Partition]) -> Result<Self> {
        let rows = head::Entity::find()
            .filter(head::Column::PartitionNo.is_in(partitions.iter().copied().map(row::partition_no)))
            .order_by_asc(head::Column::PartitionNo)
            .lock(LockType::Update)
            .all(transaction.as_ref())
            .await?;
        if rows.len() != partitions.len() {
            return Err(Error::inconsistent("a partition has no head"));
        }
        let heads = rows.iter().map(row::from_head).collect::<Result<_>>()?;
        Ok(Self { transaction, heads })
    }
}

#[async_trait]
impl Batch for SqlBatch {
    fn heads(&self) -> &[Head] {
        &self.heads
    }

    async fn tallies(&self, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Tally>> {
        find_tallies(self.transaction.as_ref(), packet_ids).await
    }

    async fn claims(&self, packet_ids: &[PacketId]) -> Result<Vec<Claim>> {
        let rows = claim::Entity::find()
            .filter(claim::Column::PacketId.is_in(packet_ids.iter().map(PacketId::as_uuid)))
            .all(self.transaction.as_ref())
            .await?;
        into_claims(rows)
    }

    async fn commit(self: Box<Self>, changes: Changes) -> Result<()> {
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
