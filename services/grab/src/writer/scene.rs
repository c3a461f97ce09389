//! A writer in a test: on a store that fails on demand, is held up, and counts.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use id::{PacketId, Partition, UserId};
use money::Fen;
use runtime::Process;
use sea_orm::DbErr;
use sql::{Error, Result};
use testkit::Dir;
use tokio::sync::Semaphore;

use super::{Ports, Width, Writer};
use crate::{
    domain::{
        claim::{Claim, Entry, Head, Tally},
        packet::{Packet, sample},
        picture::Opening,
    },
    gate::{Timing, local::LocalGate},
    heads::Heads,
    store::{Batch, Changes, ClaimStore, LogStore, Missed, PacketStore, sql::SqlStore},
};

/// What goes wrong with one batch.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The store is away.
    Begin,
    /// The commit fails.
    Refused,
    /// The commit works, and its answer is lost.
    AnswerLost,
    /// Another claim was there.
    Conflict,
    /// Another writer was in the way.
    Contended,
    /// What is there contradicts itself.
    Inconsistent,
}

/// A store that can fail, be held up, and count.
pub struct Faulty {
    store: Arc<SqlStore>,
    faults: Mutex<VecDeque<Fault>>,
    /// A batch needs one to begin.
    pub tickets: Semaphore,
    counts: Arc<Counts>,
}

/// How often what was done.
#[derive(Debug, Default)]
pub struct Counts {
    /// Batches begun.
    pub begun: AtomicUsize,
    /// Commits that worked.
    pub commits: AtomicUsize,
    /// Packets painted from all of their claims.
    pub painted: AtomicUsize,
    /// Claims of others read from the end of a log.
    pub followed: AtomicUsize,
}

struct FaultyBatch {
    batch: Box<dyn Batch>,
    fault: Option<Fault>,
    counts: Arc<Counts>,
}

fn driver() -> Error {
    Error::Driver(DbErr::Custom("as told".to_owned()))
}

#[async_trait]
impl LogStore for Faulty {
    fn ranges(&self) -> Vec<Vec<Partition>> {
        self.store.ranges()
    }

    async fn heads(&self, partitions: &[Partition]) -> Result<Vec<Head>> {
        self.store.heads(partitions).await
    }

    async fn log(&self, partition: Partition, after_seq: i64, limit: u64) -> Result<Vec<Entry>> {
        self.store.log(partition, after_seq, limit).await
    }

    async fn begin(&self, partitions: &[Partition]) -> Result<Box<dyn Batch>> {
        self.tickets.acquire().await.unwrap().forget();
        let fault = self.faults.lock().unwrap().pop_front();
        if let Some(Fault::Begin) = fault {
            return Err(driver());
        }
        if let Some(Fault::Inconsistent) = fault {
            return Err(Error::inconsistent("as told"));
        }
        self.counts.begun.fetch_add(1, Ordering::Relaxed);
        let batch = self.store.begin(partitions).await?;
        Ok(Box::new(FaultyBatch {
            batch,
            fault,
            counts: self.counts.clone(),
        }))
    }
}

#[async_trait]
impl Batch for FaultyBatch {
    fn heads(&self) -> &[Head] {
        self.batch.heads()
    }

    async fn log(&self, missed: &[Missed]) -> Result<Vec<Claim>> {
        let claims = self.batch.log(missed).await?;
        self.counts.followed.fetch_add(claims.len(), Ordering::Relaxed);
        Ok(claims)
    }

    async fn tallies(&self, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Tally>> {
        self.batch.tallies(packet_ids).await
    }

    async fn claims(&self, packet_ids: &[PacketId]) -> Result<Vec<Claim>> {
        self.counts.painted.fetch_add(packet_ids.len(), Ordering::Relaxed);
        self.batch.claims(packet_ids).await
    }

    async fn commit(self: Box<Self>, changes: Changes) -> Result<()> {
        match self.fault {
            Some(Fault::Refused) => return Err(driver()),
            Some(Fault::Conflict) => return Err(Error::Conflict(DbErr::Custom("as told".to_owned()))),
            Some(Fault::Contended) => return Err(Error::Contended(DbErr::Custom("as told".to_owned()))),
            _ => self.batch.commit(changes).await?,
        }
        self.counts.commits.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Some(Fault::AnswerLost) => Err(Error::OutcomeUnknown(DbErr::Custom("as told".to_owned()))),
            _ => Ok(()),
        }
    }
}

/// One process with a writer, on a store that others may write to.
pub struct Scene {
    pub store: Arc<SqlStore>,
    pub faulty: Arc<Faulty>,
    pub ports: Ports,
    pub process: Process,
    _dir: Option<Dir>,
}

pub const PLENTY: usize = 1_000_000;
/// How long one transaction may take.
const ATTEMPT: Duration = Duration::from_secs(2);

impl Scene {
    /// On a store of its own.
    pub async fn new() -> Self {
        let dir = Dir::new();
        let scene = Self::on(SqlStore::in_dir(&dir).await).await;
        Self {
            _dir: Some(dir),
            ..scene
        }
    }

