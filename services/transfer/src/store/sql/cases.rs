//! Repair cases on SQL.

use std::collections::HashMap;

use async_trait::async_trait;
use id::TransferId;
use paging::Page;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, sea_query::LockType,
};

use super::{
    CHUNK_ROWS, SqlStore,
    entity::{
        case_events,
        cases::{Column, Entity, Model},
        orders,
    },
    locked,
    orders::behind,
    row::{case_code, case_state, event_row},
    update,
};
use crate::{
    domain::{Case, CaseEvent, CaseState, Order, State},
    store::{ActEnd, ActStart, Cases, ListKey},
};
use sql::{Error, Result, or_nothing, repeat};

#[async_trait]
impl Cases for SqlStore {
    async fn case(&self, id: TransferId) -> Result<Option<Case>> {
        let snapshot = self.database.snapshot().await?;
        let row = Entity::find_by_id(id.as_uuid()).one(snapshot.as_ref()).await?;
        let cases = complete(snapshot.as_ref(), row.into_iter().collect()).await?;
        Ok(cases.into_iter().next())
    }

    async fn cases(&self, state: Option<CaseState>, page: &Page<ListKey>) -> Result<Vec<Case>> {
        let snapshot = self.database.snapshot().await?;
        let mut query = Entity::find().filter(behind(page.after, Column::CreateTimeUs, Column::CaseId));
        if let Some(state) = state {
            query = query.filter(Column::State.eq(case_code(state)));
        }
        let rows = query
            .order_by_asc(Column::CreateTimeUs)
            .order_by_asc(Column::CaseId)
            .limit(page.fetch())
            .all(snapshot.as_ref())
            .await?;
        complete(snapshot.as_ref(), rows).await
    }

    async fn begin_act(&self, id: TransferId, act: CaseEvent) -> Result<ActStart> {
        repeat(|| self.begin_act_once(id, &act)).await
    }

    async fn end_act(&self, id: TransferId, end: ActEnd, event: CaseEvent) -> Result<Case> {
        repeat(|| self.end_act_once(id, &end, &event)).await
    }

    async fn open_case(&self, order: &Order, opening: CaseEvent) -> Result<()> {
        repeat(|| self.open_case_once(order, &opening)).await
    }
}

impl SqlStore {
    async fn begin_act_once(&self, id: TransferId, act: &CaseEvent) -> Result<ActStart> {
        let transaction = self.database.begin().await?;
        let Some(case) = lock(transaction.as_ref(), id).await? else {
            return Ok(ActStart::NotFound);
        };
        if case_state(&case)? == CaseState::Resolved {
            return Ok(ActStart::Resolved);
        }
        let order = locked(transaction.as_ref(), id).await?;
        let order = order.ok_or_else(|| Error::inconsistent(format!("case {id} without an order")))?;
        append(transaction.as_ref(), id, act).await?;
        transaction.commit().await?;
        Ok(ActStart::Begun(order.try_into()?))
    }

    async fn end_act_once(&self, id: TransferId, end: &ActEnd, event: &CaseEvent) -> Result<Case> {
        let transaction = self.database.begin().await?;
        let missing = || Error::inconsistent(format!("case {id} is gone"));
        let case = lock(transaction.as_ref(), id).await?.ok_or_else(missing)?;
        if case_state(&case)? == CaseState::Open {
            append(transaction.as_ref(), id, event).await?;
            let row = locked(transaction.as_ref(), id).await?.ok_or_else(missing)?;
            let order = Order::try_from(row)?;
            let (state, paid_to) = match end {
                ActEnd::Open => (order.state, None),
                ActEnd::OpenInSuspense => (State::Suspended, None),
                ActEnd::PaidTo(user) => (State::Repaired, Some(user.clone())),
            };
            if order.state.may_become(state, order.kind) {
                let updated = event.at;
                let order = Order {
                    state,
                    paid_to,
                    updated,
                    ..order
                };
                update(transaction.as_ref(), &order).await?;
            }
            if state == State::Repaired {
                let mut case = case.into_active_model();
                case.state = sea_orm::Set(case_code(CaseState::Resolved));
                case.update_without_returning(transaction.as_ref()).await?;
            }
        }
        let row = Entity::find_by_id(id.as_uuid()).one(transaction.as_ref()).await?;
        let cases = complete(transaction.as_ref(), row.into_iter().collect()).await?;
        transaction.commit().await?;
        cases.into_iter().next().ok_or_else(missing)
    }

