//! The writer on real servers: beside another process, and when the way to the server fails.

use std::{sync::atomic::Ordering, time::Duration};

use futures::future::join_all;
use sql::{Pool, Url};
use testkit::{Engine, engines::Proxy, eventually};
use tokio::time::timeout;

use super::scene::{Scene, claim_in, race, user};
use crate::{
    domain::{
        packet::{Packet, sample},
        picture::Opening,
    },
    heads,
    store::{LogStore, PacketStore, Stored, engine},
};

/// How often others' claims are looked for.
const POLL: Duration = Duration::from_millis(20);
/// Longer than anything here takes, shorter than what a hung lane takes.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    writer_on(Engine::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb() {
    writer_on(Engine::mariadb().await).await;
}

async fn writer_on(mut engine: Engine) {
    two_processes_share_every_partition(&engine).await;
    a_lock_that_is_held_too_long_is_waited_for_again(&engine).await;
    a_lost_commit_is_settled_by_the_same_opens(&engine).await;
    a_cut_connection_is_noticed_by_nobody(&engine).await;
    a_database_that_hangs_holds_up_nobody_else(&engine).await;
    a_server_that_hangs_is_waited_for_and_comes_back(&mut engine).await;
}

/// Short, so that what takes too long is soon over: a lock is waited for half as long.
fn pool() -> Pool {
    Pool {
        statement_timeout: Duration::from_secs(2),
        ..Pool::default()
    }
}

/// A process of its own on these databases.
async fn process(urls: &[&str]) -> Scene {
    let urls: Vec<Url> = urls.iter().map(|url| url.parse().unwrap()).collect();
    Scene::on(engine::open(&urls, pool()).await).await
}

/// The number of a sample packet in the `half` of the partitions.
fn in_half(half: u16, from: u8) -> u8 {
    let mut numbers = from..=u8::MAX;
    let found = numbers.find(|number| sample::packet(*number, 1).partition().index() / 32 == half);
    found.unwrap()
}

async fn two_processes_share_every_partition(engine: &Engine) {
    let (a, b) = (engine::database(engine).await, engine::database(engine).await);
    let (here, there) = (process(&[&a, &b]).await, process(&[&a, &b]).await);
    // Two lanes here and three there, so that they take the partitions in other groups.
    let writers = [here.writer_of(2, 10_000), there.writer_of(3, 10_000)];
    let mut packets = vec![here.packet_in_partition_of(1, 120).await];
    for number in 1..=8 {
        packets.push(here.packet(number, 120).await);
    }
    join_all(packets.iter().map(|packet| race(&here, packet, &writers))).await;

    let count = |counter: fn(&super::scene::Counts) -> usize| counter(here.counts()) + counter(there.counts());
    let begun = count(|counts| counts.begun.load(Ordering::Relaxed));
    let painted = count(|counts| counts.painted.load(Ordering::Relaxed));
    let followed = count(|counts| counts.followed.load(Ordering::Relaxed));
    println!("{begun} batches, {painted} packets painted, {followed} claims of the other followed");
    assert!(followed > 0, "they never met");
    assert!(
        painted <= 2 * packets.len() * writers.len(),
        "{painted} in {begun} batches"
    );
}

async fn a_lock_that_is_held_too_long_is_waited_for_again(engine: &Engine) {
    let url = engine::database(engine).await;
    let (scene, writer_of_old) = (
        process(&[&url]).await,
        engine::open(&[url.parse().unwrap()], Pool::default()).await,
    );
    let (packet, writer) = (scene.packet(1, 3).await, scene.writer(10));
    let held = writer_of_old.begin(&[packet.partition()]).await.unwrap();
    let alice = user(1);
    let released = async {
        eventually("a second try", async || {
            (scene.counts().begun.load(Ordering::Relaxed) > 1).then_some(())
        })
        .await;
        drop(held);
    };
    let (opening, ()) = tokio::join!(writer.open(&packet, &alice, None), released);
    assert!(matches!(opening, Ok(Opening::Opened(_))), "{opening:?}");
    assert_eq!(scene.claims(&packet).await.len(), 1);
}

