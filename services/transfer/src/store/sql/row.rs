//! Rows to domain and back.

use std::num::NonZeroU16;

use id::{Partition, UserId};

use super::entity::{case_events, cases, orders};
use crate::domain::{Action, Actor, CaseEvent, CaseState, ClaimRef, Failure, Kind, Order, State};
use sql::{Error, Result};

/// What stands in `orders.kind`. Never change a number: rows carry it.
pub const fn kind_code(kind: Kind) -> i16 {
    match kind {
        Kind::Fund => 1,
        Kind::Settle => 2,
        Kind::Refund => 3,
    }
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
        let kinds = [Kind::Fund, Kind::Settle, Kind::Refund];
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
        let failure = row.failure.as_deref().map(|name| Failure::from_name(name).ok_or(name));
        Ok(Self {
            id: row.transfer_id.into(),
            kind: kinds
                .into_iter()
                .find(|kind| kind_code(*kind) == row.kind)
                .ok_or_else(|| wrong("kind"))?,
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
            paid_to: user(&row.paid_to, "payee")?,
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
            paid_to: name(&order.paid_to),
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
        Ok(Self {
            at: clock::from_micros(row.create_time_us),
            actor,
            action,
            reason: row.reason,
        })
    }
}
