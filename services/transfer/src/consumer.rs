//! The consumer of the claim log: leases partitions, follows their logs, and drives [`crate::ops::settle`].
//!
//! - [`leases`]: keeps this instance's share of the partitions, starts and stops their feeds.
//! - [`feed`]: one partition's log, followed across losses of the way to it.
//! - The settle loop below: one batch at a time over all partitions, whatever is there; so one commit settles what many
//!   partitions have brought meanwhile, and an idle system waits for a message and does nothing.
//!
//! A batch that fails in passing is tried on, in order and without end. One that is refused for a while is taken apart, and
//! what is refused by itself becomes a repair case: it must not hold up what is around and behind it.
//!
//! None of this is needed for safety, which the cursor's compare-and-set and the ledger's ids give; it is what makes it
//! fast.

pub mod backlog;
mod feed;
mod leases;
mod pace;

use std::{collections::BTreeMap, num::NonZeroU16, sync::Arc, time::Duration};

use id::Partition;
use runtime::Process;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::metrics::Settling;
use crate::ops::{
    Error, Ports,
    isolate::is_refusal,
    settle::{Batch, settle, settle_apart},
};
use backlog::Backlog;
use feed::Fed;
use leases::Holdings;
use pace::{Overdue, Refused, Steady};

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
    let backlog = Backlog::default();
    let figures = Settling::new(process.metrics(), &backlog, ports.clock.clone());
    let holdings = Arc::new(Holdings::new(ports.clone(), process.clone(), feeds, backlog));
    tokio::join!(
        leases::keep(&holdings, &ports, terms, &process),
        settle_all(&holdings, fed, &ports, terms.owner, &process, &figures),
    );
    if let Err(fault) = ports.store.retire(terms.owner).await {
        tracing::warn!(%fault, "could not let the partitions go; their leases will run out");
    }
}

async fn settle_all(
    holdings: &Holdings,
    mut fed: mpsc::Receiver<Fed>,
    ports: &Ports,
    owner: Uuid,
    process: &Process,
    figures: &Settling,
) {
    let mut steady = Steady::new("settling");
    loop {
        let first = tokio::select! {
            biased;
            () = process.stopping() => return,
            first = fed.recv() => first,
        };
        let Some(first) = first else {
            return;
        };
        let mut batches = BTreeMap::new();
        collect(holdings, Some(first), &mut fed, &mut batches);
        if batches.is_empty() {
            continue;
        }
        // One loop a process, and a batch at a time: that is all that knocks at the ledger's door.
        let mut backoff = retry::PEER.alone();
        let mut overdue = Overdue::new();
        let mut refused = Refused::default();
        let lost = loop {
            let settled = if refused.for_long() {
                settle_apart(ports, owner, &batches).await
            } else {
                settle(ports, owner, &batches).await
            };
            match settled {
                Ok(lost) => break lost,
                Err(fault) => {
                    refused.note(is_refusal(&fault));
                    steady.failed(&fault);
                    if overdue.is_news() {
                        name_all(&batches, &fault);
                    }
                }
            }
            figures.retries.add(1, &[]);
            tokio::select! {
                biased;
                () = process.stopping() => return,
                () = backoff.wait() => {}
            }
            // Whoever came meanwhile goes along, and may be the one whose success shows what is wrong with the others.
            collect(holdings, None, &mut fed, &mut batches);
        };
        steady.works();
        figures.settled(&batches, &lost);
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

/// Adds what is there to `batches`, up to a full one. Messages of feeds that are no longer ours are passed over.
fn collect(
    holdings: &Holdings,
    first: Option<Fed>,
    fed: &mut mpsc::Receiver<Fed>,
    batches: &mut BTreeMap<Partition, Batch>,
) {
    let mut next = first;
    let mut count: usize = batches.values().map(|batch| batch.claims.len()).sum();
    loop {
        if next.is_none() && count < FULL {
            next = fed.try_recv().ok();
        }
        let Some(message) = next.take() else {
            break;
        };
        let Some(from_seq) = holdings.cursor(message.partition, message.feed) else {
            continue;
        };
        let empty = || Batch {
            from_seq,
            claims: Vec::new(),
        };
        let batch = batches.entry(message.partition).or_insert_with(empty);
        if batch.from_seq != from_seq {
            *batch = empty(); // another instance had the partition meanwhile
        }
        // A feed that began before the cursor moved brings again what is settled; the cursor never goes back.
        let settled = batch.to_seq();
        let before = batch.claims.len();
        batch
            .claims
            .extend(message.claims.into_iter().filter(|claim| claim.seq > settled));
        count += batch.claims.len() - before;
    }
    batches.retain(|_, batch| !batch.claims.is_empty());
}
