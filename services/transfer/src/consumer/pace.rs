//! How loops behave when something they need is away.

use std::{fmt::Display, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

/// The first pause: as short as a restart of a connection.
const MIN_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause before jitter: a peer that comes back is found again this soon.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// How long a partition's claims may stand still before it is named: longer than a restart of whatever they wait for.
pub const PATIENCE: Duration = Duration::from_secs(30);

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

/// Notices that something stands still, so that each partition concerned is named, once. What fails for all of them
/// together is told by [`Steady`] at once.
pub struct Overdue {
    since: Instant,
    told: bool,
}

impl Overdue {
    /// From now on.
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            told: false,
        }
    }

    /// Whether it is too long, and was not when last asked.
    pub fn is_news(&mut self) -> bool {
        let news = !self.told && self.since.elapsed() >= PATIENCE;
        self.told |= news;
        news
    }

    /// Begins anew; whether it was too long.
    pub fn end(&mut self) -> bool {
        std::mem::replace(self, Self::new()).told
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn standing_still_is_news_once() {
        let mut overdue = Overdue::new();
        for _ in 0..2 {
            assert!(!overdue.is_news());
            tokio::time::advance(PATIENCE).await;
            assert!(overdue.is_news() && !overdue.is_news());
            assert!(overdue.end());
        }
        assert!(!overdue.end());
    }
}
