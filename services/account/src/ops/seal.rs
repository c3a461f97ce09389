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
