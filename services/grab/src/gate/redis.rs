//! The gate in Redis, for any number of grab processes: one server or a Redis Cluster.
//!
//! The state of a live packet is three keys with the hash tag of its partition (`redis/state.lua` says which); a batch of
//! grabs is one script call a partition.
//!
//! # Round trips
//!
//! | what | calls |
//! |---|---|
//! | grabs of packets that are live in Redis | 1 a partition, partitions at once |
//! | grabs of packets that have ended, repeats of opens made here | none: [`Memory`] answers |
//! | news of a batch of claims | 1 a partition |
//! | the first grab of a packet, or its preheating | 2, and one read of SQL, once for all who ask |
//!
//! # Why a rebuild never brings back an older state
//!
//! A rebuild leaves a *mark* in Redis, reads the packet's claims from SQL, tells them like news, and says that it is
//! complete; only then, and only if its mark is still there, does the packet begin to answer. What was committed before
//! the read is in what was read. What was committed after the read is told after the mark was left, and is kept with it. News are
//! idempotent and their order does not matter, so that it makes no difference which comes first, and how many processes
//! rebuild at once.
//!
//! # Why Redis is not believed when it forgets
//!
//! Each partition has an *era* and the `seq` of the last claim that it was told of. Every call says of which claim this
//! process knows that Redis was told; a Redis that remembers less was emptied, restored from an old copy, or is a replica
//! that was promoted before it had everything. Then a new era begins in the same call, and every state of an older era
//! counts as absent. A process that starts takes the log's heads for what Redis should know, so that claims whose news
//! died with their writer are found out as well.
//!
//! # How long things stay, and what they cost
//!
//! What ended is deleted with the news of it. What nobody was granted a share of for longer than twice the life of a hold
//! goes by itself, and is rebuilt when somebody asks: nothing in Redis ends a packet's life. A live packet takes (Redis
//! 7.0, users of 12 characters, all shares held at once, which is the most; then all but one opened):
//!
//! | shares | fresh | all held | opened |
//! |---|---|---|---|
//! | 10 | 0.3 KB | 1.0 KB | 0.8 KB |
//! | 100 | 0.3 KB | 7 KB | 4.5 KB |
//! | 1,000 | 0.5 KB | 183 KB | 91 KB |
//!
//! # Whose clock
//!
//! Time comes with the call, from the clock of the process that asks. A hold ends at an instant that the granting process
//! fixed; the grace after it covers clocks that differ by as much. A clock that is further ahead gives held shares away too
//! soon, and their vouchers are then given other shares; one that is behind gives them back late. Neither changes what
//! SQL decides.

mod flights;
#[doc(hidden)]
pub mod wire;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use clock::SharedClock;
use futures::future::join_all;
use id::{PacketId, Partition, UserId};

use super::{Ask, GateError, News, Timing, Verdict, memory::Memory};
use crate::domain::{
    claim::{Claim, Head},
    packet::Packet,
};
use flights::Flights;
use wire::{State, Told, Wire};

/// Asks of one call: about two milliseconds of the server's time, in which nobody else is answered.
const MAX_ASKS: usize = 500;
/// News of one call, for the same reason.
const MAX_NEWS: usize = 500;
/// How often a packet that is lost is rebuilt for the same ask.
const ROUNDS: usize = 4;

/// Why there is no verdict.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// Redis is away, or says what nobody understands. SQL can answer instead.
    #[error("{0}")]
    Redis(Arc<str>),
    /// A packet was lost as often as it was rebuilt. SQL can answer instead.
    #[error("a packet is lost as often as it is rebuilt")]
    Lost,
    /// SQL cannot be read.
    #[error(transparent)]
    Store(#[from] GateError),
}

impl From<resp::Error> for Fault {
    fn from(fault: resp::Error) -> Self {
        Self::Redis(fault.to_string().into())
    }
}

impl From<sql::Error> for Fault {
    fn from(fault: sql::Error) -> Self {
        Self::Store(GateError(fault.to_string().into()))
    }
}

/// What a rebuild found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rebuilt {
    /// The packet answers.
    Live,
    /// Nothing can happen to it any more.
    Ended,
}

/// What the gate is made of.
pub struct Parts {
    /// Redis.
    pub redis: resp::Redis,
    /// What this process remembers, and its way to SQL.
    pub memory: Arc<Memory>,
    /// The hour.
    pub clock: SharedClock,
    /// How long reservations live.
    pub timing: Timing,
}

