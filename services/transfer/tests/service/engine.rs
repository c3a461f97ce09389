//! The engines.

use sql::{Database, Pool};
use testkit::{
    Dir,
    engines::{MariaDb, Postgres, Proxy},
};
use transfer::store::{Migrator, SqlStore};

use crate::mesh::Mesh;

/// Where databases are made.
pub enum Engine {
    Sqlite(Dir),
    Postgres(Postgres),
    MariaDb(MariaDb),
}

impl Engine {
    /// A database that is empty when it is named for the first time.
    pub async fn database(&self, name: &str) -> String {
        match self {
            Self::Sqlite(dir) => dir.sqlite(name),
            Self::Postgres(server) => server.database(name).await.unwrap(),
            Self::MariaDb(server) => server.database(name).await.unwrap(),
        }
    }

    /// A store in a database; two of the same name are two instances.
    pub async fn store(&self, name: &str) -> (Database, SqlStore) {
        open(&self.database(name).await).await
    }

    /// A network before the server that fails on demand. `None` where there is no server.
    pub async fn proxy(&self) -> Option<Proxy> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(server) => Some(server.proxy().await.unwrap()),
            Self::MariaDb(server) => Some(server.proxy().await.unwrap()),
        }
    }

    /// A mesh whose transfer stores in a database of its own.
    pub async fn mesh(&self, name: &str) -> Mesh {
        Mesh::on(&self.database(name).await, Dir::new()).await
    }

    /// How many statements wait for a lock.
    pub async fn waiting(&self, name: &str) -> u32 {
        let count = match self {
            Self::Sqlite(_) => return 0,
            Self::Postgres(server) => {
                let query = "SELECT count(*) FROM pg_locks WHERE NOT granted";
                server.query(name, query).await.unwrap()
            }
            Self::MariaDb(server) => {
                let query = "SELECT count(*) FROM information_schema.innodb_lock_waits";
                server.query(name, query).await.unwrap()
            }
        };
        count.trim().parse().unwrap()
    }
}

/// A store behind a URL.
pub async fn open(url: &str) -> (Database, SqlStore) {
    let url = url.parse().unwrap();
    Database::migrate::<Migrator>(&url).await.unwrap();
    let database = Database::open::<Migrator>(&url, Pool::default()).await.unwrap();
    (database.clone(), SqlStore::new(database))
}
