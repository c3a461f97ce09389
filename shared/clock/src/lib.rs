//! Time as an argument: nothing in the system asks for the hour behind its caller's back.
//!
//! Instants are [`Timestamp`]s, cut to microseconds, which is what every SQL engine keeps: an instant that was stored
//! and read back equals the one that was stored.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub use jiff::Timestamp;

/// Where the hour comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, cut to microseconds.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        from_micros(Timestamp::now().as_microsecond())
    }
}

/// A clock that stands still until it is moved, for tests and simulations. Clones share the same hands.
#[derive(Clone, Debug)]
pub struct Manual(Arc<Mutex<Timestamp>>);

impl Manual {
    /// A clock standing at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(from_micros(start.as_microsecond()))))
    }

    /// Moves the hands forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = after(*now, by);
    }
}

impl Clock for Manual {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Any clock behind one pointer, as services hold it.
pub type SharedClock = Arc<dyn Clock>;

/// The instant `micros` microseconds after the epoch, clamped to the years that exist (−9999 to 9999).
pub fn from_micros(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// The instant `by` after `from`, clamped to the year 9999.
pub fn after(from: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    from_micros(from.as_microsecond().saturating_add(micros))
}

/// The instant `by` before `from`, clamped to the year −9999.
pub fn before(from: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    from_micros(from.as_microsecond().saturating_sub(micros))
}

/// How long from `from` until `to`; zero where `to` is not later.
pub fn until(from: Timestamp, to: Timestamp) -> Duration {
    let micros = to.as_microsecond().saturating_sub(from.as_microsecond());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// The instant on the wire.
pub fn to_proto(at: Timestamp) -> prost_types::Timestamp {
    let micros = at.as_microsecond();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0) * 1_000;
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    }
}

/// The instant from the wire, cut to microseconds, or `None` where it is outside the years 1 to 9999 or its nanos are
/// outside 0 to 999,999,999.
pub fn from_proto(at: &prost_types::Timestamp) -> Option<Timestamp> {
    // 0001-01-01T00:00:00Z, the earliest instant that google.protobuf.Timestamp allows.
    const EARLIEST_SECOND: i64 = -62_135_596_800;
    if at.seconds < EARLIEST_SECOND || !(0..1_000_000_000).contains(&at.nanos) {
        return None;
    }
    let micros = at
        .seconds
        .checked_mul(1_000_000)?
        .checked_add(i64::from(at.nanos / 1_000))?;
    Timestamp::from_microsecond(micros).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_survives_the_wire_and_the_store() {
        for micros in [0, 1, -1, 1_700_000_000_123_456, -62_135_596_800_000_000] {
            let at = from_micros(micros);
            assert_eq!(from_proto(&to_proto(at)), Some(at), "{micros}");
            assert_eq!(from_micros(at.as_microsecond()), at);
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for (seconds, nanos) in [
            (0, -1),
            (0, 1_000_000_000),
            (i64::MAX, 0),
            (i64::MIN, 0),
            (253_402_300_800, 0),
        ] {
            assert_eq!(
                from_proto(&prost_types::Timestamp { seconds, nanos }),
                None,
                "{seconds}.{nanos}"
            );
        }
    }

    #[test]
    fn a_manual_clock_moves_when_told() {
        let clock = Manual::new(from_micros(5));
        let twin = clock.clone();
        clock.advance(Duration::from_micros(7));
        assert_eq!(twin.now(), from_micros(12));
        assert_eq!(until(from_micros(5), twin.now()), Duration::from_micros(7));
        assert_eq!(until(twin.now(), from_micros(5)), Duration::ZERO);
    }
}