/// The Redis gate. It says when it cannot answer; [`super::breaker`] knows what to do then.
pub struct RedisGate {
    wire: Wire,
    memory: Arc<Memory>,
    clock: SharedClock,
    rebuilds: Flights<Result<Rebuilt, Fault>>,
}

impl RedisGate {
    /// A gate over partitions with these `heads`, all of them in order. `name` is random and sets this process apart.
    pub fn new(parts: Parts, heads: &[Head], name: u64) -> Self {
        Self {
            wire: Wire::new(parts.redis, parts.timing, heads, name),
            memory: parts.memory,
            clock: parts.clock,
            rebuilds: Flights::default(),
        }
    }

    /// Decides each ask; answers in the order asked.
    pub async fn ask(&self, asks: &[Ask]) -> Vec<Result<Verdict, Fault>> {
        let mut late = Vec::with_capacity(asks.len());
        for ask in asks {
            late.push(self.memory.late(ask));
        }
        let late = join_all(late).await.into_iter();
        let mut verdicts: Vec<_> = late.map(|late| late.map_err(Fault::from).transpose()).collect();
        let mut open: BTreeMap<Partition, Vec<usize>> = BTreeMap::new();
        for (n, ask) in asks.iter().enumerate() {
            if verdicts[n].is_none() {
                open.entry(ask.packet.partition()).or_default().push(n);
            }
        }
        let mut calls = Vec::with_capacity(open.len());
        for (partition, open) in &open {
            let chunks = open.chunks(MAX_ASKS);
            calls.extend(chunks.map(|open| self.ask_partition(*partition, asks, open.to_vec())));
        }
        for (n, verdict) in join_all(calls).await.into_iter().flatten() {
            verdicts[n] = Some(verdict);
        }
        verdicts
            .into_iter()
            .map(|verdict| verdict.unwrap_or(Err(Fault::Lost)))
            .collect()
    }

    /// Decides those of the asks that are `open`, by their places; rebuilds what is absent and asks again.
    async fn ask_partition(
        &self,
        partition: Partition,
        asks: &[Ask],
        mut open: Vec<usize>,
    ) -> Vec<(usize, Result<Verdict, Fault>)> {
        let mut answered = Vec::with_capacity(open.len());
        for _ in 0..ROUNDS {
            let mut by_packet: BTreeMap<PacketId, Vec<usize>> = BTreeMap::new();
            for n in open.drain(..) {
                by_packet.entry(asks[n].packet.id()).or_default().push(n);
            }
            let batch: Vec<_> = by_packet
                .values()
                .map(|places| {
                    (
                        asks[places[0]].packet.clone(),
                        places.iter().map(|n| &asks[*n]).collect(),
                    )
                })
                .collect();
            let places = by_packet.values().flatten().copied();
            let found = match self.wire.grab(partition, &batch, self.clock.now()).await {
                Ok(found) => found,
                Err(fault) => {
                    let fault = Fault::from(fault);
                    answered.extend(places.map(|n| (n, Err(fault.clone()))));
                    return answered;
                }
            };
            let mut absent: BTreeMap<PacketId, Vec<usize>> = BTreeMap::new();
            for (n, verdict) in places.zip(found) {
                match verdict {
                    Some(verdict) => answered.push((n, Ok(verdict))),
                    None => absent.entry(asks[n].packet.id()).or_default().push(n),
                }
            }
            let mut rebuilds = Vec::with_capacity(absent.len());
            for places in absent.values() {
                rebuilds.push(self.rebuild(&asks[places[0]].packet));
            }
            let rebuilt = join_all(rebuilds).await;
            for (places, rebuilt) in absent.into_values().zip(rebuilt) {
                for n in places {
                    match self.after_rebuild(&asks[n], rebuilt.clone()).await.transpose() {
                        Some(verdict) => answered.push((n, verdict)),
                        None => open.push(n),
                    }
                }
            }
            if open.is_empty() {
                return answered;
            }
        }
        answered.extend(open.into_iter().map(|n| (n, Err(Fault::Lost))));
        answered
    }

    async fn after_rebuild(&self, ask: &Ask, rebuilt: Result<Rebuilt, Fault>) -> Result<Option<Verdict>, Fault> {
        match rebuilt? {
            Rebuilt::Live => Ok(None),
            Rebuilt::Ended => Ok(self.memory.late(ask).await?),
        }
    }

