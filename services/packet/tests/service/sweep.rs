//! Expiry: closed once, refunded once, whatever fails.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proto::packet::v1::{CreatePacketRequest, Packet, State};

use crate::{
    app::{App, World, id_of, is, now, request},
    peers::Fault,
};

pub fn lived(seconds: i64, id: &str) -> CreatePacketRequest {
    CreatePacketRequest {
        lifetime: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..request(id)
    }
}

pub async fn completed(world: &World, app: &App, id: &str) -> Packet {
    world
        .eventually("the sweep", async || {
            app.get(id).await.ok().filter(|p| is(p, State::Completed))
        })
        .await
}

pub fn assert_refunded_once(world: &World, packet: &Packet, opened: (u32, i64)) {
    assert_eq!((packet.opened_count, packet.opened_fen), opened);
    assert_eq!(packet.refunded_fen, 100 - opened.1);
    let books = world.peers.books();
    let id = id_of(packet);
    assert_eq!(books.closed.iter().collect::<Vec<_>>(), [(&id, &opened)]);
    assert_eq!(
        books.refunded.iter().collect::<Vec<_>>(),
        [(&id, &("alice".to_owned(), 100 - opened.1))]
    );
}

#[tokio::test]
async fn an_expired_packet_is_closed_refunded_and_revealed() {
    let world = World::new().await;
    let app = world.start().await;
    let packet = app.create(lived(3, "r1")).await.unwrap();
    let id = id_of(&packet);
    world.peers.books().opened.insert(id.clone(), (2, 30));
    world.clock.advance(Duration::from_micros(2_999_999));
    assert!(is(&app.get(&id).await.unwrap(), State::Active));
    let done = completed(&world, &app, &id).await;
    assert_refunded_once(&world, &done, (2, 30));
    assert!(done.close_time.is_some());

    // The seed is the one that was committed to.
    let seed = split::Seed::from_bytes(done.seed.as_slice().try_into().unwrap());
    let packet_id: id::PacketId = id.parse().unwrap();
    let reveal = split::Reveal {
        packet_id: packet_id.as_bytes(),
        kind: split::Kind::DoubleMean,
        total_fen: 100,
        share_count: 5,
        cap_fen: None,
        seed: &seed,
        nonce: None,
    };
    let commitment = packet.commitment.as_slice().try_into().unwrap();
    assert_eq!(split::verify(&commitment, &reveal).unwrap().iter().sum::<i64>(), 100);
    // A repeat of the send says what became of it.
    assert_eq!(app.create(lived(3, "r1")).await.unwrap(), done);
}

#[tokio::test]
async fn nothing_opened_and_everything_opened() {
    for opened in [(0, 0), (5, 100)] {
        let world = World::new().await;
        let app = world.start().await;
        let id = id_of(&app.create(lived(1, "r1")).await.unwrap());
        world.peers.books().opened.insert(id.clone(), opened);
        let done = completed(&world, &app, &id).await;
        assert_refunded_once(&world, &done, opened);
    }
}

#[tokio::test]
async fn a_packet_that_has_not_begun_does_not_expire() {
    let world = World::new().await;
    let app = world.start().await;
    let later = prost_types::Timestamp {
        seconds: now(&world).seconds + 7_200,
        nanos: 0,
    };
    let asked = CreatePacketRequest {
        start_time: Some(later),
        ..lived(1, "late")
    };
    let late = id_of(&app.create(asked).await.unwrap());
    let soon = id_of(&app.create(lived(3_600, "soon")).await.unwrap());
    world.clock.advance(Duration::from_hours(1));
    completed(&world, &app, &soon).await;
    assert!(is(&app.get(&late).await.unwrap(), State::Active));
}