    async fn open_case_once(&self, order: &Order, opening: &CaseEvent) -> Result<()> {
        let transaction = self.database.begin().await?;
        orders::Entity::insert_many([orders::Model::from(order).into_active_model()])
            .on_conflict(or_nothing([orders::Column::TransferId]))
            .exec_without_returning(transaction.as_ref())
            .await?;
        if lock(transaction.as_ref(), order.id).await?.is_none() {
            open(transaction.as_ref(), &[(order.id, opening.clone())]).await?;
        }
        transaction.commit().await
    }
}

async fn lock(transaction: &DatabaseTransaction, id: TransferId) -> Result<Option<Model>> {
    let query = Entity::find_by_id(id.as_uuid()).lock(LockType::Update);
    Ok(query.one(transaction).await?)
}

/// Adds an event to a case that this transaction has locked, unless it is the last one already: then the answer to the
/// COMMIT that added it was lost.
async fn append(transaction: &DatabaseTransaction, id: TransferId, event: &CaseEvent) -> Result<()> {
    let last = case_events::Entity::find()
        .filter(case_events::Column::CaseId.eq(id.as_uuid()))
        .order_by_desc(case_events::Column::EventNo)
        .one(transaction)
        .await?;
    let last_no = last.as_ref().map_or(0, |row| row.event_no);
    if last == Some(event_row(id.as_uuid(), last_no, event)) {
        return Ok(());
    }
    let next_no = last_no
        .checked_add(1)
        .ok_or_else(|| Error::inconsistent("too many events"))?;
    let row = event_row(id.as_uuid(), next_no, event).into_active_model();
    case_events::Entity::insert(row)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// Opens a case for each order; one that is there stays as it is.
pub async fn open(transaction: &DatabaseTransaction, openings: &[(TransferId, CaseEvent)]) -> Result<()> {
    for chunk in openings.chunks(CHUNK_ROWS) {
        let cases = chunk.iter().map(|(id, opening)| {
            Model {
                case_id: id.as_uuid(),
                state: case_code(CaseState::Open),
                create_time_us: opening.at.as_microsecond(),
            }
            .into_active_model()
        });
        let events = chunk
            .iter()
            .map(|(id, opening)| event_row(id.as_uuid(), 1, opening).into_active_model());
        let cases = Entity::insert_many(cases).on_conflict(or_nothing([Column::CaseId]));
        cases.exec_without_returning(transaction).await?;
        let key = [case_events::Column::CaseId, case_events::Column::EventNo];
        let events = case_events::Entity::insert_many(events).on_conflict(or_nothing(key));
        events.exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Adds orders and events to cases.
async fn complete(snapshot: &DatabaseTransaction, cases: Vec<Model>) -> Result<Vec<Case>> {
    let ids: Vec<_> = cases.iter().map(|case| case.case_id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let orders = orders::Entity::find().filter(orders::Column::TransferId.is_in(ids.iter().copied()));
    let mut orders: HashMap<_, _> = orders
        .all(snapshot)
        .await?
        .into_iter()
        .map(|order| (order.transfer_id, order))
        .collect();
    let rows = case_events::Entity::find()
        .filter(case_events::Column::CaseId.is_in(ids))
        .order_by_asc(case_events::Column::CaseId)
        .order_by_asc(case_events::Column::EventNo)
        .all(snapshot)
        .await?;
    let mut events: HashMap<_, Vec<CaseEvent>> = HashMap::new();
    for row in rows {
        events.entry(row.case_id).or_default().push(row.try_into()?);
    }
    cases
        .into_iter()
        .map(|case| {
            let order = orders
                .remove(&case.case_id)
                .ok_or_else(|| Error::inconsistent(format!("case {} without an order", case.case_id)))?;
            Ok(Case {
                order: order.try_into()?,
                state: case_state(&case)?,
                events: events.remove(&case.case_id).unwrap_or_default(),
                created: clock::from_micros(case.create_time_us),
            })
        })
        .collect()
}
