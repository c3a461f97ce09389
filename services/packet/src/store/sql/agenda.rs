//! [`Agenda`] over SQL: what is due in one database.

use std::time::Duration;

use ::sql::{Database, Result};
use async_trait::async_trait;
use clock::Timestamp;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, LockBehavior, LockType},
};

use super::{entity::packets, rows};
use crate::{
    domain::Phase,
    store::{Agenda, Leased, Overdue},
};

/// The packets of one database by when they are due.
#[derive(Clone, Debug)]
pub struct SqlAgenda {
    database: Database,
    place: String,
}

impl SqlAgenda {
    pub(super) fn new(database: Database) -> Self {
        Self {
            place: database.url().to_string(),
            database,
        }
    }

    /// One try of [`Agenda::lease`].
    async fn take(&self, phases: &[Phase], now: Timestamp, until: Timestamp, limit: u64) -> Result<Vec<Leased>> {
        let transaction = self.database.begin().await?;
        let mut due = Vec::new();
        for phase in phases {
            // Rows that another instance is about to lease are its own: neither waited for nor taken.
            let rows = by_due(*phase)
                .filter(packets::Column::DueUs.lte(now.as_microsecond()))
                .limit(limit)
                .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                .all(transaction.as_ref())
                .await?;
            due.extend(rows);
        }
        due.sort_unstable_by_key(|row| (row.due_us, row.packet_id));
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
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
}

#[async_trait]
impl Agenda for SqlAgenda {
    fn place(&self) -> &str {
        &self.place
    }

    async fn lease(&self, phases: &[Phase], now: Timestamp, until: Timestamp, limit: u64) -> Result<Vec<Leased>> {
        self.database.repeat(|| self.take(phases, now, until, limit)).await
    }

    async fn postpone(&self, leased: &Leased, due: Timestamp) -> Result<()> {
        let attempts = rows::count_code(leased.attempts.saturating_add(1))?;
        self.database
            .repeat(|| async move {
                let transaction = self.database.begin().await?;
                packets::Entity::update_many()
                    .col_expr(packets::Column::DueUs, Expr::value(due.as_microsecond()))
                    .col_expr(packets::Column::Attempts, Expr::value(attempts))
                    .filter(packets::Column::PacketId.eq(leased.packet.id().as_uuid()))
                    .filter(packets::Column::DueUs.eq(leased.until.as_microsecond()))
                    .exec(transaction.as_ref())
                    .await?;
                transaction.commit().await
            })
            .await
    }

    async fn overdue(&self, phases: &[Phase], now: Timestamp, horizon: Duration) -> Result<Overdue> {
        let mut overdue = Overdue::default();
        for phase in phases {
            let wanted = if *phase == Phase::Funding {
                packets::Column::CreateUs
            } else {
                packets::Column::ExpireUs
            };
            let found: Option<(i64, Option<i64>)> = packets::Entity::find()
                .select_only()
                .column_as(packets::Column::PacketId.count(), "overdue")
                .column_as(wanted.min(), "since_us")
                .filter(packets::Column::State.eq(rows::phase_code(*phase)))
                // The index finds these few; whether they are overdue is for the next line.
                .filter(packets::Column::DueUs.lte(clock::after(now, horizon).as_microsecond()))
                .filter(wanted.lte(now.as_microsecond()))
                .into_tuple()
                .one(self.database.read())
                .await?;
            let (count, since) = found.unwrap_or_default();
            overdue = overdue.and(Overdue {
                count: u64::try_from(count).unwrap_or(0),
                since: since.map(clock::from_micros),
            });
        }
        Ok(overdue)
    }

    async fn next_due(&self, phases: &[Phase]) -> Result<Option<Timestamp>> {
        let mut next: Option<i64> = None;
        for phase in phases {
            let first: Option<i64> = by_due(*phase)
                .select_only()
                .column(packets::Column::DueUs)
                .filter(packets::Column::DueUs.is_not_null())
                .limit(1)
                .into_tuple()
                .one(self.database.read())
                .await?;
            next = next.into_iter().chain(first).min();
        }
        Ok(next.map(clock::from_micros))
    }
}

/// The packets in a phase, the longest waiting first. One phase at a time, because only then the order is the index's: a
/// lease reads and locks the rows that it takes and no others, however many are due.
fn by_due(phase: Phase) -> Select<packets::Entity> {
    packets::Entity::find()
        .filter(packets::Column::State.eq(rows::phase_code(phase)))
        .order_by_asc(packets::Column::DueUs)
        .order_by_asc(packets::Column::PacketId)
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
