//! The Redis gate on real servers, and its scripts against the naive model.

mod scripts;
mod states;
mod twin;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use clock::Timestamp;
use futures::future::join_all;
use id::Partition;
use testkit::engines;

use super::*;
use crate::{
    domain::{
        claim::{Progress, Summary, Tally},
        packet::sample::{self, START},
    },
    gate::{
        Gate,
        contract::{self, TIMING, ask, share, user},
        reads::tests::Slow,
    },
    store::{ByTime, ClaimStore},
};

pub fn redis_at(url: &str) -> resp::Redis {
    let url = url.parse().unwrap();
    let timeout = Duration::from_secs(5);
    resp::Redis::open(&resp::RedisConfig { url, timeout }).unwrap()
}

/// The heads of an empty log.
pub fn empty_log() -> Vec<Head> {
    let heads = Partition::all(Partition::DEFAULT_COUNT).map(|partition| Head {
        partition,
        next_seq: 1,
        version: 0,
    });
    heads.collect()
}

pub fn name() -> u64 {
    rand::random()
}

/// A Redis gate with nothing in front of it.
struct Bare(RedisGate);

impl Bare {
    fn new(redis: &resp::Redis, claims: Arc<dyn ClaimStore>, clock: SharedClock, timing: Timing) -> Self {
        let parts = Parts {
            redis: redis.clone(),
            memory: Arc::new(Memory::new(claims)),
            clock,
            timing,
        };
        Self(RedisGate::new(parts, &empty_log(), name()))
    }
}

#[async_trait]
impl Gate for Bare {
    async fn grab(&self, asks: Vec<Ask>) -> Vec<Result<Verdict, GateError>> {
        let verdicts = self.0.ask(&asks).await.into_iter();
        verdicts
            .map(|verdict| verdict.map_err(|fault| GateError(fault.to_string().into())))
            .collect()
    }

    async fn recall(&self, packet_id: PacketId, user_id: &UserId) -> Option<Claim> {
        self.0.recall(packet_id, user_id).await
    }

    async fn tell(&self, news: Vec<News>) {
        self.0.memory().hear(&news).await;
        for news in news {
            let partition = news.packet_id().partition(Partition::DEFAULT_COUNT);
            self.0.deliver(partition, &[news]).await.unwrap();
        }
    }

    async fn warm(&self, packet: Arc<Packet>) -> Result<(), GateError> {
        self.0
            .warm(&packet)
            .await
            .map_err(|fault| GateError(fault.to_string().into()))
    }
}

async fn passes_the_contract(url: &str) {
    passes_the_contract_on(&redis_at(url)).await;
}

async fn passes_the_contract_on(redis: &resp::Redis) {
    let (store, clock) = (contract::store().await, clock::Manual::new(START));
    let shared: SharedClock = Arc::new(clock.clone());
    let gate = |timing| Bare::new(redis, store.claims(), shared.clone(), timing);
    contract::holds(gate, &store, &clock).await;
}

#[tokio::test]
async fn passes_the_contract_on_one_server() {
    let server = engines::Redis::start().await.unwrap();
    passes_the_contract(&server.url()).await;
}

#[tokio::test]
async fn passes_the_contract_on_a_cluster() {
    let cluster = engines::RedisCluster::start(3, 0).await.unwrap();
    passes_the_contract(&cluster.url()).await;
}

/// Claims that count how often they are read.
struct Counted {
    claims: Arc<dyn ClaimStore>,
    reads: AtomicUsize,
}

#[async_trait]
impl ClaimStore for Counted {
    async fn history(&self, packet_id: PacketId) -> sql::Result<(Tally, Vec<Claim>)> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.claims.history(packet_id).await
    }

    async fn claim_of(&self, packet_id: PacketId, user_id: &UserId) -> sql::Result<Option<Claim>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.claims.claim_of(packet_id, user_id).await
    }

    async fn claims(&self, packet_id: PacketId, after: i64, limit: u64) -> sql::Result<Option<(Progress, Vec<Claim>)>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.claims.claims(packet_id, after, limit).await
    }

    async fn progress(&self, _: &[PacketId]) -> sql::Result<std::collections::HashMap<PacketId, Progress>> {
        unreachable!("a gate does not ask this")
    }

    async fn claims_of_user(&self, _: &UserId, _: Option<ByTime>, _: u64) -> sql::Result<Vec<Claim>> {
        unreachable!("a gate does not ask this")
    }

    async fn summarize(&self, _: &UserId, _: std::ops::Range<Timestamp>) -> sql::Result<Summary> {
        unreachable!("a gate does not ask this")
    }
}

