//! Two instances over the databases of one server, which are away, slow or silent at times.
//!
//! The servers do not wait for the disk: a program that is killed loses nothing of what it wrote, and no machine is.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use id::{PacketId, Partition};
use proto::packet::v1::{Packet, State};
use testkit::{
    Engine,
    engines::{MariaDb, Options, Postgres, Proxy},
};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::{
    app::{App, World, id_of, is, request},
    life::health_is,
    peers::Fault,
    send,
    sweep::{self, assert_refunded_once, completed, lived},
};

/// A world with two databases of its own.
async fn world(server: &Engine, name: &str) -> World {
    let left = server.database(&format!("{name}_left")).await;
    let right = server.database(&format!("{name}_right")).await;
    World::over(&[left, right]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    let options = Options::default().set("fsync", "off");
    everything(Engine::Postgres(Postgres::start_with(options).await.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb() {
    let options = Options::default().set("innodb-flush-log-at-trx-commit", "2");
    everything(Engine::MariaDb(MariaDb::start_with(options).await.unwrap())).await;
}

async fn everything(mut server: Engine) {
    send::twenty_at_once(world(&server, "once").await).await;
    sweep::share_the_work(world(&server, "shared").await).await;
    recovery_is_shared(world(&server, "recovery").await).await;
    a_lease_is_kept(world(&server, "lease").await).await;
    lost_answers_are_found(&server).await;
    for (name, away) in [("refused", Proxy::refuse as fn(&Proxy)), ("silent", Proxy::hang)] {
        a_database_that_is_away_holds_up_no_other(&server, name, away).await;
    }
    a_server_that_dies_forgets_nothing(&mut server).await;
}

/// Sends that stopped before the gate knew of them: of two instances, one finishes each.
async fn recovery_is_shared(mut world: World) {
    const SENDS: usize = 20;
    world.config.lease = Duration::from_hours(24); // the clock of this world runs fast
    world.peers.fail("preload", Fault::Before, SENDS);
    let (one, two) = (world.start().await, world.start().await);
    for number in 0..SENDS {
        let app = if number % 2 == 0 { &one } else { &two };
        let status = app.create(request(&format!("r{number}"))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
    }
    world.peers.be_slow(Duration::from_millis(5));
    world.clock.advance(Duration::from_secs(1));
    testkit::eventually("recovery", async || {
        let all = one.sent_by("alice").await;
        all.iter().all(|packet| is(packet, State::Active)).then_some(())
    })
    .await;
    assert_eq!(world.peers.overlaps(), 0);
    let books = world.peers.books();
    assert_eq!((books.calls["fund"], books.calls["preload"]), (2 * SENDS, SENDS));
    assert_eq!(books.wallets["alice"], 10_000 - 100 * i64::try_from(SENDS).unwrap());
}

/// By the machine's clock, with peers that do not answer: who cannot finish while the lease lasts lets go before another
/// begins.
async fn a_lease_is_kept(mut world: World) {
    const SENDS: usize = 6;
    world.config.lease = Duration::from_secs(1);
    world.config.recover_after = Duration::from_mins(1); // no send takes so long
    let clock = Arc::new(clock::System);
    let one = App::start(world.config.clone(), clock.clone()).await;
    let _two = App::start(world.config.clone(), clock).await;
    for number in 0..SENDS {
        let id = id_of(&one.create(lived(1, &format!("r{number}"))).await.unwrap());
        world.peers.books().opened.insert(id, (2, 30));
    }
    world.peers.be_slow(Duration::from_millis(20));
    world.peers.fail("close", Fault::HangBefore, SENDS / 2);
    world.peers.fail("refund", Fault::HangAfter, SENDS / 2);
    testkit::eventually("the sweep", async || {
        let all = one.sent_by("alice").await;
        all.iter().all(|packet| is(packet, State::Completed)).then_some(())
    })
    .await;
    assert_eq!(world.peers.overlaps(), 0);
    let books = world.peers.books();
    assert_eq!((books.closed.len(), books.refunded.len()), (SENDS, SENDS));
    assert!(books.refunded.values().all(|(_, fen)| *fen == 70));
    // Once each, and once more where the answer was not waited for.
    assert_eq!(
        (books.calls["close"], books.calls["refund"]),
        (SENDS, SENDS + SENDS / 2)
    );
}

/// Every commit of a send and of a sweep, lost on its way back or on its way there.
async fn lost_answers_are_found(server: &Engine) {
    for (name, lose) in [
        ("swallowed", Proxy::swallow_commit as fn(&Proxy)),
        ("lost", Proxy::lose_commit),
    ] {
        let proxy = server.proxy().await.unwrap();
        let urls = [
            server.database(name).await,
            server.database(&format!("{name}_too")).await,
        ];
        let world = World::over(&urls.map(|url| proxy.url(&url))).await;
        let app = world.start().await;
        // A send makes three: reservation, packet, state.
        (0..3).for_each(|_| lose(&proxy));
        let packet = app.create(lived(60, "r1")).await.unwrap();
        assert_eq!(proxy.commits_lost(), 3, "{name}");
        send::assert_sent_once(&world, &packet);
        assert_eq!(app.create(lived(60, "r1")).await.unwrap(), packet);
        assert_eq!(app.sent_by("alice").await, std::slice::from_ref(&packet));

        // A sweep makes four: lease, and three steps.
        world.peers.books().opened.insert(id_of(&packet), (2, 30));
        (0..4).for_each(|_| lose(&proxy));
        world.clock.advance(Duration::from_mins(1));
        let done = completed(&world, &app, &id_of(&packet)).await;
        assert_refunded_once(&world, &done, (2, 30));
        assert_eq!(proxy.commits_lost(), 7, "{name}");
    }
}

fn is_left(packet: &Packet) -> bool {
    let id: PacketId = id_of(packet).parse().unwrap();
    id.partition(Partition::DEFAULT_COUNT).index() < Partition::DEFAULT_COUNT.get() / 2
}

/// One database of two is `away`: what is in the other goes on, what is in the one is refused for now, and is done when the
/// database is back.
async fn a_database_that_is_away_holds_up_no_other(server: &Engine, name: &str, away: fn(&Proxy)) {
    const SENDS: usize = 12;
    let proxy = server.proxy().await.unwrap();
    let left = proxy.url(&server.database(name).await);
    let mut world = World::over(&[left, server.database(&format!("{name}_near")).await]).await;
    world.config.server.request_timeout = Duration::from_secs(6); // above what the pool waits for a connection
    let app = world.start().await;
    let mut sent = Vec::new();
    for number in 0..SENDS {
        sent.push(app.create(lived(60, &format!("r{number}"))).await.unwrap());
    }
    let (far, near): (Vec<Packet>, Vec<Packet>) = sent.into_iter().partition(is_left);
    away(&proxy);
    world.clock.advance(Duration::from_mins(1));
    for packet in &near {
        completed(&world, &app, &id_of(packet)).await;
    }
    assert_eq!(world.peers.books().refunded.len(), near.len());
    let ids: Vec<_> = far.iter().map(id_of).collect();
    for answer in join_all(ids.iter().map(|id| app.get(id))).await {
        let code = answer.unwrap_err().code();
        assert!(matches!(code, Code::Unavailable | Code::DeadlineExceeded), "{code}");
    }
    health_is(app.address, ServingStatus::NotServing).await;

    proxy.resume();
    for packet in &far {
        completed(&world, &app, &id_of(packet)).await;
    }
    assert_eq!(world.peers.books().calls["refund"], SENDS);
    health_is(app.address, ServingStatus::Serving).await;
}

/// SIGKILL, and a start over the same data.
async fn a_server_that_dies_forgets_nothing(server: &mut Engine) {
    const SENDS: usize = 10;
    let world = world(server, "died").await;
    let app = world.start().await;
    for number in 0..SENDS {
        app.create(lived(60, &format!("r{number}"))).await.unwrap();
    }
    server.kill().await;
    let status = app.create(lived(60, "r0")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    server.restart().await;
    world.clock.advance(Duration::from_mins(1));
    world
        .eventually("the sweep", async || {
            let again = app.create(lived(60, "r0")).await.ok()?;
            let all = app.sent_by("alice").await;
            (all.contains(&again) && all.iter().all(|packet| is(packet, State::Completed))).then_some(())
        })
        .await;
    let books = world.peers.books();
    assert_eq!((books.funded.len(), books.calls["refund"]), (SENDS, SENDS));
}
