//! Operators' acts on repair cases.

use clock::Timestamp;
use id::TransferId;
use sql::{Error, Result};

use super::tables::{ActRow, CaseRow, Tables};
use crate::{
    domain::{Act, Action, CaseEvent, CaseState, Outcome, Payee, RecordedAct, State},
    store::{ActEnd, ActStart, Attempt},
};

/// See [`Cases::begin_act`](crate::store::Cases::begin_act).
pub fn begin(tables: &mut Tables, act: &Act, attempt: Attempt, now: Timestamp, over: bool) -> Result<ActStart> {
    let Some(case) = tables.cases().get(&act.case) else {
        return Ok(ActStart::NotFound);
    };
    let Some(order) = tables.orders().get(&act.case).map(|row| row.order.clone()) else {
        return Ok(ActStart::OrderMissing);
    };
    let resolved = case.state == CaseState::Resolved;
    if let Some(known) = tables.acts().get(&act.request).cloned() {
        if known.recorded.outcome.is_some() || !known.recorded.act.asks_the_same(act) {
            return Ok(ActStart::Known(known.recorded));
        }
        let until = known.attempt_until;
        let open = until > now;
        if open && !over && known.attempt_id != attempt.id {
            return Ok(ActStart::Held(known.recorded.act, until));
        }
        let doubt = Some(until).filter(|_| open && over);
        tables.put_act(ActRow {
            attempt_id: attempt.id,
            attempt_until: doubt.map_or(attempt.until, |doubt| doubt.max(attempt.until)),
            ..known
        });
        return Ok(ActStart::Begun { order, doubt });
    }
    if resolved {
        return Ok(ActStart::Resolved);
    }
    if let Some(other) = unfinished_of(tables, act.case) {
        return Ok(ActStart::Held(other.recorded.act, other.attempt_until));
    }
    tables.put_act(ActRow {
        recorded: RecordedAct {
            act: act.clone(),
            outcome: None,
            updated: act.at,
        },
        attempt_id: attempt.id,
        attempt_until: attempt.until,
    });
    append(known(tables, act.case)?, &act.event());
    Ok(ActStart::Begun { order, doubt: None })
}

/// See [`Cases::end_act`](crate::store::Cases::end_act).
pub fn end(tables: &mut Tables, act: &Act, attempt: Attempt, end: &ActEnd, event: &CaseEvent) -> Result<RecordedAct> {
    let row = tables.acts().get(&act.request).cloned();
    let mut row = row.ok_or_else(|| Error::inconsistent(format!("act {} is gone", act.request)))?;
    let is_fact = matches!(end, ActEnd::Paid(_) | ActEnd::InSuspense);
    let ours = row.attempt_id == attempt.id && row.recorded.outcome.is_none();
    let case = known(tables, act.case)?;
    if case.state == CaseState::Resolved || !(ours || is_fact) {
        return Ok(row.recorded);
    }
    let told = |told: &CaseEvent| told.action == Action::Delayed && told.request.as_ref() == Some(&act.request);
    if event.action != Action::Delayed || !case.events.iter().any(told) {
        append(case, event);
    }
    let outcome = match end {
        ActEnd::Paid(payee) => {
            case.state = CaseState::Resolved;
            moved(tables, act.case, State::Repaired, Some(payee), event.at)?;
            if let Some(mut waiting) =
                unfinished_of(tables, act.case).filter(|row| row.recorded.act.request != act.request)
            {
                waiting.recorded.outcome = Some(waiting.recorded.act.outcome_of(payee));
                waiting.recorded.updated = event.at;
                tables.put_act(waiting);
            }
            Some(act.outcome_of(payee))
        }
        ActEnd::Closed => {
            case.state = CaseState::Resolved;
            Some(Outcome::Done)
        }
        ActEnd::Refused(verdict) => Some(Outcome::Refused(verdict.clone())),
        ActEnd::InSuspense => {
            moved(tables, act.case, State::Suspended, None, event.at)?;
            None
        }
        ActEnd::Undecided(until) => {
            row.attempt_until = until.unwrap_or(event.at);
            None
        }
    };
    // The first answer stands, whatever the case learns later.
    if row.recorded.outcome.is_none() {
        if outcome.is_some() {
            row.recorded.updated = event.at;
        }
        row.recorded.outcome = outcome;
        tables.put_act(row.clone());
    }
    Ok(row.recorded)
}

/// See [`Cases::unfinished_acts`](crate::store::Cases::unfinished_acts).
pub fn unfinished(tables: &Tables, now: Timestamp, limit: usize) -> Vec<Act> {
    let rows = tables.acts().values();
    let mut rows: Vec<&ActRow> = rows
        .filter(|row| row.recorded.outcome.is_none() && row.attempt_until <= now)
        .collect();
    rows.sort_by_key(|row| row.attempt_until);
    rows.into_iter()
        .take(limit)
        .map(|row| row.recorded.act.clone())
        .collect()
}

/// The act on a case that has no outcome.
fn unfinished_of(tables: &Tables, case: TransferId) -> Option<ActRow> {
    let mut rows = tables.acts().values();
    let found = rows.find(|row| row.recorded.outcome.is_none() && row.recorded.act.case == case);
    found.cloned()
}

fn known(tables: &mut Tables, id: TransferId) -> Result<&mut CaseRow> {
    let case = tables.case_mut(id);
    case.ok_or_else(|| Error::inconsistent(format!("case {id} is gone")))
}

/// Adds an event to a case, unless it is the last one already: then the answer to the commit that added it was lost.
fn append(case: &mut CaseRow, event: &CaseEvent) {
    if case.events.last() != Some(event) {
        case.events.push(event.clone());
    }
}

/// The order after its money moved, if it may be so.
fn moved(tables: &mut Tables, id: TransferId, state: State, payee: Option<&Payee>, now: Timestamp) -> Result<()> {
    let order = tables.known(id)?.order.clone();
    match order.moved_to(state, payee, now) {
        Some(order) => tables.put_order((&order).into()),
        None => Ok(()),
    }
}
