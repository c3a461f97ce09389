//! The circuit breaker: the Redis gate while Redis serves, the degraded gate while it does not.
//!
//! Each partition has a line of its own, because a cluster that lost a master still serves the rest. A call that fails or
//! is not answered in time is answered by the degraded gate at once, so that nobody gets an error, and has all lines
//! probed. A line whose probe fails is cut: nobody waits for Redis on it any more. With a time-out of 250 ms, a Redis that
//! hangs is left alone after half a second.
//!
//! While a line is cut, and when a single call gets lost, claims are committed of which Redis does not hear. The packets
//! concerned are noted (a bounded number; beyond it, the whole partition). When a probe finds that Redis serves again,
//! they are dropped from it first, and only then is the line mended; whoever asks for them then has them rebuilt from SQL.
//! A writer that stops looking for the outcome of a commit has its packets dropped as well ([`News::Astray`]).
//!
//! So Redis has heard every claim of every packet that it answers for, but for two cases. A writer died that owed it news:
//! the next one that starts finds that out by the log's head ([`super::redis`]), unless Redis was told of a later claim of
//! that partition. Or a commit arrived after its writer had given it up. Then Redis hands out a share that is opened; SQL
//! gives whoever comes with it another one, and Redis hears of that.

mod line;

use std::{collections::BTreeMap, num::NonZeroU16, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use id::{PacketId, Partition, UserId};
use runtime::Process;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    Ask, Gate, GateError, News, Verdict,
    degraded::DegradedGate,
    redis::{Fault, RedisGate},
};
use crate::domain::{claim::Claim, packet::Packet};
use line::{Line, Missed};

/// How often lines are probed while any is not well.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// The least time between two rounds of probes, however much fails.
const MIN_PROBE_INTERVAL: Duration = Duration::from_millis(200);
/// Packets remembered over all lines whose news Redis missed, some 50 bytes each.
const MAX_MISSED: usize = 64 * 1_024;

/// How many partitions Redis does not serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outage {
    /// So many.
    pub away: usize,
    /// Of so many.
    pub partitions: usize,
}

/// The two gates behind one.
pub struct Breaker {
    redis: RedisGate,
    degraded: DegradedGate,
    /// By partition.
    lines: Vec<Line>,
    partitions: NonZeroU16,
    /// Something failed: probe.
    wake: Notify,
    outage: watch::Sender<Outage>,
}

impl Breaker {
    /// A breaker in front of `redis`, which is taken to serve until something fails.
    pub fn new(redis: RedisGate, degraded: DegradedGate, partitions: NonZeroU16) -> Self {
        let count = usize::from(partitions.get());
        Self {
            redis,
            degraded,
            lines: std::iter::repeat_with(Line::default).take(count).collect(),
            partitions,
            wake: Notify::new(),
            outage: watch::Sender::new(Outage {
                away: 0,
                partitions: count,
            }),
        }
    }

    /// How much of Redis is away, and every change of it.
    pub fn outage(&self) -> watch::Receiver<Outage> {
        self.outage.subscribe()
    }

    /// Watches over the lines until the process stops.
    pub async fn watch(self: Arc<Self>, process: Process) {
        let mut since = None;
        loop {
            self.round(&mut since).await;
            if !process.pause(MIN_PROBE_INTERVAL).await {
                return;
            }
            let all_well = self.lines.iter().all(Line::is_well);
            tokio::select! {
                biased;
                () = process.stopping() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(PROBE_INTERVAL.saturating_sub(MIN_PROBE_INTERVAL)), if !all_well => {}
            }
        }
    }

    /// Probes every line once, and tells if anything changed. `since` is when the outage began, if there is one.
    async fn round(&self, since: &mut Option<Instant>) {
        let mut probes = Vec::with_capacity(self.lines.len());
        for partition in Partition::all(self.partitions) {
            probes.push(self.probe(partition));
        }
        let faults = join_all(probes).await;
        let away = self.lines.iter().filter(|line| line.is_cut()).count();
        let now = Outage {
            away,
            partitions: self.lines.len(),
        };
        if !self.outage.send_if_modified(|last| std::mem::replace(last, now) != now) {
            return;
        }
        // These are the gate's metrics as well: an event with fields for each change.
        let Outage { away, partitions } = now;
        if away == 0 {
            let seconds = since.take().map_or(0.0, |since| since.elapsed().as_secs_f64());
            tracing::info!(away, partitions, seconds, "gate: Redis is back");
        } else {
            since.get_or_insert_with(Instant::now);
            let fault = faults
                .into_iter()
                .flatten()
                .next()
                .map_or_else(String::new, |fault| fault.to_string());
            tracing::warn!(
                away,
                partitions,
                fault,
                "gate: Redis is away; grabs get provisional vouchers"
            );
        }
    }

    async fn probe(&self, partition: Partition) -> Option<Fault> {
        let line = self.line(partition);
        let served = async {
            self.redis.probe(partition, false).await?;
            self.make_good(partition, line).await
        };
        let fault = served.await.err()?;
        line.cut();
        Some(fault)
    }

    /// Drops from Redis what did not hear all of its news, until nothing more was missed meanwhile.
    async fn make_good(&self, partition: Partition, line: &Line) -> Result<(), Fault> {
        while let Some(missed) = line.take_missed_or_mend() {
            let unheard = Unheard {
                line,
                missed: Some(missed),
                max: self.max_missed(),
            };
            unheard.make_good(&self.redis, partition).await?;
        }
        Ok(())
    }

