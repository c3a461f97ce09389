//! What reconciliation reads, on SQL.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use id::{PacketId, Partition, TransferId};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    SqlStore,
    entity::{
        cases, cursors,
        orders::{Column, Entity},
    },
    row::{case_code, kind_code, partition, state_code},
};
use crate::{
    domain::{CaseState, Kind, Order, State},
    store::{Books, Others},
};
use sql::{Result, integer};

#[async_trait]
impl Books for SqlStore {
    async fn cursors(&self) -> Result<BTreeMap<Partition, i64>> {
        let rows = cursors::Entity::find().all(self.database.read()).await?;
        rows.into_iter()
            .map(|row| Ok((partition(row.partition_no)?, row.after_seq)))
            .collect()
    }

    async fn settled(&self, partition: Partition, after_seq: i64, to_seq: i64, limit: u64) -> Result<Vec<Order>> {
        let rows = Entity::find()
            .filter(Column::PartitionNo.eq(i32::from(partition.index())))
            .filter(Column::Seq.gt(after_seq))
            .filter(Column::Seq.lte(to_seq))
            .order_by_asc(Column::Seq)
            .limit(limit)
            .all(self.database.read())
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn others(&self, after: Option<TransferId>, partitions: usize, span: u64) -> Result<Others> {
        let read = self.database.read();
        let behind = after.map(|after| Column::TransferId.gt(after.as_uuid()));
        // The ids alone come from the index, so that what a stretch costs is bounded whatever is in it.
        let to: Option<Uuid> = Entity::find()
            .select_only()
            .column(Column::TransferId)
            .filter(Condition::all().add_option(behind.clone()))
            .order_by_asc(Column::TransferId)
            .offset(span.saturating_sub(1))
            .limit(1)
            .into_tuple()
            .one(read)
            .await?;
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        let is_stray = Condition::any()
            .add(Column::PartitionNo.is_null())
            .add(Column::PartitionNo.gte(partitions))
            .add(Column::PartitionNo.lt(0));
        let wanted = Condition::any()
            .add(Column::Kind.is_in([kind_code(Kind::Fund), kind_code(Kind::Refund)]))
            .add(
                Condition::all()
                    .add(Column::Kind.eq(kind_code(Kind::Settle)))
                    .add(is_stray),
            );
        let rows = Entity::find()
            .filter(Condition::all().add_option(behind))
            .filter(Condition::all().add_option(to.map(|to| Column::TransferId.lte(to))))
            .filter(wanted)
            .order_by_asc(Column::TransferId)
            .all(read)
            .await?;
        Ok(Others {
            orders: rows.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
            to: to.map(TransferId::from),
        })
    }

    async fn last_settled(&self, partition: Partition) -> Result<Option<i64>> {
        let last: Option<Option<i64>> = Entity::find()
            .select_only()
            .column(Column::Seq)
            .filter(Column::PartitionNo.eq(i32::from(partition.index())))
            .order_by_desc(Column::Seq)
            .limit(1)
            .into_tuple()
            .one(self.database.read())
            .await?;
        Ok(last.flatten())
    }

    async fn left_escrow(&self, packets: &[PacketId]) -> Result<HashMap<PacketId, i64>> {
        let read = self.database.read();
        let sums: Vec<(Uuid, i64)> = Entity::find()
            .select_only()
            .column(Column::PacketId)
            .column_as(
                integer(read.get_database_backend(), Column::AmountFen.sum()),
                "left_fen",
            ) // the total of a packet fits 64 bits
            .filter(Column::PacketId.is_in(packets.iter().map(PacketId::as_uuid)))
            .filter(Column::Kind.is_in([kind_code(Kind::Settle), kind_code(Kind::Refund)]))
            .filter(Column::State.is_in(State::LEFT_ESCROW.map(state_code)))
            .group_by(Column::PacketId)
            .into_tuple()
            .all(read)
            .await?;
        Ok(sums.into_iter().map(|(packet, fen)| (packet.into(), fen)).collect())
    }

    async fn stored(&self, orders: &[TransferId]) -> Result<HashSet<TransferId>> {
        let found: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::TransferId)
            .filter(Column::TransferId.is_in(orders.iter().map(TransferId::as_uuid)))
            .into_tuple()
            .all(self.database.read())
            .await?;
        Ok(found.into_iter().map(TransferId::from).collect())
    }

    async fn with_case(&self, orders: &[TransferId]) -> Result<HashSet<TransferId>> {
        let found: Vec<Uuid> = cases::Entity::find()
            .select_only()
            .column(cases::Column::CaseId)
            .filter(cases::Column::CaseId.is_in(orders.iter().map(TransferId::as_uuid)))
            .into_tuple()
            .all(self.database.read())
            .await?;
        Ok(found.into_iter().map(TransferId::from).collect())
    }

    async fn open_case_count(&self) -> Result<i64> {
        let open = cases::Entity::find().filter(cases::Column::State.eq(case_code(CaseState::Open)));
        let count = open.count(self.database.read()).await?;
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
}
