//! The writer on a store that fails, beside another writer, under load and at a stop.

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
use sea_orm::DbErr;
use sql::{Error, Result};
use testkit::Dir;
use tokio::sync::Semaphore;

use super::{Ports, Width, WriteError, Writer};
use crate::{
    domain::{
        claim::{Claim, Head, Tally},
        packet::{Packet, sample},
        picture::Opening,
    },
    gate::{Timing, local::LocalGate},
    heads::Heads,
    store::{Batch, Changes, ClaimStore, LogStore, PacketStore, sql::SqlStore},
};
use runtime::Process;

/// What goes wrong with one batch.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The store is away.
    Begin,
    /// The commit fails.
    Refused,
    /// The commit works, and its answer is lost.
    AnswerLost,
    /// Another claim was there.
    Conflict,
}

/// A store that can fail, be held up, and count.
struct Faulty {
    store: Arc<SqlStore>,
    faults: Mutex<VecDeque<Fault>>,
    /// A batch needs one to begin.
    tickets: Semaphore,
    commits: Arc<AtomicUsize>,
}

struct FaultyBatch {
    batch: Box<dyn Batch>,
    fault: Option<Fault>,
    commits: Arc<AtomicUsize>,
}

fn driver() -> Error {
    Error::Driver(DbErr::Custom("as told".to_owned()))
}

#[async_trait]
impl LogStore for Faulty {
    async fn heads(&self) -> Result<Vec<Head>> {
        self.store.heads().await
    }

    async fn log(&self, partition: Partition, after_seq: i64, limit: u64) -> Result<Vec<Claim>> {
        self.store.log(partition, after_seq, limit).await
    }

    async fn begin(&self, partitions: &[Partition]) -> Result<Box<dyn Batch>> {
        self.tickets.acquire().await.unwrap().forget();
        let fault = self.faults.lock().unwrap().pop_front();
        if let Some(Fault::Begin) = fault {
            return Err(driver());
        }
        let batch = self.store.begin(partitions).await?;
        Ok(Box::new(FaultyBatch {
            batch,
            fault,
            commits: self.commits.clone(),
        }))
    }
}

#[async_trait]
impl Batch for FaultyBatch {
    fn heads(&self) -> &[Head] {
        self.batch.heads()
    }

    async fn tallies(&self, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Tally>> {
        self.batch.tallies(packet_ids).await
    }

    async fn claims(&self, packet_ids: &[PacketId]) -> Result<Vec<Claim>> {
        self.batch.claims(packet_ids).await
    }

    async fn commit(self: Box<Self>, changes: Changes) -> Result<()> {
        match self.fault {
            Some(Fault::Refused) => return Err(driver()),
            Some(Fault::Conflict) => return Err(Error::Conflict(DbErr::Custom("as told".to_owned()))),
            _ => self.batch.commit(changes).await?,
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Some(Fault::AnswerLost) => Err(Error::OutcomeUnknown(DbErr::Custom("as told".to_owned()))),
            _ => Ok(()),
        }
    }
}

struct Scene {
    store: Arc<SqlStore>,
    faulty: Arc<Faulty>,
    ports: Ports,
    process: Process,
    _dir: Dir,
}

const PLENTY: usize = 1_000_000;

impl Scene {
    async fn new() -> Self {
        let dir = Dir::new();
        let store = Arc::new(SqlStore::open(&dir.sqlite("grab")).await.unwrap());
        store.fix_partitions(Partition::DEFAULT_COUNT).await.unwrap();
        let faulty = Arc::new(Faulty {
            store: store.clone(),
            faults: Mutex::default(),
            tickets: Semaphore::new(PLENTY),
            commits: Arc::default(),
        });
        let clock: clock::SharedClock = Arc::new(clock::Manual::new(sample::START));
        let timing = Timing {
            voucher_ttl: Duration::from_secs(10),
            lapse_grace: Duration::from_secs(2),
        };
        let ports = Ports {
            store: faulty.clone(),
            gate: Arc::new(LocalGate::new(store.clone(), clock.clone(), timing)),
            heads: Arc::new(Heads::new(store.heads().await.unwrap())),
            clock,
        };
        Self {
            store,
            faulty,
            ports,
            process: Process::new(),
            _dir: dir,
        }
    }

    fn writer(&self, queue: usize) -> Writer {
        let width = Width {
            lanes: 1.try_into().unwrap(),
            queue: queue.try_into().unwrap(),
            batch: 500.try_into().unwrap(),
        };
        Writer::start(width, &self.ports, &self.process)
    }

    async fn packet(&self, number: u8, share_count: u32) -> Arc<Packet> {
        let packet = sample::packet(number, share_count);
        self.store.keep(packet.promise(), packet.partition()).await.unwrap();
        packet
    }

    fn fail(&self, faults: &[Fault]) {
        self.faulty.faults.lock().unwrap().extend(faults);
    }

