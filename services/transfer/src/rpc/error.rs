//! The one place where the service's errors become statuses.

use std::time::Duration;

use tonic::Status;

use crate::{
    domain::{Failure, Order, Verdict},
    ops::Error,
};

/// When a call that failed in passing is worth repeating: longer than a restart of a connection, shorter than a person
/// waits.
const RETRY_DELAY: Duration = Duration::from_millis(500);

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
        Error::NotTheSender(packet) => status::precondition(
            "SENDER_MISMATCH",
            packet,
            format!("packet {packet} was funded by another user"),
            [],
        ),
        Error::CaseResolved(case) => {
            status::precondition("CASE_RESOLVED", case, format!("case {case} is resolved"), [])
        }
        Error::CaseUnpayable(case) => status::precondition(
            "CASE_UNPAYABLE",
            case,
            format!("the claim behind case {case} does not say from which packet, how much or to whom"),
            [],
        ),
    }
}

/// The status of a store's error.
pub fn of_store(fault: sql::Error) -> Status {
    match fault {
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
