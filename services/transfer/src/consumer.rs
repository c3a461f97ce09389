//! The consumer of the claim log: leases partitions, follows their logs, and drives [`crate::ops::settle`].
//!
//! - [`leases`]: keeps this instance's share of the partitions, starts and stops their feeds.
//! - [`feed`]: one partition's log, followed across losses of the way to it.
//! - The settle loop below: one batch at a time over all partitions, whatever is there; so one commit settles what many
//!   partitions have brought meanwhile, and an idle system waits for a message and does nothing.
//!
//! None of this is needed for safety, which the cursor's compare-and-set and the ledger's ids give; it is what makes it
//! fast.

mod feed;
mod leases;
mod pace;

use std::{collections::BTreeMap, num::NonZeroU16, sync::Arc, time::Duration};

use id::Partition;
use runtime::Process;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::ops::{
    Error, Ports,
    settle::{Batch, settle},
};
use feed::Fed;
use leases::Holdings;
use pace::{Backoff, Overdue, Steady};

/// Claims at which a batch is full. With one message more, which is at most as many, it still fits one call.
const FULL: usize = 500;
/// Messages that wait for the settle loop; behind that, feeds stop reading.
const WAITING: usize = 64;

/// How the consumer goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// This process, named at random.
    pub owner: Uuid,
    /// Number of partitions of packet space.
    pub partitions: NonZeroU16,
    /// How long a partition stays with an instance that no longer renews its lease.
    pub lease_ttl: Duration,
}

/// Reads the claim log and settles it until the process stops; then lets its partitions go.
pub async fn run(ports: Ports, terms: Terms, process: Process) {
    let (feeds, fed) = mpsc::channel(WAITING);
    let holdings = Arc::new(Holdings::new(ports.clone(), process.clone(), feeds));
    tokio::join!(
        leases::keep(&holdings, &ports, terms, &process),
        settle_all(&holdings, fed, &ports, terms.owner, &process),
    );
    if let Err(fault) = ports.store.retire(terms.owner).await {
        tracing::warn!(%fault, "could not let the partitions go; their leases will run out");
    }
}

async fn settle_all(holdings: &Holdings, mut fed: mpsc::Receiver<Fed>, ports: &Ports, owner: Uuid, process: &Process) {
    let mut steady = Steady::new("settling");
    loop {
        let first = tokio::select! {
            () = process.stopping() => return,
            first = fed.recv() => first,
        };
        let Some(first) = first else {
            return;
        };
        let batches = collect(holdings, first, &mut fed);
        if batches.is_empty() {
            continue;
        }
        let mut backoff = Backoff::default();
        let mut overdue = Overdue::new();
        let lost = loop {
            match settle(ports, owner, &batches).await {
                Ok(lost) => break lost,
                Err(fault) => {
                    steady.failed(&fault);
                    if overdue.is_news() {
                        name_all(&batches, &fault);
                    }
                }
            }
            if !process.pause(backoff.next()).await {
                return;
            }
        };
        steady.works();
        holdings.advance(&batches, &lost);
    }
}

/// Names every partition whose claims wait. The batch stands still as a whole, whichever of them it is for.
fn name_all(batches: &BTreeMap<Partition, Batch>, fault: &Error) {
    for (partition, batch) in batches {
        let (partition, after_seq, claims) = (partition.index(), batch.from_seq, batch.claims.len());
        tracing::error!(partition, after_seq, claims, %fault, "this partition's claims are not settled");
    }
}

/// Takes what is there, up to a full batch. Messages of feeds that are no longer ours are passed over.
fn collect(holdings: &Holdings, first: Fed, fed: &mut mpsc::Receiver<Fed>) -> BTreeMap<Partition, Batch> {
    let mut batches: BTreeMap<Partition, Batch> = BTreeMap::new();
    let mut next = Some(first);
    let mut count = 0;
    while let Some(message) = next {
        if let Some(from_seq) = holdings.cursor(message.partition, message.feed) {
            count += message.claims.len();
            let empty = Batch {
                from_seq,
                claims: Vec::new(),
            };
            let batch = batches.entry(message.partition).or_insert(empty);
            // A feed that began before the cursor moved brings again what is settled; the cursor never goes back.
            let settled = batch.to_seq();
            let news = message.claims.into_iter().filter(|claim| claim.seq > settled);
            batch.claims.extend(news);
        }
        next = if count < FULL { fed.try_recv().ok() } else { None };
    }
    batches.retain(|_, batch| !batch.claims.is_empty());
    batches
}
