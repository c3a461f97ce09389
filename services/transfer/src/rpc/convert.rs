//! Wire to domain, with every violation at once, and domain to wire.

use id::{PacketId, RequestId, TransferId, UserId};
use paging::{Limits, Page};
use proto::transfer::v1 as wire;
use status::{Violations, check_text};
use tonic::Status;
use uuid::Uuid;
use wire::{list_transfers_request as list_of, resolve_repair_case_request as resolve_to};

use crate::{
    domain::{Actor, Case, CaseState, Difference, Kind, Order, Outcome, Payee, RecordedAct, State},
    ops::{
        reconcile::{Position, Report},
        repair::{Target, Wish},
    },
    store::{ListKey, Of},
};

/// Sizes of pages (transfer.proto).
const PAGES: Limits = Limits {
    default: 50,
    max: 1_000,
};
/// Sizes of a slice of reconciliation (transfer.proto).
const SLICES: Limits = Limits {
    default: 20_000,
    max: 100_000,
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

/// From where on to reconcile, and about how many rows.
pub fn reconcile(request: &wire::ReconcileRequest) -> Result<(Position, u64), Status> {
    let mut violations = Violations::default();
    let page: Option<Page<Position>> = Page::parse(&mut violations, request.page_size, &request.page_token, SLICES);
    violations.finish_with(page.map(|page| (page.after.unwrap_or_default(), page.size as u64)))
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

pub fn retry(request: wire::RetryRepairCaseRequest) -> Result<Wish, Status> {
    let mut violations = Violations::default();
    let act = Named {
        request_id: &request.request_id,
        case_id: &request.case_id,
        operator_id: &request.operator_id,
        reason: request.reason,
    };
    let wish = act.wish(&mut violations, Some(Target::Receiver));
    violations.finish_with(wish)
}

pub fn resolve(request: wire::ResolveRepairCaseRequest) -> Result<Wish, Status> {
    let mut violations = Violations::default();
    let target = match violations.require("to", request.to) {
        Some(resolve_to::To::RedirectUserId(user)) => violations.parse("redirect_user_id", &user).map(Target::User),
        Some(resolve_to::To::ReturnToSender(_)) => Some(Target::Sender),
        Some(resolve_to::To::WriteOff(_)) => Some(Target::WriteOff),
        None => None,
    };
    let act = Named {
        request_id: &request.request_id,
        case_id: &request.case_id,
        operator_id: &request.operator_id,
        reason: request.reason,
    };
    let wish = act.wish(&mut violations, target);
    violations.finish_with(wish)
}

/// What every act is told.
struct Named<'a> {
    request_id: &'a str,
    case_id: &'a str,
    operator_id: &'a str,
    reason: String,
}

impl Named<'_> {
    fn wish(self, violations: &mut Violations, target: Option<Target>) -> Option<Wish> {
        let case = parse_id(violations, "case_id", self.case_id);
        let request: Option<RequestId> = violations.parse("request_id", self.request_id);
        let operator: Option<UserId> = violations.parse("operator_id", self.operator_id);
        let reserved = operator.as_ref().is_some_and(|name| name.as_str() == Actor::SYSTEM);
        violations.check(!reserved, "operator_id", "is reserved for the service itself");
        violations.check(!self.reason.trim().is_empty(), "reason", "must say why, for the record");
        check_text(violations, "reason", &self.reason, MAX_REASON);
        Some(Wish {
            request: request?,
            case: case?,
            operator: operator?,
            reason: self.reason,
            target: target?,
        })
    }
}

pub fn order(order: &Order) -> wire::TransferOrder {
    let kind = match order.kind {
        Kind::Fund => wire::OrderKind::Fund,
        Kind::Settle => wire::OrderKind::Settle,
        Kind::Refund => wire::OrderKind::Refund,
        Kind::Finding => wire::OrderKind::Finding,
    };
    let state = match order.state {
        State::Pending => wire::OrderState::Pending,
        State::Posted => wire::OrderState::Posted,
        State::Rejected => wire::OrderState::Rejected,
        State::Suspended => wire::OrderState::Suspended,
        State::Stuck => wire::OrderState::Stuck,
        State::Repaired => wire::OrderState::Repaired,
    };
    let paid_to = order.paid_to.as_ref().and_then(Payee::user);
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
        paid_to_user_id: paid_to.map(ToString::to_string).unwrap_or_default(),
        written_off: order.paid_to == Some(Payee::WriteOff),
        claim: order.claim.map(|claim| wire::ClaimPosition {
            partition: u32::from(claim.partition.index()),
            seq: claim.seq,
        }),
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
        request_id: event.request.clone().map(Into::into).unwrap_or_default(),
        detail: event.detail.clone(),
    });
    wire::RepairCase {
        case_id: case.id.to_string(),
        state: state.into(),
        order: case.order.as_ref().map(order),
        events: events.collect(),
        create_time: Some(clock::to_proto(case.created)),
        kind: case.kind().name().to_owned(),
    }
}

/// The outcome of an act that has one.
pub fn outcome(recorded: &RecordedAct) -> Option<wire::ActOutcome> {
    let (result, verdict) = match recorded.outcome.as_ref()? {
        Outcome::Done => ("DONE", ""),
        Outcome::Refused(verdict) => ("REFUSED", verdict.as_str()),
        Outcome::Late(_) => return None, // told as an error
    };
    Some(wire::ActOutcome {
        result: result.to_owned(),
        verdict: verdict.to_owned(),
        update_time: Some(clock::to_proto(recorded.updated)),
    })
}

pub fn report(report: &Report) -> wire::ReconcileResponse {
    wire::ReconcileResponse {
        packet_count: report.packet_count,
        claim_count: report.claim_count,
        transfer_count: report.transfer_count,
        unsettled_count: report.unsettled_count,
        open_case_count: report.open_case_count,
        differences: report.differences.iter().map(difference).collect(),
        next_page_token: report.next.as_ref().map(paging::token).unwrap_or_default(),
        progress_permille: report.progress_permille,
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
        subject: difference.subject.clone(),
    }
}