    fn commits(&self) -> usize {
        self.faulty.commits.load(Ordering::Relaxed)
    }

    /// What SQL says of a packet, checked against itself.
    async fn claims(&self, packet: &Packet) -> Vec<Claim> {
        let (tally, claims) = self.store.history(packet.id()).await.unwrap();
        let shares: BTreeSet<u32> = claims.iter().map(|claim| claim.share_no).collect();
        let sum = Fen::checked_sum(claims.iter().map(|claim| claim.amount_fen)).unwrap();
        assert_eq!(shares.len(), claims.len(), "CLAIM-1");
        assert_eq!((tally.opened_count as usize, tally.opened_fen), (claims.len(), sum));
        let log = self.store.log(packet.partition(), 0, 100_000).await.unwrap();
        assert!(
            log.iter()
                .map(|claim| claim.seq)
                .eq(1..=i64::try_from(log.len()).unwrap()),
            "LOG-1"
        );
        claims
    }
}

fn user(number: usize) -> UserId {
    format!("u{number}").parse().unwrap()
}

fn claim_in(opening: Opening) -> Claim {
    match opening {
        Opening::Opened(claim) | Opening::Already(claim) => claim,
        other => panic!("no claim: {other:?}"),
    }
}

#[tokio::test]
async fn a_failed_commit_is_unavailable_and_the_next_try_is_right() {
    for faults in [
        [Fault::Begin].as_slice(),
        &[Fault::Refused],
        &[Fault::AnswerLost],
        &[Fault::Conflict, Fault::Conflict],
        &[Fault::Refused, Fault::AnswerLost, Fault::Begin],
    ] {
        let scene = Scene::new().await;
        let (packet, writer) = (scene.packet(1, 3).await, scene.writer(100));
        writer.open(&packet, &user(0), Some(0)).await.unwrap();
        scene.fail(faults);
        let failures = faults
            .iter()
            .filter(|fault| !matches!(fault, Fault::Conflict))
            .count()
            .max(1);
        for _ in 0..failures {
            let answer = writer.open(&packet, &user(1), Some(1)).await;
            assert_eq!(answer, Err(WriteError::Unavailable), "{faults:?}");
        }
        let claim = claim_in(writer.open(&packet, &user(1), Some(1)).await.unwrap());
        assert_eq!((claim.share_no, claim.seq), (1, 2), "{faults:?}");
        let claims = scene.claims(&packet).await;
        assert_eq!((claims.len(), &claims[1]), (2, &claim), "{faults:?}");
    }
}

#[tokio::test]
async fn a_conflict_is_tried_again_once() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 3).await, scene.writer(100));
    scene.fail(&[Fault::Conflict]);
    assert!(matches!(
        writer.open(&packet, &user(1), None).await,
        Ok(Opening::Opened(_))
    ));
    assert_eq!(scene.claims(&packet).await.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_a_close_is_found_again() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 3).await, scene.writer(100));
    writer.open(&packet, &user(1), None).await.unwrap();
    scene.fail(&[Fault::AnswerLost]);
    assert_eq!(writer.close(&packet).await, Err(WriteError::Unavailable));
    let closing = writer.close(&packet).await.unwrap();
    assert_eq!(closing.opened_count, 1);
    assert_eq!(writer.close(&packet).await, Ok(closing));
    assert_eq!(writer.open(&packet, &user(2), None).await, Ok(Opening::Closed));
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 100).await, scene.writer(1_000));
    scene.faulty.tickets.forget_permits(PLENTY);
    let users: Vec<UserId> = (0..150).map(user).collect();
    let opens = join_all(users.iter().map(|user_id| writer.open(&packet, user_id, None)));
    let tickets = async { scene.faulty.tickets.add_permits(2) };
    let (openings, ()) = tokio::join!(opens, tickets);
    assert!(scene.commits() <= 2, "{} commits", scene.commits());
    let opened = openings
        .iter()
        .filter(|opening| matches!(opening, Ok(Opening::Opened(_))))
        .count();
    let exhausted = openings
        .iter()
        .filter(|opening| matches!(opening, Ok(Opening::Exhausted)))
        .count();
    assert_eq!((opened, exhausted), (100, 50));
    let claims = scene.claims(&packet).await;
    let luckiest: Vec<&Claim> = claims.iter().filter(|claim| claim.luckiest).collect();
    let most = claims.iter().map(|claim| claim.amount_fen).max().unwrap();
    let first = claims.iter().find(|claim| claim.amount_fen == most).unwrap();
    assert_eq!(luckiest, [first], "the largest, ties to the earliest");
}

