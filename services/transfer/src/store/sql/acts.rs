//! Operators' acts on repair cases, on SQL.
//!
//! Who changes an act has its case's row locked, so that acts on a case happen one after the other.

use clock::Timestamp;
use id::TransferId;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Set,
};

use super::{
    SqlStore,
    cases::{append, lock},
    entity::{
        acts::{Column, Entity, Model},
        case_events, cases,
    },
    locked,
    row::{act_row, case_code, case_state, outcome_code},
    update,
};
use crate::{
    domain::{Act, Action, CaseEvent, CaseState, Order, Outcome, Payee, RecordedAct, State},
    store::{ActEnd, ActStart, Attempt},
};
use sql::{Error, Result};

impl SqlStore {
    pub(super) async fn begin_act_once(
        &self,
        act: &Act,
        attempt: Attempt,
        now: Timestamp,
        over: bool,
    ) -> Result<ActStart> {
        let transaction = self.database.begin().await?;
        let Some(case) = lock(transaction.as_ref(), act.case).await? else {
            return Ok(ActStart::NotFound);
        };
        let Some(order) = locked(transaction.as_ref(), act.case).await? else {
            return Ok(ActStart::OrderMissing);
        };
        let known = Entity::find_by_id(act.request.as_str())
            .one(transaction.as_ref())
            .await?;
        let mut doubt = None;
        if let Some(known) = known {
            let recorded = RecordedAct::try_from(known.clone())?;
            if recorded.outcome.is_some() || !recorded.act.asks_the_same(act) {
                return Ok(ActStart::Known(recorded));
            }
            let until = clock::from_micros(known.attempt_until_us);
            if until > now {
                // A try that was put on record, and the answer to that was lost, takes over from itself.
                if !over && known.attempt_id != attempt.id {
                    return Ok(ActStart::Held(recorded.act, until));
                }
                doubt = Some(until).filter(|_| over);
            }
            try_again(transaction.as_ref(), known, attempt, doubt).await?;
        } else {
            if case_state(&case)? == CaseState::Resolved {
                return Ok(ActStart::Resolved);
            }
            if let Some(other) = unfinished_of(transaction.as_ref(), act.case).await? {
                let until = clock::from_micros(other.attempt_until_us);
                return Ok(ActStart::Held(RecordedAct::try_from(other)?.act, until));
            }
            let insert = Entity::insert(act_row(act, attempt).into_active_model());
            insert.exec_without_returning(transaction.as_ref()).await?;
            append(transaction.as_ref(), act.case, &act.event()).await?;
        }
        transaction.commit().await?;
        let order = order.try_into()?;
        Ok(ActStart::Begun { order, doubt })
    }

    pub(super) async fn end_act_once(
        &self,
        act: &Act,
        attempt: Attempt,
        end: &ActEnd,
        event: &CaseEvent,
    ) -> Result<RecordedAct> {
        let transaction = self.database.begin().await?;
        let gone = || Error::inconsistent(format!("act {} is gone", act.request));
        let case = lock(transaction.as_ref(), act.case).await?.ok_or_else(gone)?;
        let known = Entity::find_by_id(act.request.as_str())
            .one(transaction.as_ref())
            .await?;
        let known = known.ok_or_else(gone)?;
        let recorded = RecordedAct::try_from(known.clone())?;
        let is_fact = matches!(end, ActEnd::Paid(_) | ActEnd::InSuspense);
        let ours = known.attempt_id == attempt.id && recorded.outcome.is_none();
        if case_state(&case)? == CaseState::Resolved || !(ours || is_fact) {
            return Ok(recorded);
        }
        if event.action != Action::Delayed || !is_delayed(transaction.as_ref(), act).await? {
            append(transaction.as_ref(), act.case, event).await?;
        }
        let outcome = match end {
            ActEnd::Paid(payee) => {
                moved(transaction.as_ref(), act.case, State::Repaired, Some(payee), event.at).await?;
                resolve(transaction.as_ref(), case).await?;
                let waiting = unfinished_of(transaction.as_ref(), act.case).await?;
                if let Some(waiting) = waiting.filter(|waiting| waiting.request_id != known.request_id) {
                    let outcome = RecordedAct::try_from(waiting.clone())?.act.outcome_of(payee);
                    conclude(transaction.as_ref(), waiting, Some(outcome), end, event.at).await?;
                }
                Some(act.outcome_of(payee))
            }
            ActEnd::Closed => {
                resolve(transaction.as_ref(), case).await?;
                Some(Outcome::Done)
            }
            ActEnd::Refused(verdict) => Some(Outcome::Refused(verdict.clone())),
            ActEnd::InSuspense => {
                moved(transaction.as_ref(), act.case, State::Suspended, None, event.at).await?;
                None
            }
            ActEnd::Undecided(_) => None,
        };
        let recorded = if recorded.outcome.is_some() {
            recorded // the first answer stands, whatever the case learns later
        } else {
            conclude(transaction.as_ref(), known, outcome, end, event.at).await?
        };
        transaction.commit().await?;
        Ok(recorded)
    }

