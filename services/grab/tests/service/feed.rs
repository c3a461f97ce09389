//! Following the claim log over the wire.

use std::collections::BTreeMap;

use crate::world::{Client, World, claims, close, snatch};
use futures::future::join_all;
use id::{PacketId, Partition};
use proto::grab::v1::{
    Claim, TailClaimsRequest, TailClaimsResponse, WatchPacketRequest, grab_response::Outcome,
    watch_packet_response::Event,
};
use tokio_stream::StreamExt;
use tonic::{Code, Streaming};

async fn tail(client: &Client, partition: u32, after_seq: i64, follow: bool) -> Streaming<TailClaimsResponse> {
    let request = TailClaimsRequest {
        partition,
        after_seq,
        follow,
        max_batch: 7,
        partition_count: 64,
    };
    client.clone().tail_claims(request).await.unwrap().into_inner()
}

/// Reads a followed log until it has `count` claims.
async fn read(stream: &mut Streaming<TailClaimsResponse>, count: usize) -> Vec<Claim> {
    let mut all = Vec::new();
    while all.len() < count {
        let response = stream.next().await.unwrap().unwrap();
        assert!(
            (1..=7).contains(&response.claims.len()),
            "never empty, never beyond max_batch"
        );
        all.extend(response.claims);
    }
    all
}

fn partition(packet_id: &str) -> u32 {
    let packet_id: PacketId = packet_id.parse().unwrap();
    packet_id.partition(Partition::DEFAULT_COUNT).index().into()
}

fn opened(outcome: Outcome) -> Claim {
    match outcome {
        Outcome::Opened(claim) => claim,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_every_claim_once_and_in_order_whoever_wrote_it() {
    let world = World::new().await;
    let instances = [world.start().await, world.start().await];
    let packets = &join_all((0..8).map(|_| world.packet(&instances[0].client, 30))).await;
    let clients = &[instances[0].client.clone(), instances[1].client.clone()];

    let mut by_partition: BTreeMap<u32, usize> = BTreeMap::new();
    for packet_id in packets {
        *by_partition.entry(partition(packet_id)).or_default() += 30;
    }
    let followers = by_partition.iter().map(|(partition, count)| async move {
        let mut stream = tail(&clients[0], *partition, 0, true).await;
        read(&mut stream, *count).await
    });
    let writers = (0..240).map(|n| async move {
        let (client, packet_id) = (&clients[n % 2], &packets[n % 8]);
        // Two users ask for each share, so that the two gates keep meeting.
        while let Outcome::AllHeld(_) = snatch(client, packet_id, &format!("u{}", n / 8)).await {}
    });
    let (logs, _) = tokio::join!(join_all(followers), join_all(writers));
    for (log, (partition, count)) in logs.iter().zip(&by_partition) {
        assert!(
            log.iter().map(|claim| claim.seq).eq(1..=i64::try_from(*count).unwrap()),
            "LOG-1"
        );
        assert!(
            log.iter()
                .all(|claim| claim.partition == *partition && claim.sender_id == "sender")
        );
        // Again from the middle, without following: to the end and no further.
        let middle = log[count / 2].seq;
        let mut rest = tail(&clients[1], *partition, middle, false).await;
        let mut again = Vec::new();
        while let Some(response) = rest.next().await {
            again.extend(response.unwrap().claims);
        }
        let keys = |claims: &[Claim]| -> Vec<_> {
            claims
                .iter()
                .map(|claim| (claim.seq, claim.user_id.clone(), claim.amount_fen))
                .collect()
        };
        assert_eq!(keys(&again), keys(&log[count / 2 + 1..]));
    }
}

#[tokio::test]
async fn a_position_beyond_the_end_is_refused_and_an_empty_log_ends() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    assert!(tail(client, 3, 0, false).await.next().await.is_none());
    let request = TailClaimsRequest {
        partition: 3,
        after_seq: 1,
        ..Default::default()
    };
    let refused = client.clone().tail_claims(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), status::reason(&refused).as_str()),
        (Code::FailedPrecondition, "SEQ_BEYOND_END")
    );
    assert_eq!(status::metadata(&refused, "last_seq").as_deref(), Some("0"));
}

