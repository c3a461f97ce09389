//! The services that transfer calls: a port in domain words and its gRPC client for each.

pub mod account;
pub mod grab;

use tonic::Code;

pub use account::Ledger;
pub use grab::ClaimLog;

/// A call to another service failed for a passing reason. Whether it took effect is not known; the same ids may always be
/// sent again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{peer}: {cause}")]
pub struct PeerError {
    /// Which service.
    pub peer: &'static str,
    /// What was said, for the log.
    pub cause: String,
    /// Whether the call may *still* take effect, after this answer.
    pub in_flight: bool,
    /// Whether the peer answered, and with more than that it cannot just now: asked the same again, it would answer the same.
    pub refused: bool,
}

impl PeerError {
    /// Reads a failed call's status. A call that never reached its peer, or to which the peer itself gave an answer (all
    /// its errors carry an `ErrorInfo`), is over; anything else may still be running there.
    fn from_status(peer: &'static str, status: &tonic::Status) -> Self {
        let over =
            never_sent(status) || (status.code() != Code::DeadlineExceeded && !status::reason(status).is_empty());
        let passing = matches!(
            status.code(),
            Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted | Code::Cancelled
        );
        Self {
            peer,
            cause: format!("{:?}: {}", status.code(), status.message()),
            in_flight: !over,
            refused: over && !passing,
        }
    }

    /// The peer's answer is not what its contract says.
    fn malformed(peer: &'static str, what: impl Into<String>) -> Self {
        Self {
            peer,
            cause: what.into(),
            in_flight: false,
            refused: true,
        }
    }
}

fn never_sent(status: &tonic::Status) -> bool {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Status;

    use super::*;

    /// Whether it may still take effect, and whether the same would be refused again.
    #[test]
    fn what_each_answer_says_of_the_call() {
        let table = [
            (Status::unavailable("the connection broke"), (true, false)),
            (Status::unknown("so did this one"), (true, false)),
            (Status::cancelled("somebody cut it off"), (true, false)),
            // Whoever said it, the peer may be at it still.
            (status::deadline_exceeded(), (true, false)),
            (status::unavailable("the store", "away", Duration::ZERO), (false, false)),
            (
                status::exhausted("TOO_MANY_REQUESTS", "later", Duration::ZERO),
                (false, false),
            ),
            (status::internal("a bug"), (false, true)),
            (
                status::invalid_argument("INVALID_FIELDS", "transfers", "no"),
                (false, true),
            ),
        ];
        for (status, expected) in table {
            let fault = PeerError::from_status("account", &status);
            assert_eq!((fault.in_flight, fault.refused), expected, "{status:?}");
        }
        assert!(PeerError::malformed("account", "nonsense").refused);
    }
}
