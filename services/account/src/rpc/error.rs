//! The one place where errors of this service become statuses.

use id::UserId;
use status::RETRY_DELAY;
use tonic::Status;

use crate::{domain::refusal::Refusal, ops::Error};

/// Most unknown users named in one answer: statuses travel in headers, which are small.
const MAX_NAMED: usize = 20;

/// The status of an error of a use case.
pub fn refuse(fault: Error) -> Status {
    let refusal = match fault {
        Error::Store(fault) => return unanswered(fault),
        Error::Refused(refusal) => refusal,
    };
    match refusal {
        Refusal::UnknownUsers(users) => status::not_found("user", names(&users)),
        Refusal::UnknownAccount(reference) => status::not_found("account", reference),
        Refusal::UnknownGroup(group) => status::not_found("group", group),
        Refusal::GroupIdTaken(group) => status::already_exists(
            "GROUP_ID_TAKEN",
            "group",
            &group,
            format!("group {group} exists with another owner or display name"),
        ),
        Refusal::RequestIdReused(request) => status::already_exists(
            "REQUEST_ID_REUSED",
            "deposit",
            &request,
            format!("request {request} was a deposit of another amount"),
        ),
        Refusal::AccountFrozen(user) => status::precondition(
            "ACCOUNT_FROZEN",
            format!("wallet:{user}"),
            format!("the wallet of {user} is frozen"),
            [("user_id", user.to_string())],
        ),
        Refusal::BalanceOverflow(user) => status::precondition(
            "BALANCE_OVERFLOW",
            format!("wallet:{user}"),
            format!("the balance of {user} would grow beyond what an account can hold"),
            [("user_id", user.to_string())],
        ),
    }
}

/// The status of a failure of the store.
pub fn unanswered(fault: sql::Error) -> Status {
    match fault {
        sql::Error::Unwritable(why, _) => status::unwritable(why.reason(), "the store of accounts", why, fault),
        sql::Error::Inconsistent(_) => status::internal(fault),
        sql::Error::Driver(_) | sql::Error::Contended(_) | sql::Error::Conflict(_) | sql::Error::OutcomeUnknown(_) => {
            status::unavailable("the store of accounts", fault, RETRY_DELAY)
        }
    }
}

fn names(users: &[UserId]) -> String {
    let named: Vec<&str> = users.iter().take(MAX_NAMED).map(UserId::as_str).collect();
    match users.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::DbErr;
    use tonic::Code;

    use super::*;

    #[test]
    fn failures_of_the_store_tell_nothing_of_it() {
        let secret = || DbErr::Custom("secret".to_owned());
        let table = [
            (sql::Error::Driver(secret()), Code::Unavailable),
            (
                sql::Error::Unwritable(sql::Unwritable::Full, secret()),
                Code::Unavailable,
            ),
            (sql::Error::Conflict(secret()), Code::Unavailable),
            (sql::Error::OutcomeUnknown(secret()), Code::Unavailable),
            (sql::Error::inconsistent("secret"), Code::Internal),
        ];
        for (fault, code) in table {
            let status = unanswered(fault);
            assert_eq!(status.code(), code);
            assert!(!format!("{status:?}").contains("secret"), "{status:?}");
        }
    }

    #[test]
    fn unknown_users_are_named_within_reason() {
        let users: Vec<UserId> = (0..1_000).map(|n| format!("u{n}").parse().unwrap()).collect();
        assert_eq!(names(&users[..2]), "u0, u1");
        assert!(names(&users).ends_with("u19 and 980 more"));
    }
}
