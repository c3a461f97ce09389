//! The simulated Redis runs the scripts as a real one does: the gate's contract, and the same calls to both, whose replies
//! and whose memory must agree after each.

use std::sync::Mutex;

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use resp::{Call, Redis, Value, cmd};
use simredis::{Calm, Server};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);
/// How much earlier or later one of the two may have been asked, in milliseconds.
const ASYNC_MS: i64 = 3_000;

fn simulated() -> (Server, Redis) {
    let server = Server::new(Arc::new(clock::System));
    let redis = server.link(Arc::new(Calm)).redis(PATIENCE).unwrap();
    (server, redis)
}

#[tokio::test]
async fn passes_the_contract_in_simulation() {
    let (server, redis) = simulated();
    passes_the_contract_on(&redis).await;
    assert!(server.misunderstood().is_empty(), "{:?}", server.misunderstood());
}

/// What is done to both.
#[derive(Clone, Debug)]
enum Act {
    /// Asks of one batch: which packet, who, whether admitted.
    Grab(Vec<(usize, u8, bool)>),
    Opened(usize, u8, u32),
    Taken(usize, u32),
    Closed(usize),
    Astray(usize),
    /// Begins a rebuild.
    Begin(usize),
    /// Ends the last rebuild that was begun, or one that nobody began.
    Loaded(usize, bool),
    Probe(bool),
    Pass(u64),
    /// A caller that knows of later claims than Redis was told of.
    Ahead(i64),
    /// Something else writes into the keys of a packet.
    Damage(usize, &'static [&'static str]),
    Flush,
}

/// Shares of the packets: less than a byte, exactly one, more than two.
const SHARES: [u32; 3] = [3, 8, 19];

/// `%0`, `%1`, `%2` are the packet's keys.
const DAMAGES: &[&[&str]] = &[
    &["DEL", "%0"],
    &["DEL", "%1"],
    &["DEL", "%2"],
    &["SETBIT", "%1", "9", "1"],
    &["SET", "%2", "text"],
    &["HDEL", "%0", ":count"],
    &["HSET", "%0", "u1", "nonsense"],
    &["HSET", "%0", "u2", "h:1:x"],
    &["HSET", "%0", ":low", "1"],
    &["HSET", "%0", ":opened", "x"],
    &["ZADD", "%2", "0", "u3"],
    &["PEXPIRE", "%0", "0"],
];

fn act() -> impl Strategy<Value = Act> {
    let packet = || 0..SHARES.len();
    let user = || 0..12_u8;
    let share = || 0..20_u32;
    prop_oneof![
        9 => vec((packet(), user(), prop::bool::weighted(0.9)), 1..6).prop_map(Act::Grab),
        5 => (packet(), user(), share()).prop_map(|(packet, user, share)| Act::Opened(packet, user, share)),
        2 => (packet(), share()).prop_map(|(packet, share)| Act::Taken(packet, share)),
        1 => packet().prop_map(Act::Closed),
        1 => packet().prop_map(Act::Astray),
        3 => packet().prop_map(Act::Begin),
        3 => (packet(), prop::bool::weighted(0.9)).prop_map(|(packet, right)| Act::Loaded(packet, right)),
        1 => any::<bool>().prop_map(Act::Probe),
        4 => (1..8_u64).prop_map(Act::Pass),
        1 => (0..4_i64).prop_map(Act::Ahead),
        2 => (packet(), select(DAMAGES)).prop_map(|(packet, words)| Act::Damage(packet, words)),
        1 => Just(Act::Flush),
    ]
}

struct Twins {
    real: Redis,
    simulated: Redis,
    wire: Wire,
    packets: Vec<Arc<Packet>>,
    marks: Vec<String>,
    now_us: i64,
    seq: i64,
}

impl Twins {
    /// The keys of a packet; all packets are of one partition here, which to Redis is only a name.
    fn keys(&self, packet: usize) -> [String; 3] {
        wire::packet_keys(self.packets[0].partition(), self.packets[packet].id())
    }

    fn call(&self, script: &'static resp::Script, packets: &[usize]) -> Call {
        let ids = packets.iter().map(|n| self.packets[*n].id());
        self.wire
            .call(script, self.packets[0].partition(), ids.collect::<Vec<_>>().into_iter())
    }

