//! [`Requests`] over SQL.

use ::sql::{Result, Transaction};
use async_trait::async_trait;
use id::{PacketId, RequestId, UserId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect, Select,
    sea_query::{Expr, LockType},
};

use super::{
    SqlStore,
    entity::{send_requests, sender_days},
    rows,
};
use crate::{
    domain::{DailyLimits, DailyUse, Reservation},
    store::{Requests, Reserved},
};

#[async_trait]
impl Requests for SqlStore {
    async fn find(&self, sender: &UserId, request: &RequestId) -> Result<Option<Reservation>> {
        by_name(sender, request)
            .one(self.of_sender(sender).read())
            .await?
            .as_ref()
            .map(rows::reservation)
            .transpose()
    }

    async fn reserve(&self, offer: &Reservation, limits: DailyLimits) -> Result<Reserved> {
        self.of_sender(&offer.sender_id)
            .repeat(|| self.try_reserve(offer, limits))
            .await
    }

    async fn release(&self, sender: &UserId, packet: PacketId) -> Result<()> {
        self.of_sender(sender).repeat(|| self.try_release(sender, packet)).await
    }
}

impl SqlStore {
    /// The day first: whoever holds it sees all that was reserved in it. An attempt that another day's overtakes is
    /// refused by the key of `send_requests`, and the next try finds what that one wrote.
    async fn try_reserve(&self, offer: &Reservation, limits: DailyLimits) -> Result<Reserved> {
        let transaction = self.of_sender(&offer.sender_id).begin().await?;
        let day = lock_day(&transaction, offer.sender_id.as_str(), offer.day).await?;
        let first = by_name(&offer.sender_id, &offer.request_id);
        if let Some(first) = first.one(transaction.as_ref()).await? {
            transaction.rollback().await?;
            return rows::reservation(&first).map(Reserved::Held);
        }
        let Some(after) = day.with(offer.total_fen, limits) else {
            transaction.rollback().await?;
            return Ok(Reserved::DayFull(day));
        };
        send_requests::Entity::insert(rows::reservation_row(offer))
            .exec_without_returning(transaction.as_ref())
            .await?;
        write_day(&transaction, offer.sender_id.as_str(), offer.day, after).await?;
        transaction.commit().await?;
        Ok(Reserved::Held(offer.clone()))
    }

    async fn try_release(&self, sender: &UserId, packet: PacketId) -> Result<()> {
        let transaction = self.of_sender(sender).begin().await?;
        let counted = send_requests::Entity::find()
            .filter(send_requests::Column::PacketId.eq(packet.as_uuid()))
            .filter(send_requests::Column::SenderId.eq(sender.as_str()))
            .filter(send_requests::Column::Counted.eq(true))
            .lock(LockType::Update)
            .one(transaction.as_ref())
            .await?;
        let Some(request) = counted else {
            return transaction.rollback().await;
        };
        let day = lock_day(&transaction, &request.sender_id, request.day).await?;
        let after = DailyUse {
            count: day.count.saturating_sub(1),
            total_fen: day.total_fen.saturating_sub(request.total_fen),
        };
        write_day(&transaction, &request.sender_id, request.day, after).await?;
        send_requests::Entity::update_many()
            .col_expr(send_requests::Column::Counted, Expr::value(false))
            .filter(send_requests::Column::PacketId.eq(packet.as_uuid()))
            .exec(transaction.as_ref())
            .await?;
        transaction.commit().await
    }
}

fn by_name(sender: &UserId, request: &RequestId) -> Select<send_requests::Entity> {
    send_requests::Entity::find_by_id((sender.as_str().to_owned(), request.as_str().to_owned()))
}

/// The sender's day, locked until the transaction ends; it begins empty. Two that begin it at once conflict, and one
/// of them begins anew.
async fn lock_day(transaction: &Transaction, sender: &str, day: i64) -> Result<DailyUse> {
    let found = sender_days::Entity::find_by_id((sender.to_owned(), day))
        .lock(LockType::Update)
        .one(transaction.as_ref())
        .await?;
    if let Some(row) = found {
        return Ok(DailyUse {
            count: row.sent_count,
            total_fen: row.sent_fen,
        });
    }
    let empty = DailyUse { count: 0, total_fen: 0 };
    let row = sender_days::ActiveModel {
        sender_id: Set(sender.to_owned()),
        day: Set(day),
        sent_count: Set(empty.count),
        sent_fen: Set(empty.total_fen),
    };
    sender_days::Entity::insert(row)
        .exec_without_returning(transaction.as_ref())
        .await?;
    Ok(empty)
}

async fn write_day(transaction: &Transaction, sender: &str, day: i64, after: DailyUse) -> Result<()> {
    sender_days::Entity::update_many()
        .col_expr(sender_days::Column::SentCount, Expr::value(after.count))
        .col_expr(sender_days::Column::SentFen, Expr::value(after.total_fen))
        .filter(
            sender_days::Column::SenderId
                .eq(sender)
                .and(sender_days::Column::Day.eq(day)),
        )
        .exec(transaction.as_ref())
        .await?;
    Ok(())
}