#[tokio::test]
async fn a_step_that_fails_is_repeated() {
    for step in ["close", "refund"] {
        for fault in [Fault::Before, Fault::After] {
            let world = World::new().await;
            let app = world.start().await;
            let id = id_of(&app.create(lived(1, "r1")).await.unwrap());
            world.peers.books().opened.insert(id.clone(), (2, 30));
            world.peers.fail(step, fault, 3);
            world.clock.advance(Duration::from_secs(1));
            // Honest meanwhile: closing, and the seed still hidden.
            let closing = testkit::eventually("the close", async || {
                app.get(&id).await.ok().filter(|packet| is(packet, State::Closing))
            })
            .await;
            assert_eq!((closing.seed.len(), closing.refunded_fen), (0, 0));
            let done = completed(&world, &app, &id).await;
            assert_refunded_once(&world, &done, (2, 30));
        }
    }
}

#[tokio::test]
async fn a_sweep_that_died_is_finished_by_the_next_instance() {
    for step in ["close", "refund"] {
        for fault in [Fault::HangBefore, Fault::HangAfter] {
            let world = World::new().await;
            let app = world.start().await;
            let id = id_of(&app.create(lived(1, "r1")).await.unwrap());
            world.peers.books().opened.insert(id.clone(), (2, 30));
            world.peers.fail(step, fault, 1);
            world.clock.advance(Duration::from_secs(1));
            world.peers.hung().await;
            app.kill();
            let app = world.start().await;
            let done = completed(&world, &app, &id).await;
            assert_refunded_once(&world, &done, (2, 30));
        }
    }
}

#[tokio::test]
async fn two_instances_share_the_work() {
    share_the_work(World::new().await).await;
}

/// Fifty at once, two instances, a tenth of the calls going wrong.
pub async fn share_the_work(mut world: World) {
    const PACKETS: usize = 50;
    world.config.lease = Duration::from_hours(24); // the clock of this world runs fast
    let (one, two) = (world.start().await, world.start().await);
    let mut expected = BTreeMap::new();
    for number in 0..PACKETS {
        let app = if number % 2 == 0 { &one } else { &two };
        let id = id_of(&app.create(lived(60, &format!("r{number}"))).await.unwrap());
        let opened_fen = i64::try_from(number).unwrap();
        world.peers.books().opened.insert(id.clone(), (1, opened_fen + 1));
        expected.insert(id, ("alice".to_owned(), 99 - opened_fen));
    }
    for (step, fault) in [
        ("close", Fault::After),
        ("refund", Fault::After),
        ("refund", Fault::Before),
    ] {
        world.peers.fail(step, fault, PACKETS / 10);
    }
    world.peers.be_slow(Duration::from_millis(5));
    world.clock.advance(Duration::from_mins(1));
    world
        .eventually("all swept", async || {
            let all = one.sent_by("alice").await;
            all.iter().all(|packet| is(packet, State::Completed)).then_some(())
        })
        .await;
    assert_eq!(world.peers.overlaps(), 0);
    let books = world.peers.books();
    assert_eq!(books.refunded, expected);
    assert_eq!(books.closed.len(), PACKETS);
    // The lease keeps them apart: nobody worked twice but for the calls that went wrong.
    assert_eq!(books.calls["close"], PACKETS + PACKETS / 10);
    assert_eq!(books.calls["refund"], PACKETS + PACKETS / 10);
}

/// By the machine's clock: the loops notice by themselves.
#[tokio::test]
async fn a_short_lived_packet_is_swept_soon_after() {
    let world = World::new().await;
    let app = App::start(world.config.clone(), Arc::new(clock::System)).await;
    let packet = app.create(lived(1, "r1")).await.unwrap();
    let expire = clock::from_proto(&packet.terms.as_ref().unwrap().expire_time.unwrap()).unwrap();
    testkit::eventually("the sweep", async || {
        app.get(&id_of(&packet))
            .await
            .ok()
            .filter(|packet| is(packet, State::Completed))
    })
    .await;
    let late = clock::until(expire, clock::Clock::now(&clock::System));
    assert!(late > Duration::ZERO && late < Duration::from_secs(2), "{late:?}");
}
