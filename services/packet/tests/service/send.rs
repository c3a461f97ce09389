//! Sending: the whole packet, and every step that fails, hangs or dies.

use std::{collections::BTreeSet, time::Duration};

use passphrase::PassphraseDigest;
use proto::{
    packet::v1::{CreatePacketRequest, Packet, State},
    terms::v1::Kind,
};
use tonic::Code;

use crate::{
    app::{World, group, id_of, is, now, request, user},
    peers::Fault,
};

#[tokio::test]
async fn a_packet_is_what_was_asked_for() {
    let world = World::new().await;
    let app = world.start().await;
    let asked = CreatePacketRequest {
        kind: Kind::Gaussian.into(),
        total_fen: 2_000,
        share_count: 10,
        share_cap_fen: 500,
        audience: Some(group("friends")),
        passphrase: "恭喜发财".to_owned(),
        start_time: Some(prost_types::Timestamp {
            seconds: now(&world).seconds + 60,
            nanos: 0,
        }),
        lifetime: Some(prost_types::Duration {
            seconds: 3_600,
            nanos: 0,
        }),
        greeting: "新年快乐".to_owned(),
        cover: "dragon_2".to_owned(),
        ..request("r1")
    };
    let packet = app.create(asked).await.unwrap();
    assert!(is(&packet, State::Active));
    assert_eq!(packet.create_time, Some(now(&world)));
    assert_eq!(
        (
            packet.close_time,
            packet.opened_count,
            packet.opened_fen,
            packet.refunded_fen
        ),
        (None, 0, 0, 0)
    );
    assert_eq!((packet.seed.len(), packet.reject_reason.as_str()), (0, ""));

    let id = id_of(&packet);
    let terms = packet.terms.clone().unwrap();
    assert_eq!((terms.sender_id.as_str(), terms.kind()), ("alice", Kind::Gaussian));
    assert_eq!(
        (terms.total_fen, terms.share_count, terms.share_cap_fen),
        (2_000, 10, 500)
    );
    assert_eq!(terms.audience, Some(group("friends")));
    assert!(terms.has_passphrase);
    assert_eq!(terms.start_time.unwrap().seconds, now(&world).seconds + 60);
    assert_eq!(terms.expire_time.unwrap().seconds, now(&world).seconds + 3_660);
    assert_eq!(
        (terms.greeting.as_str(), terms.cover.as_str()),
        ("新年快乐", "dragon_2")
    );

    // Grab has the same terms, the seed that was committed to, and the passphrase as a digest only.
    let books = world.peers.books();
    let preloaded = &books.preloaded[&id];
    assert_eq!(preloaded.terms, Some(terms));
    let digest = PassphraseDigest::from_bytes(&preloaded.passphrase_digest).unwrap();
    assert!(digest.matches("恭喜发财"));
    let seed = split::Seed::from_bytes(preloaded.seed.as_slice().try_into().unwrap());
    let packet_id: id::PacketId = id.parse().unwrap();
    let commitment = split::commitment(packet_id.as_bytes(), split::Kind::Gaussian, 2_000, 10, Some(500), &seed);
    assert_eq!(packet.commitment, commitment);
    assert_eq!(books.funded[&id], ("alice".to_owned(), 2_000));
    assert_eq!(books.wallets["alice"], 8_000);
}

#[tokio::test]
async fn what_is_not_said_is_the_default() {
    let world = World::new().await;
    let app = world.start().await;
    let long_ago = CreatePacketRequest {
        start_time: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
        ..request("r1")
    };
    for asked in [long_ago, request("r2")] {
        let terms = app.create(asked).await.unwrap().terms.unwrap();
        assert_eq!(terms.kind(), Kind::DoubleMean);
        assert_eq!((terms.share_cap_fen, terms.has_passphrase), (0, false));
        assert_eq!(terms.start_time, Some(now(&world)));
        assert_eq!(terms.expire_time.unwrap().seconds, now(&world).seconds + 86_400);
    }
    // The limit on a share is a cap only where a share could reach it.
    world.peers.books().wallets.insert("alice".to_owned(), 1_000_000);
    for (total_fen, cap) in [(20_000, 0), (20_001, 20_000)] {
        let asked = CreatePacketRequest {
            total_fen,
            ..request(&format!("t{total_fen}"))
        };
        assert_eq!(app.create(asked).await.unwrap().terms.unwrap().share_cap_fen, cap);
    }
    let exclusive = CreatePacketRequest {
        share_count: 1,
        audience: Some(user("bob")),
        ..request("r3")
    };
    assert_eq!(
        app.create(exclusive).await.unwrap().terms.unwrap().audience,
        Some(user("bob"))
    );
}

