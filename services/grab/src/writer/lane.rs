//! One lane: the loop that turns what is waiting into one transaction.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use guard::Guard;
use id::{PacketId, Partition};
use runtime::metrics::Counter;
use sea_orm::DbErr;
use sql::Error;
use tokio::{sync::mpsc, time};

use super::{Job, Ports, Width, WriteError, decide::decide, persistence::Persistence, pictures::Pictures};
use crate::{
    domain::{
        claim::{Head, Tally},
        packet::Packet,
        picture::Picture,
    },
    gate::News,
    store::Batch,
};

pub struct Lane {
    ports: Ports,
    pictures: Pictures,
    width: Width,
    /// Whether the last batch met a store that is away, so that an outage is told once.
    away: bool,
    /// Claims that were committed.
    claims: Counter<u64>,
}

/// What a committed batch leaves to be told.
struct Written {
    heads: Vec<Head>,
    news: Vec<News>,
}

impl Lane {
    pub fn new(ports: Ports, width: Width, claims: Counter<u64>) -> Self {
        Self {
            ports,
            pictures: Pictures::default(),
            width,
            away: false,
            claims,
        }
    }

    /// Works until nobody can send any more and the queue is empty.
    pub async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        while queue.recv_many(&mut jobs, self.width.batch.get()).await > 0 {
            self.settle(&mut jobs).await;
            jobs.clear();
            self.pictures.trim();
        }
    }

    /// Commits the jobs, trying again while that may help and somebody waits for them, and answers them.
    async fn settle(&mut self, jobs: &mut Vec<Job>) {
        let mut persistence = Persistence::new(self.away);
        // Packets of jobs that were let go while nobody knew what became of them.
        let mut astray = BTreeSet::new();
        let settled = loop {
            jobs.retain(|job| {
                let abandoned = job.is_abandoned();
                if abandoned && persistence.outcome_is_unknown() {
                    astray.insert(job.packet().id());
                }
                !abandoned
            });
            if jobs.is_empty() {
                break Ok(());
            }
            match self.attempt(jobs).await {
                Ok(written) => {
                    self.tell(written).await;
                    break Ok(());
                }
                Err(fault) => {
                    let pause = persistence.pause_after(&fault);
                    self.complain(&fault, pause);
                    match pause {
                        Some(pause) => time::sleep(pause).await,
                        None => break Err(given_up(&fault, persistence.outcome_is_unknown())),
                    }
                }
            }
        };
        if settled.is_err() && persistence.outcome_is_unknown() {
            astray.extend(jobs.iter().map(|job| job.packet().id()));
        }
        if !astray.is_empty() {
            let news = astray.into_iter().map(News::Astray).collect();
            self.ports.gate.tell(news).await;
        }
        jobs.drain(..).for_each(|job| job.finish(settled));
    }

    /// The gate first, so that who got an answer and grabs again is known to it.
    async fn tell(&mut self, written: Written) {
        if std::mem::take(&mut self.away) {
            tracing::info!("the claim log is written again");
        }
        if !written.news.is_empty() {
            self.ports.gate.tell(written.news).await;
        }
        for head in written.heads {
            self.ports.heads.advance(head);
        }
    }

    fn complain(&mut self, fault: &Error, pause: Option<Duration>) {
        match fault {
            Error::Driver(_) | Error::Unwritable(..) | Error::OutcomeUnknown(_) => {
                if !std::mem::replace(&mut self.away, true) {
                    tracing::error!(%fault, "cannot write the claim log");
                }
            }
            Error::Contended(_) if pause.is_some() => tracing::debug!(%fault, "another writer is in the way"),
            // SQL refused what we believed (CLAIM-1): somebody wrote past the fence.
            Error::Conflict(_) if pause.is_some() => tracing::warn!(%fault, "a claim was there already"),
            Error::Contended(_) | Error::Conflict(_) | Error::Inconsistent(_) => {
                tracing::error!(%fault, "gave up on a batch of opens");
            }
        }
    }

    /// One try, as long as one may take. If it fails, what we believe of its partitions is worth nothing.
    async fn attempt(&mut self, jobs: &mut [Job]) -> Result<Written, Error> {
        let partitions: BTreeSet<Partition> = jobs.iter().map(|job| job.packet().partition()).collect();
        let partitions: Vec<Partition> = partitions.into_iter().collect();
        let within = self.width.attempt;
        let written = time::timeout(within, self.write(&partitions, jobs)).await;
        // Nobody knows how far it came.
        let no_answer = |_| {
            Err(Error::OutcomeUnknown(DbErr::Custom(format!(
                "no answer within {within:?}"
            ))))
        };
        let written = written.unwrap_or_else(no_answer);
        if written.is_err() {
            for partition in partitions {
                self.pictures.forget(partition);
            }
        }
        written
    }

    /// One transaction: lock, read what is missing, decide, write.
    async fn write(&mut self, partitions: &[Partition], jobs: &mut [Job]) -> Result<Written, Error> {
        let batch = self.ports.store.begin(partitions).await?;
        self.catch_up(&*batch).await?;
        let unpictured = self.read_missing(&*batch, jobs).await?;
        let now = self.ports.clock.now();
        let (changes, news) = decide(&mut self.pictures, batch.heads(), unpictured, jobs, now);
        if changes.heads.is_empty() {
            // What was locked was committed, perhaps by a try of ours whose answer was lost.
            let heads = batch.heads().to_vec();
            return Ok(Written { heads, news });
        }
        let (heads, claims) = (changes.heads.clone(), changes.claims.len());
        let committed = batch.commit(changes).await;
        if guard::stands(Guard::CommitFirst) {
            committed?;
        }
        self.claims.add(claims as u64, &[]);
        for head in &heads {
            self.pictures.committed(*head);
        }
        Ok(Written { heads, news })
    }

    /// Holds the locked heads against those that the pictures are exact for, and enters what others wrote meanwhile.
    async fn catch_up(&mut self, batch: &dyn Batch) -> Result<(), Error> {
        let heads = batch.heads().iter();
        let missed: Vec<_> = heads.filter_map(|head| self.pictures.fence(*head)).collect();
        if !missed.is_empty() {
            for claim in batch.log(&missed).await? {
                self.pictures.follow(&claim);
            }
        }
        Ok(())
    }

    /// Holds pictures in doubt against their tallies, and paints those that the opens need and are not there. A close needs
    /// no more than the tally: those of packets that are still without a picture are returned.
    async fn read_missing(&mut self, batch: &dyn Batch, jobs: &[Job]) -> Result<HashMap<PacketId, Tally>, Error> {
        let mut missing: BTreeMap<PacketId, Option<Arc<Packet>>> = BTreeMap::new();
        for job in jobs {
            let packet = job.packet();
            if self.pictures.get(packet.id()).is_none() || self.pictures.is_in_doubt(packet.id()) {
                let to_paint = missing.entry(packet.id()).or_default();
                if let Job::Open { .. } = job {
                    *to_paint = Some(packet.clone());
                }
            }
        }
        if missing.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<PacketId> = missing.keys().copied().collect();
        let mut tallies = batch.tallies(&ids).await?;
        for (packet_id, tally) in &tallies {
            self.pictures.confirm(*packet_id, *tally);
        }
        let to_paint = missing.into_values().flatten();
        let to_paint: Vec<Arc<Packet>> = to_paint
            .filter(|packet| self.pictures.get(packet.id()).is_none())
            .collect();
        if to_paint.is_empty() {
            return Ok(tallies);
        }
        let ids: Vec<PacketId> = to_paint.iter().map(|packet| packet.id()).collect();
        let mut claims: HashMap<PacketId, Vec<_>> = HashMap::new();
        for claim in batch.claims(&ids).await? {
            claims.entry(claim.packet_id).or_default().push(claim);
        }
        for packet in to_paint {
            let id = packet.id();
            let claims = claims.remove(&id).unwrap_or_default();
            let tally = tallies.remove(&id);
            match tally.map(|tally| Picture::new(packet, tally, &claims)) {
                Some(Ok(picture)) => self.pictures.put(picture),
                Some(Err(fault)) => tracing::error!(packet_id = %id, %fault, "inconsistent"),
                None => tracing::error!(packet_id = %id, "a packet has no tally"),
            }
        }
        Ok(tallies)
    }
}

/// What is told of a batch that is tried no more.
fn given_up(fault: &Error, outcome_is_unknown: bool) -> WriteError {
    match fault {
        Error::Unwritable(why, _) if !outcome_is_unknown => WriteError::Unwritable(*why),
        _ => WriteError::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sql::Unwritable;

    #[test]
    fn what_may_have_been_committed_is_not_told_as_refused() {
        let full = Error::Unwritable(Unwritable::Full, DbErr::Custom("as told".to_owned()));
        assert_eq!(given_up(&full, false), WriteError::Unwritable(Unwritable::Full));
        assert_eq!(given_up(&full, true), WriteError::Unavailable);
    }
}
