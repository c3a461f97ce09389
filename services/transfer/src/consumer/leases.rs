//! This instance's share of the partitions.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use id::Partition;
use runtime::Process;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    Terms,
    backlog::Backlog,
    feed::{self, Fed, Feed},
    pace::{FEEDS_AT_ONCE, FEEDS_PER_SECOND, Steady},
};
use crate::ops::{Ports, settle::Batch};

/// Renewals in the life of a lease: two may fail before it runs out.
const RENEWALS: u32 = 3;

/// The partitions that this instance holds, each with its feed.
pub struct Holdings {
    ports: Ports,
    process: Process,
    feeds: mpsc::Sender<Fed>,
    steady: Arc<Mutex<Steady>>,
    budget: retry::Budget,
    backlog: Backlog,
    changed: Notify,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    partitions: BTreeMap<Partition, Holding>,
    last_feed: u64,
}

struct Holding {
    feed: u64,
    after_seq: i64,
    /// Stops the feed when dropped.
    _stop: tokio_util::sync::DropGuard,
}

impl Holdings {
    /// None yet. What comes in goes to `feeds`.
    pub fn new(ports: Ports, process: Process, feeds: mpsc::Sender<Fed>, backlog: Backlog) -> Self {
        Self {
            ports,
            process,
            feeds,
            steady: Arc::new(Mutex::new(Steady::new("following the claim log"))),
            budget: retry::Budget::new(FEEDS_PER_SECOND, FEEDS_AT_ONCE),
            backlog,
            changed: Notify::new(),
            held: Mutex::default(),
        }
    }

    /// The cursor of a partition, if it is held and `feed` is its feed.
    pub fn cursor(&self, partition: Partition, feed: u64) -> Option<i64> {
        let held = self.lock();
        let holding = held.partitions.get(&partition)?;
        (holding.feed == feed).then_some(holding.after_seq)
    }

    /// Moves the cursors of `batches` on; those of `lost` partitions are read from the store again.
    pub fn advance(&self, batches: &BTreeMap<Partition, Batch>, lost: &[Partition]) {
        let mut held = self.lock();
        for (partition, batch) in batches {
            if lost.contains(partition) {
                held.partitions.remove(partition);
                self.backlog.forget(*partition);
            } else if let Some(holding) = held.partitions.get_mut(partition)
                && holding.after_seq == batch.from_seq
            {
                holding.after_seq = batch.to_seq();
                self.backlog.settled(*partition, batch.to_seq());
            }
        }
        if !lost.is_empty() {
            self.changed.notify_one();
        }
    }

    /// Holds exactly the partitions of `cursors`. Those held before go on where they are.
    fn hold(&self, cursors: &BTreeMap<Partition, i64>) {
        let mut held = self.lock();
        held.partitions.retain(|partition, _| cursors.contains_key(partition));
        self.backlog.keep_only(|partition| cursors.contains_key(&partition));
        for (partition, after_seq) in cursors {
            if held.partitions.contains_key(partition) {
                continue;
            }
            held.last_feed += 1;
            let stop = CancellationToken::new();
            let feed = Feed {
                partition: *partition,
                number: held.last_feed,
                last: *after_seq,
                out: self.feeds.clone(),
                stop: stop.clone(),
                steady: Arc::clone(&self.steady),
                budget: self.budget.clone(),
                backlog: self.backlog.clone(),
            };
            self.backlog.follows(*partition, false);
            self.process.spawn(
                "feed",
                feed::run(feed, Arc::clone(&self.ports.log), self.process.clone()),
            );
            let holding = Holding {
                feed: held.last_feed,
                after_seq: *after_seq,
                _stop: stop.drop_guard(),
            };
            held.partitions.insert(*partition, holding);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews the leases and follows what becomes of them, until the process stops.
pub async fn keep(holdings: &Holdings, ports: &Ports, terms: Terms, process: &Process) {
    let mut steady = Steady::new("keeping the leases");
    while !process.is_stopping() {
        let now = ports.clock.now();
        match ports
            .store
            .lease(terms.owner, now, clock::after(now, terms.lease_ttl))
            .await
        {
            Ok(cursors) => {
                steady.works();
                holdings.hold(&cursors);
            }
            Err(fault) => steady.failed(&fault),
        }
        tokio::select! {
            biased;
            () = process.stopping() => {}
            () = holdings.changed.notified() => {}
            () = tokio::time::sleep(terms.lease_ttl / RENEWALS) => {}
        }
    }
}
