//! Rows to domain and back.

use std::num::NonZeroU16;

use id::{Partition, UserId};

use super::entity::{acts, case_events, cases, orders};
use crate::domain::{
    Act, Action, Actor, CaseEvent, CaseState, ClaimRef, Decision, Failure, Kind, Order, Outcome, Payee, RecordedAct,
    State,
};
use crate::store::Attempt;
use sql::{Error, Result};

/// What stands in `orders.kind`. Never change a number: rows carry it.
pub const fn kind_code(kind: Kind) -> i16 {
    match kind {
        Kind::Fund => 1,
        Kind::Settle => 2,
        Kind::Refund => 3,
        Kind::Finding => 4,
    }
}

/// The kind of that code.
pub fn kind_of(code: i16) -> Result<Kind> {
    let kinds = [Kind::Fund, Kind::Settle, Kind::Refund, Kind::Finding];
    let kind = kinds.into_iter().find(|kind| kind_code(*kind) == code);
    kind.ok_or_else(|| Error::inconsistent(format!("kind {code} of an order")))
}

/// What stands in `orders.state`. Never change a number: rows carry it.
pub const fn state_code(state: State) -> i16 {
    match state {
        State::Pending => 1,
        State::Posted => 2,
        State::Rejected => 3,
        State::Suspended => 4,
        State::Stuck => 5,
        State::Repaired => 6,
    }
}

/// What stands in `repair_cases.state`. Never change a number: rows carry it.
pub const fn case_code(state: CaseState) -> i16 {
    match state {
        CaseState::Open => 1,
        CaseState::Resolved => 2,
    }
}

/// What stands in `repair_acts.decision`. Never change a number: rows carry it.
pub const fn decision_code(decision: Decision) -> i16 {
    match decision {
        Decision::Retry => 1,
        Decision::Redirect => 2,
        Decision::Return => 3,
        Decision::WriteOff => 4,
    }
}

/// What stands in `repair_acts.outcome` and beside it; `None`: it has none. Never change a number: rows carry it.
pub fn outcome_code(outcome: Option<&Outcome>) -> (i16, Option<String>) {
    match outcome {
        None => (1, None),
        Some(Outcome::Done) => (2, None),
        Some(Outcome::Refused(verdict)) => (3, Some(verdict.clone())),
        Some(Outcome::Late(payee)) => (4, Some(payee.name().to_owned())),
    }
}

/// The partition numbered `index`.
pub fn partition(index: i32) -> Result<Partition> {
    u32::try_from(index)
        .ok()
        .and_then(|index| Partition::new(index, NonZeroU16::MAX))
        .ok_or_else(|| Error::inconsistent(format!("partition {index}")))
}

/// The state of a case.
pub fn case_state(row: &cases::Model) -> Result<CaseState> {
    [CaseState::Open, CaseState::Resolved]
        .into_iter()
        .find(|state| case_code(*state) == row.state)
        .ok_or_else(|| Error::inconsistent(format!("state {} of case {}", row.state, row.case_id)))
}

impl TryFrom<orders::Model> for Order {
    type Error = Error;

    fn try_from(row: orders::Model) -> Result<Self> {
        let wrong = |what: &str| Error::inconsistent(format!("{what} of order {}", row.transfer_id));
        let user = |name: &Option<String>, what| {
            let name = name.as_deref().map(str::parse::<UserId>);
            name.transpose().map_err(|_| wrong(what))
        };
        let states = [
            State::Pending,
            State::Posted,
            State::Rejected,
            State::Suspended,
            State::Stuck,
            State::Repaired,
        ];
        let claim = match (row.partition_no, row.seq) {
            (Some(index), Some(seq)) => Some(ClaimRef {
                partition: partition(index)?,
                seq,
                at: row.claim_time_us.map(clock::from_micros),
            }),
            (None, None) => None,
            _ => return Err(wrong("claim")),
        };
        let payee = row.paid_to.as_deref().map(|name| Payee::from_name(name).ok_or(name));
        let failure = row.failure.as_deref().map(|name| Failure::from_name(name).ok_or(name));
        Ok(Self {
            id: row.transfer_id.into(),
            kind: kind_of(row.kind)?,
            state: states
                .into_iter()
                .find(|state| state_code(*state) == row.state)
                .ok_or_else(|| wrong("state"))?,
            packet: row.packet_id.map(Into::into),
            user: user(&row.user_id, "user")?,
            amount_fen: row.amount_fen,
            share_no: u32::try_from(row.share_no).map_err(|_| wrong("share"))?,
            claim,
            failure: failure.transpose().map_err(|_| wrong("failure"))?,
            balance_fen: row.balance_fen,
            paid_to: payee.transpose().map_err(|_| wrong("payee"))?,
            created: clock::from_micros(row.create_time_us),
            updated: clock::from_micros(row.update_time_us),
        })
    }
}