    fn line(&self, partition: Partition) -> &Line {
        &self.lines[usize::from(partition.index())]
    }

    fn max_missed(&self) -> usize {
        (MAX_MISSED / self.lines.len()).max(1)
    }

    fn failed(&self, partition: Partition) {
        self.line(partition).failed();
        self.wake.notify_one();
    }

    /// Asks Redis; who gets no answer is answered without it.
    async fn ask(&self, asks: Vec<Ask>) -> Vec<Result<Verdict, GateError>> {
        let mut verdicts = self.redis.ask(&asks).await;
        let (mut places, mut again) = (Vec::new(), Vec::new());
        // One mark a partition and batch.
        let mut marks: BTreeMap<Partition, bool> = BTreeMap::new();
        for (n, (ask, verdict)) in asks.into_iter().zip(&verdicts).enumerate() {
            let failed = matches!(verdict, Err(Fault::Redis(_) | Fault::Lost));
            *marks.entry(ask.packet.partition()).or_default() |= failed;
            if failed {
                places.push(n);
                again.push(ask);
            }
        }
        for (partition, failed) in marks {
            if failed {
                self.failed(partition);
            } else {
                self.line(partition).worked();
            }
        }
        let mut answers: Vec<Result<Verdict, GateError>> = Vec::with_capacity(verdicts.len());
        if again.is_empty() {
            answers.extend(verdicts.into_iter().map(|verdict| verdict.map_err(without_redis)));
            return answers;
        }
        let degraded = self.degraded.grab(again).await;
        for (n, verdict) in places.into_iter().zip(degraded) {
            verdicts[n] = verdict.map_err(Fault::Store);
        }
        answers.extend(verdicts.into_iter().map(|verdict| verdict.map_err(without_redis)));
        answers
    }
}

/// What was taken from a line to be made good. Goes back if that does not come to its end.
struct Unheard<'a> {
    line: &'a Line,
    missed: Option<Missed>,
    max: usize,
}

impl Unheard<'_> {
    async fn make_good(mut self, redis: &RedisGate, partition: Partition) -> Result<(), Fault> {
        if let Some(missed) = &self.missed {
            if missed.too_many {
                redis.probe(partition, true).await?;
            }
            let packets: Vec<PacketId> = missed.packets.iter().copied().collect();
            redis.drop_packets(partition, &packets, missed.seq).await?;
        }
        self.missed = None;
        Ok(())
    }
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        if let Some(missed) = self.missed.take() {
            self.line.give_back(missed, self.max);
        }
    }
}

fn without_redis(fault: Fault) -> GateError {
    match fault {
        Fault::Store(fault) => fault,
        Fault::Redis(_) | Fault::Lost => GateError(fault.to_string().into()),
    }
}

#[async_trait]
impl Gate for Breaker {
    async fn grab(&self, asks: Vec<Ask>) -> Vec<Result<Verdict, GateError>> {
        let cut: Vec<bool> = asks
            .iter()
            .map(|ask| self.line(ask.packet.partition()).is_cut())
            .collect();
        if !cut.contains(&true) {
            return self.ask(asks).await;
        }
        let (mut by_sql, mut by_redis) = (Vec::new(), Vec::new());
        for (ask, cut) in asks.into_iter().zip(&cut) {
            if *cut { by_sql.push(ask) } else { by_redis.push(ask) }
        }
        let (by_sql, by_redis) = tokio::join!(self.degraded.grab(by_sql), self.ask(by_redis));
        let (mut by_sql, mut by_redis) = (by_sql.into_iter(), by_redis.into_iter());
        let verdicts = cut
            .into_iter()
            .map(|cut| if cut { by_sql.next() } else { by_redis.next() });
        verdicts
            .map(|verdict| verdict.unwrap_or(Err(GateError::silent())))
            .collect()
    }

    async fn recall(&self, packet_id: PacketId, user_id: &UserId) -> Option<Claim> {
        self.redis.recall(packet_id, user_id).await
    }

    async fn tell(&self, news: Vec<News>) {
        self.redis.memory().hear(&news).await;
        let mut by_partition: BTreeMap<Partition, Vec<News>> = BTreeMap::new();
        for news in news {
            let partition = news.packet_id().partition(self.partitions);
            by_partition.entry(partition).or_default().push(news);
        }
        let told = by_partition.into_iter().map(|(partition, news)| async move {
            let line = self.line(partition);
            if line.miss_if_cut(&news, self.max_missed()) {
                return;
            }
            if self.redis.deliver(partition, &news).await.is_ok() {
                line.worked();
            } else {
                line.miss(&news, self.max_missed());
                self.failed(partition);
            }
        });
        join_all(told).await;
    }

    async fn warm(&self, packet: Arc<Packet>) -> Result<(), GateError> {
        let partition = packet.partition();
        if self.line(partition).is_cut() {
            return Ok(()); // who asks first finds it in SQL
        }
        match self.redis.warm(&packet).await {
            Ok(()) => Ok(()),
            Err(Fault::Store(fault)) => Err(fault),
            Err(Fault::Redis(_) | Fault::Lost) => {
                self.failed(partition);
                Ok(())
            }
        }
    }
}