#[tokio::test]
async fn a_full_lane_refuses_and_an_abandoned_ask_is_not_tried() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 10).await, scene.writer(1));
    scene.faulty.tickets.forget_permits(PLENTY);
    let users = [0, 1, 2, 3, 4].map(user);
    let mut first = Box::pin(writer.open(&packet, &users[1], None));
    assert!(futures::poll!(&mut first).is_pending());
    // Wait until the lane has taken the first, then fill the one place in its queue.
    testkit::eventually("the lane is at work", async || {
        (writer.lanes[0].capacity() == 1).then_some(())
    })
    .await;
    let mut gone = Box::pin(writer.open(&packet, &users[2], None));
    assert!(futures::poll!(&mut gone).is_pending());
    let refused = writer.open(&packet, &users[3], None).await;
    assert_eq!(refused, Err(WriteError::Overloaded));
    drop(gone);
    scene.faulty.tickets.add_permits(PLENTY);
    first.await.unwrap();
    writer.open(&packet, &users[4], None).await.unwrap();
    let users: Vec<UserId> = scene
        .claims(&packet)
        .await
        .into_iter()
        .map(|claim| claim.user_id)
        .collect();
    assert!(
        users.contains(&user(1)) && users.contains(&user(4)) && !users.contains(&user(2)),
        "{users:?}"
    );
}

#[tokio::test]
async fn an_inconsistent_packet_fails_alone() {
    let scene = Scene::new().await;
    let (bad, good) = (scene.packet(1, 3).await, scene.packet(2, 3).await);
    let batch = scene.store.begin(&[bad.partition()]).await.unwrap();
    let tally = Tally {
        opened_count: 1,
        ..Tally::default()
    };
    let changes = Changes {
        heads: batch.heads().to_vec(),
        tallies: vec![(bad.id(), tally)],
        ..Changes::default()
    };
    batch.commit(changes).await.unwrap();
    let writer = scene.writer(100);
    let (user_1, user_2) = (user(1), user(2));
    let opens = tokio::join!(writer.open(&bad, &user_1, None), writer.open(&good, &user_2, None));
    assert_eq!(opens.0, Err(WriteError::Inconsistent));
    assert!(matches!(opens.1, Ok(Opening::Opened(_))));
}

#[tokio::test]
async fn a_writer_sees_what_another_wrote_since() {
    let scene = Scene::new().await;
    let packet = scene.packet(1, 8).await;
    let writers = [scene.writer(10), scene.writer(10)];
    // No share and no user twice, so that only the fence can tell that a picture is old.
    for n in 0..6_u8 {
        let writer = &writers[usize::from(n % 2)];
        let claim = claim_in(writer.open(&packet, &user(n.into()), Some(n.into())).await.unwrap());
        assert_eq!((claim.share_no, claim.seq), (n.into(), i64::from(n) + 1));
        assert_eq!(scene.claims(&packet).await.len(), usize::from(n) + 1);
    }
    let closing = writers[0].close(&packet).await.unwrap();
    assert_eq!(closing.opened_count, 6);
    assert_eq!(writers[1].open(&packet, &user(9), Some(7)).await, Ok(Opening::Closed));
    assert_eq!(writers[1].close(&packet).await, Ok(closing));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_one_partition_never_trust_an_old_picture() {
    let scene = Scene::new().await;
    let packet = scene.packet(1, 60).await;
    let writers = [scene.writer(1_000), scene.writer(1_000), scene.writer(1_000)];
    // Every writer is told to take the same shares, and every user asks two of them.
    let opens = (0..300).map(|n| {
        let (writer, packet) = (writers[n % 3].clone(), packet.clone());
        async move {
            writer
                .open(&packet, &user(n % 100), u32::try_from(n % 60).ok())
                .await
                .unwrap()
        }
    });
    let openings = join_all(opens).await;
    let mut by_user: HashMap<UserId, BTreeSet<u32>> = HashMap::new();
    for opening in openings {
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
    let claims = scene.claims(&packet).await;
    assert_eq!((claims.len(), by_user.len()), (60, 60));
    assert_eq!(claims.iter().filter(|claim| claim.luckiest).count(), 1);
}

#[tokio::test]
async fn a_stop_writes_what_was_accepted() {
    let scene = Scene::new().await;
    let (packet, writer) = (scene.packet(1, 100).await, scene.writer(1_000));
    scene.faulty.tickets.forget_permits(PLENTY);
    let users: Vec<UserId> = (0..100).map(user).collect();
    let opens = join_all(users.iter().map(|user_id| writer.open(&packet, user_id, None)));
    let mut opens = Box::pin(opens);
    assert!(futures::poll!(&mut opens).is_pending());
    scene.process.begin_stop();
    scene.faulty.tickets.add_permits(PLENTY);
    let openings = opens.await;
    assert!(openings.iter().all(|opening| matches!(opening, Ok(Opening::Opened(_)))));
    drop(writer);
    assert!(
        scene.process.stop(Duration::from_secs(10)).await,
        "the lanes did not end"
    );
    assert_eq!(scene.claims(&packet).await.len(), 100);
}
