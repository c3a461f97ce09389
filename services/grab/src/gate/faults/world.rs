//! Two instances, and people who grab and open all the time.

use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use clock::{Clock, SharedClock, after};
use futures::future::join_all;
use id::{GroupId, PacketId, Partition, UserId};
use runtime::Process;
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    domain::{
        claim::Claim,
        packet::{Packet, sample},
        voucher,
    },
    gate::{
        Timing,
        breaker::{Breaker, Outage},
        degraded::DegradedGate,
        memory::Memory,
        redis::{Parts, RedisGate},
    },
    heads::Heads,
    ops::{
        Race,
        grab::{Outcome, Request},
        open,
    },
    packets::Packets,
    peer::directory::{Directory, DirectoryError},
    store::{ClaimStore, LogStore, PacketStore, sql::SqlStore},
    writer::{self, Width, Writer},
};

/// Vouchers that nobody opens lapse while a test can wait for it.
const TIMING: Timing = Timing {
    voucher_ttl: Duration::from_millis(1_500),
    lapse_grace: Duration::from_millis(300),
};
/// Large ones that last, and small ones that end in the middle of it.
const SHARES: [u32; 8] = [4_000, 4_000, 3_000, 3_000, 100, 30, 10, 1];
/// People at once, and how long each rests between two packets.
const PEOPLE: usize = 24;
const REST: Duration = Duration::from_millis(4);

/// Everyone exists and belongs everywhere.
struct Everyone;

#[async_trait]
impl Directory for Everyone {
    async fn membership(&self, _: &GroupId, _: &UserId) -> Result<Option<bool>, DirectoryError> {
        Ok(Some(true))
    }

    async fn name(&self, user_id: &UserId) -> Result<Option<String>, DirectoryError> {
        Ok(Some(user_id.to_string()))
    }
}

struct Instance {
    race: Race,
    outage: tokio::sync::watch::Receiver<Outage>,
}

pub struct World {
    instances: Vec<Instance>,
    packets: Vec<Arc<Packet>>,
    store: Arc<SqlStore>,
    /// What people were shown.
    shown: Mutex<HashMap<(PacketId, UserId), Claim>>,
    people: AtomicUsize,
    process: Process,
    _dir: testkit::Dir,
}

impl World {
    /// An instance for each of these Redis.
    pub async fn new(urls: &[String]) -> Arc<Self> {
        let dir = testkit::Dir::new();
        let store = Arc::new(SqlStore::in_dir(&dir).await);
        let (process, now) = (Process::new(), clock::System.now());
        let mut packets = Vec::new();
        for (n, shares) in (1..).zip(SHARES) {
            let mut promise = sample::promise(n, shares);
            promise.terms.start_time = now;
            promise.terms.expire_time = after(now, Duration::from_hours(1));
            let packet = Packet::new(promise, Partition::DEFAULT_COUNT).unwrap();
            store.keep(packet.promise(), packet.partition()).await.unwrap();
            packets.push(Arc::new(packet));
        }
        let mut instances = Vec::new();
        for url in urls {
            instances.push(Instance::start(url, &store, &process).await);
        }
        Arc::new(Self {
            instances,
            packets,
            store,
            shown: Mutex::default(),
            people: AtomicUsize::new(0),
            process,
            _dir: dir,
        })
    }

    /// A key of the gate's, and so of the slot that serves its partition.
    pub fn a_key(&self) -> String {
        format!("grab:{{{}}}", self.packets[0].partition())
    }

    pub fn how_much_away(&self, instance: usize) -> usize {
        self.instances[instance].outage.borrow().away
    }

    pub async fn away(&self, instance: usize) {
        testkit::eventually("the breaker opens", async || {
            let Outage { away, partitions } = *self.instances[instance].outage.borrow();
            (away == partitions).then_some(())
        })
        .await;
    }

    pub async fn all_away(&self) {
        for instance in 0..self.instances.len() {
            self.away(instance).await;
        }
    }

    pub async fn all_back(&self) {
        for instance in 0..self.instances.len() {
            testkit::eventually("the breaker closes", async || {
                (self.how_much_away(instance) == 0).then_some(())
            })
            .await;
        }
    }

