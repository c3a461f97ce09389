//! Engines for tests: a server of a test's own, and stores on it.

use std::sync::atomic::{AtomicU8, Ordering};

use id::Partition;
use sql::{Pool, Url};
use testkit::{
    Dir,
    engines::{MariaDb, Postgres, Proxy},
};

use super::sql::SqlStore;

/// An engine with room for any number of databases.
pub enum Engine {
    /// Files.
    Sqlite(Dir),
    /// A server.
    Postgres(Postgres),
    /// A server.
    MariaDb(MariaDb),
}

static NEXT_DATABASE: AtomicU8 = AtomicU8::new(0);

impl Engine {
    pub fn sqlite() -> Self {
        Self::Sqlite(Dir::new())
    }

    pub async fn postgres() -> Self {
        Self::Postgres(Postgres::start().await.unwrap())
    }

    pub async fn mariadb() -> Self {
        Self::MariaDb(MariaDb::start().await.unwrap())
    }

    /// Whether writers of different partitions need not wait for each other.
    pub fn locks_rows(&self) -> bool {
        !matches!(self, Self::Sqlite(_))
    }

    /// URL of a new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("grab_{}", NEXT_DATABASE.fetch_add(1, Ordering::Relaxed));
        match self {
            Self::Sqlite(dir) => dir.sqlite(&name),
            Self::Postgres(server) => server.database(&name).await.unwrap(),
            Self::MariaDb(server) => server.database(&name).await.unwrap(),
        }
    }

    /// A network in front of it.
    pub async fn proxy(&self) -> Proxy {
        match self {
            Self::Sqlite(_) => panic!("there is no network to a file"),
            Self::Postgres(server) => server.proxy().await.unwrap(),
            Self::MariaDb(server) => server.proxy().await.unwrap(),
        }
    }

    pub fn pause(&mut self) {
        match self {
            Self::Sqlite(_) => panic!("a file cannot hang"),
            Self::Postgres(server) => server.pause(),
            Self::MariaDb(server) => server.pause(),
        }
    }

    pub fn resume(&mut self) {
        match self {
            Self::Sqlite(_) => panic!("a file cannot hang"),
            Self::Postgres(server) => server.resume(),
            Self::MariaDb(server) => server.resume(),
        }
    }

    /// A store over so many new databases.
    pub async fn store(&self, shards: usize) -> SqlStore {
        let mut urls = Vec::new();
        for _ in 0..shards {
            urls.push(self.database().await.parse().unwrap());
        }
        open(&urls, Pool::default()).await
    }
}

/// A store over these databases, migrated.
pub async fn open(urls: &[Url], pool: Pool) -> SqlStore {
    Box::pin(SqlStore::migrate(urls)).await.unwrap();
    let opening = SqlStore::open(urls, pool, Partition::DEFAULT_COUNT);
    Box::pin(opening).await.unwrap()
}
