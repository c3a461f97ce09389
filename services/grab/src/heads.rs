//! How far each partition's log reaches, for those who follow it.
//!
//! The writer advances a head right after its commit, so that followers in this process wake at once. A slow poll, one
//! query for all partitions of a database, finds what other processes committed to the same store.

use std::{sync::Arc, time::Duration};

use id::Partition;
use runtime::Process;
use tokio::sync::watch;

use crate::{domain::claim::Head, store::LogStore};

/// How long a poll waits for its answer.
const POLL_TIMEOUT: Duration = Duration::from_secs(5);

/// The heads of all partitions. Heads only move forward.
#[derive(Debug)]
pub struct Heads(Vec<watch::Sender<Head>>);

impl Heads {
    /// The heads as they are; `heads` holds every partition in order.
    pub fn new(heads: Vec<Head>) -> Self {
        Self(heads.into_iter().map(watch::Sender::new).collect())
    }

    /// Moves a head forward and wakes who follows it.
    pub fn advance(&self, to: Head) {
        if let Some(head) = self.0.get(usize::from(to.partition.index())) {
            head.send_if_modified(|head| {
                let newer = to.version > head.version;
                if newer {
                    *head = to;
                }
                newer
            });
        }
    }

    /// Follows one partition; `None` if there is no such partition.
    pub fn follow(&self, partition: Partition) -> Option<watch::Receiver<Head>> {
        self.0.get(usize::from(partition.index())).map(watch::Sender::subscribe)
    }
}

/// Asks the store for all heads every `every` until the process stops: each database by itself, so that one that is
/// away keeps nobody from following the others.
pub fn start_polling(heads: &Arc<Heads>, store: &Arc<dyn LogStore>, every: Duration, process: &Process) {
    for range in store.ranges() {
        let polling = poll(heads.clone(), store.clone(), range, every, process.clone());
        process.spawn("claim log poll", polling);
    }
}

async fn poll(heads: Arc<Heads>, store: Arc<dyn LogStore>, range: Vec<Partition>, every: Duration, process: Process) {
    let mut failing = false;
    while process.pause(every).await {
        let found = tokio::time::timeout(POLL_TIMEOUT, store.heads(&range)).await;
        let found = found.map_err(|_| "no answer in time".to_owned());
        match found.and_then(|found| found.map_err(|fault| fault.to_string())) {
            Ok(found) => {
                for head in found {
                    heads.advance(head);
                }
                if failing {
                    tracing::info!("the heads of the claim log can be read again");
                }
                failing = false;
            }
            Err(fault) if !failing => {
                tracing::warn!(%fault, "cannot read the heads of the claim log");
                failing = true;
            }
            Err(_) => {}
        }
    }
}
