//! The hour of each host: virtual time and an error of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use clock::{Clock, SharedClock, Timestamp};
use tokio::time::Instant;

/// When every simulation begins: 2026-01-01T00:00:00Z. Any instant would do; days change within a run where it is late
/// enough.
const START_US: i64 = 1_767_225_600_000_000;

/// One host's clock. Clones share the same hands.
#[derive(Clone, Debug)]
pub struct HostClock {
    began: Instant,
    skew_us: Arc<AtomicI64>,
}

impl HostClock {
    /// A clock that is right. All of one simulation began at `began`.
    pub fn new(began: Instant) -> Self {
        Self {
            began,
            skew_us: Arc::default(),
        }
    }

    /// Puts it wrong by so much; negative is late.
    pub fn skew(&self, by_ms: i64) {
        self.skew_us.store(by_ms * 1_000, Ordering::Relaxed);
    }

    /// As services hold it.
    pub fn shared(&self) -> SharedClock {
        Arc::new(self.clone())
    }
}

impl Clock for HostClock {
    fn now(&self) -> Timestamp {
        let elapsed: Duration = self.began.elapsed();
        let elapsed_us = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        clock::from_micros(START_US + elapsed_us + self.skew_us.load(Ordering::Relaxed))
    }
}
