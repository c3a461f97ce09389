//! How long a lane tries one batch.

use std::time::Duration;

use sql::Error;
use tokio::time::Instant;

/// A passing failure: a session that the server cut off, a claim that was written past the fence.
const PASSING: Duration = Duration::from_secs(1);
/// Another writer in the way. Each wait for its lock may take the longest time that a statement may.
const CONTENDED: Duration = Duration::from_secs(15);
/// An outcome that nobody knows. Who asked should hear of the claim that may be theirs; when their own time is over they
/// are gone, and with the last of them the batch. This is for callers without a deadline.
const UNKNOWN: Duration = Duration::from_secs(30);

/// Says after each failure whether to try again.
pub struct Persistence {
    began: Instant,
    /// Failures so far.
    failures: u32,
    /// Whether the store was away before this batch, so that waiting for it is no use.
    away: bool,
    /// Whether some try may have committed.
    unknown: bool,
}

impl Persistence {
    /// For a batch that begins now.
    pub fn new(away: bool) -> Self {
        Self {
            began: Instant::now(),
            failures: 0,
            away,
            unknown: false,
        }
    }

    /// How long to wait before the batch is tried again; `None`: not at all. Every try repeats the same opens, which is safe
    /// whatever became of those before.
    pub fn pause_after(&mut self, fault: &Error) -> Option<Duration> {
        self.unknown |= matches!(fault, Error::OutcomeUnknown(_));
        let patience = match fault {
            Error::Inconsistent(_) => Duration::ZERO,
            _ if self.unknown => UNKNOWN,
            // Room does not come by itself: who asked should hear of it.
            Error::Unwritable(..) => Duration::ZERO,
            Error::Contended(_) => CONTENDED,
            Error::Driver(_) if self.away => Duration::ZERO,
            Error::Driver(_) | Error::Conflict(_) | Error::OutcomeUnknown(_) => PASSING,
        };
        let pause = retry::TRANSACTION.pause(self.failures);
        self.failures = self.failures.saturating_add(1);
        (self.began.elapsed() < patience).then_some(pause)
    }

    /// Whether some try may have committed, and none since said what became of it.
    pub fn outcome_is_unknown(&self) -> bool {
        self.unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::DbErr;

    fn fault() -> DbErr {
        DbErr::Custom("as told".to_owned())
    }

    /// How long a batch is tried that always fails the same way.
    async fn tried(mut persistence: Persistence, fault: Error) -> Duration {
        let began = Instant::now();
        while let Some(pause) = persistence.pause_after(&fault) {
            tokio::time::sleep(pause).await;
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn each_failure_has_its_time() {
        let table = [
            (false, Error::Driver(fault()), PASSING),
            (true, Error::Driver(fault()), Duration::ZERO),
            (true, Error::Conflict(fault()), PASSING),
            (true, Error::Contended(fault()), CONTENDED),
            (true, Error::OutcomeUnknown(fault()), UNKNOWN),
            (false, Error::Unwritable(sql::Unwritable::Full, fault()), Duration::ZERO),
            (false, Error::inconsistent("x"), Duration::ZERO),
        ];
        for (away, fault, patience) in table {
            let text = fault.to_string();
            let tried = tried(Persistence::new(away), fault).await;
            assert!(
                (patience..=patience + retry::TRANSACTION.ceiling(u32::MAX) * 2).contains(&tried),
                "{text}: {tried:?}"
            );
        }
        let mut persistence = Persistence::new(true);
        persistence.pause_after(&Error::OutcomeUnknown(fault())).unwrap();
        let tried = tried(persistence, Error::Driver(fault())).await;
        assert!(tried >= UNKNOWN, "it is open still: {tried:?}");
    }
}
