//! The store on each engine, in one database and in two.

mod commits;
mod locks;
mod rules;
mod shards;

use std::num::NonZeroU16;

use ::sql::{ConnectError, Pool, Url};
use testkit::{
    Dir,
    engines::{MariaDb, Postgres, Proxy},
};

use super::SqlStore;
use crate::store::contract;

const PARTITIONS: NonZeroU16 = id::Partition::DEFAULT_COUNT;

/// Where databases are made.
enum Engine {
    Sqlite(Dir),
    Postgres(Postgres),
    MariaDb(MariaDb),
}

impl Engine {
    /// A database that is empty when it is named for the first time.
    async fn database(&self, name: &str) -> Url {
        let url = match self {
            Self::Sqlite(dir) => dir.sqlite(name),
            Self::Postgres(server) => server.database(name).await.unwrap(),
            Self::MariaDb(server) => server.database(name).await.unwrap(),
        };
        url.parse().unwrap()
    }

    /// A store over the databases of these names.
    async fn store(&self, names: &[&str]) -> SqlStore {
        let mut urls = Vec::new();
        for name in names {
            urls.push(self.database(name).await);
        }
        open(&urls).await.unwrap()
    }

    /// A store over one database of a server, behind a network that fails.
    async fn proxied(&self, name: &str) -> Option<(SqlStore, Proxy)> {
        let (proxy, url) = match self {
            Self::Sqlite(_) => return None,
            Self::Postgres(server) => (server.proxy().await.unwrap(), server.database(name).await.unwrap()),
            Self::MariaDb(server) => (server.proxy().await.unwrap(), server.database(name).await.unwrap()),
        };
        let url = proxy.url(&url).parse().unwrap();
        Some((open(&[url]).await.unwrap(), proxy))
    }
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
    contract::requests(store).await;
    contract::crowd::requests(store).await;
    contract::packets(store).await;
    contract::crowd::packets(store).await;
    for (shard_no, agenda) in store.agendas().iter().enumerate() {
        let home = |packet| store.shard_no(packet) == shard_no;
        contract::agenda::agenda(store, agenda, home).await;
        contract::agenda::shared(store, agenda, home).await;
    }
    contract::lists(store).await;
}

async fn everything(engine: Engine) {
    for names in [&["whole"][..], &["left", "right"]] {
        let store = engine.store(names).await;
        keeps_the_contract(&store).await;
        shards::everything_is_at_home(&store).await;
        rules::are_enforced(&store).await;
        locks::are_not_waited_for(&store).await;
    }
    shards::layouts_stay(&engine).await;
    commits::lost_answers_are_found(&engine).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    everything(Engine::Sqlite(Dir::new())).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    everything(Engine::Postgres(Postgres::start().await.unwrap())).await;
}

#[tokio::test]
async fn mariadb_keeps_the_contract() {
    everything(Engine::MariaDb(MariaDb::start().await.unwrap())).await;
}
