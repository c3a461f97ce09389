//! The engines, and what each says in its own way.

use std::sync::Arc;

use ::sql::{Database, Pool};
use sea_orm::{ConnectionTrait, Statement};
use testkit::{Engine, engines::Proxy};

use crate::store::sql::{Migrator, SqlStore};

/// Stores on an engine, and SQL in its words.
pub struct Home(pub Engine);

impl Home {
    /// An empty database. On PostgreSQL it is one as an installation may have it, with text ordered as a language does; on
    /// MariaDB it is one that compares regardless of case anyway.
    async fn database(&self, name: &str) -> String {
        if let Engine::Postgres(server) = &self.0 {
            let create = format!(
                "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' ENCODING UTF8"
            );
            server.query("postgres", &create).await.unwrap();
            return server.url(name);
        }
        self.0.database(name).await
    }

    /// A store in a database of its own.
    pub async fn store(&self, name: &str) -> (Database, Arc<SqlStore>) {
        open(&self.database(name).await).await
    }

    /// Two stores in one database of a server, as two instances have them. `None` where there is no server.
    pub async fn pair(&self, name: &str) -> Option<[(Database, Arc<SqlStore>); 2]> {
        if !self.0.is_server() {
            return None;
        }
        let url = self.database(name).await;
        Some([open(&url).await, open(&url).await])
    }

    /// A store in a database of its own, straight and behind a network that fails. `None` where there is no server.
    pub async fn proxied(&self, name: &str) -> Option<(Database, Arc<SqlStore>, Proxy)> {
        let proxy = self.0.proxy().await?;
        let url = self.database(name).await;
        let (straight, _) = open(&url).await;
        let (_, store) = open(&proxy.url(&url)).await;
        Some((straight, store, proxy))
    }

    /// How SQL writes a UUID.
    pub fn uuid(&self, id: uuid::Uuid) -> String {
        match self.0 {
            Engine::Postgres(_) => format!("'{id}'"),
            Engine::Sqlite(_) | Engine::MariaDb(_) => format!("x'{}'", id.simple()),
        }
    }

    /// How SQL writes bytes.
    pub fn bytes(&self, bytes: &[u8]) -> String {
        let hex = bytes
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        match self.0 {
            Engine::Postgres(_) => format!("decode('{hex}', 'hex')"),
            Engine::Sqlite(_) | Engine::MariaDb(_) => format!("x'{hex}'"),
        }
    }

    /// How SQL writes a name that is also one of its words.
    pub fn quote(&self, name: &str) -> String {
        match self.0 {
            Engine::MariaDb(_) => format!("`{name}`"),
            Engine::Sqlite(_) | Engine::Postgres(_) => format!("\"{name}\""),
        }
    }

    /// A statement about `accounts` that no CHECK refuses; on PostgreSQL there is none after it.
    pub fn unchecked(&self, statement: &str) -> String {
        match self.0 {
            Engine::Sqlite(_) => {
                format!("PRAGMA ignore_check_constraints = on; {statement}; PRAGMA ignore_check_constraints = off")
            }
            Engine::Postgres(_) => format!("ALTER TABLE accounts DROP CONSTRAINT accounts_check; {statement}"),
            Engine::MariaDb(_) => {
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

/// Why wallets were frozen and unfrozen, in order.
pub async fn reasons(database: &Database) -> Vec<String> {
    let acts = "SELECT reason FROM account_acts ORDER BY act_id";
    let acts = Statement::from_string(database.read().get_database_backend(), acts);
    let acts = database.read().query_all_raw(acts).await.unwrap();
    acts.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}
