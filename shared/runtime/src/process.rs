//! The stop signal of a service and the tasks that a stop waits for.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// One service's life. Every task it starts goes through [`Process::spawn`], so that a stop can wait for it. Cheap to
/// clone; clones share the same life.
#[derive(Clone, Debug, Default)]
pub struct Process {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Process {
    /// A life that has just begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. A task that panics ends the whole service: half a service that looks alive is worse than none.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let process = self.clone();
        self.tasks.spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!(task = name, "task panicked; stopping");
                process.begin_stop();
            }
        });
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
            () = self.stopping() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }

    /// Asks the service to stop without waiting for it.
    pub fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Asks the service to stop and waits for its tasks; `false` if some were still running after `within`.
    pub async fn stop(&self, within: Duration) -> bool {
        self.begin_stop();
        self.tasks.close();
        tokio::time::timeout(within, self.tasks.wait()).await.is_ok()
    }
}
