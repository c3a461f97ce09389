//! The service with its gate in Redis: how it starts, what it shows, and two instances side by side.

use std::{collections::BTreeSet, time::Duration};

use crate::world::{Instance, World, claims, close, grab, open, snatch, try_open, voucher};
use futures::future::join_all;
use proto::grab::v1::{grab_response::Outcome, open_response};
use testkit::{
    engines::{Options, Redis, RedisCluster, free_port},
    eventually,
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

async fn world_with(redis_url: String) -> World {
    let mut world = World::new().await;
    world.settings.redis.redis_url = redis_url;
    world
}

async fn health(instance: &Instance, service: &str) -> Option<ServingStatus> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(instance.channel.clone()).check(request).await.ok()?;
    ServingStatus::try_from(answer.into_inner().status).ok()
}

async fn wait_for(instance: &Instance, part: ServingStatus) {
    eventually("health follows Redis", async || {
        (health(instance, "gate/redis").await == Some(part)).then_some(())
    })
    .await;
    eventually("the service serves", async || {
        (health(instance, "hongbao.grab.v1.GrabService").await == Some(ServingStatus::Serving)).then_some(())
    })
    .await;
}

/// Everyone grabs from the one instance or the other, opens at the other one, and asks again where the first answer came
/// from.
async fn two_instances_share_a_race(redis_url: String) {
    let mut world = world_with(redis_url).await;
    // Nothing fails here: on a busy machine, slow is not away.
    "5s".clone_into(&mut world.settings.redis.redis_timeout);
    let instances = [world.start().await, world.start().await];
    for instance in &instances {
        wait_for(instance, ServingStatus::Serving).await;
    }
    let clients = [&instances[0].client, &instances[1].client];
    let packet_id = &world.packet(clients[0], 100).await;
    let runs = (0..400).map(|n| async move {
        let (here, there) = (clients[n % 2], clients[(n + 1) % 2]);
        let user_id = format!("u{n}");
        match grab(here, packet_id, &user_id).await {
            Outcome::Granted(granted) => {
                let again = voucher(there, packet_id, &user_id).await;
                assert_eq!(again, granted.voucher, "the same share and time, wherever it is asked");
                let claim = open(there, packet_id, &user_id, &again).await;
                match grab(here, packet_id, &user_id).await {
                    Outcome::AlreadyOpened(again) => assert_eq!(again.seq, claim.seq),
                    other => panic!("{other:?}"),
                }
                Some(claim.share_no)
            }
            Outcome::AllHeld(_) | Outcome::Exhausted(_) => None,
            other => panic!("{other:?}"),
        }
    });
    let won: Vec<_> = join_all(runs).await.into_iter().flatten().collect();
    assert_eq!((won.len(), won.iter().collect::<BTreeSet<_>>().len()), (100, 100));
    let (listed, progress) = claims(clients[1], packet_id).await;
    assert_eq!(listed.len(), 100);
    assert_eq!(progress.opened_fen, 10_000);
    for client in clients {
        assert!(matches!(grab(client, packet_id, "late").await, Outcome::Exhausted(_)));
    }
    close(clients[0], packet_id).await.unwrap();
    for instance in instances {
        instance.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_a_race_on_one_server_with_a_password() {
    let redis = Redis::start_with(Options::default().password("hush")).await.unwrap();
    two_instances_share_a_race(redis.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_a_race_on_a_cluster() {
    let cluster = RedisCluster::start(3, 0).await.unwrap();
    two_instances_share_a_race(cluster.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_starts_without_its_redis_and_takes_it_when_it_comes() {
    let port = free_port().unwrap();
    let world = world_with(format!("redis://127.0.0.1:{port}")).await;
    let instance = world.start().await;
    wait_for(&instance, ServingStatus::NotServing).await;
    let client = &instance.client;
    let packet_id = &world.packet(client, 3).await;
    let held = voucher(client, packet_id, "early").await;
    assert!(matches!(snatch(client, packet_id, "swift").await, Outcome::Opened(claim) if claim.share_no == 2));

    let mut redis = Redis::start_with(Options::default().port(port)).await.unwrap();
    wait_for(&instance, ServingStatus::Serving).await;
    let Outcome::AlreadyOpened(claim) = grab(client, packet_id, "swift").await else {
        panic!("the claim is not known");
    };
    assert_eq!(claim.share_no, 2);
    assert!(matches!(snatch(client, packet_id, "later").await, Outcome::Opened(claim) if claim.share_no == 0));
    assert_eq!(
        open(client, packet_id, "early", &held).await.share_no,
        1,
        "a provisional voucher is good"
    );
    assert!(matches!(grab(client, packet_id, "late").await, Outcome::Exhausted(_)));

    redis.pause();
    let packet_id = &world.packet(client, 1).await; // a preload does not fail
    assert!(matches!(snatch(client, packet_id, "swift").await, Outcome::Opened(_)));
    wait_for(&instance, ServingStatus::NotServing).await;
    redis.resume();
    wait_for(&instance, ServingStatus::Serving).await;
    assert!(matches!(grab(client, packet_id, "late").await, Outcome::Exhausted(_)));
    instance.stop().await;
}

#[tokio::test]
async fn a_redis_that_never_can_be_used_keeps_the_service_from_starting() {
    let redis = Redis::start_with(Options::default().password("hush")).await.unwrap();
    let address = redis.address();
    for (url, word) in [
        (format!("redis://{address}"), "password"),
        (format!("redis://:wrong@{address}"), "password"),
        (format!("redis+cluster://:hush@{address}"), "redis://"),
    ] {
        let world = world_with(url.clone()).await;
        let fault = world.try_start().await.err().expect("it started").to_string();
        assert!(fault.contains(word) && !fault.contains("hush"), "{url}: {fault}");
    }
}

/// Redis forgets who holds what: whoever comes too late with a good voucher gets another free share, and then none.
#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_whose_share_is_gone_is_good_for_another() {
    let redis = Redis::start().await.unwrap();
    let world = world_with(redis.url()).await;
    let instance = world.start().await;
    let client = &instance.client;
    let packet_id = &world.packet(client, 3).await;
    let mut vouchers = Vec::new();
    for (n, holder) in [(0, "first"), (1, "second")] {
        vouchers.push(voucher(client, packet_id, holder).await);
        redis.command(&["FLUSHALL"]).await.unwrap();
        let swift = snatch(client, packet_id, &format!("swift{n}")).await;
        assert!(
            matches!(&swift, Outcome::Opened(claim) if claim.share_no == n),
            "{swift:?}"
        );
    }
    assert_eq!(open(client, packet_id, "first", &vouchers[0]).await.share_no, 2);
    let last = try_open(client, packet_id, "second", &vouchers[1]).await.unwrap();
    assert!(matches!(last, open_response::Outcome::Exhausted(_)), "{last:?}");
    assert!(matches!(grab(client, packet_id, "second").await, Outcome::Exhausted(_)));
    instance.stop().await;
}

/// Holds lapse by the clock of whoever asks, through Redis as in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_lapsed_share_goes_to_the_next() {
    let redis = Redis::start().await.unwrap();
    let mut world = world_with(redis.url()).await;
    "1s".clone_into(&mut world.settings.voucher_ttl);
    "100ms".clone_into(&mut world.settings.lapse_grace);
    let instance = world.start().await;
    let client = &instance.client;
    let packet_id = &world.packet(client, 1).await;
    voucher(client, packet_id, "slow").await;
    let Outcome::AllHeld(held) = grab(client, packet_id, "swift").await else {
        panic!("it is held");
    };
    let delay = held.retry_delay.unwrap();
    assert!(delay.seconds <= 2 && Duration::from_millis(1) < Duration::try_from(delay).unwrap());
    eventually("it lapses", async || {
        matches!(snatch(client, packet_id, "swift").await, Outcome::Opened(_)).then_some(())
    })
    .await;
    assert!(matches!(grab(client, packet_id, "slow").await, Outcome::Exhausted(_)));
    instance.stop().await;
}
