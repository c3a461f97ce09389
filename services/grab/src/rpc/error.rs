//! What each failure is on the wire.

use std::time::Duration;

use status::RETRY_DELAY;
use tonic::Status;

use crate::{domain::voucher::Refusal, ops::Error, writer::WriteError};

/// When it is worth asking for a stream again: others end when their packets do.
const STREAM_RETRY_DELAY: Duration = Duration::from_secs(5);

/// The status of a failure.
pub fn status(fault: Error) -> Status {
    match fault {
        Error::UnknownPacket(packet_id) => status::not_found("packet", packet_id),
        Error::UnknownUser(user_id) => status::not_found("user", user_id),
        Error::Voucher(refusal) => voucher(refusal),
        Error::OtherPromise(packet_id) => status::already_exists(
            "PACKET_EXISTS",
            "packet",
            packet_id,
            "the packet was preloaded before with other terms",
        ),
        Error::Split(fault) => status::invalid_argument("INVALID_FIELDS", "terms", fault.to_string()),
        Error::BeyondEnd { last_seq } => status::precondition(
            "SEQ_BEYOND_END",
            "after_seq",
            format!("the log of this partition ends at {last_seq}"),
            [("last_seq", last_seq.to_string())],
        ),
        Error::TooManyStreams(what) => status::exhausted(
            "TOO_MANY_STREAMS",
            format!("too many {what} here just now: try again later, or list the claims"),
            STREAM_RETRY_DELAY,
        ),
        Error::Directory(fault) => status::unavailable("the directory of users", fault, RETRY_DELAY),
        Error::Gate(fault) => status::unavailable("the gate", fault, RETRY_DELAY),
        Error::Write(WriteError::Overloaded) => status::exhausted(
            "OVERLOADED",
            "too many opens are waiting: try again in a moment",
            RETRY_DELAY,
        ),
        Error::Write(fault @ WriteError::Unavailable) => status::unavailable("the claim log", fault, RETRY_DELAY),
        Error::Write(fault @ WriteError::Inconsistent) => status::internal(fault),
        Error::Write(fault @ WriteError::Unwritable(why)) => {
            status::unwritable(why.reason(), "the claim log", why, fault)
        }
        Error::Store(fault) => match &*fault {
            sql::Error::Inconsistent(_) => status::internal(fault),
            sql::Error::Unwritable(why, _) => status::unwritable(why.reason(), "the store of claims", why, &fault),
            sql::Error::Driver(_)
            | sql::Error::Contended(_)
            | sql::Error::Conflict(_)
            | sql::Error::OutcomeUnknown(_) => status::unavailable("the store", fault, RETRY_DELAY),
        },
    }
}

fn voucher(refusal: Refusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        Refusal::Forged => status::invalid_argument("VOUCHER_INVALID", "voucher", text),
        Refusal::NotYours => status::permission_denied("VOUCHER_NOT_YOURS", text),
        Refusal::Lapsed => status::precondition("VOUCHER_LAPSED", "voucher", text, []),
    }
}
