//! How loops behave when something they need is away.

use std::{fmt::Display, time::Duration};

use tokio::time::Instant;

/// How often all feeds of a process together may ask for a log after they have lost it, in a second, and how many at once
/// after a quiet time. A process with all of 64 partitions follows all of them again two seconds after grab is back; grab
/// meets an even stream of streams to open, and not 64 at once from each process.
pub const FEEDS_PER_SECOND: u32 = 32;
/// See [`FEEDS_PER_SECOND`].
pub const FEEDS_AT_ONCE: u32 = 8;

/// How long a partition's claims may stand still before it is named: longer than a restart of whatever they wait for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long something is refused before it is believed: some ten tries, and shorter than anybody waits for their money.
const DOUBT: Duration = Duration::from_secs(2);

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

/// Notices that something is refused again and again: not once, because a peer that starts may say anything.
#[derive(Default)]
pub struct Refused {
    since: Option<Instant>,
}

impl Refused {
    /// How it failed: whether it was refused, or in passing.
    pub fn note(&mut self, refused: bool) {
        self.since = if refused {
            self.since.or_else(|| Some(Instant::now()))
        } else {
            None
        };
    }

    /// Whether nothing else was said for a while.
    pub fn for_long(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= DOUBT)
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
    async fn a_refusal_is_believed_when_nothing_else_is_said_for_a_while() {
        let mut refused = Refused::default();
        refused.note(true);
        tokio::time::advance(DOUBT / 2).await;
        refused.note(false);
        refused.note(true);
        tokio::time::advance(DOUBT / 2).await;
        refused.note(true);
        assert!(!refused.for_long());
        tokio::time::advance(DOUBT / 2).await;
        assert!(refused.for_long());
    }

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