/// A store behind a network that fails on demand, and the network.
async fn behind_proxy(engine: &Engine) -> (Scene, Proxy) {
    let (url, proxy) = (engine::database(engine).await, engine.proxy().await.unwrap());
    (process(&[&proxy.url(&url)]).await, proxy)
}

async fn a_lost_commit_is_settled_by_the_same_opens(engine: &Engine) {
    let (scene, proxy) = behind_proxy(engine).await;
    let (packet, writer) = (scene.packet(1, 40).await, scene.writer(100));
    for n in 0..20 {
        let commits = scene.commits();
        let (lost, one) = (proxy.commits_lost(), user(n));
        match n % 4 {
            0 => proxy.swallow_commit(),
            1 => proxy.lose_commit(),
            // Twice in a row: whichever is lost, the next try decides over what is there.
            2 => [Proxy::swallow_commit, Proxy::lose_commit]
                .iter()
                .for_each(|lose| lose(&proxy)),
            _ => [Proxy::lose_commit, Proxy::swallow_commit]
                .iter()
                .for_each(|lose| lose(&proxy)),
        }
        let opening = timeout(SOON, writer.open(&packet, &one, None)).await.unwrap();
        assert!(matches!(opening, Ok(Opening::Opened(_))), "{n}: {opening:?}");
        assert!(proxy.commits_lost() > lost, "{n}: no commit was lost");
        assert!(scene.commits() <= commits + 1, "{n}");
        let claims = scene.claims(&packet).await;
        assert_eq!(Some(claim_in(opening.unwrap())), claims.last().cloned(), "{n}");
        assert_eq!(claims.len(), n + 1);
        disarm(&proxy, &scene).await;
    }
    proxy.swallow_commit();
    let promise = sample::promise(99, 1);
    let kept = scene.store.keep(&promise, packet.partition()).await.unwrap();
    assert_eq!(kept, Stored::Same, "found again");
    proxy.swallow_commit();
    let closing = timeout(SOON, writer.close(&packet)).await.unwrap().unwrap();
    assert_eq!(closing.opened_count, 20);
    assert_eq!(writer.close(&packet).await, Ok(closing));
}

/// Springs what traps are left, by commits that nobody needs.
async fn disarm(proxy: &Proxy, scene: &Scene) {
    let mut number = 100;
    loop {
        let lost = proxy.commits_lost();
        number += 1;
        let promise = sample::promise(number, 1);
        let packet = Packet::new(promise, id::Partition::DEFAULT_COUNT).unwrap();
        let _ = scene.store.keep(packet.promise(), packet.partition()).await;
        if proxy.commits_lost() == lost {
            return;
        }
    }
}

async fn a_cut_connection_is_noticed_by_nobody(engine: &Engine) {
    let (scene, proxy) = behind_proxy(engine).await;
    let (packet, writer) = (scene.packet(1, 200).await, scene.writer_of(4, 1_000));
    let opens = (0..200).map(|n| {
        let (writer, packet) = (writer.clone(), packet.clone());
        async move { writer.open(&packet, &user(n), None).await }
    });
    let mut opens: Vec<_> = opens.collect();
    while !opens.is_empty() {
        let some = join_all(opens.drain(..20));
        let cut = async {
            let commits = scene.commits();
            proxy.delay(Duration::from_millis(2)); // so that the cut meets a transaction
            let begun = scene.counts().begun.load(Ordering::Relaxed);
            eventually("a batch", async || {
                (scene.counts().begun.load(Ordering::Relaxed) > begun || scene.commits() > commits).then_some(())
            })
            .await;
            proxy.cut();
            proxy.resume();
        };
        let (openings, ()) = tokio::join!(timeout(SOON, some), cut);
        for opening in openings.expect("a lane hangs") {
            assert!(matches!(opening, Ok(Opening::Opened(_))), "{opening:?}");
        }
    }
    assert_eq!(scene.claims(&packet).await.len(), 200);
}

