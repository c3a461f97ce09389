//! The writer: where a grab's promise becomes a claim.
//!
//! Opens and closes queue up in **lanes**; a partition always goes to the same lane, and every lane belongs to one
//! database. Each lane takes whatever is waiting and writes it in one transaction (group commit): while one commit is under
//! way, the next batch gathers. Nobody gets an answer before the commit that holds it (CLAIM-3).
//!
//! # Round trips of a batch, however many opens it holds
//!
//! | statement | when |
//! |---|---|
//! | `BEGIN` | always |
//! | lock the heads of the partitions concerned, in order | always |
//! | read the log's end | only of partitions that others wrote to |
//! | read tallies | only of packets without a picture, or that others wrote beside |
//! | read claims | only of packets without a picture |
//! | insert claims | if any is new |
//! | mark the luckiest | if a packet was completed |
//! | upsert tallies, upsert heads | if anything changed |
//! | `COMMIT` | if anything changed |
//!
//! # What bounds a batch
//!
//! `writer_batch` asks (500: beyond that, a batch gains little and its answers wait longer) and, through them, the packets
//! and partitions they name. What bounds the wait is `writer_queue`: a full lane refuses.
//!
//! # Why the picture in memory is right
//!
//! Every transaction that writes to a partition increments its head's `version`, and every writer holds the head locked
//! while it decides. A lane that finds the version it left knows that nobody wrote in between: its pictures are exact and
//! nothing needs reading. Another version means that another process wrote: inside the same transaction, its claims are
//! read from the end of the log and entered, and each packet of the batch is held against its tally, for a close leaves no
//! claim. So two processes that share a partition cost each other the rows they write, not the packets they write to. If a
//! commit fails, or nobody knows whether it did, the pictures of its partitions are dropped and painted anew. No
//! leader, no lease: who is wrong finds out before it decides.
//!
//! # When the store fails
//!
//! The lane tries the same opens again while that may help and somebody waits for them ([`persistence`]): each open is
//! named by packet and user, so that one that was committed after all is found and told (`OutcomeUnknown`). One try takes
//! no longer than [`Width::attempt`], so that an answer that never comes holds up nobody for ever; and each database has
//! lanes of its own, so that one that is away holds up no other.
//!
//! [`lane`] is the loop, [`decide`](mod@decide) what it decides, [`pictures`] what it remembers.

mod decide;
mod lane;
mod persistence;
mod pictures;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod tests;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use clock::SharedClock;
use id::{Partition, UserId};
use runtime::Process;
use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{claim::Closing, packet::Packet, picture::Opening},
    gate::Gate,
    heads::Heads,
    store::LogStore,
};
use lane::Lane;

/// How wide and how deep the writer is.
#[derive(Clone, Copy, Debug)]
pub struct Width {
    /// How many lanes write to each database at once. More than one only helps an engine that commits in parallel.
    pub lanes: NonZeroUsize,
    /// How many asks may wait in a lane.
    pub queue: NonZeroUsize,
    /// How many asks one transaction takes.
    pub batch: NonZeroUsize,
    /// How long one transaction may take before its lane gives up on the connection.
    pub attempt: Duration,
}

/// What a lane works with.
#[derive(Clone)]
pub struct Ports {
    /// Where claims are made.
    pub store: Arc<dyn LogStore>,
    /// Who hears of them first.
    pub gate: Arc<dyn Gate>,
    /// Who follows the log.
    pub heads: Arc<Heads>,
    /// The hour.
    pub clock: SharedClock,
}

/// Why the writer gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The lane's queue is full: nothing was tried.
    #[error("too many opens are waiting")]
    Overloaded,
    /// The transaction failed or nobody knows whether it did. Repeating the ask is safe and finds out.
    #[error("the claim log cannot be written just now")]
    Unavailable,
    /// The store has no room or takes no writes. Repeating the ask is safe, and helps once that is mended.
    #[error("the claim log cannot be written: {0}")]
    Unwritable(sql::Unwritable),
    /// What SQL has of this packet contradicts itself: a matter for a person.
    #[error("the claims of this packet are inconsistent")]
    Inconsistent,
}

/// Someone waits for the answer to an ask; the lane notes it as decided and gives it out after the commit.
struct Pending<A> {
    packet: Arc<Packet>,
    decided: Option<Result<A, WriteError>>,
    reply: oneshot::Sender<Result<A, WriteError>>,
}