    /// People come until the load is ended.
    pub fn load(self: &Arc<Self>) -> Load {
        let (stop, errors) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let people = (0..PEOPLE).map(|_| {
            let (world, stop, errors) = (self.clone(), stop.clone(), errors.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if let Err(fault) = world.one_more().await {
                        errors.lock().unwrap().push(fault);
                    }
                    sleep(REST).await;
                }
            })
        });
        Load {
            people: people.collect(),
            stop,
            errors,
        }
    }

    /// Somebody new asks for a share, opens it or forgets to, and asks again.
    async fn one_more(&self) -> Result<(), String> {
        let n = self.people.fetch_add(1, Ordering::Relaxed);
        let packet = &self.packets[n % self.packets.len()];
        let race = &self.instances[n / 8 % self.instances.len()].race;
        let user_id: UserId = format!("u{n}").parse().unwrap();
        let outcome = race.one(packet, &user_id, n.is_multiple_of(5)).await?;
        let claim = match outcome {
            Outcome::Granted { .. } if n.is_multiple_of(17) => return Ok(()),
            Outcome::Granted { voucher, .. } => race.redeem(packet, &user_id, voucher).await?,
            Outcome::Opened(claim) => Some(claim),
            _ => None,
        };
        if let Some(claim) = claim {
            self.shown
                .lock()
                .unwrap()
                .insert((packet.id(), user_id.clone()), claim.clone());
            match race.one(packet, &user_id, false).await? {
                Outcome::AlreadyOpened(again) if again.share_no == claim.share_no => {}
                other => return Err(format!("after {claim:?} came {other:?}")),
            }
        }
        Ok(())
    }

    /// The gates and SQL say the same, and what is left can be opened to the last share, each once.
    pub async fn agrees(&self) {
        for packet in &self.packets {
            let (_, claims) = self.store.history(packet.id()).await.unwrap();
            for instance in &self.instances {
                for claims in claims.chunks(500) {
                    let asks = claims
                        .iter()
                        .map(|claim| request(packet, &claim.user_id, false))
                        .collect();
                    let answers = instance.race.grab(asks).await;
                    for (claim, answer) in claims.iter().zip(answers) {
                        match answer.unwrap() {
                            Outcome::AlreadyOpened(told) => {
                                assert_eq!((told.share_no, told.seq), (claim.share_no, claim.seq));
                            }
                            other => panic!("{claim:?} is told as {other:?}"),
                        }
                    }
                }
            }
        }
        join_all(self.packets.iter().map(|packet| self.finish(packet))).await;
        for packet in &self.packets {
            self.check(packet).await;
        }
    }

    /// Newcomers take what is left.
    async fn finish(&self, packet: &Arc<Packet>) {
        testkit::eventually("all shares are opened", async || {
            let n = self.people.fetch_add(300, Ordering::Relaxed);
            let race = &self.instances[n % self.instances.len()].race;
            let users = (n..n + 300).map(|n| format!("u{n}").parse().unwrap());
            let asks = users.map(|user_id| request(packet, &user_id, true)).collect();
            let answers = race.grab(asks).await;
            let exhausted = |answer: &Result<Outcome, _>| matches!(answer, Ok(Outcome::Exhausted));
            answers.iter().all(exhausted).then_some(())
        })
        .await;
    }

    async fn check(&self, packet: &Packet) {
        let (tally, claims) = self.store.history(packet.id()).await.unwrap();
        let shares: BTreeSet<u32> = claims.iter().map(|claim| claim.share_no).collect();
        let users: BTreeSet<&UserId> = claims.iter().map(|claim| &claim.user_id).collect();
        let count = packet.share_count() as usize;
        assert_eq!((claims.len(), shares.len(), users.len()), (count, count, count));
        let sum = money::Fen::checked_sum(claims.iter().map(|claim| claim.amount_fen)).unwrap();
        assert_eq!((sum, tally.opened_fen), (packet.terms().total_fen, sum));
        let shown = self.shown.lock().unwrap();
        for claim in &claims {
            if let Some(shown) = shown.get(&(packet.id(), claim.user_id.clone())) {
                assert_eq!(
                    (shown.share_no, shown.amount_fen, shown.seq),
                    (claim.share_no, claim.amount_fen, claim.seq)
                );
            }
        }
        let of_packet = shown.keys().filter(|(packet_id, _)| *packet_id == packet.id());
        let lost = of_packet.filter(|(_, user_id)| !users.contains(user_id)).count();
        assert_eq!(lost, 0, "an amount was shown and is not there");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.process.begin_stop();
    }
}

