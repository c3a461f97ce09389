//! A Redis Cluster of three masters and three replicas, one after another in every state.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop at once, in its helpers too"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use resp::{CheckError, Error, Redis, RedisConfig, Script, cmd};

/// For nodes that fail.
const TIMEOUT: Duration = Duration::from_millis(250);
/// For nodes that do not, on machines that do other things.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a loaded machine may add to a time-out.
const SLACK: Duration = Duration::from_secs(2);

static ADD: Script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
static BOTH: Script = Script::new("return {redis.call('INCR', KEYS[1]), redis.call('INCR', KEYS[2])}");

fn open_with(timeout: Duration, url: &str) -> Redis {
    let url = url.parse().unwrap();
    Redis::open(&RedisConfig { url, timeout }).unwrap()
}

fn open(url: &str) -> Redis {
    open_with(TIMEOUT, url)
}

async fn add(redis: &Redis, key: &str) -> Result<i64, Error> {
    redis.run(&ADD.call(&[key]).arg(1)).await
}

/// Keys of 64 partitions, on all nodes.
fn keys() -> impl Iterator<Item = String> {
    (0..64).map(|partition| format!("{{p{partition}}}:n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_in_every_state() {
    let mut cluster = engines::RedisCluster::start(3, 1).await.unwrap();
    let patient = open_with(PATIENCE, &cluster.url());
    let checked = patient.check().await.unwrap();
    assert!(checked.warnings.is_empty(), "{checked:?}");
    everything_goes_to_its_node(&patient, &cluster).await;
    a_slot_moves(&patient, &cluster).await;

    let redis = open(&cluster.url());
    a_master_is_killed(&redis, &mut cluster).await;
    a_master_hangs(&redis, &mut cluster).await;
    all_of_it_hangs(&redis, &mut cluster).await;
    some_of_it_is_enough(&mut cluster).await;
}

async fn everything_goes_to_its_node(redis: &Redis, cluster: &engines::RedisCluster) {
    for round in 1..3 {
        let sums = join_all(keys().map(async |key| add(redis, &key).await)).await;
        assert!(sums.into_iter().all(|sum| sum == Ok(round)));
        for node in cluster.nodes() {
            node.command(&["SCRIPT", "FLUSH"]).await.unwrap();
        }
    }
    let both: (i64, i64) = redis.run(&BOTH.call(&["{p1}:n", "{p1}:m"])).await.unwrap();
    assert_eq!(both, (3, 1));
    let apart = redis.run::<(i64, i64)>(&BOTH.call(&["{p1}:n", "{p2}:n"])).await;
    assert!(matches!(apart, Err(Error::Broken(_))), "{apart:?}");

    let node = open_with(PATIENCE, &cluster[0].url());
    let fault = node.begin().await.unwrap_err();
    assert!(
        matches!(&fault, CheckError::Unfit(text) if text.contains("redis+cluster://")),
        "{fault}"
    );
}

/// `ASK` while keys move, `TRYAGAIN` while only some of a call's have, `MOVED` once the slot is elsewhere.
async fn a_slot_moves(redis: &Redis, cluster: &engines::RedisCluster) {
    let (one, other) = ("{p1}:n", "{p1}:m");
    let slot = cluster[0].command(&["CLUSTER", "KEYSLOT", one]).await.unwrap();
    let from = cluster.owner_of(one, 0).await.unwrap().unwrap();
    let mut to = None;
    for key in keys() {
        let owner = cluster.owner_of(&key, 0).await.unwrap();
        to = to.or(owner.filter(|owner| *owner != from));
    }
    let (from, to) = (&cluster[from], &cluster[to.unwrap()]);
    let (from_id, to_id) = (
        from.command(&["CLUSTER", "MYID"]).await.unwrap(),
        to.command(&["CLUSTER", "MYID"]).await.unwrap(),
    );
    to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id])
        .await
        .unwrap();
    from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id])
        .await
        .unwrap();
    let port = to.address().port().to_string();
    let migrate = async |key: &str| {
        from.command(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"])
            .await
            .unwrap()
    };

    migrate(one).await;
    assert_eq!(add(redis, one).await, Ok(4), "ASK");
    let between = redis.run::<(i64, i64)>(&BOTH.call(&[one, other])).await;
    assert!(matches!(between, Err(Error::Unavailable(_))), "TRYAGAIN: {between:?}");
    migrate(other).await;
    let (now, _): (i64, i64) = redis.run(&BOTH.call(&[one, other])).await.unwrap();
    assert_eq!(now, 5);
    for node in cluster.nodes() {
        // Replicas learn it from their masters.
        let _ = node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).await;
    }
    assert_eq!(add(redis, one).await, Ok(6), "MOVED");
}

