//! Transfer orders, repair cases, reconciliation: what operators look at.

use proto::transfer::v1 as transfer;
use serde::Serialize;

use super::{
    View, rows,
    value::{Time, enum_name, shown, yuan},
};

/// One transfer order.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Order {
    pub transfer_id: String,
    pub kind: &'static str,
    pub state: &'static str,
    pub packet_id: String,
    pub user_id: String,
    pub amount_fen: i64,
    pub share_no: u32,
    pub failure: String,
    pub create_time: Option<Time>,
    pub update_time: Option<Time>,
    pub claim_time: Option<Time>,
}

impl From<transfer::TransferOrder> for Order {
    fn from(order: transfer::TransferOrder) -> Self {
        Self {
            transfer_id: order.transfer_id,
            kind: enum_name(order.kind, transfer::OrderKind::as_str_name, "ORDER_KIND_"),
            state: enum_name(order.state, transfer::OrderState::as_str_name, "ORDER_STATE_"),
            packet_id: order.packet_id,
            user_id: order.user_id,
            amount_fen: order.amount_fen,
            share_no: order.share_no,
            failure: order.failure,
            create_time: Time::from_proto(order.create_time.as_ref()),
            update_time: Time::from_proto(order.update_time.as_ref()),
            claim_time: Time::from_proto(order.claim_time.as_ref()),
        }
    }
}

/// Orders of one packet.
#[derive(Clone, Debug, Serialize)]
pub struct Orders {
    /// Oldest first.
    pub orders: Vec<Order>,
    /// Whether there are newer ones.
    pub more: bool,
}

impl View for Orders {
    fn human(&self) -> String {
        rows(
            ["transfer", "kind", "state", "user", "#yuan", "why", "since"],
            self.orders.iter().map(|order| {
                [
                    order.transfer_id.clone(),
                    order.kind.to_lowercase(),
                    order.state.to_owned(),
                    order.user_id.clone(),
                    yuan(order.amount_fen),
                    order.failure.clone(),
                    shown(order.update_time),
                ]
            }),
            "no transfers",
        )
    }
}

/// A transfer that automation could not complete.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Case {
    pub case_id: String,
    pub state: &'static str,
    pub order: Order,
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
}

impl From<transfer::RepairCase> for Case {
    fn from(case: transfer::RepairCase) -> Self {
        let events = case.events.into_iter().map(|event| Event {
            create_time: Time::from_proto(event.create_time.as_ref()),
            actor: event.actor,
            action: event.action,
            reason: event.reason,
        });
        Self {
            case_id: case.case_id,
            state: enum_name(case.state, transfer::CaseState::as_str_name, "CASE_STATE_"),
            order: case.order.unwrap_or_default().into(),
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
            ]
        });
        format!(
            "case {} is {}: {} of {} yuan to {} is {} {}\n{}",
            self.case_id,
            self.state,
            self.order.kind.to_lowercase(),
            yuan(self.order.amount_fen),
            self.order.user_id,
            self.order.state,
            self.order.failure,
            rows(["when", "who", "what", "why"], events, "nothing happened to it")
        )
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
            ["case", "state", "order", "user", "#yuan", "why", "opened"],
            self.cases.iter().map(|case| {
                [
                    case.case_id.clone(),
                    case.state.to_owned(),
                    format!("{} {}", case.order.kind.to_lowercase(), case.order.state),
                    case.order.user_id.clone(),
                    yuan(case.order.amount_fen),
                    case.order.failure.clone(),
                    shown(case.create_time),
                ]
            }),
            "no repair cases",
        )
    }
}

/// What reconciliation found.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Reconciled {
    pub packet_count: i64,
    pub claim_count: i64,
    pub transfer_count: i64,
    pub unsettled_count: i64,
    pub open_case_count: i64,
    pub differences: Vec<Difference>,
}

/// Two records that should agree and do not.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Difference {
    pub kind: String,
    pub description: String,
    pub packet_id: String,
    pub transfer_id: String,
    pub difference_fen: i64,
    pub case_id: String,
}

impl From<transfer::ReconcileResponse> for Reconciled {
    fn from(result: transfer::ReconcileResponse) -> Self {
        let differences = result.differences.into_iter().map(|difference| Difference {
            kind: difference.kind,
            description: difference.description,
            packet_id: difference.packet_id,
            transfer_id: difference.transfer_id,
            difference_fen: difference.difference_fen,
            case_id: difference.case_id,
        });
        Self {
            packet_count: result.packet_count,
            claim_count: result.claim_count,
            transfer_count: result.transfer_count,
            unsettled_count: result.unsettled_count,
            open_case_count: result.open_case_count,
            differences: differences.collect(),
        }
    }
}

impl View for Reconciled {
    /// The last line is `reconciled: N differences`, whatever N is.
    fn human(&self) -> String {
        let mut lines = vec![format!(
            "held against each other: {} packets, {} claims, {} transfers; unsettled {}, open repair cases {}",
            self.packet_count, self.claim_count, self.transfer_count, self.unsettled_count, self.open_case_count
        )];
        if !self.differences.is_empty() {
            let differences = self.differences.iter().map(|difference| {
                [
                    difference.kind.clone(),
                    yuan(difference.difference_fen),
                    difference.packet_id.clone(),
                    difference.transfer_id.clone(),
                    difference.description.clone(),
                ]
            });
            lines.push(rows(
                ["what", "#yuan apart", "packet", "transfer", "description"],
                differences,
                "",
            ));
        }
        lines.push(format!("reconciled: {} differences", self.differences.len()));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_the_differences() {
        let mut found = transfer::ReconcileResponse::default();
        let last = |found: &transfer::ReconcileResponse| {
            let human = Reconciled::from(found.clone()).human();
            human.lines().last().map(str::to_owned)
        };
        assert_eq!(last(&found).as_deref(), Some("reconciled: 0 differences"));
        found.differences.push(transfer::Difference {
            kind: "CLAIM_WITHOUT_TRANSFER".to_owned(),
            difference_fen: 12,
            ..transfer::Difference::default()
        });
        assert_eq!(last(&found).as_deref(), Some("reconciled: 1 differences"));
        let human = Reconciled::from(found).human();
        assert!(
            human.contains("CLAIM_WITHOUT_TRANSFER") && human.contains("0.12"),
            "{human}"
        );
    }

    #[test]
    fn a_case_tells_its_history() {
        let case = Case::from(transfer::RepairCase {
            case_id: "c".to_owned(),
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
                ..transfer::CaseEvent::default()
            }],
            create_time: None,
        });
        let human = case.human();
        assert!(human.starts_with("case c is OPEN: settle of 5.00 yuan to bob is SUSPENDED CREDIT_FROZEN"));
        assert!(human.contains("OPENED"), "{human}");
    }
}
