//! What reconciliation reads, on SQL.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use id::{PacketId, Partition, TransferId};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
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
    store::Books,
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

    async fn orders_after(&self, after: Option<TransferId>, only_funded: bool, limit: u64) -> Result<Vec<Order>> {
        let mut query = Entity::find();
        if let Some(after) = after {
            query = query.filter(Column::TransferId.gt(after.as_uuid()));
        }
        if only_funded {
            query = query
                .filter(Column::Kind.eq(kind_code(Kind::Fund)))
                .filter(Column::State.eq(state_code(State::Posted)));
        }
        let rows = query
            .order_by_asc(Column::TransferId)
            .limit(limit)
            .all(self.database.read())
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
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
            .filter(Column::Kind.ne(kind_code(Kind::Fund)))
            .filter(Column::State.is_in(State::LEFT_ESCROW.map(state_code)))
            .group_by(Column::PacketId)
            .into_tuple()
            .all(read)
            .await?;
        Ok(sums.into_iter().map(|(packet, fen)| (packet.into(), fen)).collect())
    }

    async fn open_case_count(&self) -> Result<i64> {
        let open = cases::Entity::find().filter(cases::Column::State.eq(case_code(CaseState::Open)));
        let count = open.count(self.database.read()).await?;
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
}