impl Instance {
    async fn start(url: &str, store: &Arc<SqlStore>, process: &Process) -> Self {
        let clock: SharedClock = Arc::new(clock::System);
        let (claims, log): (Arc<dyn ClaimStore>, Arc<dyn LogStore>) = (store.clone(), store.clone());
        let heads = log.heads(&log.ranges().concat()).await.unwrap();
        let memory = Arc::new(Memory::new(claims.clone()));
        let (url, timeout) = (url.parse().unwrap(), Duration::from_millis(250));
        let made_of = Parts {
            redis: resp::Redis::open(&resp::RedisConfig { url, timeout }).unwrap(),
            memory: memory.clone(),
            clock: clock.clone(),
            timing: TIMING,
        };
        let redis = RedisGate::new(made_of, &heads, rand::random());
        let degraded = DegradedGate::new(memory, clock.clone(), TIMING);
        let breaker = Arc::new(Breaker::new(redis, degraded, Partition::DEFAULT_COUNT));
        process.spawn("gate watch", breaker.clone().watch(process.clone()));
        let ports = writer::Ports {
            store: log,
            gate: breaker.clone(),
            heads: Arc::new(Heads::new(heads)),
            clock: clock.clone(),
        };
        let width = Width {
            lanes: NonZeroUsize::MIN,
            queue: NonZeroUsize::new(100_000).unwrap(),
            batch: NonZeroUsize::new(500).unwrap(),
            attempt: Duration::from_secs(10),
        };
        let race = Race {
            packets: Arc::new(Packets::new(store.clone(), Partition::DEFAULT_COUNT)),
            directory: Arc::new(Everyone),
            gate: breaker.clone(),
            writer: Writer::start(width, &ports, process),
            keys: voucher::sample::ring(&["k"]),
            promises: store.clone(),
            claims,
            clock,
        };
        Self {
            race,
            outage: breaker.outage(),
        }
    }
}

fn request(packet: &Packet, user_id: &UserId, open: bool) -> Request {
    Request {
        packet_id: packet.id(),
        user_id: user_id.clone(),
        passphrase: String::new(),
        open,
    }
}

impl Race {
    async fn one(&self, packet: &Packet, user_id: &UserId, open: bool) -> Result<Outcome, String> {
        let outcome = self.grab(vec![request(packet, user_id, open)]).await.remove(0);
        outcome.map_err(|fault| format!("grab: {fault}"))
    }

    async fn redeem(&self, packet: &Packet, user_id: &UserId, voucher: String) -> Result<Option<Claim>, String> {
        let request = open::Request {
            packet_id: packet.id(),
            user_id: user_id.clone(),
            voucher,
        };
        match self.open(&request).await {
            Ok(open::Outcome::Opened(claim)) => Ok(Some(claim)),
            Ok(open::Outcome::Exhausted | open::Outcome::Closed) => Ok(None),
            Err(fault) => Err(format!("open: {fault}")),
        }
    }
}

/// People at work.
pub struct Load {
    people: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    errors: Arc<Mutex<Vec<String>>>,
}

impl Load {
    /// Ends the load. Nobody may have had an error.
    pub async fn survived(self) {
        self.stop.store(true, Ordering::Relaxed);
        for person in self.people {
            person.await.unwrap();
        }
        let errors = self.errors.lock().unwrap();
        assert!(
            errors.is_empty(),
            "{} errors, such as {:?}",
            errors.len(),
            errors.iter().take(5)
        );
    }
}