    /// The calls of an act.
    fn calls(&mut self, act: &Act) -> Vec<Call> {
        let (idle_ms, grace_us, ttl_us) = (600_000, 2_000_000, 10_000_000);
        let tell = |twins: &Self, packet: usize, words: Vec<String>| {
            let call = twins.call(&wire::TELL, &[packet]);
            vec![call.arg(twins.seq).arg(idle_ms).arg(1).arg(words)]
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match act {
            Act::Grab(asks) => {
                let mut by_packet: BTreeMap<usize, Vec<(u8, bool)>> = BTreeMap::new();
                for (packet, user, admitted) in asks {
                    by_packet.entry(*packet).or_default().push((*user, *admitted));
                }
                let packets: Vec<usize> = by_packet.keys().copied().collect();
                let mut call = self.call(&wire::GRAB, &packets);
                for number in [self.now_us, ttl_us, grace_us, idle_ms] {
                    call.push(number);
                }
                for asks in by_packet.values() {
                    call.push(asks.len());
                    for (n, admitted) in asks {
                        call.push(format!("u{n}"));
                        call.push(u8::from(*admitted));
                    }
                }
                vec![call]
            }
            Act::Opened(packet, user, share) => {
                self.seq += 1;
                let share = share % SHARES[*packet];
                let (user, seq, time) = (format!("u{user}"), self.seq.to_string(), self.now_us.to_string());
                tell(
                    self,
                    *packet,
                    vec!["opened".to_owned(), user, share.to_string(), seq, time],
                )
            }
            Act::Taken(packet, share) => {
                let share = share % SHARES[*packet];
                tell(self, *packet, vec!["taken".to_owned(), share.to_string()])
            }
            Act::Closed(packet) => tell(self, *packet, words(&["closed"])),
            Act::Astray(packet) => tell(self, *packet, words(&["astray"])),
            Act::Begin(packet) => {
                let mark = format!("mark{}", self.seq);
                self.marks[*packet].clone_from(&mark);
                let call = self.call(&wire::BEGIN, &[*packet]);
                vec![call.arg(mark).arg(SHARES[*packet]).arg(30_000)]
            }
            Act::Loaded(packet, right) => {
                let mark = if *right { &self.marks[*packet] } else { "nobody's" };
                tell(self, *packet, words(&["loaded", mark]))
            }
            Act::Probe(renew) => vec![self.call(&wire::PROBE, &[]).arg(u8::from(*renew))],
            Act::Ahead(by) => {
                self.seq += by;
                self.wire.told_seq[usize::from(self.packets[0].partition().index())]
                    .store(self.seq, std::sync::atomic::Ordering::Relaxed);
                Vec::new()
            }
            Act::Pass(secs) => {
                self.now_us += i64::try_from(*secs).unwrap() * 1_000_000;
                Vec::new()
            }
            Act::Damage(..) | Act::Flush => Vec::new(),
        }
    }

    fn both(said: (Result<Value, resp::Error>, Result<Value, resp::Error>)) -> Result<Value, String> {
        // What comes after it names the script's line.
        let cut = |said: Result<Value, resp::Error>| {
            said.map_err(|fault| {
                fault
                    .to_string()
                    .split(" script: ")
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
        };
        let (real, simulated) = (cut(said.0), cut(said.1));
        if real == simulated {
            Ok(real.unwrap_or(Value::Nil))
        } else {
            Err(format!("     real: {real:?}\nsimulated: {simulated:?}"))
        }
    }

    async fn ask(&self, words: &[&str]) -> Result<Value, String> {
        let mut command = cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        Self::both((self.real.query(&command).await, self.simulated.query(&command).await))
            .map_err(|fault| format!("{words:?}\n{fault}"))
    }

    async fn act(&mut self, act: &Act) -> Result<(), String> {
        for call in self.calls(act) {
            Self::both((self.real.run(&call).await, self.simulated.run(&call).await))?;
        }
        match act {
            Act::Flush => drop(self.ask(&["FLUSHALL"]).await?),
            Act::Damage(packet, words) => {
                let keys = self.keys(*packet);
                let words = words.iter().map(|word| match *word {
                    "%0" => keys[0].as_str(),
                    "%1" => keys[1].as_str(),
                    "%2" => keys[2].as_str(),
                    word => word,
                });
                self.ask(&words.collect::<Vec<_>>()).await?;
            }
            _ => {}
        }
        self.remember_the_same().await
    }

    async fn remember_the_same(&self) -> Result<(), String> {
        let count = self.ask(&["DBSIZE"]).await?;
        if count == Value::Int(0) {
            return Ok(());
        }
        self.ask(&["HMGET", &wire::partition_key(self.packets[0].partition()), "era", "seq"])
            .await?;
        for packet in 0..self.packets.len() {
            let [head, bits, ends] = self.keys(packet);
            self.ask(&["GET", &bits]).await?;
            self.ask(&["ZRANGE", &ends, "0", "-1", "WITHSCORES"]).await?;
            let users = (0..12).map(|n| format!("u{n}")).collect::<Vec<_>>();
            let mut words = vec!["HMGET", &head, ":era", ":load", ":count", ":opened", ":low"];
            words.extend(users.iter().map(String::as_str));
            self.ask(&words).await?;
            for key in [&head, &bits, &ends] {
                let left = async |redis: &Redis| redis.query::<i64>(cmd("PTTL").arg(key)).await.unwrap();
                let (real, simulated) = (left(&self.real).await, left(&self.simulated).await);
                if (real - simulated).abs() > ASYNC_MS || (real < 0) != (simulated < 0) {
                    return Err(format!("{key} stays {real} ms, in simulation {simulated} ms"));
                }
            }
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_do_the_same_in_simulation() {
    let process = engines::Redis::start().await.unwrap();
    let real = redis_at(&process.url());
    let (server, simulated) = simulated();
    let number = Mutex::new(0_u64);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::with_cases(40)
    });
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&vec(act(), 1..40), |acts| {
            let packets = SHARES.iter().map(|shares| {
                let mut number = number.lock().unwrap();
                *number += 1;
                let mut promise = sample::promise(1, *shares);
                promise.terms.packet_id = PacketId::new(*number, &[0; 10]);
                Arc::new(Packet::new(promise, Partition::DEFAULT_COUNT).unwrap())
            });
            let mut twins = Twins {
                real: real.clone(),
                simulated: simulated.clone(),
                wire: Wire::new(real.clone(), TIMING, &empty_log(), 7),
                packets: packets.collect(),
                marks: vec![String::new(); SHARES.len()],
                now_us: START.as_microsecond(),
                seq: 0,
            };
            let go = async {
                twins.ask(&["FLUSHALL"]).await?;
                // Most of it on packets that answer.
                let begun = [0, 1].map(Act::Begin);
                let loaded = [0, 1].map(|packet| Act::Loaded(packet, true));
                for act in begun.iter().chain(&loaded).chain(&acts) {
                    twins.act(act).await.map_err(|fault| format!("{act:?}\n{fault}"))?;
                }
                Ok(())
            };
            let handle = tokio::runtime::Handle::current();
            handle.block_on(go).map_err(|fault: String| TestCaseError::fail(fault))
        })
    });
    outcome.unwrap();
    assert!(server.misunderstood().is_empty(), "{:?}", server.misunderstood());
}

/// What the documentation says a call costs here; generous, for machines that do other things.
#[tokio::test]
async fn a_call_costs_little_in_simulation() {
    let (_, redis) = simulated();
    let wire = Wire::new(redis, TIMING, &empty_log(), 7);
    let packet = sample::packet(1, 1_000);
    let mark = wire.begin(&packet).await.unwrap().unwrap();
    let loaded = [(packet.id(), vec![Told::Loaded(&mark)])];
    wire.tell(packet.partition(), &loaded, 0).await.unwrap();
    let began = std::time::Instant::now();
    for n in 0..500 {
        let ask = Ask {
            packet: packet.clone(),
            user_id: user(n),
            admitted: true,
        };
        let asks = [(packet.clone(), vec![&ask])];
        let verdicts = wire.grab(packet.partition(), &asks, START).await.unwrap();
        assert!(matches!(verdicts[..], [Some(Verdict::Granted(_))]), "{verdicts:?}");
    }
    let each = began.elapsed() / 500;
    println!("{each:?} a call");
    assert!(each < Duration::from_millis(2), "{each:?} a call");
}
