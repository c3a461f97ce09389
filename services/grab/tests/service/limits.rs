//! What is refused when there is no room: for one more watcher, and on the disk.

use std::collections::BTreeMap;

use proto::grab::v1::{GrabRequest, TailClaimsRequest, WatchPacketRequest, grab_response::Outcome};
use testkit::engines::{MariaDb, Postgres, SmallDisk};
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;

use crate::world::{Instance, World, ask, claims, snatch, try_grab};

/// Shares of the packet that is opened until the disk is full: some megabytes of claims and what stands around them.
const SHARES: u32 = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_beyond_the_limit_is_refused_until_somebody_leaves() {
    let mut world = World::new().await;
    "2".clone_into(&mut world.settings.max_watchers);
    let instance = world.start().await;
    let packet_id = world.packet(&instance.client, 3).await;
    snatch(&instance.client, &packet_id, "alice").await;
    let watch = async || {
        let request = WatchPacketRequest {
            packet_id: packet_id.clone(),
        };
        instance.client.clone().watch_packet(request).await
    };
    let mut feeds = Vec::new();
    for _ in 0..2 {
        let mut feed = watch().await.unwrap().into_inner();
        assert!(feed.message().await.unwrap().is_some());
        feeds.push(feed);
    }
    let refused = watch().await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(status::reason(&refused), "TOO_MANY_STREAMS");
    assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
    feeds.pop();
    testkit::eventually("a place", async || watch().await.ok()).await;
    instance.begin_stop();
}

/// Eight for each partition, whichever they follow.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_partitions_beyond_the_limit_is_refused_until_somebody_leaves() {
    let mut world = World::new().await;
    "2".clone_into(&mut world.settings.partitions);
    let instance = world.start().await;
    let follow = async || {
        let request = TailClaimsRequest {
            partition: 1,
            follow: true,
            partition_count: 2,
            ..Default::default()
        };
        instance.client.clone().tail_claims(request).await
    };
    let mut feeds = Vec::new();
    for _ in 0..16 {
        feeds.push(follow().await.unwrap());
    }
    let refused = follow().await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(status::reason(&refused), "TOO_MANY_STREAMS");
    assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
    feeds.pop();
    testkit::eventually("a place", async || follow().await.ok()).await;
    instance.begin_stop();
}

async fn try_open(instance: &Instance, packet_id: &str, n: u32) -> Result<(String, i64), Status> {
    let user = format!("u{n}");
    let request = GrabRequest {
        open: true,
        ..ask(packet_id, &user)
    };
    match try_grab(&instance.client, request).await? {
        Outcome::Opened(claim) => Ok((user, claim.amount_fen)),
        other => panic!("{other:?}"),
    }
}

async fn health(instance: &Instance) -> ServingStatus {
    let request = HealthCheckRequest::default();
    let answer = HealthClient::new(instance.channel.clone()).check(request).await;
    answer.unwrap().into_inner().status()
}

/// `disk` is where `database` stores things.
async fn a_full_disk_is_told_and_nothing_is_acknowledged_that_is_not_there(database: String, disk: &SmallDisk) {
    let mut world = World::new().await;
    world.move_to(database).await;
    let instance = world.start().await;
    let packet_id = world.packet(&instance.client, SHARES).await;
    let mut told = BTreeMap::new();
    let mut next = 0..SHARES;
    for n in next.by_ref().take(20) {
        told.extend([try_open(&instance, &packet_id, n).await.unwrap()]);
    }
    assert_eq!(health(&instance).await, ServingStatus::Serving);
    disk.fill().unwrap();
    let refused = loop {
        match try_open(&instance, &packet_id, next.next().expect("the disk is full at last")).await {
            Ok(open) => told.extend([open]),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert_eq!(status::reason(&refused), "STORE_FULL", "{refused:?}");
    assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
    testkit::eventually("health says so", async || {
        (health(&instance).await == ServingStatus::NotServing).then_some(())
    })
    .await;
    // Grabs go on: they need no disk.
    let grabbed = try_grab(&instance.client, ask(&packet_id, "visitor")).await.unwrap();
    assert!(matches!(grabbed, Outcome::Granted(_)), "{grabbed:?}");
    // What was told is there, and nothing else.
    let there = async || {
        let (claims, progress) = claims(&instance.client, &packet_id).await;
        assert_eq!(progress.opened_count as usize, claims.len());
        let there = claims.into_iter().map(|claim| (claim.user_id, claim.amount_fen));
        there.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(there().await, told);

    disk.free().unwrap();
    let n = next.next().unwrap();
    told.extend([testkit::eventually("opens work again", async || {
        try_open(&instance, &packet_id, n).await.ok()
    })
    .await]);
    assert_eq!(there().await, told);
    testkit::eventually("health says so", async || {
        (health(&instance).await == ServingStatus::Serving).then_some(())
    })
    .await;
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_on_a_full_disk() {
    if !SmallDisk::is_possible() {
        return;
    }
    let disk = SmallDisk::new(16 * 1_024).await.unwrap();
    let url = format!("sqlite://{}/grab.db", disk.path().display());
    a_full_disk_is_told_and_nothing_is_acknowledged_that_is_not_there(url, &disk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_on_a_full_disk() {
    if !SmallDisk::is_possible() {
        return;
    }
    let server = Postgres::start().await.unwrap();
    let disk = SmallDisk::new(32 * 1_024).await.unwrap();
    let space = format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display());
    server.query("postgres", &space).await.unwrap();
    let database = "CREATE DATABASE grab TABLESPACE small";
    server.query("postgres", database).await.unwrap();
    a_full_disk_is_told_and_nothing_is_acknowledged_that_is_not_there(server.url("grab"), &disk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_on_a_full_disk() {
    if !SmallDisk::is_possible() {
        return;
    }
    let server = MariaDb::start().await.unwrap();
    let url = server.database("grab").await.unwrap();
    let disk = SmallDisk::over(&server.dir().join("data/grab"), 24 * 1_024)
        .await
        .unwrap();
    a_full_disk_is_told_and_nothing_is_acknowledged_that_is_not_there(url, &disk).await;
}
