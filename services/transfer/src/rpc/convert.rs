//! Wire to domain, with every violation at once, and domain to wire.

use id::{PacketId, TransferId, UserId};
use paging::{Limits, Page};
use proto::transfer::v1 as wire;
use status::{Violations, check_text};
use tonic::Status;
use uuid::Uuid;
use wire::{list_transfers_request as list_of, resolve_repair_case_request as resolve_to};

use crate::{
    domain::{Actor, Case, CaseState, Difference, Kind, Order, State},
    ops::{
        reconcile::Report,
        repair::{Act, Target},
    },
    store::{ListKey, Of},
};

/// Sizes of pages (transfer.proto).
const PAGES: Limits = Limits {
    default: 50,
    max: 1_000,
};
/// Longest reason of an operator, in characters (transfer.proto).
const MAX_REASON: usize = 200;

pub fn fund(request: &wire::FundPacketRequest) -> Result<(PacketId, UserId, i64), Status> {
    payment(&request.packet_id, &request.sender_id, request.amount_fen, 1)
}

pub fn refund(request: &wire::RefundPacketRequest) -> Result<(PacketId, UserId, i64), Status> {
    payment(&request.packet_id, &request.sender_id, request.amount_fen, 0)
}

fn payment(packet: &str, sender: &str, amount_fen: i64, min_fen: i64) -> Result<(PacketId, UserId, i64), Status> {
    let mut violations = Violations::default();
    let packet = violations.parse("packet_id", packet);
    let sender = violations.parse("sender_id", sender);
    let bound = format!("must be at least {min_fen}");
    violations.check(amount_fen >= min_fen, "amount_fen", bound);
    violations.finish_with(packet.zip(sender).map(|(packet, sender)| (packet, sender, amount_fen)))
}

pub fn transfer_id(field: &str, text: &str) -> Result<TransferId, Status> {
    let mut violations = Violations::default();
    let id = parse_id(&mut violations, field, text);
    violations.finish_with(id)
}

/// Only the hyphenated form, as everywhere.
fn parse_id(violations: &mut Violations, field: &str, text: &str) -> Option<TransferId> {
    let id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
    violations.check(id.is_some(), field, "must be a UUID of 36 characters");
    id.map(TransferId::from)
}

pub fn list(request: wire::ListTransfersRequest) -> Result<(Of, Page<ListKey>), Status> {
    let mut violations = Violations::default();
    let page = Page::parse(&mut violations, request.page_size, &request.page_token, PAGES);
    let of = match violations.require("of", request.of) {
        Some(list_of::Of::PacketId(packet)) => violations.parse("packet_id", &packet).map(Of::Packet),
        Some(list_of::Of::UserId(user)) => violations.parse("user_id", &user).map(Of::User),
        None => None,
    };
    violations.finish_with(of.zip(page))
}

pub fn list_cases(request: &wire::ListRepairCasesRequest) -> Result<(Option<CaseState>, Page<ListKey>), Status> {
    let mut violations = Violations::default();
    let state = match wire::CaseState::try_from(request.state) {
        Ok(wire::CaseState::Unspecified) => None,
        Ok(wire::CaseState::Open) => Some(CaseState::Open),
        Ok(wire::CaseState::Resolved) => Some(CaseState::Resolved),
        Err(_) => {
            violations.add("state", "must be one of the states of a case, or unspecified for all");
            None
        }
    };
    let page = Page::parse(&mut violations, request.page_size, &request.page_token, PAGES);
    violations.finish_with(page.map(|page| (state, page)))
}

pub fn retry(request: wire::RetryRepairCaseRequest) -> Result<Act, Status> {
    let mut violations = Violations::default();
    let target = Some(Target::Receiver);
    let wanted = wanted(
        &mut violations,
        &request.case_id,
        &request.operator_id,
        request.reason,
        target,
    );
    violations.finish_with(wanted)
}

