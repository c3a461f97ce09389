//! The first answer to a request is the answer (ID-1): reuse, rejection, and the day that counts.

use std::time::Duration;

use proto::{
    packet::v1::{CreatePacketRequest, State},
    terms::v1::Kind,
};
use tonic::Code;

use crate::{
    app::{App, World, anyone, group, id_of, is, now, request},
    peers::Fault,
};

#[tokio::test]
async fn another_payload_under_the_same_name_is_refused() {
    let world = World::new().await;
    let app = world.start().await;
    let packet = app.create(request("r1")).await.unwrap();
    let before = world.peers.books().clone();
    let others = [
        CreatePacketRequest {
            kind: Kind::Equal.into(),
            ..request("r1")
        },
        CreatePacketRequest {
            total_fen: 101,
            ..request("r1")
        },
        CreatePacketRequest {
            share_count: 4,
            ..request("r1")
        },
        CreatePacketRequest {
            share_cap_fen: 50,
            ..request("r1")
        },
        CreatePacketRequest {
            audience: Some(group("friends")),
            ..request("r1")
        },
        CreatePacketRequest {
            passphrase: "a".to_owned(),
            ..request("r1")
        },
        CreatePacketRequest {
            start_time: Some(now(&world)),
            ..request("r1")
        },
        CreatePacketRequest {
            lifetime: Some(prost_types::Duration {
                seconds: 86_400,
                nanos: 0,
            }),
            ..request("r1")
        },
        CreatePacketRequest {
            greeting: "a".to_owned(),
            ..request("r1")
        },
        CreatePacketRequest {
            cover: "a".to_owned(),
            ..request("r1")
        },
        // Even one that would be refused anyway.
        CreatePacketRequest {
            total_fen: -1,
            ..request("r1")
        },
    ];
    for other in others {
        let status = app.create(other.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::AlreadyExists, "{other:?}");
        assert_eq!(status::reason(&status), "REQUEST_ID_REUSED");
    }
    assert_eq!(*world.peers.books(), before);
    assert_eq!(app.create(request("r1")).await.unwrap(), packet);
    // Unspecified and double mean are the same payload; another sender's request is another request.
    let same = CreatePacketRequest {
        kind: Kind::DoubleMean.into(),
        ..request("r1")
    };
    assert_eq!(app.create(same).await.unwrap(), packet);
    world.peers.books().wallets.insert("bob".to_owned(), 100);
    let bobs = CreatePacketRequest {
        sender_id: "bob".to_owned(),
        ..request("r1")
    };
    assert_ne!(id_of(&app.create(bobs).await.unwrap()), id_of(&packet));
}

/// ID-1: what has been answered is not judged again by newer circumstances.
#[tokio::test]
async fn the_first_answer_stands() {
    let mut world = World::new().await;
    let app = world.start().await;
    let asked = || CreatePacketRequest {
        audience: Some(group("friends")),
        ..request("r1")
    };
    let packet = app.create(asked()).await.unwrap();
    // And so does one that is only half given.
    world.peers.fail("preload", Fault::Before, 1000);
    let half = CreatePacketRequest {
        request_id: "r2".to_owned(),
        ..asked()
    };
    app.create(half.clone()).await.unwrap_err();
    app.kill();
    {
        let mut books = world.peers.books();
        books.frozen.insert("alice".to_owned());
        books.groups.clear();
        books.wallets.clear();
    }
    world.peers.heal();
    world.config.limits.max_share_fen = 1;
    world.config.limits.max_share_count = 1;
    world.config.limits.default_lifetime = Duration::from_secs(1);
    world.config.limits.daily.count = 0;
    let app = world.start().await;
    assert_eq!(app.create(asked()).await.unwrap(), packet);
    let half = app.create(half).await.unwrap();
    assert!(is(&half, State::Active));
    assert_eq!(half.terms.unwrap().expire_time, packet.terms.unwrap().expire_time);
}

