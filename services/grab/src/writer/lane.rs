//! One lane: the loop that turns what is waiting into one transaction.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroUsize,
    sync::Arc,
};

use id::{PacketId, Partition};
use sql::Error;
use tokio::sync::mpsc;

use super::{Job, Ports, WriteError, pictures::Pictures};
use crate::{
    domain::{
        claim::{Head, Tally},
        packet::Packet,
        picture::{Opening, Picture, Position},
    },
    gate::News,
    store::{Batch, Changes},
};

pub struct Lane {
    ports: Ports,
    pictures: Pictures,
    max_batch: NonZeroUsize,
    /// Whether the last batch failed, so that an outage is told once.
    failing: bool,
}

/// What a committed batch leaves to be told.
#[derive(Default)]
struct Written {
    heads: Vec<Head>,
    news: Vec<News>,
}

impl Lane {
    pub fn new(ports: Ports, max_batch: NonZeroUsize) -> Self {
        Self {
            ports,
            pictures: Pictures::default(),
            max_batch,
            failing: false,
        }
    }

    /// Works until nobody can send any more and the queue is empty.
    pub async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        while queue.recv_many(&mut jobs, self.max_batch.get()).await > 0 {
            jobs.retain(|job| !job.is_abandoned());
            if !jobs.is_empty() {
                let committed = self.commit(&mut jobs).await;
                jobs.drain(..).for_each(|job| job.finish(committed));
                self.pictures.trim();
            }
        }
    }

    /// Decides and commits all jobs; whether their decisions are durable.
    async fn commit(&mut self, jobs: &mut [Job]) -> Result<(), WriteError> {
        let partitions: BTreeSet<Partition> = jobs.iter().map(|job| job.packet().partition()).collect();
        let partitions: Vec<Partition> = partitions.into_iter().collect();
        let mut written = self.write(&partitions, jobs).await;
        if let Err(Error::Conflict(fault)) = &written {
            // Somebody wrote past the fence. SQL refused it (CLAIM-1); what we believed is worth nothing.
            tracing::warn!(%fault, "a claim was there already; reading the partitions again");
            self.forget(&partitions);
            written = self.write(&partitions, jobs).await;
        }
        match written {
            Ok(written) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the claim log is written again");
                }
                // The gate first, so that who got an answer and grabs again is known to it.
                if !written.news.is_empty() {
                    self.ports.gate.tell(written.news).await;
                }
                for head in written.heads {
                    self.ports.heads.advance(head);
                }
                Ok(())
            }
            Err(fault) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%fault, "cannot write the claim log");
                }
                self.forget(&partitions);
                Err(WriteError::Unavailable)
            }
        }
    }

    fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.pictures.forget(*partition);
        }
    }

    /// One transaction: lock, read what is missing, decide, write.
    async fn write(&mut self, partitions: &[Partition], jobs: &mut [Job]) -> Result<Written, Error> {
        let batch = self.ports.store.begin(partitions).await?;
        for head in batch.heads() {
            self.pictures.fence(*head);
        }
        let unpictured = self.read_missing(&*batch, jobs).await?;
        let (changes, news) = self.decide(batch.heads(), unpictured, jobs);
        if changes.heads.is_empty() {
            return Ok(Written {
                heads: Vec::new(),
                news,
            });
        }
        let heads = changes.heads.clone();
        batch.commit(changes).await?;
        for head in &heads {
            self.pictures.committed(*head);
        }
        Ok(Written { heads, news })
    }

    /// Paints the pictures that the opens need and are not there. A close needs no more than the tally: those of packets
    /// that are still without a picture are returned.
    async fn read_missing(&mut self, batch: &dyn Batch, jobs: &[Job]) -> Result<HashMap<PacketId, Tally>, Error> {
        let mut missing: BTreeMap<PacketId, Option<Arc<Packet>>> = BTreeMap::new();
        for job in jobs {
            let packet = job.packet();
            if self.pictures.get(packet.id()).is_none() {
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
        let to_paint: Vec<Arc<Packet>> = missing.into_values().flatten().collect();
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

    /// Decides every job, each by itself; what fails one fails no other. Notes the decisions in the jobs.
    fn decide(
        &mut self,
        heads: &[Head],
        mut unpictured: HashMap<PacketId, Tally>,
        jobs: &mut [Job],
    ) -> (Changes, Vec<News>) {
        let now = self.ports.clock.now();
        let mut heads: BTreeMap<Partition, (Head, bool)> =
            heads.iter().map(|head| (head.partition, (*head, false))).collect();
        let mut tallies: BTreeMap<PacketId, Tally> = BTreeMap::new();
        let (mut changes, mut news) = (Changes::default(), Vec::new());

        for job in jobs {
            let packet_id = job.packet().id();
            let Some((head, touched)) = heads.get_mut(&job.packet().partition()) else {
                continue; // begin() returned every head that was asked for
            };
            match job {
                Job::Open {
                    user_id,
                    wanted,
                    pending,
                } => {
                    let Some(picture) = self.pictures.get(packet_id) else {
                        pending.decided = Some(Err(WriteError::Inconsistent));
                        continue;
                    };
                    let seq = head.next_seq;
                    let opening = picture.open(user_id, *wanted, Position { seq, now });
                    if let Opening::Opened(claim) = &opening {
                        head.next_seq += 1;
                        *touched = true;
                        tallies.insert(packet_id, picture.tally());
                        changes.claims.push(claim.clone());
                        changes
                            .luckiest
                            .extend(picture.luckiest().map(|share_no| (packet_id, share_no)));
                    }
                    news_of(&opening, packet_id, *wanted, &mut news);
                    pending.decided = Some(Ok(opening));
                }
                Job::Close(pending) => {
                    let tally = unpictured.get_mut(&packet_id);
                    let closed = match self.pictures.get(packet_id) {
                        Some(picture) => Some((picture.close(now), picture.tally())),
                        None => tally.map(|tally| (tally.close(now), *tally)),
                    };
                    pending.decided = Some(closed.ok_or(WriteError::Inconsistent).map(|((closing, first), tally)| {
                        if first {
                            *touched = true;
                            tallies.insert(packet_id, tally);
                        }
                        news.push(News::Closed(packet_id));
                        closing
                    }));
                }
            }
        }

        changes.tallies = tallies.into_iter().collect();
        changes.heads = heads
            .into_values()
            .filter(|(_, touched)| *touched)
            .map(|(mut head, _)| {
                head.version += 1;
                head
            })
            .collect();
        (changes, news)
    }
}

/// What the gate should hear of an opening; where it was wrong, what would have kept it right.
fn news_of(opening: &Opening, packet_id: PacketId, wanted: Option<u32>, news: &mut Vec<News>) {
    match opening {
        Opening::Opened(claim) => {
            news.push(News::Opened(claim.clone()));
            let other = wanted.filter(|wanted| *wanted != claim.share_no);
            news.extend(other.map(|share_no| News::Taken { packet_id, share_no }));
        }
        Opening::Already(claim) => news.push(News::Opened(claim.clone())),
        Opening::Closed => news.push(News::Closed(packet_id)),
        Opening::Exhausted => news.push(News::Astray(packet_id)),
    }
}
