//! Transfer orders on SQL.

use async_trait::async_trait;
use clock::Timestamp;
use id::{PacketId, TransferId};
use paging::Page;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use super::{
    SqlStore, behind, cases,
    entity::orders::{Column, Entity, Model},
    locked,
    row::{kind_code, state_code},
    update,
};
use crate::{
    domain::{CaseEvent, Failure, Kind, Order, State},
    store::{Attempt, FundEnd, FundStart, ListKey, NOT_OWED, Of, Orders},
};
use sql::{Error, Result, integer, or_nothing};

/// An order that was there a moment ago and is not deleted by anybody.
fn gone(id: TransferId) -> Error {
    Error::inconsistent(format!("order {id} is gone"))
}

#[async_trait]
impl Orders for SqlStore {
    async fn begin_fund(&self, draft: &Order, attempt: Attempt, now: Timestamp) -> Result<FundStart> {
        self.database
            .repeat(|| self.begin_fund_once(draft, attempt, now, false))
            .await
    }

    async fn take_over_fund(&self, draft: &Order, attempt: Attempt, now: Timestamp) -> Result<FundStart> {
        self.database
            .repeat(|| self.begin_fund_once(draft, attempt, now, true))
            .await
    }

    async fn end_fund(&self, id: TransferId, attempt: Attempt, end: FundEnd, now: Timestamp) -> Result<Order> {
        self.database.repeat(|| self.end_fund_once(id, attempt, end, now)).await
    }

    async fn begin_refund(&self, draft: &Order) -> Result<Order> {
        self.database.repeat(|| self.begin_refund_once(draft)).await
    }

    async fn conclude(&self, concluded: &Order, opening: Option<CaseEvent>) -> Result<Order> {
        self.database
            .repeat(|| self.conclude_once(concluded, opening.as_ref()))
            .await
    }

    async fn claimed_fen(&self, packet: PacketId) -> Result<i64> {
        let read = self.database.read();
        let sum = integer(read.get_database_backend(), Column::AmountFen.sum()); // the total of a packet fits 64 bits
        let not_owed = NOT_OWED.map(Failure::name);
        let sum: Option<Option<i64>> = Entity::find()
            .select_only()
            .column_as(sum, "claimed_fen")
            .filter(Column::PacketId.eq(packet.as_uuid()))
            .filter(Column::Kind.eq(kind_code(Kind::Settle)))
            .filter(
                Condition::any()
                    .add(Column::State.ne(state_code(State::Stuck)))
                    .add(Column::Failure.is_null())
                    .add(Column::Failure.is_not_in(not_owed)),
            )
            .into_tuple()
            .one(read)
            .await?;
        Ok(sum.flatten().unwrap_or(0))
    }

    async fn order(&self, id: TransferId) -> Result<Option<Order>> {
        let row = Entity::find_by_id(id.as_uuid()).one(self.database.read()).await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn list(&self, of: &Of, page: &Page<ListKey>) -> Result<Vec<Order>> {
        let query = match of {
            Of::Packet(packet) => Entity::find().filter(Column::PacketId.eq(packet.as_uuid())),
            Of::User(user) => Entity::find().filter(Column::UserId.eq(user.as_str())),
        };
        let rows = query
            .filter(behind(page.after, Column::CreateTimeUs, Column::TransferId))
            .order_by_asc(Column::CreateTimeUs)
            .order_by_asc(Column::TransferId)
            .limit(page.fetch())
            .all(self.database.read())
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

impl SqlStore {
    async fn begin_fund_once(&self, draft: &Order, attempt: Attempt, now: Timestamp, over: bool) -> Result<FundStart> {
        let transaction = self.database.begin().await?;
        let (mut row, mut doubt) = (Model::from(draft), None);
        if let Some(known) = locked(transaction.as_ref(), draft.id).await? {
            let order = Order::try_from(known.clone())?;
            if order.state != State::Pending || !order.asks_the_same(draft) {
                return Ok(FundStart::Known(order));
            }
            let open = known
                .attempt_until_us
                .map(clock::from_micros)
                .filter(|until| *until > now);
            match open {
                // Perhaps it took over already, and the answer to that was lost: then this doubts itself.
                Some(until) if over => doubt = Some(until),
                Some(until) if known.attempt_id != Some(attempt.id) => return Ok(FundStart::Held(until)),
                _ => {}
            }
            row = known;
        } else {
            let insert = Entity::insert(row.clone().into_active_model());
            insert.exec_without_returning(transaction.as_ref()).await?;
        }
        let order = Order::try_from(row.clone())?;
        let mut row = row.into_active_model();
        row.attempt_id = sea_orm::Set(Some(attempt.id));
        let until = doubt.map_or(attempt.until, |doubt| doubt.max(attempt.until));
        row.attempt_until_us = sea_orm::Set(Some(until.as_microsecond()));
        row.update_without_returning(transaction.as_ref()).await?;
        transaction.commit().await?;
        Ok(FundStart::Begun { order, doubt })
    }

    async fn end_fund_once(&self, id: TransferId, attempt: Attempt, end: FundEnd, now: Timestamp) -> Result<Order> {
        let transaction = self.database.begin().await?;
        let row = locked(transaction.as_ref(), id).await?.ok_or_else(|| gone(id))?;
        let ours = row.attempt_id == Some(attempt.id);
        let mut order = Order::try_from(row.clone())?;
        if order.state != State::Pending || (!ours && end != FundEnd::Funded) {
            return Ok(order);
        }
        match end {
            FundEnd::Funded => order.state = State::Posted,
            FundEnd::Refused(verdict, balance_fen) => {
                order.state = State::Rejected;
                order.failure = Some(Failure::Refused(verdict));
                order.balance_fen = balance_fen;
            }
            FundEnd::Undecided(doubt) => {
                let mut row = row.into_active_model();
                row.attempt_until_us = sea_orm::Set(doubt.map(Timestamp::as_microsecond));
                row.update_without_returning(transaction.as_ref()).await?;
                transaction.commit().await?;
                return Ok(order);
            }
        }
        order.updated = now;
        update(transaction.as_ref(), &order).await?;
        transaction.commit().await?;
        Ok(order)
    }

    async fn begin_refund_once(&self, draft: &Order) -> Result<Order> {
        let transaction = self.database.begin().await?;
        let insert = Entity::insert_many([Model::from(draft).into_active_model()]);
        insert
            .on_conflict(or_nothing([Column::TransferId]))
            .exec_without_returning(transaction.as_ref())
            .await?;
        let row = locked(transaction.as_ref(), draft.id).await?;
        transaction.commit().await?;
        row.ok_or_else(|| gone(draft.id))?.try_into()
    }

    async fn conclude_once(&self, concluded: &Order, opening: Option<&CaseEvent>) -> Result<Order> {
        let transaction = self.database.begin().await?;
        let row = locked(transaction.as_ref(), concluded.id).await?;
        let order = Order::try_from(row.ok_or_else(|| gone(concluded.id))?)?;
        if order.state != State::Pending {
            return Ok(order);
        }
        update(transaction.as_ref(), concluded).await?;
        if let Some(opening) = opening {
            cases::open(transaction.as_ref(), &[(concluded.id, opening.clone())]).await?;
        }
        transaction.commit().await?;
        Ok(concluded.clone())
    }
}
