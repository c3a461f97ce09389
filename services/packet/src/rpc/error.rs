//! Errors → `tonic::Status`, in this one place.

use status::{RETRY_DELAY, Violations};
use tonic::Status;

use crate::{ops::Error, peer};

/// The status of an error.
pub fn status(error: Error) -> Status {
    match error {
        Error::RequestIdReused(id) => status::already_exists(
            "REQUEST_ID_REUSED",
            "request",
            &id,
            format!("request {id} was used for another packet"),
        ),
        Error::Limits(faults) => {
            let mut violations = Violations::default();
            for fault in faults {
                violations.add(fault.field, fault.why);
            }
            match violations.finish() {
                Err(status) => status,
                Ok(()) => status::internal("limits were broken by nothing"),
            }
        }
        Error::UserNotFound(user) => status::not_found("user", user),
        Error::AccountFrozen(user) => {
            status::precondition("ACCOUNT_FROZEN", &user, format!("the wallet of {user} is frozen"), [])
        }
        Error::GroupNotFound(group) => status::not_found("group", group),
        Error::NotAMember { user, group } => {
            status::permission_denied("NOT_A_MEMBER", format!("{user} is not a member of group {group}"))
        }
        Error::DayFull { sender, used, limits } => status::precondition(
            "DAILY_LIMIT_REACHED",
            &sender,
            format!("{sender} has sent as much as one may in a day"),
            [
                ("sent_count", used.count.to_string()),
                ("count_limit", limits.count.to_string()),
                ("sent_fen", used.total_fen.to_string()),
                ("total_limit_fen", limits.total_fen.to_string()),
            ],
        ),
        Error::Rejected {
            packet_id,
            sender,
            total_fen,
            rejection,
        } => {
            let message = format!("packet {packet_id} was not funded: {}", rejection.reason);
            let facts = [
                ("packet_id", packet_id.to_string()),
                ("needed_fen", total_fen.to_string()),
            ];
            match rejection.balance_fen {
                None => status::precondition(&rejection.reason, sender, message, facts),
                Some(balance_fen) => {
                    let [packet_id, needed_fen] = facts;
                    let facts = [packet_id, needed_fen, ("balance_fen", balance_fen.to_string())];
                    status::precondition(&rejection.reason, sender, message, facts)
                }
            }
        }
        Error::PacketNotFound(id) => status::not_found("packet", id),
        Error::Peer(peer::Error::Unavailable { peer, cause }) => status::unavailable(peer, cause, RETRY_DELAY),
        Error::Store(fault @ sql::Error::Unwritable(why, _)) => {
            status::unwritable(why.reason(), "the store of packets", why, fault)
        }
        Error::Store(
            fault @ (sql::Error::Driver(_)
            | sql::Error::Contended(_)
            | sql::Error::Conflict(_)
            | sql::Error::OutcomeUnknown(_)),
        ) => status::unavailable("the store", fault, RETRY_DELAY),
        fault @ (Error::Misstep(_)
        | Error::Overtime
        | Error::Peer(peer::Error::Broken { .. })
        | Error::Store(sql::Error::Inconsistent(_))) => status::internal(fault),
    }
}
