//! One partition's log, followed across losses of the way to it.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use id::Partition;
use runtime::Process;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    backlog::Backlog,
    pace::{Overdue, PATIENCE, Steady},
};
use crate::{
    domain::{LoggedClaim, claim::continuing},
    peer::ClaimLog,
};

/// A stretch of a partition's log.
pub struct Fed {
    /// The partition.
    pub partition: Partition,
    /// The feed that brought it.
    pub feed: u64,
    /// The claims that follow the feed's last message, or the cursor at which it began. At least one.
    pub claims: Vec<LoggedClaim>,
}

/// What a feed follows, and for whom.
pub struct Feed {
    /// The partition.
    pub partition: Partition,
    /// The feed's number; no two feeds of a process share one.
    pub number: u64,
    /// The last position known.
    pub last: i64,
    /// Where it goes.
    pub out: mpsc::Sender<Fed>,
    /// When to end.
    pub stop: CancellationToken,
    /// Tells of losses, once for all feeds: they are lost together.
    pub steady: Arc<Mutex<Steady>>,
    /// How often all feeds together may ask again.
    pub budget: retry::Budget,
    /// What waits to be settled.
    pub backlog: Backlog,
}

/// Follows until it is told to stop.
pub async fn run(mut feed: Feed, log: Arc<dyn ClaimLog>, process: Process) {
    let stop = feed.stop.clone();
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = process.stopping() => {}
        () = feed.follow(&*log) => {}
    }
}

impl Feed {
    async fn follow(&mut self, log: &dyn ClaimLog) {
        let mut backoff = retry::PEER.within(self.budget.clone());
        let mut overdue = Overdue::new();
        loop {
            let before = self.last;
            let mut opened = None;
            let fault = self.read(log, &mut opened, &mut overdue).await;
            self.backlog.follows(self.partition, false);
            if self.out.is_closed() {
                return;
            }
            self.steady().failed(&fault);
            if self.last > before {
                backoff.reset();
            }
            if opened.is_some_and(|opened: Instant| opened.elapsed() >= PATIENCE) {
                overdue.end(); // it was quiet, not cut off
            }
            if overdue.is_news() {
                let (partition, after_seq) = (self.partition.index(), self.last);
                tracing::error!(partition, after_seq, %fault, "this partition's claims do not arrive");
            }
            backoff.wait().await;
        }
    }

    /// Reads one stream to its end; notes when it was opened, and returns why it ended.
    async fn read(&mut self, log: &dyn ClaimLog, opened: &mut Option<Instant>, overdue: &mut Overdue) -> String {
        let mut stream = match log.tail(self.partition, self.last, true).await {
            Ok(stream) => stream,
            Err(fault) => return fault.to_string(),
        };
        *opened = Some(Instant::now());
        self.backlog.follows(self.partition, true);
        self.steady().works();
        while let Some(batch) = stream.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(fault) => return fault.to_string(),
            };
            let claims = match continuing(self.last, batch) {
                Ok(claims) => claims,
                Err(gap) => return format!("{}: {gap}", self.partition),
            };
            let Some(last) = claims.last() else {
                continue;
            };
            let last = last.seq;
            self.backlog.read(self.partition, &claims);
            let fed = Fed {
                partition: self.partition,
                feed: self.number,
                claims,
            };
            if self.out.send(fed).await.is_err() {
                return "nobody settles any more".to_owned();
            }
            self.last = last;
            if overdue.end() {
                tracing::info!(
                    partition = self.partition.index(),
                    "this partition's claims arrive again"
                );
            }
        }
        "the stream ended".to_owned()
    }

    fn steady(&self) -> std::sync::MutexGuard<'_, Steady> {
        self.steady.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