#[tokio::test]
async fn a_rejected_packet_stays_rejected() {
    let world = World::new().await;
    let app = world.start().await;
    world.peers.books().wallets.insert("alice".to_owned(), 99);
    let first = app.create(request("r1")).await.unwrap_err();
    assert_eq!(
        (first.code(), status::reason(&first).as_str()),
        (Code::FailedPrecondition, "INSUFFICIENT_FUNDS")
    );
    assert_eq!(status::metadata(&first, "balance_fen").as_deref(), Some("99"));
    assert_eq!(status::metadata(&first, "needed_fen").as_deref(), Some("100"));
    let packet = app.sent_by("alice").await.pop().unwrap();
    assert!(is(&packet, State::Rejected));
    assert_eq!(packet.reject_reason, "INSUFFICIENT_FUNDS");
    assert_eq!(status::metadata(&first, "packet_id"), Some(id_of(&packet)));

    // The first answer, word for word, also when the money is there and the service was restarted.
    world.peers.books().wallets.insert("alice".to_owned(), 10_000);
    app.kill();
    let app = world.start().await;
    let again = app.create(request("r1")).await.unwrap_err();
    assert_eq!((again.code(), again.message()), (first.code(), first.message()));
    assert_eq!(status::metadata(&again, "balance_fen").as_deref(), Some("99"));
    assert_eq!(world.peers.books().funded.len(), 0);
    assert_eq!(world.peers.books().preloaded.len(), 0);
    assert_eq!(app.get(&id_of(&packet)).await.unwrap(), packet);
}

#[tokio::test]
async fn a_rejection_whose_answer_was_lost_is_found_out() {
    for fault in [Fault::Before, Fault::After] {
        let world = World::new().await;
        let app = world.start().await;
        world.peers.books().wallets.insert("alice".to_owned(), 99);
        world.peers.fail("fund", fault, 1);
        // `After` has an effect that is itself an error, which arrives: only `Before` hides it.
        app.create(request("r1")).await.unwrap_err();
        let packet = world
            .eventually("recovery", async || {
                app.sent_by("alice").await.pop().filter(|p| is(p, State::Rejected))
            })
            .await;
        assert_eq!(packet.reject_reason, "INSUFFICIENT_FUNDS");
        let status = app.create(request("r1")).await.unwrap_err();
        assert_eq!(status::metadata(&status, "balance_fen").as_deref(), Some("99"));
    }
}

#[tokio::test]
async fn a_day_has_its_limits_and_rejected_packets_do_not_count() {
    let mut world = World::new().await;
    world.config.limits.daily = packet::domain::DailyLimits {
        count: 3,
        total_fen: 250,
    };
    let app = world.start().await;
    let refused = async |app: &App, id: &str| {
        let status = app.create(request(id)).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status::reason(&status), "DAILY_LIMIT_REACHED");
        status
    };
    app.create(request("r1")).await.unwrap();
    let before = world.peers.books().wallets.insert("alice".to_owned(), 0).unwrap();
    for id in ["x1", "x2", "x3"] {
        assert_eq!(
            status::reason(&app.create(request(id)).await.unwrap_err()),
            "INSUFFICIENT_FUNDS"
        );
    }
    world.peers.books().wallets.insert("alice".to_owned(), before);
    app.create(request("r2")).await.unwrap();
    // 200 of 250 fen are sent: 100 are too much, 50 are not, and then the count is full.
    let status = refused(&app, "r3").await;
    for (key, value) in [
        ("sent_count", "2"),
        ("count_limit", "3"),
        ("sent_fen", "200"),
        ("total_limit_fen", "250"),
    ] {
        assert_eq!(status::metadata(&status, key).as_deref(), Some(value), "{key}");
    }
    app.create(CreatePacketRequest {
        total_fen: 50,
        ..request("r4")
    })
    .await
    .unwrap();
    let small = CreatePacketRequest {
        total_fen: 1,
        share_count: 1,
        audience: Some(anyone()),
        ..request("r5")
    };
    assert_eq!(
        status::reason(&app.create(small).await.unwrap_err()),
        "DAILY_LIMIT_REACHED"
    );
    // What was refused was not recorded: the next day in China begins at 16:00 UTC and takes it.
    assert_eq!(app.sent_by("alice").await.len(), 6);
    world.clock.advance(Duration::from_secs(4 * 3600 - 1));
    refused(&app, "r3").await;
    world.clock.advance(Duration::from_secs(1));
    app.create(request("r3")).await.unwrap();
}
