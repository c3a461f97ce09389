//! Repair cases on SQL.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use clock::Timestamp;
use id::TransferId;
use paging::Page;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationDef, sea_query::LockType,
};

use super::{
    CHUNK_ROWS, SqlStore, behind,
    entity::{
        case_events,
        cases::{Column, Entity, Model},
        orders,
    },
    row::{case_code, case_state, event_row, kind_of},
};
use crate::{
    domain::{Act, Case, CaseEvent, CaseKind, CaseState, Failure, Order, RecordedAct},
    store::{ActEnd, ActStart, Attempt, Cases, ListKey},
};
use sql::{Error, Result, or_nothing};

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

    async fn open_cases(&self) -> Result<BTreeMap<CaseKind, (u64, Timestamp)>> {
        let of_order: RelationDef = Entity::belongs_to(orders::Entity)
            .from(Column::CaseId)
            .to(orders::Column::TransferId)
            .into();
        let rows: Vec<(Option<i16>, Option<String>, i64, i64)> = Entity::find()
            .select_only()
            .column(orders::Column::Kind)
            .column(orders::Column::Failure)
            .column_as(Column::CaseId.count(), "open_cases")
            .column_as(Column::CreateTimeUs.min(), "oldest_us")
            .join(JoinType::LeftJoin, of_order)
            .filter(Column::State.eq(case_code(CaseState::Open)))
            .group_by(orders::Column::Kind)
            .group_by(orders::Column::Failure)
            .into_tuple()
            .all(self.database.read())
            .await?;
        let mut open = BTreeMap::new();
        for (kind, failure, count, oldest_us) in rows {
            let failure = failure.as_deref().and_then(Failure::from_name);
            let kind = CaseKind::of(kind.map(|code| kind_of(code).map(|kind| (kind, failure))).transpose()?);
            let oldest = clock::from_micros(oldest_us);
            let (counted, since) = open.entry(kind).or_insert((0, oldest));
            *counted += u64::try_from(count).unwrap_or(0);
            *since = oldest.min(*since);
        }
        Ok(open)
    }

    async fn begin_act(&self, act: &Act, attempt: Attempt, now: Timestamp, over: bool) -> Result<ActStart> {
        self.database
            .repeat(|| self.begin_act_once(act, attempt, now, over))
            .await
    }

    async fn end_act(&self, act: &Act, attempt: Attempt, end: ActEnd, event: CaseEvent) -> Result<RecordedAct> {
        self.database
            .repeat(|| self.end_act_once(act, attempt, &end, &event))
            .await
    }

    async fn unfinished_acts(&self, now: Timestamp, limit: u64) -> Result<Vec<Act>> {
        self.unfinished(now, limit).await
    }

    async fn open_case(&self, order: &Order, opening: CaseEvent) -> Result<()> {
        self.database.repeat(|| self.open_case_once(order, &opening)).await
    }
}

impl SqlStore {
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

/// A case's row, locked for this transaction.
pub async fn lock(transaction: &DatabaseTransaction, id: TransferId) -> Result<Option<Model>> {
    let query = Entity::find_by_id(id.as_uuid()).lock(LockType::Update);
    Ok(query.one(transaction).await?)
}

/// Adds an event to a case that this transaction has locked, unless it is the last one already: then the answer to the
/// COMMIT that added it was lost.
pub async fn append(transaction: &DatabaseTransaction, id: TransferId, event: &CaseEvent) -> Result<()> {
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
            let order = orders.remove(&case.case_id).map(Order::try_from);
            Ok(Case {
                id: case.case_id.into(),
                order: order.transpose()?,
                state: case_state(&case)?,
                events: events.remove(&case.case_id).unwrap_or_default(),
                created: clock::from_micros(case.create_time_us),
            })
        })
        .collect()
}
