//! What holds for every request of every service.

use std::fmt::Debug;

use prost::Message;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::fields;

/// What a client takes of headers, in bytes; a status that is longer arrives as a broken stream and says nothing.
const MAX_HEADERS: usize = 16 * 1024;
/// The longest id or name, in bytes (system.md).
const MAX_NAME: usize = 64;

/// Parsers of a service, by the full names of their messages. The first byte of an input says which.
pub type Parsers = &'static [(&'static str, fn(&str, &[u8]) -> Result<(), Status>)];

/// Tries one of the parsers.
pub fn try_one(parsers: Parsers, bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let (name, parse) = parsers[usize::from(*which) % parsers.len()];
    let _ = parse(name, bytes);
}

/// Reads a request as `tonic` does and parses it; `holds` is what holds for one that is understood.
///
/// - What was read can be written and read again.
/// - A refusal names each field that is wrong, and there is such a field.
/// - Nothing panics, and nothing is our fault.
pub fn parse<M, T>(
    name: &str,
    bytes: &[u8],
    parse: impl FnOnce(M) -> Result<T, Status>,
    holds: impl FnOnce(&M, T),
) -> Result<(), Status>
where
    M: Message + Default + Debug + Clone + PartialEq,
{
    // What is no message at all is refused before any code of ours.
    let Ok(request) = M::decode(bytes) else {
        return Ok(());
    };
    let again = M::decode(request.encode_to_vec().as_slice());
    assert_eq!(again.as_ref(), Ok(&request), "{name} is written and read again");
    match parse(request.clone()) {
        Ok(parsed) => {
            holds(&request, parsed);
            Ok(())
        }
        Err(status) => {
            refused(name, &status);
            Err(status)
        }
    }
}

/// What holds for every refusal of a malformed request.
pub fn refused(name: &str, status: &Status) {
    assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status:?}");
    assert_eq!(status::reason(status), "INVALID_FIELDS", "{name}: {status:?}");
    let violations = status.get_details_bad_request().map(|details| details.field_violations);
    let violations = violations.unwrap_or_default();
    assert!(!violations.is_empty(), "{name}: {status:?}");
    for violation in violations {
        assert!(fields::exist(name, &violation.field), "{name} has no {violation:?}");
        assert!(!violation.description.is_empty(), "{name}: {violation:?}");
    }
    // As they go over the wire: all but visible ASCII takes three bytes, and details take four thirds.
    let message: usize = status
        .message()
        .bytes()
        .map(|byte| if byte.is_ascii_graphic() { 1 } else { 3 })
        .sum();
    assert!(
        message + status.details().len() * 4 / 3 < MAX_HEADERS,
        "{name}: {message} bytes"
    );
}

/// An id or a name of the embedding product, as it was sent.
pub fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// A UUID as it was sent, in the one form in which it may be sent.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A text that people read, of at most so many characters.
pub fn is_text(text: &str, max: usize) -> bool {
    text.chars().count() <= max && !text.chars().any(char::is_control)
}

/// A page as it was asked for, and as it was understood.
pub fn is_page<K>(asked: i32, page: &paging::Page<K>, default: usize, max: usize) -> bool {
    let size = usize::try_from(asked).ok();
    page.size <= max && (size == Some(page.size) || (asked == 0 && page.size == default))
}
