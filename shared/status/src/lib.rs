//! The one place where errors become `tonic::Status`.
//!
//! Every status carries an `ErrorInfo` with domain `hongbao` and a reason in `UPPER_SNAKE_CASE` (AIP-193), and the detail
//! that fits: `BadRequest`, `ResourceInfo`, `PreconditionFailure`, `RetryInfo`. Internal text never reaches the wire:
//! [`internal`] and [`unavailable`] log the cause and say nothing of it.

mod violations;

use std::{collections::HashMap, fmt::Display, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub use violations::{Violations, check_count, check_text};

/// `ErrorInfo.domain` of everything the system says.
pub const DOMAIN: &str = "hongbao";

/// Metadata of an `ErrorInfo`: names and values a program may read.
pub type Metadata<const N: usize> = [(&'static str, String); N];

/// When a call that failed in passing is worth repeating: longer than a restart of a connection, shorter than a person
/// waits. What a client is told; it should spread its repeats around it.
pub const RETRY_DELAY: Duration = Duration::from_millis(500);

/// When a store that is full is worth another try: somebody has to make room first.
const UNWRITABLE_RETRY_DELAY: Duration = Duration::from_secs(5);

fn details<const N: usize>(reason: &str, metadata: Metadata<N>) -> ErrorDetails {
    let metadata: HashMap<String, String> = metadata.map(|(key, value)| (key.to_owned(), value)).into();
    ErrorDetails::with_error_info(reason, DOMAIN, metadata)
}

/// `NOT_FOUND` (reason `<KIND>_NOT_FOUND`): there is no `kind` (such as `packet`) named `name`.
pub fn not_found(kind: &str, name: impl Display) -> Status {
    let name = name.to_string();
    let mut details = details(
        &format!("{}_NOT_FOUND", kind.to_uppercase()),
        [(("name"), name.clone())],
    );
    details.set_resource_info(kind, &name, "", "");
    Status::with_error_details(Code::NotFound, format!("there is no {kind} {name}"), details)
}

/// `ALREADY_EXISTS`: the name was given before to something else, such as a request id with another payload.
pub fn already_exists(reason: &str, kind: &str, name: impl Display, message: impl Into<String>) -> Status {
    let name = name.to_string();
    let mut details = details(reason, [("name", name.clone())]);
    details.set_resource_info(kind, &name, "", "");
    Status::with_error_details(Code::AlreadyExists, message, details)
}

/// `FAILED_PRECONDITION`: the state of `subject` does not allow it; repeating the call will not help until that changes.
pub fn precondition<const N: usize>(
    reason: &str,
    subject: impl Display,
    message: impl Into<String>,
    metadata: Metadata<N>,
) -> Status {
    let message = message.into();
    let mut details = details(reason, metadata);
    details.add_precondition_failure_violation(reason, subject.to_string(), &message);
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

/// `INVALID_ARGUMENT` with a reason of its own: one field is wrong in a way that a program may want to tell apart. For
/// everything else there is [`Violations`].
pub fn invalid_argument(reason: &str, field: &str, description: impl Into<String>) -> Status {
    let description = description.into();
    let mut details = details(reason, []);
    details.add_bad_request_violation(field, &description);
    Status::with_error_details(Code::InvalidArgument, format!("{field}: {description}"), details)
}

/// `PERMISSION_DENIED`: the caller is known and may not.
pub fn permission_denied(reason: &str, message: impl Into<String>) -> Status {
    Status::with_error_details(Code::PermissionDenied, message, details(reason, []))
}

/// `UNAUTHENTICATED`: it is not known who calls.
pub fn unauthenticated(reason: &str, message: impl Into<String>) -> Status {
    Status::with_error_details(Code::Unauthenticated, message, details(reason, []))
}

/// `RESOURCE_EXHAUSTED`: a limit is reached; worth another try after `retry_delay`.
pub fn exhausted(reason: &str, message: impl Into<String>, retry_delay: Duration) -> Status {
    let mut details = details(reason, []);
    details.set_retry_info(Some(retry_delay));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// `UNAVAILABLE`: a passing failure; the same request, with the same ids, is worth repeating after `retry_delay`. The
/// cause is logged, not sent.
pub fn unavailable(what: &str, cause: impl Display, retry_delay: Duration) -> Status {
    tracing::warn!(%cause, what, "unavailable");
    let mut details = details("UNAVAILABLE", []);
    details.set_retry_info(Some(retry_delay));
    Status::with_error_details(Code::Unavailable, format!("{what} is not available just now"), details)
}

/// `UNAVAILABLE` with the reason why `what` can write nothing, such as `STORE_FULL`: a person has to see to it, so that the
/// same request is worth repeating later and not at once. `words` are shown; the cause is logged, not sent.
pub fn unwritable(reason: &str, what: &str, words: impl Display, cause: impl Display) -> Status {
    tracing::warn!(%cause, what, reason, "unwritable");
    let mut details = details(reason, []);
    details.set_retry_info(Some(UNWRITABLE_RETRY_DELAY));
    Status::with_error_details(Code::Unavailable, format!("{what} takes nothing: {words}"), details)
}

/// `DEADLINE_EXCEEDED`: the caller's time was up. Whether anything happened is not known; repeating with the same ids is
/// safe.
pub fn deadline_exceeded() -> Status {
    Status::with_error_details(
        Code::DeadlineExceeded,
        "the deadline passed before the answer was there",
        details("DEADLINE_EXCEEDED", []),
    )
}

/// `RESOURCE_EXHAUSTED` (reason `MESSAGE_TOO_LARGE`): the message is over the size limit that `message` tells. Nothing was
/// read of it, and it is not worth repeating.
pub fn too_large(message: impl Into<String>) -> Status {
    Status::with_error_details(Code::ResourceExhausted, message, details("MESSAGE_TOO_LARGE", []))
}

/// `UNIMPLEMENTED` (reason `UNKNOWN_METHOD`): this server has no such method.
pub fn unimplemented() -> Status {
    let message = "this server has no such method; reflection lists those it has";
    Status::with_error_details(Code::Unimplemented, message, details("UNKNOWN_METHOD", []))
}

/// `INTERNAL`: something is broken that a caller cannot mend. The cause is logged, not sent.
pub fn internal(cause: impl Display) -> Status {
    tracing::error!(%cause, "internal error");
    Status::with_error_details(Code::Internal, "internal error", details("INTERNAL", []))
}

/// The `ErrorInfo.reason` of a status, or an empty text where it has none.
pub fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}

/// One metadata value of the `ErrorInfo` of a status.
pub fn metadata(status: &Status, key: &str) -> Option<String> {
    status.get_details_error_info()?.metadata.get(key).cloned()
}

/// A status as the `google.rpc.Status` message that batch responses carry per item.
pub fn to_message(status: &Status) -> tonic_types::Status {
    use prost::Message;
    // tonic keeps the encoded google.rpc.Status in `details`; an item without details has only code and message.
    tonic_types::Status::decode(status.details())
        .ok()
        .filter(|decoded| decoded.code != 0)
        .unwrap_or_else(|| tonic_types::Status {
            code: status.code() as i32,
            message: status.message().to_owned(),
            details: Vec::new(),
        })
}