pub fn resolve(request: wire::ResolveRepairCaseRequest) -> Result<Act, Status> {
    let mut violations = Violations::default();
    let target = match violations.require("to", request.to) {
        Some(resolve_to::To::RedirectUserId(user)) => violations.parse("redirect_user_id", &user).map(Target::User),
        Some(resolve_to::To::ReturnToSender(_)) => Some(Target::Sender),
        None => None,
    };
    let wanted = wanted(
        &mut violations,
        &request.case_id,
        &request.operator_id,
        request.reason,
        target,
    );
    violations.finish_with(wanted)
}

fn wanted(
    violations: &mut Violations,
    case: &str,
    operator: &str,
    reason: String,
    target: Option<Target>,
) -> Option<Act> {
    let case = parse_id(violations, "case_id", case);
    let operator: Option<UserId> = violations.parse("operator_id", operator);
    let reserved = operator.as_ref().is_some_and(|name| name.as_str() == Actor::SYSTEM);
    violations.check(!reserved, "operator_id", "is reserved for the service itself");
    violations.check(!reason.is_empty(), "reason", "must be set");
    check_text(violations, "reason", &reason, MAX_REASON);
    Some(Act {
        case: case?,
        operator: operator?,
        reason,
        target: target?,
    })
}

pub fn order(order: &Order) -> wire::TransferOrder {
    let kind = match order.kind {
        Kind::Fund => wire::OrderKind::Fund,
        Kind::Settle => wire::OrderKind::Settle,
        Kind::Refund => wire::OrderKind::Refund,
    };
    let state = match order.state {
        State::Pending => wire::OrderState::Pending,
        State::Posted => wire::OrderState::Posted,
        State::Rejected => wire::OrderState::Rejected,
        State::Suspended => wire::OrderState::Suspended,
        State::Stuck => wire::OrderState::Stuck,
        State::Repaired => wire::OrderState::Repaired,
    };
    wire::TransferOrder {
        transfer_id: order.id.to_string(),
        kind: kind.into(),
        state: state.into(),
        packet_id: order.packet.map(|packet| packet.to_string()).unwrap_or_default(),
        user_id: order.user.as_ref().map(ToString::to_string).unwrap_or_default(),
        amount_fen: order.amount_fen,
        share_no: order.share_no,
        failure: order
            .failure
            .map(|failure| failure.name().to_owned())
            .unwrap_or_default(),
        create_time: Some(clock::to_proto(order.created)),
        update_time: Some(clock::to_proto(order.updated)),
        claim_time: order.claim.and_then(|claim| claim.at).map(clock::to_proto),
    }
}

pub fn case(case: &Case) -> wire::RepairCase {
    let state = match case.state {
        CaseState::Open => wire::CaseState::Open,
        CaseState::Resolved => wire::CaseState::Resolved,
    };
    let events = case.events.iter().map(|event| wire::CaseEvent {
        create_time: Some(clock::to_proto(event.at)),
        actor: event.actor.name().to_owned(),
        action: event.action.name().to_owned(),
        reason: event.reason.clone(),
    });
    wire::RepairCase {
        case_id: case.order.id.to_string(),
        state: state.into(),
        order: Some(order(&case.order)),
        events: events.collect(),
        create_time: Some(clock::to_proto(case.created)),
    }
}

pub fn report(report: &Report) -> wire::ReconcileResponse {
    wire::ReconcileResponse {
        packet_count: report.packet_count,
        claim_count: report.claim_count,
        transfer_count: report.transfer_count,
        unsettled_count: report.unsettled_count,
        open_case_count: report.open_case_count,
        differences: report.differences.iter().map(difference).collect(),
    }
}

fn difference(difference: &Difference) -> wire::Difference {
    wire::Difference {
        kind: difference.kind.name().to_owned(),
        description: difference.description.clone(),
        packet_id: difference.packet.map(|packet| packet.to_string()).unwrap_or_default(),
        transfer_id: difference.transfer.clone().unwrap_or_default(),
        difference_fen: difference.difference_fen,
        case_id: difference.case.map(|case| case.to_string()).unwrap_or_default(),
    }
}
