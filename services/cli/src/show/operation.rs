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
    pub paid_to_user_id: String,
    pub written_off: bool,
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
            paid_to_user_id: order.paid_to_user_id,
            written_off: order.written_off,
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
