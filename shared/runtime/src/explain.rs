//! Words for what the transport refuses by itself.
//!
//! tonic answers a message that it cannot decode, one that is too large, and a method that it does not know before any
//! handler runs, with a bare code; the code for the first says that *we* are broken. [`explain`] puts what every other
//! refusal of ours has in their place: the fitting code, an `ErrorInfo` and, where the decoder knows it, the field.

use http::Response;
use tonic::{Code, Status, body::Body};

/// How prost begins its account of a message that it cannot decode.
const UNDECODABLE: &str = "failed to decode Protobuf message: ";

/// The answer, with a bare refusal of the transport replaced by one with details.
pub fn explain(answer: Response<Body>) -> Response<Body> {
    let Some(refusal) = Status::from_header_map(answer.headers()) else {
        return answer;
    };
    if !refusal.details().is_empty() {
        return answer;
    }
    let explained = match (refusal.code(), refusal.message().strip_prefix(UNDECODABLE)) {
        (Code::Internal, Some(account)) => undecodable(account),
        (Code::OutOfRange, None) => status::too_large(refusal.message()),
        (Code::Unimplemented, None) if refusal.message().is_empty() => status::unimplemented(),
        _ => return answer,
    };
    explained.into_http()
}

/// prost tells where it stopped from the inside out: `Audience.group_id: SendPacketRequest.audience: what is wrong`.
fn undecodable(account: &str) -> Status {
    let mut parts: Vec<&str> = account.split(": ").collect();
    let what = parts.pop().unwrap_or_default();
    let fields = parts
        .iter()
        .rev()
        .filter_map(|part| part.split_once('.'))
        .map(|(_, field)| field);
    let path = fields.collect::<Vec<_>>().join(".");
    let mut violations = status::Violations::default();
    violations.add(
        if path.is_empty() { "(message)" } else { &path },
        format!("cannot be decoded: {what}"),
    );
    violations
        .finish()
        .err()
        .unwrap_or_else(|| status::internal("a violation was noted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::StatusExt;

    fn explained(status: Status) -> Status {
        Status::from_header_map(explain(status.into_http()).headers()).unwrap()
    }

    #[test]
    fn an_undecodable_message_names_the_field() {
        let decoder = "failed to decode Protobuf message: Audience.group_id: SendPacketRequest.audience: \
                       invalid string value: data is not UTF-8 encoded";
        let status = explained(Status::internal(decoder));
        assert_eq!(status.code(), Code::InvalidArgument);
        let violation = status.get_details_bad_request().unwrap().field_violations.remove(0);
        assert_eq!(violation.field, "audience.group_id");
        assert!(violation.description.contains("UTF-8"), "{}", violation.description);
        let nameless = explained(Status::internal("failed to decode Protobuf message: buffer underflow"));
        assert_eq!(
            nameless.get_details_bad_request().unwrap().field_violations[0].field,
            "(message)"
        );
    }

    #[test]
    fn each_refusal_of_the_transport_has_a_reason() {
        for (bare, code, reason) in [
            (
                Status::out_of_range("too large: found 9 bytes"),
                Code::ResourceExhausted,
                "MESSAGE_TOO_LARGE",
            ),
            (Status::unimplemented(""), Code::Unimplemented, "UNKNOWN_METHOD"),
        ] {
            let status = explained(bare);
            assert_eq!((status.code(), status::reason(&status).as_str()), (code, reason));
        }
    }

    #[test]
    fn what_has_details_or_is_ours_stays() {
        let ours = status::internal("x");
        assert_eq!(explained(ours).code(), Code::Internal);
        for other in [Status::internal("other"), Status::unimplemented("compressed with x")] {
            assert_eq!(explained(other.clone()).message(), other.message());
        }
        assert!(Status::from_header_map(explain(Response::new(Body::empty())).headers()).is_none());
    }
}
