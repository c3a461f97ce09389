//! Calendar years at a fixed offset from UTC.

use std::{ops::Range, str::FromStr};

use clock::Timestamp;
use jiff::{civil, tz::Offset};

/// The offset from UTC at which a year begins, `±HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtcOffset(Offset);

/// The text is not an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an offset from UTC such as +08:00 or -05:30, at most 18 hours")]
pub struct UtcOffsetError;

/// The furthest offset from UTC that RFC 9557 readers are expected to take.
const MAX_HOURS: i32 = 18;

impl FromStr for UtcOffset {
    type Err = UtcOffsetError;

    fn from_str(text: &str) -> Result<Self, UtcOffsetError> {
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => return Err(UtcOffsetError),
        };
        let two_digits = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse::<i32>().ok()).flatten()
        };
        let (hours, minutes) = rest.split_once(':').ok_or(UtcOffsetError)?;
        match (two_digits(hours), two_digits(minutes)) {
            (Some(hours), Some(minutes)) if minutes < 60 && hours * 60 + minutes <= MAX_HOURS * 60 => {
                Offset::from_seconds(sign * (hours * 60 + minutes) * 60)
                    .map(Self)
                    .map_err(|_| UtcOffsetError)
            }
            _ => Err(UtcOffsetError),
        }
    }
}

impl UtcOffset {
    /// The instants of calendar year `year`, 1 to 9999; the last year there is ends with time itself.
    pub fn year(self, year: i16) -> Range<Timestamp> {
        let begin = |year: i16| {
            civil::Date::new(year, 1, 1)
                .and_then(|day| self.0.to_timestamp(day.to_datetime(civil::Time::midnight())))
                .unwrap_or(Timestamp::MAX)
        };
        begin(year)..begin(year.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_begins_at_midnight_of_the_offset() {
        let shanghai: UtcOffset = "+08:00".parse().unwrap();
        let year = shanghai.year(2026);
        assert_eq!(year.start.to_string(), "2025-12-31T16:00:00Z");
        assert_eq!(year.end.to_string(), "2026-12-31T16:00:00Z");
        let west: UtcOffset = "-05:30".parse().unwrap();
        assert_eq!(west.year(2000).start.to_string(), "2000-01-01T05:30:00Z");
        assert_eq!(west.year(9999).end, Timestamp::MAX);
    }

    #[test]
    fn what_is_no_offset_is_refused() {
        for text in [
            "",
            "+",
            "08:00",
            "+8:00",
            "+08",
            "+08:60",
            "+19:00",
            "+18:01",
            "+ 8:00",
            "+08:00:00",
            "Z",
            "＋08:00",
        ] {
            assert_eq!(text.parse::<UtcOffset>(), Err(UtcOffsetError), "{text:?}");
        }
    }
}
