//! The one place where the service's errors become statuses.

use status::RETRY_DELAY;
use tonic::Status;

use crate::{
    domain::{Action, Case, Failure, Order, Verdict},
    ops::Error,
};

/// The status of an error.
pub fn to_status(error: Error) -> Status {
    match error {
        Error::Store(fault) => of_store(fault),
        Error::Peer(fault) => status::unavailable(fault.peer, &fault, RETRY_DELAY),
        Error::Broken(what) => status::internal(what),
        Error::NoTransfer(id) => status::not_found("transfer", id),
        Error::NoCase(id) => status::not_found("case", id),
        Error::OtherFacts(packet) => status::already_exists(
            "PACKET_FACTS_DIFFER",
            "packet",
            packet,
            format!("packet {packet} was asked for with another user or amount"),
        ),
        Error::FundRejected(order) => rejected(&order),
        Error::Busy(delay) => status::unavailable("the packet", "another try is under way", delay.max(RETRY_DELAY)),
        Error::NotFunded(packet) => status::precondition(
            "PACKET_NOT_FUNDED",
            packet,
            format!("packet {packet} is not funded"),
            [],
        ),
        Error::ExceedsFunded { funded_fen } => status::precondition(
            "REFUND_EXCEEDS_FUNDED",
            "packet",
            format!("the packet was funded with {funded_fen} fen"),
            [("funded_fen", funded_fen.to_string())],
        ),
        Error::ExceedsRest { rest_fen } => status::precondition(
            "REFUND_EXCEEDS_REST",
            "packet",
            format!("the packet's claims have left {rest_fen} fen"),
            [("rest_fen", rest_fen.to_string())],
        ),
        Error::NotTheSender(packet) => status::precondition(
            "SENDER_MISMATCH",
            packet,
            format!("packet {packet} was funded by another user"),
            [],
        ),
        Error::CaseResolved(case) => resolved(&case),
        Error::RequestReused(request) => status::already_exists(
            "REQUEST_ID_REUSED",
            "request",
            &request,
            format!("request {request} was used for another act"),
        ),
        Error::CaseWithoutOrder(case) => status::precondition(
            "CASE_WITHOUT_ORDER",
            case,
            format!("the order of case {case} is missing; Reconcile puts back what has a claim"),
            [],
        ),
        Error::CaseUnpayable(case) => status::precondition(
            "CASE_UNPAYABLE",
            case,
            format!("the claim behind case {case} does not say from which packet, how much or to whom"),
            [],
        ),
    }
}

/// What happened to a case that somebody else's act has resolved.
fn resolved(case: &Case) -> Status {
    let last = case.events.iter().rev().find(|event| event.action == Action::Resolved);
    let by = last.and_then(|last| case.events.iter().find(|event| event.request == last.request));
    let words = last.map_or("", |last| last.reason.as_str());
    let operator = by.map_or("", |event| event.actor.name());
    let request = by
        .and_then(|event| event.request.as_ref())
        .map_or("", |request| request.as_str());
    let metadata = [
        ("operator_id", operator.to_owned()),
        ("action", by.map_or("", |event| event.action.name()).to_owned()),
        ("request_id", request.to_owned()),
        ("outcome", words.to_owned()),
    ];
    let message = format!("case {} was resolved before: {words}, as {operator} decided", case.id);
    status::precondition("CASE_RESOLVED", case.id, message, metadata)
}

/// The status of a store's error.
pub fn of_store(fault: sql::Error) -> Status {
    match fault {
        sql::Error::Unwritable(why, _) => status::unwritable(why.reason(), "the store of transfers", why, fault),
        sql::Error::Driver(_) | sql::Error::Contended(_) | sql::Error::Conflict(_) | sql::Error::OutcomeUnknown(_) => {
            status::unavailable("the store", fault, RETRY_DELAY)
        }
        sql::Error::Inconsistent(_) => status::internal(fault),
    }
}

/// A FUND that was refused for good.
fn rejected(order: &Order) -> Status {
    let sender = order.user.as_ref().map_or("", |user| user.as_str());
    let (reason, message) = match order.failure {
        Some(Failure::Refused(Verdict::InsufficientFunds)) => {
            ("INSUFFICIENT_FUNDS", format!("the balance of {sender} is too low"))
        }
        Some(Failure::Refused(Verdict::DebitNotFound)) => ("ACCOUNT_NOT_FOUND", format!("{sender} has no account")),
        Some(Failure::Refused(Verdict::DebitFrozen)) => {
            ("ACCOUNT_FROZEN", format!("the account of {sender} is frozen"))
        }
        _ => ("TRANSFER_REFUSED", "the ledger refused the transfer".to_owned()),
    };
    let metadata = [
        ("balance_fen", order.balance_fen.to_string()),
        ("needed_fen", order.amount_fen.to_string()),
    ];
    status::precondition(reason, sender, message, metadata)
}