/// SQL is read once for a crowd at a cold packet, and once for all who come when it has ended; and what has ended is gone
/// from Redis.
#[tokio::test]
async fn sql_is_read_once_however_many_ask() {
    let (server, store) = (engines::Redis::start().await.unwrap(), contract::store().await);
    let counted = Arc::new(Counted {
        claims: store.claims(),
        reads: AtomicUsize::new(0),
    });
    let clock: SharedClock = Arc::new(clock::Manual::new(START));
    let gate = Bare::new(&redis_at(&server.url()), counted.clone(), clock, TIMING);
    let packet = sample::packet(1, 30);
    store.keep(&packet).await;
    let crowd = |from: usize| {
        let asks = (from..from + 300).map(|n| {
            gate.grab(vec![Ask {
                packet: packet.clone(),
                user_id: user(n),
                admitted: true,
            }])
        });
        join_all(asks)
    };
    // Who of them was first is not known: they came over several connections.
    let granted = crowd(0).await.into_iter().flatten().map(Result::unwrap).enumerate();
    let granted: Vec<_> = granted
        .filter(|(_, verdict)| matches!(verdict, Verdict::Granted(_)))
        .map(|(n, verdict)| (user(n), share(&verdict)))
        .collect();
    assert_eq!(granted.len(), 30);
    assert_eq!(counted.reads.load(Ordering::Relaxed), 1);

    for (user, share_no) in granted {
        let claim = store.open(&packet, &user, share_no).await;
        gate.tell(vec![News::Opened(claim)]).await;
    }
    let keys = server.command(&["KEYS", "*"]).await.unwrap();
    assert_eq!(keys, wire::partition_key(packet.partition()), "what has ended is gone");
    let late = crowd(0).await.into_iter().flatten().map(Result::unwrap);
    let (claims, others): (Vec<_>, Vec<_>) = late.partition(|verdict| matches!(verdict, Verdict::AlreadyOpened(_)));
    assert_eq!(claims.len(), 30);
    assert!(others.iter().all(|verdict| *verdict == Verdict::Exhausted));
    let luckiest = claims
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::AlreadyOpened(claim) if claim.luckiest));
    assert_eq!(luckiest.count(), 1, "what is told of a complete packet is complete");
    assert_eq!(counted.reads.load(Ordering::Relaxed), 2);
    drop(server); // nobody needs it any more
    assert_eq!(ask(&gate, &packet, user(99), true).await, Verdict::Exhausted);
}

/// Preheating: the first grab asks nobody but Redis. Another process finds the packet there as well.
#[tokio::test]
async fn a_warm_packet_costs_no_sql() {
    let (server, store) = (engines::Redis::start().await.unwrap(), contract::store().await);
    let clock: SharedClock = Arc::new(clock::Manual::new(START));
    let counted = || {
        Arc::new(Counted {
            claims: store.claims(),
            reads: AtomicUsize::new(0),
        })
    };
    let (here, there) = (counted(), counted());
    let redis = redis_at(&server.url());
    let gate = Bare::new(&redis, here.clone(), clock.clone(), TIMING);
    let other = Bare::new(&redis, there.clone(), clock, TIMING);
    let packet = sample::packet(1, 30);
    store.keep(&packet).await;
    gate.warm(packet.clone()).await.unwrap();
    gate.warm(packet.clone()).await.unwrap();
    assert_eq!(here.reads.load(Ordering::Relaxed), 1);
    let shares: Vec<u32> = vec![
        share(&ask(&gate, &packet, user(1), true).await),
        share(&ask(&other, &packet, user(2), true).await),
        share(&ask(&other, &packet, user(1), true).await),
    ];
    assert_eq!(shares, [0, 1, 0]);
    assert_eq!(here.reads.load(Ordering::Relaxed), 1);
    assert_eq!(there.reads.load(Ordering::Relaxed), 0);
}

/// A Redis that forgot many packets.
#[tokio::test]
async fn a_storm_of_rebuilds_leaves_connections_to_the_writer() {
    let (server, slow) = (engines::Redis::start().await.unwrap(), Arc::new(Slow::default()));
    let clock: SharedClock = Arc::new(clock::Manual::new(START));
    let gate = Bare::new(&redis_at(&server.url()), slow.clone(), clock, TIMING);
    slow.is_spared_by(&gate).await;
}

#[tokio::test]
async fn redis_hears_up_to_which_claim_packets_were_dropped_even_if_none_is_named() {
    let (server, slow) = (engines::Redis::start().await.unwrap(), Arc::new(Slow::default()));
    let clock: SharedClock = Arc::new(clock::Manual::new(START));
    let gate = Bare::new(&redis_at(&server.url()), slow, clock, TIMING).0;
    let partition = sample::packet(1, 1).partition();
    gate.probe(partition, true).await.unwrap();
    gate.drop_packets(partition, &[], 7).await.unwrap();
    let key = wire::partition_key(partition);
    assert_eq!(server.command(&["HGET", &key, "seq"]).await.unwrap(), "7");
}

#[test]
fn only_the_last_call_of_a_batch_says_up_to_which_claim() {
    let sizes = |count| {
        let all = vec![(); count];
        let calls = calls(&all, 7).into_iter();
        calls.map(|(part, seq)| (part.len(), seq)).collect::<Vec<_>>()
    };
    assert_eq!(sizes(0), [(0, 7)]);
    assert_eq!(sizes(MAX_NEWS), [(MAX_NEWS, 7)]);
    assert_eq!(sizes(MAX_NEWS + 1), [(MAX_NEWS, 0), (1, 7)]);
}