    pub(super) async fn unfinished(&self, now: Timestamp, limit: u64) -> Result<Vec<Act>> {
        let rows = Entity::find()
            .filter(Column::Outcome.eq(outcome_code(None).0))
            .filter(Column::AttemptUntilUs.lte(now.as_microsecond()))
            .order_by_asc(Column::AttemptUntilUs)
            .limit(limit)
            .all(self.database.read())
            .await?;
        rows.into_iter()
            .map(|row| Ok(RecordedAct::try_from(row)?.act))
            .collect()
    }
}

/// The act on a case that has no outcome; its case's row is locked.
async fn unfinished_of(transaction: &DatabaseTransaction, case: TransferId) -> Result<Option<Model>> {
    let query = Entity::find()
        .filter(Column::CaseId.eq(case.as_uuid()))
        .filter(Column::Outcome.eq(outcome_code(None).0));
    Ok(query.one(transaction).await?)
}

/// Puts another try on record, open until both ends are past.
async fn try_again(
    transaction: &DatabaseTransaction,
    known: Model,
    attempt: Attempt,
    doubt: Option<Timestamp>,
) -> Result<()> {
    let until = doubt.map_or(attempt.until, |doubt| doubt.max(attempt.until));
    let mut row = known.into_active_model();
    row.attempt_id = Set(attempt.id);
    row.attempt_until_us = Set(until.as_microsecond());
    row.update_without_returning(transaction).await?;
    Ok(())
}

/// The act after a try at it.
async fn conclude(
    transaction: &DatabaseTransaction,
    known: Model,
    outcome: Option<Outcome>,
    end: &ActEnd,
    now: Timestamp,
) -> Result<RecordedAct> {
    let mut row = known.clone();
    (row.outcome, row.outcome_detail) = outcome_code(outcome.as_ref());
    if outcome.is_some() {
        row.update_time_us = now.as_microsecond();
    }
    if let ActEnd::Undecided(until) = end {
        row.attempt_until_us = until.map_or(now, |until| until).as_microsecond();
    }
    if row != known {
        let mut update = row.clone().into_active_model().reset_all();
        update.request_id = sea_orm::ActiveValue::Unchanged(row.request_id.clone());
        update.update_without_returning(transaction).await?;
    }
    row.try_into()
}

/// The order after its money moved, if it may be so.
async fn moved(
    transaction: &DatabaseTransaction,
    id: TransferId,
    state: State,
    payee: Option<&Payee>,
    now: Timestamp,
) -> Result<()> {
    let row = locked(transaction, id).await?;
    let row = row.ok_or_else(|| Error::inconsistent(format!("case {id} without an order")))?;
    let order = Order::try_from(row)?;
    if let Some(order) = order.moved_to(state, payee, now) {
        update(transaction, &order).await?;
    }
    Ok(())
}

async fn resolve(transaction: &DatabaseTransaction, case: cases::Model) -> Result<()> {
    let mut case = case.into_active_model();
    case.state = Set(case_code(CaseState::Resolved));
    case.update_without_returning(transaction).await?;
    Ok(())
}

/// Whether the case's history says already that this act is delayed.
async fn is_delayed(transaction: &DatabaseTransaction, act: &Act) -> Result<bool> {
    let query = case_events::Entity::find()
        .filter(case_events::Column::CaseId.eq(act.case.as_uuid()))
        .filter(case_events::Column::Action.eq(Action::Delayed.name()))
        .filter(case_events::Column::RequestId.eq(act.request.as_str()));
    Ok(query.one(transaction).await?.is_some())
}
