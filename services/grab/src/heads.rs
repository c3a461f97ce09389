//! How far each partition's log reaches, for those who follow it.
//!
//! The writer advances a head right after its commit, so that followers in this process wake at once. A slow poll, one
//! query for all partitions of a database, finds what other processes committed to the same store.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use id::Partition;
use runtime::Process;
use tokio::sync::Notify;

use crate::{domain::claim::Head, store::LogStore};

/// How long a poll waits for its answer.
const POLL_TIMEOUT: Duration = Duration::from_secs(5);

/// The heads of all partitions. Heads only move forward.
#[derive(Debug)]
pub struct Heads(Vec<Arc<Place>>);

/// One partition's. Who waits is woken in the order of waiting, so that a run of the whole can be repeated.
#[derive(Debug)]
struct Place {
    head: Mutex<Head>,
    moved: Notify,
}

impl Place {
    fn head(&self) -> Head {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the head of one partition.
#[derive(Debug)]
pub struct Follower {
    place: Arc<Place>,
    /// The version that was seen last.
    seen: i64,
}

impl Follower {
    /// The head as it is; what was there before this no longer counts as a move.
    pub fn see(&mut self) -> Head {
        let head = self.place.head();
        self.seen = head.version;
        head
    }

    /// Waits until the head has moved on from what was seen.
    pub async fn moved(&self) {
        loop {
            let moved = self.place.moved.notified();
            if self.place.head().version > self.seen {
                return;
            }
            moved.await;
        }
    }
}

impl Heads {
    /// The heads as they are; `heads` holds every partition in order.
    pub fn new(heads: Vec<Head>) -> Self {
        let place = |head| {
            Arc::new(Place {
                head: Mutex::new(head),
                moved: Notify::new(),
            })
        };
        Self(heads.into_iter().map(place).collect())
    }

    /// Moves a head forward and wakes who follows it.
    pub fn advance(&self, to: Head) {
        if let Some(place) = self.0.get(usize::from(to.partition.index())) {
            let mut head = place.head.lock().unwrap_or_else(PoisonError::into_inner);
            if to.version > head.version {
                *head = to;
                drop(head);
                place.moved.notify_waiters();
            }
        }
    }

    /// Follows one partition; `None` if there is no such partition.
    pub fn follow(&self, partition: Partition) -> Option<Follower> {
        let place = self.0.get(usize::from(partition.index()))?.clone();
        let seen = place.head().version;
        Some(Follower { place, seen })
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