    pub async fn on(store: SqlStore) -> Self {
        let store = Arc::new(store);
        let faulty = Arc::new(Faulty {
            store: store.clone(),
            faults: Mutex::default(),
            tickets: Semaphore::new(PLENTY),
            counts: Arc::default(),
        });
        let clock: clock::SharedClock = Arc::new(clock::Manual::new(sample::START));
        let timing = Timing {
            voucher_ttl: Duration::from_secs(10),
            lapse_grace: Duration::from_secs(2),
        };
        let ports = Ports {
            store: faulty.clone(),
            gate: Arc::new(LocalGate::new(store.clone(), clock.clone(), timing)),
            heads: Arc::new(Heads::new(store.heads(&store.ranges().concat()).await.unwrap())),
            clock,
        };
        Self {
            store,
            faulty,
            ports,
            process: Process::new(),
            _dir: None,
        }
    }

    /// A writer with one lane a database.
    pub fn writer(&self, queue: usize) -> Writer {
        self.writer_of(1, queue)
    }

    pub fn writer_of(&self, lanes: usize, queue: usize) -> Writer {
        let width = Width {
            lanes: lanes.try_into().unwrap(),
            queue: queue.try_into().unwrap(),
            batch: 500.try_into().unwrap(),
            attempt: ATTEMPT,
        };
        Writer::start(width, &self.ports, &self.process)
    }

    pub async fn packet(&self, number: u8, share_count: u32) -> Arc<Packet> {
        let packet = sample::packet(number, share_count);
        self.store.keep(packet.promise(), packet.partition()).await.unwrap();
        packet
    }

    /// Another packet in the partition of the packet with this number.
    pub async fn packet_in_partition_of(&self, number: u8, share_count: u32) -> Arc<Packet> {
        let partition = sample::packet(number, 1).partition();
        let mut others = (number + 1..=u8::MAX).map(|number| sample::packet(number, 1));
        let other = others.find(|packet| packet.partition() == partition).unwrap();
        self.packet(other.id().as_bytes()[15], share_count).await
    }

    pub fn fail(&self, faults: &[Fault]) {
        self.faulty.faults.lock().unwrap().extend(faults);
    }

    pub fn faults_left(&self) -> usize {
        self.faulty.faults.lock().unwrap().len()
    }

    /// No more faults.
    pub fn mend(&self) {
        self.faulty.faults.lock().unwrap().clear();
    }

    pub fn commits(&self) -> usize {
        self.faulty.counts.commits.load(Ordering::Relaxed)
    }

    pub fn counts(&self) -> &Counts {
        &self.faulty.counts
    }

    /// What SQL says of a packet, checked against itself.
    pub async fn claims(&self, packet: &Packet) -> Vec<Claim> {
        // A connection that was cut fails whoever uses it next.
        let history = async || self.store.history(packet.id()).await.ok();
        let (tally, claims) = testkit::eventually("the claims", history).await;
        let shares: BTreeSet<u32> = claims.iter().map(|claim| claim.share_no).collect();
        let sum = Fen::checked_sum(claims.iter().map(|claim| claim.amount_fen)).unwrap();
        assert_eq!(shares.len(), claims.len(), "CLAIM-1");
        assert_eq!((tally.opened_count as usize, tally.opened_fen), (claims.len(), sum));
        let log = async || self.store.log(packet.partition(), 0, 100_000).await.ok();
        let log = testkit::eventually("the log", log).await;
        assert!(
            log.iter().map(Entry::seq).eq(1..=i64::try_from(log.len()).unwrap()),
            "LOG-1"
        );
        claims
    }
}

pub fn user(number: usize) -> UserId {
    format!("u{number}").parse().unwrap()
}

pub fn claim_in(opening: Opening) -> Claim {
    match opening {
        Opening::Opened(claim) | Opening::Already(claim) => claim,
        other => panic!("no claim: {other:?}"),
    }
}

/// Users open one packet through all of these writers at once: everyone asks two writers, and every writer is told to take
/// the same shares.
pub async fn race(scene: &Scene, packet: &Arc<Packet>, writers: &[Writer]) {
    let shares = packet.share_count() as usize;
    let users = shares * 5 / 3;
    let opens = (0..users * writers.len()).map(|n| {
        let (writer, packet) = (writers[n % writers.len()].clone(), packet.clone());
        async move {
            let wanted = u32::try_from(n % shares).ok();
            writer.open(&packet, &user(n % users), wanted).await.unwrap()
        }
    });
    let mut by_user: HashMap<UserId, BTreeSet<u32>> = HashMap::new();
    for opening in join_all(opens).await {
        match opening {
            Opening::Opened(claim) | Opening::Already(claim) => {
                by_user.entry(claim.user_id).or_default().insert(claim.share_no);
            }
            Opening::Exhausted => {}
            Opening::Closed => panic!("nobody closed it"),
        }
    }
    assert!(
        by_user.values().all(|shares| shares.len() == 1),
        "a user was told of two shares"
    );
    let claims = scene.claims(packet).await;
    assert_eq!((claims.len(), by_user.len()), (shares, shares));
    assert_eq!(claims.iter().filter(|claim| claim.luckiest).count(), 1);
}