async fn a_database_that_hangs_holds_up_nobody_else(engine: &Engine) {
    let (a, b, proxy) = (
        engine::database(engine).await,
        engine::database(engine).await,
        engine.proxy().await.unwrap(),
    );
    let (scene, other) = (process(&[&proxy.url(&a), &b]).await, process(&[&a, &b]).await);
    let (writer, elsewhere) = (scene.writer(100), other.writer(100));
    let (hung, well) = (
        scene.packet(in_half(0, 1), 30).await,
        scene.packet(in_half(1, 1), 30).await,
    );
    let mut head = scene.ports.heads.follow(well.partition()).unwrap();
    heads::start_polling(&scene.ports.heads, &scene.ports.store, POLL, &scene.process);
    for (round, fails) in [Proxy::hang, Proxy::refuse].into_iter().enumerate() {
        let users: Vec<_> = (0..5).map(|n| user(10 * round + n)).collect();
        fails(&proxy);
        let mut waiting = Box::pin(writer.open(&hung, &users[0], None));
        assert!(futures::poll!(&mut waiting).is_pending());
        let beside = join_all(users.iter().map(|user_id| writer.open(&well, user_id, None)));
        let beside = timeout(Duration::from_secs(2), beside)
            .await
            .expect("held up by another database");
        assert!(beside.iter().all(Result::is_ok), "{beside:?}");
        let ping = timeout(Duration::from_millis(500), scene.store.ping()).await;
        assert!(!matches!(ping, Ok(Ok(()))), "health sees one of two");
        // What another process writes to the other database is seen too.
        let claim = claim_in(elsewhere.open(&well, &user(10 * round + 9), None).await.unwrap());
        eventually("the head of the other database", async || {
            (head.see().last_seq() == claim.seq).then_some(())
        })
        .await;
        proxy.resume();
        let told = timeout(SOON, waiting).await.expect("a lane hangs");
        assert!(told.is_ok(), "it came back in time: {told:?}");
        let next = timeout(SOON, writer.open(&hung, &users[1], None))
            .await
            .expect("a lane hangs");
        claim_in(next.unwrap());
    }
}

async fn a_server_that_hangs_is_waited_for_and_comes_back(engine: &mut Engine) {
    let url = engine::database(engine).await;
    let scene = process(&[&url]).await;
    let (packet, writer) = (scene.packet(1, 30).await, scene.writer(100));
    let patient: Vec<_> = (0..10).map(user).collect();
    let impatient: Vec<_> = (10..20).map(user).collect();
    writer.open(&packet, &user(29), None).await.unwrap();

    engine.pause();
    // A signal reaches the threads of a busy server one after the other.
    while timeout(Duration::from_millis(200), scene.store.ping()).await.is_ok() {}
    let told = join_all(patient.iter().map(|user_id| writer.open(&packet, user_id, None)));
    let mut told = Box::pin(told);
    assert!(timeout(Duration::from_millis(10), &mut told).await.is_err());
    let gone = join_all(impatient.iter().map(|user_id| writer.open(&packet, user_id, None)));
    assert!(timeout(Duration::from_millis(500), gone).await.is_err());
    let begun = scene.counts().begun.load(Ordering::Relaxed);
    eventually("another try", async || {
        (scene.counts().begun.load(Ordering::Relaxed) > begun).then_some(())
    })
    .await;
    engine.resume();
    for opening in timeout(SOON, told).await.expect("a lane hangs") {
        claim_in(opening.expect("it came back in time"));
    }
    timeout(SOON, writer.open(&packet, &user(28), None))
        .await
        .expect("a lane hangs")
        .unwrap();
    let claims = scene.claims(&packet).await;
    assert!(
        claims.iter().all(|claim| !impatient.contains(&claim.user_id)),
        "nobody waited for them"
    );
    assert_eq!(claims.len(), 12);
}