/// Calls all the time, on all partitions, and what became of them.
struct Load {
    stop: Arc<AtomicBool>,
    slowest: tokio::task::JoinHandle<(Duration, usize)>,
    good: Arc<AtomicUsize>,
}

impl Load {
    fn start(redis: &Redis) -> Self {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let slowest = tokio::spawn({
            let (stop, good, redis) = (stop.clone(), good.clone(), redis.clone());
            async move {
                let mut slowest = Duration::ZERO;
                let mut broken = 0;
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    for answer in join_all(keys().map(async |key| add(&redis, &key).await)).await {
                        match answer {
                            Ok(_) => _ = good.fetch_add(1, Ordering::Relaxed),
                            Err(Error::Unavailable(_)) => {}
                            Err(fault) => {
                                broken += 1;
                                eprintln!("{fault}");
                            }
                        }
                    }
                    slowest = slowest.max(began.elapsed());
                    tokio::task::yield_now().await;
                }
                (slowest, broken)
            }
        });
        Self { stop, slowest, good }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (slowest, broken) = self.slowest.await.unwrap();
        assert!(slowest < TIMEOUT + SLACK, "{slowest:?}");
        assert_eq!(broken, 0, "only ever: not available");
        assert!(self.good.load(Ordering::Relaxed) > 0);
    }
}

/// Every partition answers.
async fn whole(redis: &Redis) {
    let since = Instant::now();
    testkit::eventually("all partitions to answer", async || {
        let answers = join_all(keys().map(async |key| add(redis, &key).await)).await;
        answers.iter().all(Result::is_ok).then_some(())
    })
    .await;
    eprintln!("whole after {:?}", since.elapsed());
}

async fn a_master_is_killed(redis: &Redis, cluster: &mut engines::RedisCluster) {
    let load = Load::start(redis);
    let owner = cluster.owner_of("{p5}:n", 0).await.unwrap().unwrap();
    cluster[owner].kill().await;
    eprintln!("killed");
    whole(redis).await;
    load.end().await;
    cluster[owner].restart().await.unwrap();
    cluster.wait_until_ok().await.unwrap();
    whole(redis).await;
}

async fn a_master_hangs(redis: &Redis, cluster: &mut engines::RedisCluster) {
    let load = Load::start(redis);
    let owner = cluster.owner_of("{p5}:n", 0).await.unwrap().unwrap();
    cluster[owner].pause();
    eprintln!("hung");
    whole(redis).await;
    load.end().await;
    cluster[owner].resume();
    cluster.wait_until_ok().await.unwrap();
    whole(redis).await;
}

async fn all_of_it_hangs(redis: &Redis, cluster: &mut engines::RedisCluster) {
    cluster.pause();
    for _ in 0..3 {
        let began = Instant::now();
        let answers = join_all(keys().map(async |key| add(redis, &key).await)).await;
        assert!(
            answers
                .iter()
                .all(|answer| matches!(answer, Err(Error::Unavailable(_)))),
            "{answers:?}"
        );
        assert!(began.elapsed() < TIMEOUT + SLACK, "{:?}", began.elapsed());
    }
    cluster.resume();
    whole(redis).await;
}

async fn some_of_it_is_enough(cluster: &mut engines::RedisCluster) {
    // One away: a client that begins now finds the others.
    cluster[0].kill().await;
    let late = open(&cluster.url());
    late.begin().await.unwrap();
    whole(&late).await;
    // All away: a service starts.
    for node in cluster.nodes_mut() {
        node.kill().await;
    }
    let later = open(&cluster.url());
    later.begin().await.unwrap();
    assert!(matches!(add(&later, "{p1}:n").await, Err(Error::Unavailable(_))));
    assert!(matches!(
        later.query::<()>(&cmd("PING")).await,
        Err(Error::Unavailable(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_a_password() {
    let options = engines::Options::default().password("hush");
    let cluster = engines::RedisCluster::start_with(3, 0, options).await.unwrap();
    let redis = open_with(PATIENCE, &cluster.url());
    redis.begin().await.unwrap();
    whole(&redis).await;
    for (login, word) in [("", "password"), (":wrong@", "not accept")] {
        let redis = open_with(PATIENCE, &format!("redis+cluster://{login}{}", cluster[0].address()));
        let fault = redis.begin().await.unwrap_err();
        assert!(
            matches!(&fault, CheckError::Unfit(text) if text.contains(word)),
            "{fault}"
        );
        let fault = add(&redis, "n").await.unwrap_err();
        assert!(matches!(fault, Error::Refused(_)), "{fault}");
    }
}
