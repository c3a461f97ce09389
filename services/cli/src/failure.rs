//! Everything that ends a command early, in one line on standard error.

use std::{error::Error as _, fmt, process::ExitCode};

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Why a command did not do what was asked. `Display` is the line that a person reads.
#[derive(Debug)]
pub enum Failure {
    /// The command line lacks something that clap cannot know. Exit code 2.
    Usage(String),
    /// The gateway refused or failed. Exit code 1.
    Refused {
        /// The gateway that was called.
        gateway: String,
        /// What it answered.
        status: Box<Status>,
    },
    /// Anything else. Exit code 1.
    Failed(anyhow::Error),
}

impl Failure {
    /// A failure in words.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Failed(anyhow::Error::msg(message.into()))
    }

    /// Prints the line and gives the exit code.
    pub fn report(&self) -> ExitCode {
        eprintln!("hongbao: {self}");
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Refused { .. } | Self::Failed(_) => ExitCode::FAILURE,
        }
    }

    /// The gRPC code, where a gateway refused.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { status, .. } => Some(status.code()),
            Self::Usage(_) | Self::Failed(_) => None,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(fault: anyhow::Error) -> Self {
        Self::Failed(fault)
    }
}

impl From<std::io::Error> for Failure {
    fn from(fault: std::io::Error) -> Self {
        Self::Failed(fault.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message),
            Self::Refused { gateway, status } => f.write_str(&explain(gateway, status)),
            Self::Failed(fault) => write!(f, "{fault:#}"),
        }
    }
}

/// Code, reason and every field violation of `status`.
fn explain(gateway: &str, status: &Status) -> String {
    let details = status.get_error_details();
    // What a service says carries an ErrorInfo; what the transport says carries its cause.
    let (None, Some(cause)) = (details.error_info(), status.source()) else {
        let reason = match status::reason(status) {
            reason if reason.is_empty() => String::new(),
            reason => format!(" ({reason})"),
        };
        let message = details
            .bad_request()
            .filter(|bad| !bad.field_violations.is_empty())
            .map_or_else(
                || status.message().to_owned(),
                |bad| {
                    let violations = bad.field_violations.iter();
                    let lines: Vec<_> = violations
                        .map(|violation| format!("{}: {}", violation.field, violation.description))
                        .collect();
                    lines.join("; ")
                },
            );
        let again = details
            .retry_info()
            .and_then(|info| info.retry_delay)
            .map_or_else(String::new, |delay| format!("; try again in {} ms", delay.as_millis()));
        return format!("{}{reason}: {message}{again}", name(status.code()));
    };
    let root = std::iter::successors(Some(cause), |cause| (*cause).source())
        .last()
        .map_or_else(String::new, ToString::to_string);
    format!("{}: cannot reach the gateway at {gateway}: {root}", name(status.code()))
}

/// A code as the gRPC documents spell it.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn refused(status: Status) -> String {
        let status = Box::new(status);
        let gateway = "http://127.0.0.1:1".to_owned();
        Failure::Refused { gateway, status }.to_string()
    }

    #[test]
    fn a_refusal_is_code_reason_and_message() {
        let short = status::precondition("INSUFFICIENT_FUNDS", "alice", "the balance is 0.10 yuan short", []);
        assert_eq!(
            refused(short),
            "FAILED_PRECONDITION (INSUFFICIENT_FUNDS): the balance is 0.10 yuan short"
        );
        assert_eq!(refused(Status::unimplemented("no")), "UNIMPLEMENTED: no");
    }

    #[test]
    fn every_field_violation_is_told() {
        let mut violations = status::Violations::default();
        violations.add("total_fen", "must be above zero");
        violations.add("greeting", "must be at most 100 characters long");
        assert_eq!(
            refused(violations.finish().unwrap_err()),
            "INVALID_ARGUMENT (INVALID_FIELDS): total_fen: must be above zero; \
             greeting: must be at most 100 characters long"
        );
    }

    #[test]
    fn what_may_be_tried_again_says_when() {
        let busy = status::exhausted("TOO_MANY", "too many requests", Duration::from_millis(250));
        assert_eq!(
            refused(busy),
            "RESOURCE_EXHAUSTED (TOO_MANY): too many requests; try again in 250 ms"
        );
    }
}