    /// Makes an absent packet answer, once for all who ask for it.
    async fn rebuild(&self, packet: &Arc<Packet>) -> Result<Rebuilt, Fault> {
        let work = async {
            for _ in 0..ROUNDS {
                if let Some(rebuilt) = self.try_rebuild(packet).await? {
                    return Ok(rebuilt);
                }
            }
            Err(Fault::Lost)
        };
        self.rebuilds.join(packet.id(), work).await
    }

    /// One try; `None` if its mark was lost.
    async fn try_rebuild(&self, packet: &Packet) -> Result<Option<Rebuilt>, Fault> {
        let (packet_id, partition) = (packet.id(), packet.partition());
        let Some(mark) = self.wire.begin(packet).await? else {
            return Ok(Some(Rebuilt::Live));
        };
        let (tally, claims) = self.memory.reads().begin().await.history(packet_id).await?;
        if tally.close_time.is_some() || tally.opened_count >= packet.share_count() {
            self.memory.note_ended(packet_id).await;
            self.wire.tell(partition, &[(packet_id, vec![Told::Astray])], 0).await?;
            return Ok(Some(Rebuilt::Ended));
        }
        let mut told = Vec::with_capacity(claims.len() + 1);
        for claim in &claims {
            told.push(Told::Opened(claim));
        }
        told.push(Told::Loaded(&mark));
        let mut states = Vec::new();
        for told in told.chunks(MAX_NEWS) {
            states = self.wire.tell(partition, &[(packet_id, told.to_vec())], 0).await?;
        }
        match states.first() {
            Some(State::Live) => Ok(Some(Rebuilt::Live)),
            Some(State::Exhausted | State::Closed) => {
                self.memory.note_ended(packet_id).await;
                Ok(Some(Rebuilt::Ended))
            }
            Some(State::Absent | State::Loading) | None => Ok(None),
        }
    }

    /// Tells Redis the news of one partition. Who gets an error must see to it that the packets concerned are dropped.
    pub async fn deliver(&self, partition: Partition, news: &[News]) -> Result<(), Fault> {
        for (news, seq) in calls(news, last_seq(news)) {
            let mut by_packet: BTreeMap<PacketId, Vec<Told<'_>>> = BTreeMap::new();
            for news in news {
                by_packet.entry(news.packet_id()).or_default().push(news.into());
            }
            let by_packet: Vec<_> = by_packet.into_iter().collect();
            let states = self.wire.tell(partition, &by_packet, seq).await?;
            for ((packet_id, _), state) in by_packet.iter().zip(states) {
                if let State::Exhausted | State::Closed = state {
                    self.memory.note_ended(*packet_id).await;
                }
            }
        }
        Ok(())
    }

    /// Drops packets of one partition, of which not all news up to `seq` were delivered.
    pub async fn drop_packets(&self, partition: Partition, packet_ids: &[PacketId], seq: i64) -> Result<(), Fault> {
        for (packet_ids, seq) in calls(packet_ids, seq) {
            let news: Vec<_> = packet_ids
                .iter()
                .map(|packet_id| (*packet_id, vec![Told::Astray]))
                .collect();
            self.wire.tell(partition, &news, seq).await?;
        }
        Ok(())
    }

    /// Whether Redis does what the gate needs of it for this partition. `renew` has all its packets rebuilt.
    pub async fn probe(&self, partition: Partition, renew: bool) -> Result<(), Fault> {
        Ok(self.wire.probe(partition, renew).await?)
    }

    /// Makes a packet answer before anybody asks.
    pub async fn warm(&self, packet: &Arc<Packet>) -> Result<(), Fault> {
        self.rebuild(packet).await.map(drop)
    }

    /// What this process remembers.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The claim of a user, if this process remembers it.
    pub async fn recall(&self, packet_id: PacketId, user_id: &UserId) -> Option<Claim> {
        self.memory.recall(packet_id, user_id).await
    }
}

/// All of these, as calls of one batch: one at least. Only the last one says up to which claim Redis has heard now, so that
/// it has not if one before it fails.
fn calls<T>(all: &[T], seq: i64) -> Vec<(&[T], i64)> {
    let mut calls: Vec<_> = all.chunks(MAX_NEWS).map(|part| (part, 0)).collect();
    match calls.last_mut() {
        Some(last) => last.1 = seq,
        None => calls.push((all, seq)),
    }
    calls
}

/// The last claim that these news are of; 0 if of none.
pub fn last_seq(news: &[News]) -> i64 {
    let seqs = news.iter().map(|news| match news {
        News::Opened(claim) => claim.seq,
        News::Taken { .. } | News::Closed(_) | News::Astray(_) => 0,
    });
    seqs.max().unwrap_or(0)
}
