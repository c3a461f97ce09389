//! The engines, and what each says in its own way.

use std::sync::Arc;

use ::sql::{Database, Pool};
use testkit::{
    Dir,
    engines::{MariaDb, Postgres, Proxy},
};

use crate::store::sql::{Migrator, SqlStore};

/// Where databases are made.
pub enum Engine {
    Sqlite(Dir),
    Postgres(Postgres),
    MariaDb(MariaDb),
}

impl Engine {
    /// An empty database. On a server it is one as an installation has it: with text ordered as a language does
    /// (PostgreSQL), or compared regardless of case (MariaDB).
    async fn database(&self, name: &str) -> String {
        match self {
            Self::Sqlite(dir) => dir.sqlite(name),
            Self::Postgres(server) => {
                let create = format!(
                    "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' ENCODING UTF8"
                );
                server.query("postgres", &create).await.unwrap();
                server.url(name)
            }
            Self::MariaDb(server) => server.database(name).await.unwrap(),
        }
    }

    /// A store in a database of its own.
    pub async fn store(&self, name: &str) -> (Database, Arc<SqlStore>) {
        open(&self.database(name).await).await
    }

    /// Two stores in one database of a server, as two instances have them. `None` where there is no server.
    pub async fn pair(&self, name: &str) -> Option<[(Database, Arc<SqlStore>); 2]> {
        if matches!(self, Self::Sqlite(_)) {
            return None;
        }
        let url = self.database(name).await;
        Some([open(&url).await, open(&url).await])
    }

    /// A store in a database of its own, straight and behind a network that fails. `None` where there is no server.
    pub async fn proxied(&self, name: &str) -> Option<(Database, Arc<SqlStore>, Proxy)> {
        let proxy = match self {
            Self::Sqlite(_) => return None,
            Self::Postgres(server) => server.proxy().await.unwrap(),
            Self::MariaDb(server) => server.proxy().await.unwrap(),
        };
        let url = self.database(name).await;
        let (straight, _) = open(&url).await;
        let (_, store) = open(&proxy.url(&url)).await;
        Some((straight, store, proxy))
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

    /// How SQL writes a UUID.
    pub fn uuid(&self, id: uuid::Uuid) -> String {
        match self {
            Self::Postgres(_) => format!("'{id}'"),
            Self::Sqlite(_) | Self::MariaDb(_) => format!("x'{}'", id.simple()),
        }
    }

    /// How SQL writes a name that is also one of its words.
    pub fn quote(&self, name: &str) -> String {
        match self {
            Self::MariaDb(_) => format!("`{name}`"),
            Self::Sqlite(_) | Self::Postgres(_) => format!("\"{name}\""),
        }
    }

    /// A statement about `accounts` that no CHECK refuses; on PostgreSQL there is none after it.
    pub fn unchecked(&self, statement: &str) -> String {
        match self {
            Self::Sqlite(_) => {
                format!("PRAGMA ignore_check_constraints = on; {statement}; PRAGMA ignore_check_constraints = off")
            }
            Self::Postgres(_) => format!("ALTER TABLE accounts DROP CONSTRAINT accounts_check; {statement}"),
            Self::MariaDb(_) => {
                format!("SET check_constraint_checks = 0; {statement}; SET check_constraint_checks = 1")
            }
        }
    }
}

async fn open(url: &str) -> (Database, Arc<SqlStore>) {
    let url = url.parse().unwrap();
    Database::migrate::<Migrator>(&url).await.unwrap();
    let database = Database::open::<Migrator>(&url, Pool::default()).await.unwrap();
    (database.clone(), Arc::new(SqlStore::new(database)))
}
