//! Redis fails in every way, under load: two instances with writers of their own on one SQL store, as in a cluster.
//!
//! In each case nobody gets an error, not even while the failure goes unnoticed; the gates agree with SQL again when it is
//! over; and at the end every share is opened exactly once.

mod world;

use std::time::Duration;

use testkit::engines::{Options, Redis, RedisCluster};
use tokio::time::sleep;

use world::World;

/// So long the load runs before a blow, and after it was made good.
const QUIET: Duration = Duration::from_millis(700);
/// So long a Redis is away: longer than anybody may notice.
const AWAY: Duration = Duration::from_millis(3_500);

#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_started_empty() {
    let mut redis = Redis::start().await.unwrap();
    let world = World::new(&[redis.url(), redis.url()]).await;
    let load = world.load();
    sleep(QUIET).await;
    redis.kill().await;
    world.all_away().await;
    sleep(AWAY).await;
    redis.restart().await.unwrap();
    world.all_back().await;
    sleep(QUIET).await;
    load.survived().await;
    world.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hung() {
    let mut redis = Redis::start().await.unwrap();
    let world = World::new(&[redis.url(), redis.url()]).await;
    let load = world.load();
    sleep(QUIET).await;
    redis.pause();
    world.all_away().await;
    sleep(AWAY).await;
    redis.resume();
    world.all_back().await;
    sleep(QUIET).await;
    load.survived().await;
    world.agrees().await;
}

/// Only one of the instances loses Redis: the other goes on with it, and must hear what the first one wrote meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn cut_off_from_one_instance() {
    let redis = Redis::start().await.unwrap();
    let proxy = redis.proxy().await.unwrap();
    let world = World::new(&[proxy.url(&redis.url()), redis.url()]).await;
    let load = world.load();
    sleep(QUIET).await;
    proxy.hang();
    world.away(0).await;
    sleep(AWAY).await;
    assert_eq!(world.how_much_away(1), 0);
    proxy.resume();
    world.all_back().await;
    sleep(QUIET).await;
    load.survived().await;
    world.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied() {
    let redis = Redis::start().await.unwrap();
    let world = World::new(&[redis.url(), redis.url()]).await;
    let load = world.load();
    for _ in 0..3 {
        sleep(QUIET).await;
        redis.command(&["FLUSHALL"]).await.unwrap();
    }
    sleep(QUIET).await;
    world.all_back().await;
    load.survived().await;
    world.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restored_from_an_older_dump() {
    let mut redis = Redis::start().await.unwrap();
    let world = World::new(&[redis.url(), redis.url()]).await;
    let load = world.load();
    sleep(QUIET).await;
    redis.command(&["SAVE"]).await.unwrap();
    sleep(QUIET).await;
    redis.kill().await;
    redis.restart().await.unwrap();
    world.all_back().await;
    sleep(QUIET).await;
    load.survived().await;
    world.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_by_a_stale_replica() {
    let redis = Redis::start().await.unwrap();
    let proxy = redis.proxy().await.unwrap();
    let url = proxy.url(&redis.url());
    let world = World::new(&[url.clone(), url]).await;
    let load = world.load();
    sleep(QUIET).await;
    let replica = Redis::replica_of(&redis, Options::default()).await.unwrap();
    replica.command(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    sleep(QUIET).await; // it misses this
    proxy.retarget(replica.address());
    proxy.cut();
    sleep(QUIET).await;
    world.all_back().await;
    load.survived().await;
    world.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_and_read_only() {
    let redis = Redis::start().await.unwrap();
    let world = World::new(&[redis.url(), redis.url()]).await;
    let load = world.load();
    sleep(QUIET).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    world.all_away().await;
    sleep(QUIET).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    world.all_back().await;
    sleep(QUIET).await;
    // A master that became a replica of nobody there.
    redis.command(&["REPLICAOF", "127.0.0.1", "1"]).await.unwrap();
    world.all_away().await;
    sleep(QUIET).await;
    redis.command(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    world.all_back().await;
    load.survived().await;
    world.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_of_a_cluster_is_killed() {
    let mut cluster = RedisCluster::start(3, 1).await.unwrap();
    let world = World::new(&[cluster.url(), cluster.url()]).await;
    let load = world.load();
    sleep(QUIET).await;
    let owner = cluster.owner_of(&world.a_key(), 0).await.unwrap().unwrap();
    cluster[owner].kill().await;
    let other = usize::from(owner == 0);
    testkit::eventually("a replica takes over", async || {
        let heir = cluster.owner_of(&world.a_key(), other).await.unwrap();
        heir.filter(|heir| *heir != owner)
    })
    .await;
    world.all_back().await;
    sleep(QUIET).await;
    load.survived().await;
    world.agrees().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_of_a_cluster_moves() {
    let cluster = RedisCluster::start(3, 0).await.unwrap();
    let world = World::new(&[cluster.url(), cluster.url()]).await;
    let load = world.load();
    sleep(QUIET).await;
    let key = world.a_key();
    let from = cluster.owner_of(&key, 0).await.unwrap().unwrap();
    let to = (from + 1) % 3;
    let slot = cluster[from].command(&["CLUSTER", "KEYSLOT", &key]).await.unwrap();
    let (from_id, to_id) = (
        cluster[from].command(&["CLUSTER", "MYID"]).await.unwrap(),
        cluster[to].command(&["CLUSTER", "MYID"]).await.unwrap(),
    );
    let port = cluster[to].address().port().to_string();
    let set = async |node: usize, words: [&str; 2]| {
        let told = cluster[node]
            .command(&["CLUSTER", "SETSLOT", &slot, words[0], words[1]])
            .await;
        assert_eq!(told.unwrap(), "OK");
    };
    set(to, ["IMPORTING", &from_id]).await;
    set(from, ["MIGRATING", &to_id]).await;
    sleep(QUIET).await; // half-way
    loop {
        let keys = cluster[from]
            .command(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"])
            .await
            .unwrap();
        let Some(key) = keys.lines().map(str::trim).find(|key| !key.is_empty()) else {
            break;
        };
        let moved = cluster[from]
            .command(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"])
            .await;
        assert!(["OK", "NOKEY"].contains(&moved.unwrap().as_str()));
    }
    set(to, ["NODE", &to_id]).await;
    set(from, ["NODE", &to_id]).await;
    sleep(QUIET).await;
    world.all_back().await;
    load.survived().await;
    world.agrees().await;
}
