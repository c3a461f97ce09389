//! How loops behave when something they need is away.

use std::{fmt::Display, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The first pause: as short as a restart of a connection.
const MIN_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause before jitter: a peer that comes back is found again this soon.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Pauses that double up to a cap, with jitter, without end.
pub struct Backoff(ExponentialBackoff);

impl Default for Backoff {
    fn default() -> Self {
        let builder = ExponentialBuilder::default()
            .with_min_delay(MIN_PAUSE)
            .with_max_delay(MAX_PAUSE)
            .with_jitter()
            .without_max_times();
        Self(builder.build())
    }
}

impl Backoff {
    /// The next pause.
    pub fn next(&mut self) -> Duration {
        self.0.next().unwrap_or(MAX_PAUSE)
    }
}

/// Logs the change between working and failing, once each time.
pub struct Steady {
    what: &'static str,
    failing: bool,
}

impl Steady {
    /// `what` works.
    pub fn new(what: &'static str) -> Self {
        Self { what, failing: false }
    }

    /// It failed.
    pub fn failed(&mut self, fault: &impl Display) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(what = self.what, %fault, "failing; trying on");
        }
    }

    /// It works.
    pub fn works(&mut self) {
        if std::mem::replace(&mut self.failing, false) {
            tracing::info!(what = self.what, "works again");
        }
    }
}
