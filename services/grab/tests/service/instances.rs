//! Two whole instances over the same servers: routing moved, and both write.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::world::{Client, Instance, World, claims, close, snatch};
use futures::future::join_all;
use id::Partition;
use proto::grab::v1::{Claim, ListUserClaimsRequest, TailClaimsRequest, grab_response::Outcome};
use testkit::engines::{MariaDb, Postgres};
use tokio_stream::StreamExt;

const PACKETS: usize = 10;
const SHARES: usize = 40;
/// More users than shares.
const USERS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    let server = Postgres::start().await.unwrap();
    let mut world = World::new().await;
    world.settings.database_url = server.database("grab_0").await.unwrap();
    let refused = world.try_start().await.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("migrate"), "{refused}");
    let urls = [
        server.database("grab_0").await.unwrap(),
        server.database("grab_1").await.unwrap(),
    ];
    two_instances_write_the_same_packets(world, urls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb() {
    let server = MariaDb::start().await.unwrap();
    let world = World::new().await;
    let urls = [
        server.database("grab_0").await.unwrap(),
        server.database("grab_1").await.unwrap(),
    ];
    two_instances_write_the_same_packets(world, urls).await;
}

async fn two_instances_write_the_same_packets(mut world: World, urls: [String; 2]) {
    world.move_to(urls.join(",")).await;
    let instances = [world.start().await, world.start().await];
    let clients = &[instances[0].client.clone(), instances[1].client.clone()];
    let packets = &join_all((0..PACKETS).map(|n| world.packet(&clients[n % 2], 40))).await;
    // Somebody has a claim in every packet, opened one after the other.
    for (n, packet_id) in packets.iter().enumerate() {
        claim(snatch(&clients[n % 2], packet_id, "u0").await);
    }

    // Every partition is followed at the second instance, while both write to all packets: each user asks one instance, and
    // then the other one.
    let seen = &AtomicUsize::new(0);
    let followed = join_all((0..64).map(|partition| follow(&clients[1], partition, seen)));
    let opened = join_all((0..USERS * PACKETS).map(|n| async move {
        let (packet_id, user_id) = (&packets[n % PACKETS], format!("u{}", n / PACKETS));
        let first = persist(&clients[n % 2], packet_id, &user_id).await;
        let second = persist(&clients[(n + 1) % 2], packet_id, &user_id).await;
        if let (Some(first), Some(second)) = (&first, &second) {
            assert_eq!(
                (first.seq, first.share_no),
                (second.seq, second.share_no),
                "{user_id} has two shares"
            );
        }
        assert_eq!(first.is_some(), second.is_some(), "{user_id} is told two things");
        first
    }));
    let (logs, opened) = tokio::join!(followed, opened);

    // Each claim was told to one user and once to who follows.
    let told: BTreeSet<(i64, u32)> = opened.iter().flatten().map(position).collect();
    assert_eq!(
        (opened.iter().flatten().count(), told.len()),
        (PACKETS * SHARES, PACKETS * SHARES)
    );
    for log in &logs {
        assert!(
            (1..).zip(log).all(|(seq, claim)| claim.seq == seq),
            "in order, without gaps"
        );
    }
    let logged: Vec<&Claim> = logs.iter().flatten().collect();
    assert_eq!(logged.len(), PACKETS * SHARES);
    assert_eq!(logged.into_iter().map(position).collect::<BTreeSet<_>>(), told);
    for packet_id in packets {
        let (listed, progress) = claims(&clients[0], packet_id).await;
        let shares: BTreeSet<u32> = listed.iter().map(|claim| claim.share_no).collect();
        assert_eq!((listed.len(), shares.len()), (SHARES, SHARES), "CLAIM-1");
        assert_eq!(
            progress.opened_fen,
            listed.iter().map(|claim| claim.amount_fen).sum::<i64>()
        );
        assert_eq!(listed.iter().filter(|claim| claim.luckiest).count(), 1);
    }

    a_users_list_is_one_over_both_databases(&clients[0], packets).await;
    a_close_at_one_is_heard_at_the_other(&world, clients).await;
    join_all(instances.into_iter().map(Instance::stop)).await;
}

fn position(claim: &Claim) -> (i64, u32) {
    (claim.seq, claim.partition)
}

fn claim(outcome: Outcome) -> Claim {
    match outcome {
        Outcome::Opened(claim) | Outcome::AlreadyOpened(claim) => claim,
        other => panic!("no claim: {other:?}"),
    }
}

/// Asks until there is a claim or nothing left.
async fn persist(client: &Client, packet_id: &str, user_id: &str) -> Option<Claim> {
    loop {
        match snatch(client, packet_id, user_id).await {
            Outcome::AllHeld(_) => tokio::task::yield_now().await,
            Outcome::Exhausted(_) => return None,
            outcome => return Some(claim(outcome)),
        }
    }
}

/// Follows a partition until all claims of all partitions were seen.
async fn follow(client: &Client, partition: u32, seen: &AtomicUsize) -> Vec<Claim> {
    let request = TailClaimsRequest {
        partition,
        after_seq: 0,
        follow: true,
        max_batch: 9,
        partition_count: 64,
    };
    let mut stream = client.clone().tail_claims(request).await.unwrap().into_inner();
    let mut all = Vec::new();
    testkit::eventually("every claim", async || {
        let wait = std::time::Duration::from_millis(50);
        if let Ok(more) = tokio::time::timeout(wait, stream.next()).await {
            let claims = more.unwrap().unwrap().claims;
            seen.fetch_add(claims.len(), Ordering::Relaxed);
            all.extend(claims);
        }
        (seen.load(Ordering::Relaxed) == PACKETS * SHARES).then_some(())
    })
    .await;
    all
}

async fn a_users_list_is_one_over_both_databases(client: &Client, packets: &[String]) {
    let halves = packets.iter().map(|packet_id| {
        let packet_id: id::PacketId = packet_id.parse().unwrap();
        packet_id.partition(Partition::DEFAULT_COUNT).index() / 32
    });
    assert_eq!(halves.collect::<BTreeSet<_>>().len(), 2, "in both databases");
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListUserClaimsRequest {
            user_id: "u0".to_owned(),
            page_size: 3,
            page_token,
        };
        let page = client.clone().list_user_claims(request).await.unwrap().into_inner();
        assert!(page.claims.len() == 3 || page.next_page_token.is_empty());
        listed.extend(page.claims.into_iter().map(|claim| claim.packet_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let newest_first: Vec<String> = packets.iter().rev().cloned().collect();
    assert_eq!(listed, newest_first);
}

async fn a_close_at_one_is_heard_at_the_other(world: &World, clients: &[Client; 2]) {
    let packet_id = world.packet(&clients[0], 9).await;
    for n in 0..6 {
        claim(snatch(&clients[n % 2], &packet_id, &format!("u{n}")).await);
    }
    let closing = close(&clients[0], &packet_id).await.unwrap();
    assert_eq!(closing.opened_count, 6);
    let late = snatch(&clients[1], &packet_id, "late").await;
    assert!(matches!(late, Outcome::Expired(_)), "{late:?}");
    assert_eq!(close(&clients[1], &packet_id).await.unwrap(), closing);
}
