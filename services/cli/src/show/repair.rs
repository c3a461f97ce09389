//! Repair cases and what came of acts on them.

use proto::transfer::v1 as transfer;
use serde::Serialize;

use super::{
    View,
    operation::Order,
    rows,
    value::{Time, enum_name, shown, yuan},
};

/// A transfer that automation could not complete.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Case {
    pub case_id: String,
    pub kind: String,
    pub state: &'static str,
    pub order: Option<Order>,
    pub events: Vec<Event>,
    pub create_time: Option<Time>,
}

/// Something that happened to a case.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Event {
    pub create_time: Option<Time>,
    pub actor: String,
    pub action: String,
    pub reason: String,
    pub request_id: String,
    pub detail: String,
}

impl From<transfer::RepairCase> for Case {
    fn from(case: transfer::RepairCase) -> Self {
        let events = case.events.into_iter().map(|event| Event {
            create_time: Time::from_proto(event.create_time.as_ref()),
            actor: event.actor,
            action: event.action,
            reason: event.reason,
            request_id: event.request_id,
            detail: event.detail,
        });
        Self {
            case_id: case.case_id,
            kind: case.kind,
            state: enum_name(case.state, transfer::CaseState::as_str_name, "CASE_STATE_"),
            order: case.order.map(Order::from),
            events: events.collect(),
            create_time: Time::from_proto(case.create_time.as_ref()),
        }
    }
}

impl View for Case {
    fn human(&self) -> String {
        let events = self.events.iter().map(|event| {
            [
                shown(event.create_time),
                event.actor.clone(),
                event.action.clone(),
                event.reason.clone(),
                event.detail.clone(),
            ]
        });
        let order = self.order.as_ref().map_or_else(
            || "its order is missing".to_owned(),
            |order| {
                format!(
                    "{} of {} yuan to {} is {} {}",
                    order.kind.to_lowercase(),
                    yuan(order.amount_fen),
                    order.user_id,
                    order.state,
                    order.failure
                )
            },
        );
        format!(
            "case {} ({}) is {}: {order}\n{}",
            self.case_id,
            self.kind,
            self.state,
            rows(
                ["when", "who", "what", "why", "detail"],
                events,
                "nothing happened to it"
            )
        )
    }
}

/// What came of an operator's act.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Outcome {
    pub result: String,
    pub verdict: String,
    pub update_time: Option<Time>,
}

impl From<transfer::ActOutcome> for Outcome {
    fn from(outcome: transfer::ActOutcome) -> Self {
        Self {
            result: outcome.result,
            verdict: outcome.verdict,
            update_time: Time::from_proto(outcome.update_time.as_ref()),
        }
    }
}

/// An act's outcome, and its case as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct Acted {
    /// What came of it: the same however often it is asked for.
    pub outcome: Outcome,
    /// The case.
    pub case: Case,
}

impl View for Acted {
    fn human(&self) -> String {
        let Outcome { result, verdict, .. } = &self.outcome;
        format!("{} {verdict}\n{}", result.to_lowercase(), self.case.human())
    }
}

/// Repair cases of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Cases {
    /// Oldest first.
    pub cases: Vec<Case>,
    /// Whether there are newer ones.
    pub more: bool,
}

impl View for Cases {
    fn human(&self) -> String {
        rows(
            ["case", "about", "state", "order", "user", "#yuan", "why", "opened"],
            self.cases.iter().map(|case| {
                let order = case.order.as_ref();
                [
                    case.case_id.clone(),
                    case.kind.clone(),
                    case.state.to_owned(),
                    order
                        .map(|order| format!("{} {}", order.kind.to_lowercase(), order.state))
                        .unwrap_or_default(),
                    order.map(|order| order.user_id.clone()).unwrap_or_default(),
                    order.map(|order| yuan(order.amount_fen)).unwrap_or_default(),
                    order.map(|order| order.failure.clone()).unwrap_or_default(),
                    shown(case.create_time),
                ]
            }),
            "no repair cases",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_tells_its_history() {
        let mut case = transfer::RepairCase {
            case_id: "c".to_owned(),
            kind: "UNDELIVERED".to_owned(),
            state: transfer::CaseState::Open as i32,
            order: Some(transfer::TransferOrder {
                kind: transfer::OrderKind::Settle as i32,
                state: transfer::OrderState::Suspended as i32,
                user_id: "bob".to_owned(),
                amount_fen: 500,
                failure: "CREDIT_FROZEN".to_owned(),
                ..transfer::TransferOrder::default()
            }),
            events: vec![transfer::CaseEvent {
                actor: "system".to_owned(),
                action: "OPENED".to_owned(),
                detail: "seq=17".to_owned(),
                ..transfer::CaseEvent::default()
            }],
            create_time: None,
        };
        let human = Case::from(case.clone()).human();
        let first = "case c (UNDELIVERED) is OPEN: settle of 5.00 yuan to bob is SUSPENDED CREDIT_FROZEN";
        assert!(human.starts_with(first), "{human}");
        assert!(human.contains("OPENED") && human.contains("seq=17"), "{human}");
        case.order = None;
        let human = Case::from(case).human();
        assert!(
            human.starts_with("case c (UNDELIVERED) is OPEN: its order is missing"),
            "{human}"
        );
    }
}
