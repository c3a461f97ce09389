//! How often many loops together may knock at one door.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A bucket of tries that fills at a steady rate and lets who finds it empty wait for their turn. Clones share it.
#[derive(Clone)]
pub struct Budget {
    /// Time between two tries at the steady rate.
    interval: Duration,
    /// How far the tries may run ahead of that rate.
    ahead: Duration,
    /// When the next try is due at the steady rate.
    due: Arc<Mutex<Option<Instant>>>,
}

impl Budget {
    /// `per_second` tries a second, and `burst` at once after a quiet time. Both above zero.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            interval,
            ahead: interval * burst.max(1).saturating_sub(1),
            due: Arc::default(),
        }
    }

    /// Takes the next free place, and says when that is. In order of asking.
    pub fn place(&self, now: Instant) -> Instant {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let at_rate = due.map_or(now, |due| due.max(now));
        *due = Some(at_rate + self.interval);
        at_rate
            .checked_sub(self.ahead)
            .map_or(now, |earliest| earliest.max(now))
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PEER;

    /// Counts the tries of `loops` loops in each second of an outage.
    async fn knocks(budget: Option<Budget>, loops: usize, seconds: usize) -> Vec<usize> {
        let (start, counts) = (Instant::now(), Arc::new(Mutex::new(vec![0; seconds])));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..loops {
            let mut backoff = budget.clone().map_or(PEER.alone(), |budget| PEER.within(budget));
            let counts = counts.clone();
            tasks.spawn(async move {
                loop {
                    let second = usize::try_from(start.elapsed().as_secs()).unwrap();
                    match counts.lock().unwrap().get_mut(second) {
                        Some(count) => *count += 1,
                        None => return,
                    }
                    backoff.wait().await;
                }
            });
        }
        tasks.join_all().await;
        counts.lock().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn many_loops_knock_no_more_often_than_the_budget() {
        fastrand::seed(7);
        let without = knocks(None, 100, 10).await;
        assert!(without[1..].iter().all(|count| *count > 150), "{without:?}");
        let within = knocks(Some(Budget::new(20, 5)), 100, 10).await;
        // The first second has everybody's first try, which no budget is asked for. Nobody is kept from trying either.
        assert!(within[1..].iter().all(|count| (19..=21).contains(count)), "{within:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_at_once_need_not_wait_after_a_quiet_time() {
        let (budget, now) = (Budget::new(10, 3), Instant::now());
        let places = |budget: &Budget, at: Instant| {
            let places = [(); 5].map(|()| budget.place(at));
            places.map(|place| (place - at).as_millis())
        };
        assert_eq!(places(&budget, now), [0, 0, 0, 100, 200]);
        assert_eq!(places(&budget, now + Duration::from_mins(1)), [0, 0, 0, 100, 200]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_loop_alone_is_not_held_up() {
        fastrand::seed(7);
        let mut backoff = PEER.within(Budget::new(20, 20));
        for failure in 0..20 {
            let began = Instant::now();
            backoff.wait().await;
            assert!(
                began.elapsed() <= PEER.ceiling(failure) + Duration::from_millis(1),
                "{failure}"
            );
        }
    }
}
