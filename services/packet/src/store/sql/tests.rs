//! The store on each engine, in one database and in two.

mod locks;
mod rules;
mod shards;

use std::num::NonZeroU16;

use ::sql::{ConnectError, Pool, Url};
use testkit::{Dir, Engine, engines::Proxy};

use super::SqlStore;
use crate::store::contract::{self, commits::Lost};

const PARTITIONS: NonZeroU16 = id::Partition::DEFAULT_COUNT;

/// A database that is empty when it is named for the first time.
async fn database(engine: &Engine, name: &str) -> Url {
    engine.database(name).await.parse().unwrap()
}

/// A store over the databases of these names.
async fn store(engine: &Engine, names: &[&str]) -> SqlStore {
    let mut urls = Vec::new();
    for name in names {
        urls.push(database(engine, name).await);
    }
    open(&urls).await.unwrap()
}

/// A store over one database of a server, behind a network that fails.
async fn proxied(engine: &Engine, name: &str) -> Option<(SqlStore, Proxy)> {
    let proxy = engine.proxy().await?;
    let url = proxy.url(&engine.database(name).await).parse().unwrap();
    Some((open(&[url]).await.unwrap(), proxy))
}

async fn open(urls: &[Url]) -> Result<SqlStore, ConnectError> {
    SqlStore::migrate(urls).await.unwrap();
    SqlStore::open(urls, Pool::default(), PARTITIONS).await
}

/// A store in one file of `dir`.
pub async fn sqlite(dir: &Dir) -> SqlStore {
    open(&[dir.sqlite("packet").parse().unwrap()]).await.unwrap()
}

async fn keeps_the_contract(store: &SqlStore) {
    let agendas = store.agendas();
    let homes: Vec<_> = (0..agendas.len())
        .map(|shard_no| move |packet| store.shard_no(packet) == shard_no)
        .collect();
    let homes = homes.iter().map(|home| -> contract::Home<'_> { home });
    let agendas: Vec<_> = agendas.iter().zip(homes).collect();
    contract::everything(store, &agendas).await;
}

async fn everything(engine: Engine) {
    for names in [&["whole"][..], &["left", "right"]] {
        let store = store(&engine, names).await;
        keeps_the_contract(&store).await;
        shards::everything_is_at_home(&store).await;
        rules::are_enforced(&store).await;
        locks::are_not_waited_for(&store).await;
    }
    shards::layouts_stay(&engine).await;
    if let Some((store, proxy)) = proxied(&engine, "lost").await {
        let lose = |lost| match lost {
            Lost::OnItsWayBack => proxy.swallow_commit(),
            Lost::OnItsWayThere => proxy.lose_commit(),
        };
        let count = contract::commits::lost_answers_are_found(&store, &store.agendas()[0], lose).await;
        assert_eq!(proxy.commits_lost(), count);
    }
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    everything(Engine::sqlite()).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    everything(Engine::postgres().await).await;
}

#[tokio::test]
async fn mariadb_keeps_the_contract() {
    everything(Engine::mariadb().await).await;
}
