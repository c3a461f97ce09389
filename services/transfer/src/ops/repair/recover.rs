//! Finishes acts that nobody finishes any more.

use std::time::Duration;

use runtime::Process;

use super::{Repairs, Result};
use crate::{ops::Error, store::ActStart};

/// How often unfinished acts are looked for. An act is unfinished for a window of seconds before anybody may go on with it;
/// looking is one read of an index that is empty almost always.
const INTERVAL: Duration = Duration::from_secs(2);
/// How many are taken up in one round: a person made each of them.
const LIMIT: u64 = 100;

/// Goes on with acts whose tries have all ended without an outcome, until the process stops: after a crash, and after the
/// ledger was away. Any number of instances may do so at once.
pub async fn recover(repairs: Repairs, process: Process) {
    let mut failing = false;
    while process.pause(INTERVAL).await {
        let round = tokio::select! {
            biased;
            () = process.stopping() => return,
            round = repairs.finish_acts() => round,
        };
        match round {
            Ok(0) => failing = false,
            Ok(acts) => {
                failing = false;
                tracing::info!(acts, "finished operators' acts that were cut off");
            }
            Err(fault) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%fault, "cannot finish operators' acts; trying on");
                }
            }
        }
    }
}

impl Repairs {
    /// One round: tries every unfinished act once. Returns how many came to their outcome, or the last fault if one did not.
    pub async fn finish_acts(&self) -> Result<usize> {
        let now = self.ports.clock.now();
        let (mut finished, mut failed) = (0, None);
        for act in self.ports.store.unfinished_acts(now, LIMIT).await? {
            let attempt = self.attempts.next(now);
            if let ActStart::Begun { order, doubt } = self.ports.store.begin_act(&act, attempt, now, false).await? {
                match self.try_once(&act, order, attempt, doubt).await {
                    Ok(_) => finished += 1,
                    // The next act may be luckier; one that cannot be done must not keep the others from it.
                    Err(fault @ (Error::Peer(_) | Error::Busy(_) | Error::Broken(_))) => failed = Some(fault),
                    Err(fault) => return Err(fault),
                }
            }
        }
        failed.map_or(Ok(finished), Err)
    }
}
