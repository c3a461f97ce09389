//! How everything here tries again: exponential backoff with full jitter, and a budget for what is tried by many at once.
//!
//! - [`Policy`]: how long the pauses are. After the n-th failure in a row a pause is drawn evenly from zero to
//!   `first * 2^n`, at most to `longest`. Full jitter spreads those who failed together over the whole pause; anything less
//!   lets them return together (Brooker, "Exponential Backoff And Jitter", AWS 2015).
//! - [`Budget`]: how often the loops of a process together may knock at one door. It never refuses, it makes them queue: what
//!   fails in passing is tried without end and in order, and who comes back after an outage meets a steady trickle instead
//!   of all at once.
//! - [`Backoff`]: one loop's pauses under both.
//!
//! The jitter comes from `fastrand`'s generator of the thread, which a simulation seeds.

mod budget;

use std::time::Duration;

use tokio::time::Instant;

pub use budget::Budget;

/// How long the pauses between tries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    first: Duration,
    longest: Duration,
}

/// Another service that is away: from the time that a connection takes to come back, to the time after which it should be
/// noticed that it is back.
pub const PEER: Policy = Policy::new(Duration::from_millis(20), Duration::from_secs(1));
/// A transaction that another one was in the way of: enough for a deadlock to dissolve, while a caller waits.
pub const TRANSACTION: Policy = Policy::new(Duration::from_millis(4), Duration::from_millis(200));
/// A piece of work that failed as such, of which there may be many: noticed within a minute that it goes again.
pub const WORK: Policy = Policy::new(Duration::from_secs(1), Duration::from_mins(1));

impl Policy {
    /// Pauses up to `first` after one failure, doubling with each further one up to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The longest pause after `failures` failures in a row, the first of which is number 0.
    pub fn ceiling(&self, failures: u32) -> Duration {
        let grown = self.first.saturating_mul(2_u32.saturating_pow(failures));
        grown.min(self.longest)
    }

    /// A pause after `failures` failures in a row.
    pub fn pause(&self, failures: u32) -> Duration {
        let ceiling = u64::try_from(self.ceiling(failures).as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(fastrand::u64(0..=ceiling))
    }

    /// The pauses of one loop that is alone with what it waits for.
    pub const fn alone(self) -> Backoff {
        Backoff {
            policy: self,
            budget: None,
            failures: 0,
        }
    }

    /// The pauses of one loop among those that share `budget`.
    pub const fn within(self, budget: Budget) -> Backoff {
        Backoff {
            policy: self,
            budget: Some(budget),
            failures: 0,
        }
    }
}

/// The pauses of one loop.
#[derive(Clone, Debug)]
pub struct Backoff {
    policy: Policy,
    budget: Option<Budget>,
    failures: u32,
}

impl Backoff {
    /// Another failure in a row: waits for the next try. May be dropped; then the next wait is longer all the same.
    pub async fn wait(&mut self) {
        let pause = self.policy.pause(self.failures);
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(pause).await;
        if let Some(budget) = &self.budget {
            tokio::time::sleep_until(budget.place(Instant::now())).await;
        }
    }

    /// It works: the next failure is a first one.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let policy = Policy::new(Duration::from_millis(3), Duration::from_millis(20));
        let ceilings = [0, 1, 2, 3, 4, u32::MAX].map(|failures| policy.ceiling(failures).as_millis());
        assert_eq!(ceilings, [3, 6, 12, 20, 20, 20]);
    }

    /// Of many who failed together, about as many return in each tenth of the longest pause.
    #[test]
    fn the_jitter_is_full() {
        fastrand::seed(7);
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            let pause = PEER.pause(20).as_micros();
            tenths[usize::try_from(pause / 100_000).unwrap().min(9)] += 1;
        }
        assert!(tenths.iter().all(|count| (900..1_100).contains(count)), "{tenths:?}");
    }

    proptest! {
        #[test]
        fn no_pause_is_longer_than_its_ceiling(first in 0..1_000_u64, longest in 0..10_000_u64, failures in 0..100_u32) {
            let policy = Policy::new(Duration::from_millis(first), Duration::from_millis(longest));
            for failure in 0..=failures {
                prop_assert!(policy.pause(failure) <= policy.ceiling(failure));
            }
        }
    }

    /// A loop that fails without end comes to rest for half the longest pause, on average.
    #[tokio::test(start_paused = true)]
    async fn a_loop_that_goes_on_failing_knocks_ever_more_rarely() {
        fastrand::seed(7);
        let (mut backoff, began) = (PEER.alone(), Instant::now());
        for _ in 0..40 {
            backoff.wait().await;
        }
        assert!(began.elapsed() > PEER.longest * 12, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_works_again_begins_anew() {
        fastrand::seed(7);
        let mut backoff = PEER.alone();
        for failure in [0, 1, 2, 3, 0] {
            if failure == 0 {
                backoff.reset();
            }
            let began = Instant::now();
            backoff.wait().await;
            assert!(
                began.elapsed() <= PEER.ceiling(failure) + Duration::from_millis(1),
                "{failure}"
            );
        }
    }
}