pub fn assert_sent_once(world: &World, packet: &Packet) {
    assert!(is(packet, State::Active));
    let books = world.peers.books();
    let id = id_of(packet);
    assert_eq!(
        books.funded.iter().collect::<Vec<_>>(),
        [(&id, &("alice".to_owned(), 100))]
    );
    assert_eq!(books.preloaded.keys().collect::<Vec<_>>(), [&id]);
    assert_eq!(books.preloaded[&id].terms, packet.terms);
    assert_eq!(books.wallets["alice"], 9_900);
}

const STEPS: [&str; 4] = ["get_account", "check_members", "fund", "preload"];

#[tokio::test]
async fn a_step_that_fails_is_unavailable_and_the_repeat_goes_on() {
    for step in STEPS {
        for fault in [Fault::Before, Fault::After] {
            let world = World::new().await;
            let asked = || CreatePacketRequest {
                audience: Some(group("friends")),
                ..request("r1")
            };
            let app = world.start().await;
            world.peers.fail(step, fault, 1);
            let status = app.create(asked()).await.unwrap_err();
            assert_eq!(
                (status.code(), status::reason(&status).as_str()),
                (Code::Unavailable, "UNAVAILABLE")
            );
            assert!(
                !status.message().contains("lost"),
                "internal text on the wire: {status:?}"
            );
            let packet = app.create(asked()).await.unwrap();
            assert_sent_once(&world, &packet);
            assert_eq!(app.create(asked()).await.unwrap(), packet);
        }
    }
}

#[tokio::test]
async fn a_send_that_died_is_finished_by_the_next_instance() {
    for step in ["fund", "preload"] {
        for fault in [Fault::HangBefore, Fault::HangAfter] {
            let world = World::new().await;
            let app = world.start().await;
            world.peers.fail(step, fault, 1);
            let mut client = app.client.clone();
            let call = tokio::spawn(async move { client.create_packet(request("r1")).await });
            world.peers.hung().await;
            // Honest meanwhile: recorded, not sent.
            assert!(is(&app.sent_by("alice").await[0], State::Funding));
            app.kill();
            assert!(call.await.unwrap().is_err());

            let app = world.start().await;
            let packet = world
                .eventually("recovery", async || {
                    app.sent_by("alice").await.pop().filter(|p| is(p, State::Active))
                })
                .await;
            assert_sent_once(&world, &packet);
            assert_eq!(app.create(request("r1")).await.unwrap(), packet);
        }
    }
}

#[tokio::test]
async fn a_caller_that_leaves_loses_nothing() {
    for step in ["get_account", "fund", "preload"] {
        let world = World::new().await;
        let app = world.start().await;
        world.peers.fail(step, Fault::HangAfter, 1);
        let mut call = tonic::Request::new(request("r1"));
        call.set_timeout(Duration::from_millis(200));
        let mut client = PacketClient::connect(format!("http://{}", app.address)).await.unwrap();
        assert!(client.create_packet(call).await.is_err());
        let packet = app.create(request("r1")).await.unwrap();
        assert_sent_once(&world, &packet);
    }
}

type PacketClient = proto::packet::v1::packet_service_client::PacketServiceClient<tonic::transport::Channel>;

#[tokio::test]
async fn recovery_outlasts_a_peer_that_is_away() {
    let world = World::new().await;
    let app = world.start().await;
    world.peers.fail("preload", Fault::Before, 5);
    app.create(request("r1")).await.unwrap_err();
    let packet = world
        .eventually("recovery", async || {
            app.sent_by("alice").await.pop().filter(|p| is(p, State::Active))
        })
        .await;
    assert_sent_once(&world, &packet);
}

#[tokio::test]
async fn twenty_at_once_under_one_name_are_one_packet() {
    twenty_at_once(World::new().await).await;
}

/// Half of them to one instance, half to another.
pub async fn twenty_at_once(world: World) {
    let (one, two) = (world.start().await, world.start().await);
    let calls = (0..20).map(|n| {
        let mut client = if n % 2 == 0 {
            one.client.clone()
        } else {
            two.client.clone()
        };
        tokio::spawn(async move { client.create_packet(request("r1")).await })
    });
    let mut seen = BTreeSet::new();
    for call in calls.collect::<Vec<_>>() {
        let packet = call.await.unwrap().unwrap().into_inner().packet.unwrap();
        assert_sent_once(&world, &packet);
        seen.insert((id_of(&packet), packet.commitment));
    }
    assert_eq!(seen.len(), 1);
    assert_eq!(one.sent_by("alice").await.len(), 1);
}
