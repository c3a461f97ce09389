//! [`Packets`] over SQL.

use ::sql::{Error, Result};
use async_trait::async_trait;
use clock::Timestamp;
use id::PacketId;
use paging::Page;
use sea_orm::{
    ActiveModelBehavior,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, LockBehavior, LockType},
};

use super::{SqlStore, entity::packets, requests::is_new, rows};
use crate::{
    domain::{Due, Packet, Phase, State},
    store::{Leased, Of, Packets},
};

#[async_trait]
impl Packets for SqlStore {
    async fn insert(&self, packet: &Packet, due: Timestamp) -> Result<Packet> {
        let transaction = self.database.begin().await?;
        let inserted = packets::Entity::insert(rows::packet_row(packet, due)?)
            .on_conflict_do_nothing()
            .exec_without_returning(transaction.as_ref())
            .await?;
        if is_new(&inserted) {
            transaction.commit().await?;
            return Ok(packet.clone());
        }
        let first = packets::Entity::find_by_id(packet.id().as_uuid())
            .one(transaction.as_ref())
            .await?;
        transaction.rollback().await?;
        rows::packet(first.ok_or_else(|| Error::inconsistent("a packet that is and is not there"))?)
    }

    async fn get(&self, ids: &[PacketId]) -> Result<Vec<Packet>> {
        packets::Entity::find()
            .filter(packets::Column::PacketId.is_in(ids.iter().map(PacketId::as_uuid)))
            .all(self.database.read())
            .await?
            .into_iter()
            .map(rows::packet)
            .collect()
    }

    async fn list(&self, of: &Of, page: &Page<PacketId>) -> Result<Vec<Packet>> {
        let mut query = packets::Entity::find().filter(match of {
            Of::Sender(user) => packets::Column::SenderId.eq(user.as_str()),
            Of::Group(group) => packets::Column::GroupId.eq(group.as_str()),
        });
        if let Some(after) = page.after {
            query = query.filter(packets::Column::PacketId.lt(after.as_uuid()));
        }
        query
            .order_by_desc(packets::Column::PacketId)
            .limit(page.fetch())
            .all(self.database.read())
            .await?
            .into_iter()
            .map(rows::packet)
            .collect()
    }

    async fn change(&self, packet: &Packet, next: &State) -> Result<bool> {
        let mut row = packets::ActiveModel::new();
        rows::set_state(&mut row, next)?;
        row.attempts = Set(0);
        match packet.due(next) {
            Due::At(due) => row.due_us = Set(Some(due.as_microsecond())),
            Due::Unchanged => {}
            Due::Never => row.due_us = Set(None),
        }
        let mut update = packets::Entity::update_many()
            .set(row)
            .filter(packets::Column::PacketId.eq(packet.id().as_uuid()))
            .filter(packets::Column::State.eq(rows::phase_code(packet.state.phase())));
        if packet.state == State::Closing(None) {
            update = update.filter(packets::Column::CloseUs.is_null()); // the first sums stay (CLOSE-1)
        }
        let transaction = self.database.begin().await?;
        let changed = update.exec(transaction.as_ref()).await?.rows_affected;
        transaction.commit().await?;
        Ok(changed > 0)
    }

    async fn lease(&self, phases: &[Phase], now: Timestamp, until: Timestamp, limit: u64) -> Result<Vec<Leased>> {
        let transaction = self.database.begin().await?;
        let due = packets::Entity::find()
            .filter(in_phases(phases))
            .filter(packets::Column::DueUs.lte(now.as_microsecond()))
            .order_by_asc(packets::Column::DueUs)
            .order_by_asc(packets::Column::PacketId)
            .limit(limit)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(transaction.as_ref())
            .await?;
        if due.is_empty() {
            transaction.rollback().await?;
            return Ok(Vec::new());
        }
        packets::Entity::update_many()
            .col_expr(packets::Column::DueUs, Expr::value(until.as_microsecond()))
            .filter(packets::Column::PacketId.is_in(due.iter().map(|row| row.packet_id)))
            .exec(transaction.as_ref())
            .await?;
        transaction.commit().await?;
        Ok(due.into_iter().filter_map(|row| leased(row, until)).collect())
    }

    async fn postpone(&self, leased: &Leased, due: Timestamp) -> Result<()> {
        let transaction = self.database.begin().await?;
        packets::Entity::update_many()
            .col_expr(packets::Column::DueUs, Expr::value(due.as_microsecond()))
            .col_expr(
                packets::Column::Attempts,
                Expr::value(rows::count_code(leased.attempts.saturating_add(1))?),
            )
            .filter(packets::Column::PacketId.eq(leased.packet.id().as_uuid()))
            .filter(packets::Column::DueUs.eq(leased.until.as_microsecond()))
            .exec(transaction.as_ref())
            .await?;
        transaction.commit().await
    }

    async fn next_due(&self, phases: &[Phase]) -> Result<Option<Timestamp>> {
        let due_us: Option<Option<i64>> = packets::Entity::find()
            .select_only()
            .column_as(packets::Column::DueUs.min(), "due_us")
            .filter(in_phases(phases))
            .into_tuple()
            .one(self.database.read())
            .await?;
        Ok(due_us.flatten().map(clock::from_micros))
    }
}

/// A row that cannot be read stays leased and is told again when the lease runs out: it must not hold up the others.
fn leased(row: packets::Model, until: Timestamp) -> Option<Leased> {
    let attempts = u32::try_from(row.attempts).unwrap_or(0);
    match rows::packet(row) {
        Ok(packet) => Some(Leased {
            packet,
            until,
            attempts,
        }),
        Err(fault) => {
            tracing::error!(%fault, "a due packet cannot be read");
            None
        }
    }
}

fn in_phases(phases: &[Phase]) -> Expr {
    packets::Column::State.is_in(phases.iter().map(|phase| rows::phase_code(*phase)))
}
