//! Sealing what was posted, beside the posting.

use std::{sync::Arc, time::Duration};

use clock::SharedClock;
use runtime::Process;

use crate::{domain::chain::Sealing, store::Chain};

/// Seals whatever waits, every `interval`, until the process stops. Any number of instances may: one seals at a time. A
/// failure is told once until it works again.
pub async fn keep_sealing(chain: Arc<dyn Chain>, clock: SharedClock, interval: Duration, process: Process) {
    let mut works = true;
    loop {
        let sealed = tokio::select! {
            biased;
            () = process.stopping() => return,
            sealed = chain.seal(clock.now()) => sealed,
        };
        match sealed {
            Ok(Sealing::Sealed(_)) if works => continue, // there may be more
            Ok(_) if !works => {
                works = true;
                tracing::info!("transfers are sealed again");
            }
            Err(fault) if works => {
                works = false;
                tracing::warn!(%fault, "posted transfers are not sealed; they wait");
            }
            Ok(_) | Err(_) => {}
        }
        if !process.pause(interval).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ::sql::{Error, Result};
    use async_trait::async_trait;
    use clock::Timestamp;

    use super::*;
    use crate::domain::chain::Head;

    /// Fails at first; then three transfers wait, one after the other.
    #[derive(Default)]
    struct Chained(AtomicUsize);

    #[async_trait]
    impl Chain for Chained {
        async fn seal(&self, _: Timestamp) -> Result<Sealing> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(Error::inconsistent("not now")),
                1..=3 => Ok(Sealing::Sealed(1)),
                _ => Ok(Sealing::Idle),
            }
        }

        async fn head(&self) -> Result<Head> {
            Ok(Head::GENESIS)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_after_a_failure_and_does_not_rest_while_more_waits() {
        let (chain, process) = (Arc::new(Chained::default()), Process::new());
        let sealing = keep_sealing(chain.clone(), Arc::new(clock::System), Duration::from_secs(10), process);
        let ended = tokio::time::timeout(Duration::from_secs(25), sealing).await;
        assert!(ended.is_err(), "it goes on until the process stops");
        // At 0 s, at 10 s when it works again, and at 20 s until nothing waits.
        assert_eq!(chain.0.load(Ordering::Relaxed), 5);
    }
}
