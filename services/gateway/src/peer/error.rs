//! The one place where a peer's error becomes ours.

use tonic::{Code, Status};
use tonic_types::StatusExt;

pub use status::RETRY_DELAY;

/// What the client hears of `status`, which came from a call to `peer`.
///
/// An error that one of our services made (its `ErrorInfo` has our domain) was made to be shown: code, message and
/// details pass on unchanged. Anything else was made by a transport, a proxy or a stranger: its text goes to the log, and
/// the client hears `UNAVAILABLE` with `RetryInfo`, or `DEADLINE_EXCEEDED` where that is what it was. The metadata of the
/// peer's response never passes on: it is about another connection.
pub fn pass_on(peer: &str, status: &Status) -> Status {
    let ours = status
        .get_details_error_info()
        .is_some_and(|info| info.domain == status::DOMAIN);
    if ours {
        Status::with_details(status.code(), status.message(), status.details().to_vec().into())
    } else if status.code() == Code::DeadlineExceeded {
        status::deadline_exceeded()
    } else {
        status::unavailable(&format!("the {peer} service"), status, RETRY_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn what_a_service_said_passes_on_unchanged() {
        let mut said = status::precondition("INSUFFICIENT_FUNDS", "wallet", "short", [("balance_fen", "7".into())]);
        said.metadata_mut()
            .insert("x-internal", "10.0.0.7".parse().expect("ascii"));
        let heard = pass_on("packet", &said);
        assert_eq!(heard.code(), said.code());
        assert_eq!(heard.message(), said.message());
        assert_eq!(heard.details(), said.details());
        assert!(heard.metadata().is_empty());
    }

    #[test]
    fn what_no_service_said_is_unavailable_and_says_nothing() {
        let foreign = ErrorDetails::with_error_info("SECRET", "db.example", []);
        for status in [
            Status::unknown("secret"),
            Status::internal("secret"),
            Status::unavailable("tcp connect error: secret"),
            Status::unimplemented("secret"),
            Status::not_found("secret"),
            Status::cancelled("secret"),
            Status::with_error_details(Code::NotFound, "secret", foreign),
            Status::with_details(Code::NotFound, "secret", b"secret".to_vec().into()),
        ] {
            let heard = pass_on("grab", &status);
            assert_eq!(heard.code(), Code::Unavailable, "{status:?}");
            assert_eq!(heard.message(), "the grab service is not available just now");
            assert_eq!(heard.get_details_retry_info().unwrap().retry_delay, Some(RETRY_DELAY));
            assert!(!format!("{heard:?}").to_lowercase().contains("secret"), "{heard:?}");
        }
    }

    #[test]
    fn a_deadline_stays_a_deadline() {
        let heard = pass_on("grab", &Status::deadline_exceeded("secret"));
        assert_eq!(heard.code(), Code::DeadlineExceeded);
        assert!(!heard.message().contains("secret"));
    }
}
