//! `kill -9` under load, again and again over the same data: what was answered is kept and settled.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tonic::Code;

use crate::{
    load::{PEOPLE, Said},
    rig::{Mesh, On, REDIS_MARIADB, REDIS_POSTGRES, users},
};

/// What each person begins with, in yuan.
const START: i64 = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_lose_nothing_that_was_answered() {
    kills_of_everything(On::OneProcess, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_everything_lose_nothing_on_redis_and_postgres() {
    kills_of_everything(REDIS_POSTGRES, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_everything_lose_nothing_on_redis_and_mariadb() {
    kills_of_everything(REDIS_MARIADB, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_each_in_turn_lose_nothing_on_redis_and_postgres() {
    kills_of_each(REDIS_POSTGRES, "postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_each_in_turn_lose_nothing_on_redis_and_mariadb() {
    kills_of_each(REDIS_MARIADB, "mariadb").await;
}

fn seeded() -> StdRng {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    StdRng::seed_from_u64(seed)
}

/// All processes at once, engines included, then a start over what they left.
async fn kills_of_everything(on: On, kills: usize) {
    let mut rng = seeded();
    let dir = testkit::Dir::new();
    let people = users(PEOPLE);
    let said = Arc::new(Said::default());
    for kill in 0..kills {
        let mesh = Mesh::start(on, dir.path()).await;
        if kill == 0 {
            mesh.operator().open_accounts(&people, START).await;
        } else {
            said.check(&mesh.operator()).await;
        }
        let load = said.load(&mesh, &people, &mut rng);
        said.until_more_opens(rng.random_range(1..60)).await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..100))).await;
        mesh.kill().await;
        load.end().await;
    }
    let mesh = Mesh::start(on, dir.path()).await;
    said.check(&mesh.operator()).await;
    said.check_refunds(&mesh.operator()).await;
    let (sent, opened) = said.counts();
    println!("{kills} kills, {sent} packets sent, {opened} opens answered, none lost");
}

/// One process after the other, while the others go on.
async fn kills_of_each(on: On, store: &str) {
    let mut rng = seeded();
    let dir = testkit::Dir::new();
    let people = users(PEOPLE);
    let said = Arc::new(Said::default());
    let mut mesh = Mesh::start(on, dir.path()).await;
    let operator = mesh.operator();
    operator.open_accounts(&people, START).await;

    let twice = ["grab-1", "transfer-1", "grab-2", "transfer-2"];
    for name in [&twice[..], &["account", "packet", "gateway", "redis", store]].concat() {
        let load = said.load(&mesh, &people, &mut rng);
        said.until_more_opens(rng.random_range(1..60)).await;
        said.errors();
        mesh.many().kill(name).await.unwrap();
        tokio::time::sleep(Duration::from_millis(rng.random_range(500..1500))).await;
        let errors = said.errors();
        println!("{name}: {} errors, such as {:?}", errors.len(), errors.first());
        let internal = errors.iter().find(|(code, _)| *code != Code::Unavailable);
        assert!(
            internal.is_none() || name == "gateway",
            "what is away is UNAVAILABLE, and nothing else: {internal:?}"
        );
        assert!(
            errors.is_empty() || !twice.contains(&name),
            "the other instance serves while {name} is away: {errors:?}"
        );
        mesh.many().revive(name).await.unwrap();
        load.end().await;
        said.check(&operator).await;
    }
    said.check_refunds(&operator).await;
    let (sent, opened) = said.counts();
    println!("{sent} packets sent, {opened} opens answered, none lost");
}