#[tokio::test]
async fn who_counts_other_partitions_is_refused_instead_of_missing_claims() {
    let world = World::new().await;
    let instance = world.start().await;
    let request = TailClaimsRequest {
        partition: 3,
        partition_count: 32,
        ..Default::default()
    };
    let refused = instance.client.clone().tail_claims(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(
        refused.message().starts_with("partition_count: must be 64"),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn streams_end_when_the_service_stops() {
    let world = World::new().await;
    let instance = world.start().await;
    let packet_id = world.packet(&instance.client, 2).await;
    let mut log = tail(&instance.client, 0, 0, true).await;
    let request = WatchPacketRequest { packet_id };
    let mut watch = instance
        .client
        .clone()
        .watch_packet(request)
        .await
        .unwrap()
        .into_inner();
    instance.begin_stop();
    assert!(log.next().await.is_none());
    assert!(watch.next().await.is_none());
    instance.stop().await;
}

#[tokio::test]
async fn a_watcher_sees_what_was_what_comes_and_the_end() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let watch = async |packet_id: &str| {
        let packet_id = packet_id.to_owned();
        client.clone().watch_packet(WatchPacketRequest { packet_id }).await
    };
    let next = async |stream: &mut Streaming<proto::grab::v1::WatchPacketResponse>| {
        stream.next().await.unwrap().unwrap().event.unwrap()
    };

    // All shares opened.
    let packet_id = &world.packet(client, 3).await;
    let first = opened(snatch(client, packet_id, "u1").await);
    let mut stream = watch(packet_id).await.unwrap().into_inner();
    assert_eq!(next(&mut stream).await, Event::Claim(first));
    let second = opened(snatch(client, packet_id, "u2").await);
    assert_eq!(next(&mut stream).await, Event::Claim(second));
    opened(snatch(client, packet_id, "u3").await);
    assert!(matches!(next(&mut stream).await, Event::Claim(claim) if claim.user_id == "u3"));
    let progress = claims(client, packet_id).await.1;
    assert_eq!(next(&mut stream).await, Event::Ended(progress));
    assert!(stream.next().await.is_none());

    // Closed.
    let packet_id = &world.packet(client, 3).await;
    let mut stream = watch(packet_id).await.unwrap().into_inner();
    close(client, packet_id).await.unwrap();
    assert!(matches!(next(&mut stream).await, Event::Ended(progress) if progress.closed && progress.seed.len() == 32));
    // A watcher that comes too late is told the same.
    let mut late = watch(packet_id).await.unwrap().into_inner();
    assert!(matches!(next(&mut late).await, Event::Ended(_)));

    let unknown = watch(&PacketId::new(1, &[0xee; 10]).to_string()).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

/// Who comes late sees all of it before the end, however many pages that is.
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_every_claim_of_a_packet_that_has_ended() {
    let world = World::new().await;
    let instance = world.start().await;
    let packet_id = world.packet(&instance.client, 250).await;
    let users: Vec<String> = (0..250).map(|n| format!("u{n}")).collect();
    let snatched = users.iter().map(|user| snatch(&instance.client, &packet_id, user));
    for outcome in join_all(snatched).await {
        opened(outcome);
    }
    let request = WatchPacketRequest { packet_id };
    let stream = instance.client.clone().watch_packet(request).await.unwrap();
    let events: Vec<_> = stream.into_inner().collect().await;
    let is_claim = |event: &Result<proto::grab::v1::WatchPacketResponse, tonic::Status>| {
        matches!(event.as_ref().unwrap().event, Some(Event::Claim(_)))
    };
    assert_eq!(events.iter().filter(|event| is_claim(event)).count(), 250);
    assert!(events.len() == 251 && !is_claim(&events[250]), "the end comes last");
}