enum Job {
    Open {
        user_id: UserId,
        wanted: Option<u32>,
        pending: Pending<Opening>,
    },
    Close(Pending<Closing>),
}

/// The way to the lanes. Cheap to clone. The lanes end when the last clone is gone and their queues are empty, so that a
/// stop writes what was accepted.
#[derive(Clone)]
pub struct Writer {
    lanes: Arc<[mpsc::Sender<Job>]>,
    /// The lane of each partition.
    lane_of: Arc<[usize]>,
}

impl Writer {
    /// Starts the lanes as tasks of `process`. The partitions of a database take turns at its lanes.
    pub fn start(width: Width, ports: &Ports, process: &Process) -> Self {
        let (mut lanes, mut lane_of) = (Vec::new(), Vec::new());
        let claims = process.metrics().meter().u64_counter("hongbao.grab.claims");
        let claims = claims
            .with_description("Claims that this instance has committed")
            .build();
        for range in ports.store.ranges() {
            let (first, count) = (lanes.len(), width.lanes.get().min(range.len()));
            lane_of.extend((0..range.len()).map(|n| first + n % count));
            lanes.extend((0..count).map(|_| {
                let (jobs, queue) = mpsc::channel(width.queue.get());
                process.spawn(
                    "writer lane",
                    Lane::new(ports.clone(), width, claims.clone()).run(queue),
                );
                jobs
            }));
        }
        Self {
            lanes: lanes.into(),
            lane_of: lane_of.into(),
        }
    }

    fn lane(&self, partition: Partition) -> Option<&mpsc::Sender<Job>> {
        let lane = self.lane_of.get(usize::from(partition.index()))?;
        self.lanes.get(*lane)
    }

    /// Opens a share for a user: the voucher's, if that is free. Safe to repeat: the same user gets the same claim.
    pub async fn open(
        &self,
        packet: &Arc<Packet>,
        user_id: &UserId,
        wanted: Option<u32>,
    ) -> Result<Opening, WriteError> {
        self.ask(packet, |pending| Job::Open {
            user_id: user_id.clone(),
            wanted,
            pending,
        })
        .await
    }

    /// Closes a packet (CLOSE-1). Safe to repeat: the first answer stays.
    pub async fn close(&self, packet: &Arc<Packet>) -> Result<Closing, WriteError> {
        self.ask(packet, Job::Close).await
    }

    async fn ask<A>(&self, packet: &Arc<Packet>, job: impl FnOnce(Pending<A>) -> Job) -> Result<A, WriteError> {
        let (reply, answer) = oneshot::channel();
        let lane = self.lane(packet.partition()).ok_or(WriteError::Inconsistent)?;
        let job = job(Pending {
            packet: packet.clone(),
            decided: None,
            reply,
        });
        lane.try_send(job).map_err(|fault| match fault {
            mpsc::error::TrySendError::Full(_) => WriteError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => WriteError::Unavailable,
        })?;
        // A lane that went away without an answer may or may not have committed.
        answer.await.unwrap_or(Err(WriteError::Unavailable))
    }
}

impl<A> Pending<A> {
    /// Gives out the answer; `committed` says whether the transaction that it was decided in is durable. Who asked may be
    /// gone.
    fn finish(self, committed: Result<(), WriteError>) {
        let decided = self.decided.unwrap_or(Err(WriteError::Unavailable));
        let _ = self.reply.send(committed.and(decided));
    }
}

impl Job {
    fn packet(&self) -> &Arc<Packet> {
        match self {
            Self::Open { pending, .. } => &pending.packet,
            Self::Close(pending) => &pending.packet,
        }
    }

    /// Whether nobody waits for the answer any more, so that it need not be found.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Open { pending, .. } => pending.reply.is_closed(),
            Self::Close(pending) => pending.reply.is_closed(),
        }
    }

    /// Notes that there is no answer to this one, whatever becomes of the others.
    fn refuse(&mut self, fault: WriteError) {
        match self {
            Self::Open { pending, .. } => pending.decided = Some(Err(fault)),
            Self::Close(pending) => pending.decided = Some(Err(fault)),
        }
    }

    fn finish(self, committed: Result<(), WriteError>) {
        match self {
            Self::Open { pending, .. } => pending.finish(committed),
            Self::Close(pending) => pending.finish(committed),
        }
    }
}
