//! The stop signal of a service and the tasks that a stop waits for.

use std::{
    fmt, mem,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::Metrics;

/// One service's life. Every task it starts goes through [`Process::spawn`], so that a stop can wait for it. Cheap to
/// clone; clones share the same life.
#[derive(Clone, Debug, Default)]
pub struct Process {
    stop: CancellationToken,
    kill: CancellationToken,
    tasks: TaskTracker,
    last: LastActs,
    metrics: Metrics,
}

/// What is done when no task is left.
#[derive(Clone, Default)]
struct LastActs(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl LastActs {
    fn add(&self, act: BoxFuture<'static, ()>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(act);
    }

    fn take(&self) -> Vec<BoxFuture<'static, ()>> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for LastActs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastActs")
    }
}

impl Process {
    /// A life that has just begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it counts and measures.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Starts a task. A task that panics ends the whole service: half a service that looks alive is worse than none.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let process = self.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = process.kill.cancelled() => {}
                ended = AssertUnwindSafe(task).catch_unwind() => if ended.is_err() {
                    tracing::error!(task = name, "task panicked; stopping");
                    process.begin_stop();
                },
            }
        });
    }

    /// Ends every task where it stands, as a power cut would: none of them is run any further, none is waited for, and
    /// nothing of what [`Process::on_stopped`] was told is done. For simulations of a crash.
    pub fn kill(&self) {
        self.kill.cancel();
    }

    /// Runs `act` at the end of a stop, when no task is left: what makes an end a tidy one, such as closing the store. One
    /// after the other, in order. Not run if tasks outlast the stop: the process then ends as if it were killed, which all
    /// that it stored survives.
    pub fn on_stopped(&self, act: impl Future<Output = ()> + Send + 'static) {
        self.last.add(act.boxed());
    }

    /// Resolves when the service is asked to stop. Loops select on it between two rounds.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the service was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits for `pause` or the stop signal, whichever is first; `false` means stop.
    pub async fn pause(&self, pause: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stopping() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }

    /// Asks the service to stop without waiting for it.
    pub fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Asks the service to stop, waits for its tasks and then does what [`Process::on_stopped`] was told; `false` if that
    /// was not over after `within`.
    pub async fn stop(&self, within: Duration) -> bool {
        self.begin_stop();
        self.tasks.close();
        let end = async {
            self.tasks.wait().await;
            for act in self.last.take() {
                act.await;
            }
        };
        tokio::time::timeout(within, end).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn the_last_acts_follow_the_last_task() {
        let process = Process::new();
        let order = Arc::new(AtomicUsize::new(0));
        let step = |expected| {
            let order = order.clone();
            async move { assert_eq!(order.fetch_add(1, Ordering::Relaxed), expected) }
        };
        let (first, second, third) = (step(0), step(1), step(2));
        process.on_stopped(second);
        process.clone().on_stopped(third);
        let stopping = process.clone();
        process.spawn("slow", async move {
            stopping.stopping().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            first.await;
        });
        assert!(process.stop(Duration::from_secs(2)).await);
        assert_eq!(order.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_killed_process_does_nothing_more() {
        struct Dropped(Arc<AtomicUsize>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (process, steps) = (Process::new(), Arc::new(AtomicUsize::new(0)));
        process.on_stopped(async { panic!("a tidy end of a process that was killed") });
        for _ in 0..2 {
            let (pausing, held, step) = (process.clone(), Dropped(steps.clone()), steps.clone());
            process.spawn("victim", async move {
                let _held = held;
                pausing.pause(Duration::from_secs(1)).await;
                step.fetch_add(100, Ordering::Relaxed);
            });
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        process.kill();
        process.spawn("too late", async { panic!("run by a process that was killed") });
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(steps.load(Ordering::Relaxed), 2, "dropped where they stood");
        assert!(!process.is_stopping(), "nobody asked it to stop");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_keeps_its_store() {
        let process = Process::new();
        process.on_stopped(async { panic!("closed under a running task") });
        process.spawn("stuck", std::future::pending());
        assert!(!process.stop(Duration::from_secs(1)).await);
    }
}