impl From<&Order> for orders::Model {
    /// The row of an order with no try open.
    fn from(order: &Order) -> Self {
        let name = |user: &Option<UserId>| user.as_ref().map(|user| user.as_str().to_owned());
        Self {
            transfer_id: order.id.as_uuid(),
            kind: kind_code(order.kind),
            state: state_code(order.state),
            packet_id: order.packet.map(|packet| packet.as_uuid()),
            user_id: name(&order.user),
            amount_fen: order.amount_fen,
            share_no: i64::from(order.share_no),
            partition_no: order.claim.map(|claim| i32::from(claim.partition.index())),
            seq: order.claim.map(|claim| claim.seq),
            claim_time_us: order
                .claim
                .and_then(|claim| claim.at)
                .map(clock::Timestamp::as_microsecond),
            failure: order.failure.map(|failure| failure.name().to_owned()),
            balance_fen: order.balance_fen,
            paid_to: order.paid_to.as_ref().map(|payee| payee.name().to_owned()),
            attempt_id: None,
            attempt_until_us: None,
            create_time_us: order.created.as_microsecond(),
            update_time_us: order.updated.as_microsecond(),
        }
    }
}

/// The row of a case's event number `event_no`.
pub fn event_row(case: uuid::Uuid, event_no: i32, event: &CaseEvent) -> case_events::Model {
    case_events::Model {
        case_id: case,
        event_no,
        actor: event.actor.name().to_owned(),
        action: event.action.name().to_owned(),
        reason: event.reason.clone(),
        create_time_us: event.at.as_microsecond(),
        request_id: event.request.clone().map(Into::into),
        detail: Some(event.detail.clone()).filter(|detail| !detail.is_empty()),
    }
}

impl TryFrom<case_events::Model> for CaseEvent {
    type Error = Error;

    fn try_from(row: case_events::Model) -> Result<Self> {
        let wrong =
            |what: &str| Error::inconsistent(format!("{what} of event {} of case {}", row.event_no, row.case_id));
        let actor = match row.actor.as_str() {
            Actor::SYSTEM => Actor::System,
            name => Actor::Operator(name.parse().map_err(|_| wrong("actor"))?),
        };
        let action = Action::ALL
            .into_iter()
            .find(|action| action.name() == row.action)
            .ok_or_else(|| wrong("action"))?;
        let request = row.request_id.as_deref().map(str::parse);
        Ok(Self {
            at: clock::from_micros(row.create_time_us),
            actor,
            action,
            reason: row.reason,
            request: request.transpose().map_err(|_| wrong("request"))?,
            detail: row.detail.unwrap_or_default(),
        })
    }
}

/// The row of an act with a try at it.
pub fn act_row(act: &Act, attempt: Attempt) -> acts::Model {
    acts::Model {
        request_id: act.request.clone().into(),
        case_id: act.case.as_uuid(),
        operator_id: act.operator.clone().into(),
        decision: decision_code(act.decision),
        payee: act.payee.name().to_owned(),
        reason: act.reason.clone(),
        outcome: outcome_code(None).0,
        outcome_detail: None,
        attempt_id: attempt.id,
        attempt_until_us: attempt.until.as_microsecond(),
        create_time_us: act.at.as_microsecond(),
        update_time_us: act.at.as_microsecond(),
    }
}

impl TryFrom<acts::Model> for RecordedAct {
    type Error = Error;

    fn try_from(row: acts::Model) -> Result<Self> {
        let wrong = |what: &str| Error::inconsistent(format!("{what} of act {}", row.request_id));
        let detail = || row.outcome_detail.clone().ok_or_else(|| wrong("outcome"));
        let outcome = match row.outcome {
            1 => None,
            2 => Some(Outcome::Done),
            3 => Some(Outcome::Refused(detail()?)),
            4 => Some(Outcome::Late(
                Payee::from_name(&detail()?).ok_or_else(|| wrong("payee"))?,
            )),
            _ => return Err(wrong("outcome")),
        };
        let decision = Decision::ALL
            .into_iter()
            .find(|code| decision_code(*code) == row.decision);
        Ok(Self {
            act: Act {
                request: row.request_id.parse().map_err(|_| wrong("request"))?,
                case: row.case_id.into(),
                operator: row.operator_id.parse().map_err(|_| wrong("operator"))?,
                decision: decision.ok_or_else(|| wrong("decision"))?,
                payee: Payee::from_name(&row.payee).ok_or_else(|| wrong("payee"))?,
                reason: row.reason.clone(),
                at: clock::from_micros(row.create_time_us),
            },
            outcome,
            updated: clock::from_micros(row.update_time_us),
        })
    }
}
