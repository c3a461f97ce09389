//! Everything wrong with a request, in one answer.

use std::{fmt::Display, str::FromStr};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// Most violations in one answer. A status travels in headers, and clients take no more than 16 KiB of those: a list of
/// 1,000 malformed ids would arrive as a broken stream and say nothing at all.
const MAX_TOLD: usize = 50;

/// Collects field violations while a request is parsed. Each parser returns `None` for what it could not read and leaves
/// a violation behind; [`Violations::finish`] turns all of them into one `INVALID_ARGUMENT`.
///
/// ```
/// # use status::Violations;
/// let mut violations = Violations::default();
/// let port: Option<u16> = violations.parse("port", "99999");
/// assert!(port.is_none());
/// assert!(violations.finish().is_err());
/// ```
#[derive(Debug, Default)]
pub struct Violations(Vec<FieldViolation>);

impl Violations {
    /// Notes that `field` (a path such as `requests[3].user_id`) breaks a rule; `description` says what would be right.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(FieldViolation::new(field, description));
    }

    /// Notes a violation unless `holds`.
    pub fn check(&mut self, holds: bool, field: &str, description: impl Into<String>) {
        if !holds {
            self.add(field, description);
        }
    }

    /// Reads `text` as a `T`, or notes why it is none.
    pub fn parse<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        text.parse()
            .map_err(|fault: T::Err| self.add(field, fault.to_string()))
            .ok()
    }

    /// The value, or a note that `field` must be set.
    pub fn require<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(field, "must be set");
        }
        value
    }

    /// Whether nothing was noted yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `INVALID_ARGUMENT` (reason `INVALID_FIELDS`) with every violation (of a great many, the first 50), or nothing if
    /// there is none.
    pub fn finish(mut self) -> Result<(), Status> {
        let Some(first) = self.0.first() else {
            return Ok(());
        };
        let more = match self.0.len() - 1 {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        let message = format!("{}: {}{more}", first.field, first.description);
        let mut details = ErrorDetails::with_error_info("INVALID_FIELDS", crate::DOMAIN, []);
        self.0.truncate(MAX_TOLD);
        details.set_bad_request(self.0);
        Err(Status::with_error_details(Code::InvalidArgument, message, details))
    }

    /// The parsed value if nothing was noted. For parsers that end in one `Option` of everything:
    /// `violations.finish_with(Some(x))`.
    pub fn finish_with<T>(self, value: Option<T>) -> Result<T, Status> {
        self.finish()?;
        value.ok_or_else(|| crate::internal("a parser gave neither a value nor a violation"))
    }
}

/// Checks a text that people read: at most `max` characters, no control characters.
pub fn check_text(violations: &mut Violations, field: &str, text: &str, max: usize) {
    if text.chars().count() > max {
        violations.add(field, format!("must be at most {max} characters long"));
    } else if text.chars().any(char::is_control) {
        violations.add(field, "must not hold control characters");
    }
}

/// Checks the length of a list in a batch request: 1 to `max`.
pub fn check_count(violations: &mut Violations, field: &str, count: usize, max: usize) {
    if count == 0 || count > max {
        violations.add(field, format!("must hold 1 to {max} items, not {count}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_violations_arrive_in_one_answer() {
        let mut violations = Violations::default();
        check_text(&mut violations, "greeting", "a\u{7}", 10);
        check_text(&mut violations, "cover", "abc", 2);
        check_count(&mut violations, "items", 0, 10);
        assert_eq!(violations.require::<()>("audience", None), None);
        violations.check(true, "fine", "never said");

        let status = violations.finish().unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let fields: Vec<_> = status
            .get_details_bad_request()
            .unwrap()
            .field_violations
            .into_iter()
            .map(|violation| violation.field)
            .collect();
        assert_eq!(fields, ["greeting", "cover", "items", "audience"]);
        assert_eq!(crate::reason(&status), "INVALID_FIELDS");
    }

    #[test]
    fn a_status_always_fits_the_headers() {
        let mut violations = Violations::default();
        for index in 0..1_000 {
            violations.parse::<u8>(&format!("requests[{index}].share_count"), "x");
        }
        let status = violations.finish().unwrap_err();
        assert!(status.details().len() < 8 * 1024, "{} bytes", status.details().len());
        assert!(status.message().ends_with("(and 999 more)"), "{}", status.message());
    }

    #[test]
    fn an_item_keeps_code_and_details_in_a_batch() {
        let message = crate::to_message(&crate::not_found("packet", "x"));
        assert_eq!(message.code, Code::NotFound as i32);
        assert!(!message.details.is_empty());
        assert_eq!(crate::to_message(&Status::aborted("a")).code, Code::Aborted as i32);
    }
}
