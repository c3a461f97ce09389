//! The sender's calendar day and what may be sent in it.

use std::str::FromStr;

use clock::Timestamp;

const MICROS_PER_MINUTE: i64 = 60_000_000;
const MICROS_PER_DAY: i64 = 24 * 60 * MICROS_PER_MINUTE;
/// The time zones of the world lie between −12:00 and +14:00 (ISO 8601 offsets in use).
const MINUTES: std::ops::RangeInclusive<i64> = -12 * 60..=14 * 60;

/// How far the calendar of the limits is ahead of UTC, such as `+08:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtcOffset {
    minutes: i64,
}

/// The text is no offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an offset from -12:00 to +14:00, such as +08:00")]
pub struct UtcOffsetError;

impl FromStr for UtcOffset {
    type Err = UtcOffsetError;

    fn from_str(text: &str) -> Result<Self, UtcOffsetError> {
        let (sign, digits) = text.split_at_checked(1).ok_or(UtcOffsetError)?;
        let sign = match sign {
            "+" => 1,
            "-" => -1,
            _ => return Err(UtcOffsetError),
        };
        let (hours, minutes) = digits.split_once(':').ok_or(UtcOffsetError)?;
        let number = |part: &str, below: i64| {
            part.parse::<i64>()
                .ok()
                .filter(|n| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) && *n < below)
        };
        let hours = number(hours, 24).ok_or(UtcOffsetError)?;
        let minutes = sign * (hours * 60 + number(minutes, 60).ok_or(UtcOffsetError)?);
        if MINUTES.contains(&minutes) {
            Ok(Self { minutes })
        } else {
            Err(UtcOffsetError)
        }
    }
}

impl UtcOffset {
    /// No offset.
    pub const UTC: Self = Self { minutes: 0 };

    /// The number of the calendar day that `at` falls in; 1970-01-01 is day 0.
    pub fn day(self, at: Timestamp) -> i64 {
        (at.as_microsecond() + self.minutes * MICROS_PER_MINUTE).div_euclid(MICROS_PER_DAY)
    }
}

/// What one sender may send in one calendar day. Rejected packets do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyLimits {
    /// At most this many packets.
    pub count: u32,
    /// At most this sum of their totals, in fen.
    pub total_fen: i64,
}

/// What one sender has sent in one calendar day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DailyUse {
    /// How many packets.
    pub count: i64,
    /// The sum of their totals, in fen.
    pub total_fen: i64,
}

impl DailyUse {
    /// The day with one more packet of `total_fen`, or `None` where that would be over the limits.
    #[must_use]
    pub fn with(self, total_fen: i64, limits: DailyLimits) -> Option<Self> {
        let after = Self {
            count: self.count.checked_add(1)?,
            total_fen: self.total_fen.checked_add(total_fen)?,
        };
        (after.count <= i64::from(limits.count) && after.total_fen <= limits.total_fen).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_local_midnight() {
        let china: UtcOffset = "+08:00".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let day = china.day(at("2026-02-16T15:59:59.999999Z"));
        assert_eq!(china.day(at("2026-02-16T16:00:00Z")), day + 1);
        assert_eq!(china.day(at("2026-02-15T16:00:00Z")), day);
        assert_eq!(
            "+00:00".parse::<UtcOffset>().unwrap().day(at("1970-01-01T00:00:00Z")),
            0
        );
        assert_eq!(
            "-05:30".parse::<UtcOffset>().unwrap().day(at("1970-01-01T00:00:00Z")),
            -1
        );
    }

    #[test]
    fn what_is_no_offset_is_refused() {
        for text in [
            "", "8", "+8:00", "08:00", "+08", "+08:60", "+14:01", "-12:01", "+0８:00", "++8:00", "字",
        ] {
            assert_eq!(text.parse::<UtcOffset>(), Err(UtcOffsetError), "{text}");
        }
    }

    #[test]
    fn a_day_is_full_when_either_limit_is_reached() {
        let limits = DailyLimits {
            count: 2,
            total_fen: 100,
        };
        let one = DailyUse::default().with(60, limits).unwrap();
        assert_eq!(one.with(41, limits), None);
        let two = one.with(40, limits).unwrap();
        assert_eq!(
            two,
            DailyUse {
                count: 2,
                total_fen: 100
            }
        );
        let few = DailyUse { count: 2, total_fen: 2 };
        assert_eq!(few.with(1, limits), None);
        assert_eq!(
            DailyUse {
                count: 0,
                total_fen: i64::MAX
            }
            .with(1, limits),
            None
        );
    }
}
