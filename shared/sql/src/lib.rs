//! A service's SQL store: connecting by URL, transactions that are durable when they say so, and errors that tell
//! *driver*, *in each other's way*, *no room*, *inconsistent* and *outcome unknown* apart.
//!
//! The same code serves three engines. On SQLite there is one writing connection, so that writers queue in the process
//! instead of meeting `SQLITE_BUSY`, and a pool of reading ones beside it (WAL readers never wait). Every write
//! transaction starts `IMMEDIATE`: a deferred one that turns into a writer half-way gets BUSY without the busy handler ever
//! running. `synchronous=FULL` makes a commit durable before it returns, which is what CLAIM-3 stands on. On PostgreSQL and
//! MySQL one pool serves both; write transactions are READ COMMITTED and lock the rows they decide on; the server's own
//! settings make a commit durable, and a start warns of those that do not.
//!
//! [`Url`] says where, [`settings`] how, [`Database`] is one store, [`Shards`] are several, [`repeat()`] runs a transaction
//! until nobody is in its way, [`schema`] helps migrations.

mod dialect;
mod engine;
mod error;
mod repeat;
pub mod schema;
pub mod settings;
pub mod shards;
mod unwritable;
mod url;

use sea_orm::{
    AccessMode, ConnectionTrait, Database as SeaDatabase, DatabaseConnection, DatabaseTransaction, DbErr,
    IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use unwritable::LastRefusal;

pub use dialect::{integer, or_nothing};
pub use error::{ConnectError, Error, Result};
pub use repeat::repeat;
pub use settings::Pool;
pub use shards::Shards;
pub use unwritable::Unwritable;
pub use url::{Engine, Url, UrlError};

/// Reading connections on SQLite. Readers are short; two cores do not profit from more.
const SQLITE_READERS: u32 = 4;

/// A service's store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    url: Url,
    write: DatabaseConnection,
    read: DatabaseConnection,
    refused: LastRefusal,
}

impl Database {
    /// Opens the store at `url` with the schema that `M` ends in. A SQLite file is created and brought up to date where
    /// that is needed; a server's schema is what [`Database::migrate`] made of it, and anything else is refused. Warns of
    /// settings of the server with which a commit is not durable.
    pub async fn open<M: MigratorTrait>(url: &Url, pool: Pool) -> std::result::Result<Self, ConnectError> {
        if url.engine() == Engine::Sqlite {
            Self::migrate::<M>(url).await?;
        }
        let database = Self::connect(url, pool).await.map_err(|fault| ConnectError::Open {
            url: url.to_string(),
            fault,
        })?;
        database.check::<M>().await?;
        Ok(database)
    }

    /// Brings the schema at `url` up to date. Safe to repeat and to race.
    pub async fn migrate<M: MigratorTrait>(url: &Url) -> std::result::Result<(), ConnectError> {
        let open_fault = |fault| ConnectError::Open {
            url: url.to_string(),
            fault,
        };
        let migrate_fault = |fault| ConnectError::Migrate {
            url: url.to_string(),
            fault,
        };
        if url.engine() == Engine::Sqlite {
            make_directory(url);
        }
        let options = match url.engine() {
            Engine::Sqlite => engine::sqlite(url, 1, false),
            // A definition may take longer than any statement of the service.
            Engine::Postgres | Engine::MySql => engine::server(
                url,
                1,
                Pool {
                    statement_timeout: MIGRATION_TIMEOUT,
                    ..Pool::default()
                },
            ),
        };
        let connection = SeaDatabase::connect(options).await.map_err(open_fault)?;
        let standing = schema::standing::<M>(&connection).await.map_err(open_fault)?;
        refuse_newer(url, standing.unknown)?;
        schema::migrate::<M>(&connection).await.map_err(migrate_fault)?;
        connection.close().await.map_err(migrate_fault)
    }

    async fn connect(url: &Url, pool: Pool) -> std::result::Result<Self, DbErr> {
        let (write, read) = if url.engine() == Engine::Sqlite {
            let write = SeaDatabase::connect(engine::sqlite(url, 1, false)).await?;
            (
                write,
                SeaDatabase::connect(engine::sqlite(url, SQLITE_READERS, true)).await?,
            )
        } else {
            let both = SeaDatabase::connect(engine::server(url, pool.connections.get(), pool)).await?;
            (both.clone(), both)
        };
        Ok(Self {
            url: url.clone(),
            write,
            read,
            refused: LastRefusal::default(),
        })
    }

    async fn check<M: MigratorTrait>(&self) -> std::result::Result<(), ConnectError> {
        let url = &self.url;
        let open_fault = |fault| ConnectError::Open {
            url: url.to_string(),
            fault,
        };
        let standing = schema::standing::<M>(&self.read).await.map_err(open_fault)?;
        refuse_newer(url, standing.unknown)?;
        if !standing.missing.is_empty() {
            return Err(ConnectError::Behind {
                url: url.to_string(),
                missing: standing.missing,
            });
        }
        for doubt in self.doubts().await.map_err(open_fault)? {
            tracing::warn!(%url, doubt, "a commit may be lost with this server: an amount could be shown and forgotten");
        }
        Ok(())
    }

    /// What the server is set to with which a commit may be lost although it was answered; empty if all is well. Each
    /// says what it should be.
    pub async fn doubts(&self) -> std::result::Result<Vec<String>, DbErr> {
        engine::doubts(&self.read).await
    }

    /// Where the store is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where queries go that write nothing. They see only what was committed.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// A transaction that may write. On SQLite it waits here for the one before it; on a server it sees at each statement
    /// what was committed before it, and decides only on rows that it has locked. Dropping it rolls it back.
    pub async fn begin(&self) -> Result<Transaction> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default() // on servers, what the session was set to: see `engine`
        };
        self.open_transaction(&self.write, options).await
    }

    /// A transaction that sees one snapshot of the store from its first query to its last, and writes nothing.
    pub async fn snapshot(&self) -> Result<Transaction> {
        // SQLite has no such modes, and warns of them: there, the reading connections cannot write anyway.
        let on_server = self.url.engine().is_server();
        let options = TransactionOptions {
            isolation_level: on_server.then_some(IsolationLevel::RepeatableRead),
            access_mode: on_server.then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
        };
        self.open_transaction(&self.read, options).await
    }

    /// On a server, in a task of its own: a caller may be dropped at any time, and a driver that is dropped between asking for
    /// a transaction and having it would give the session to the next caller with the transaction still open.
    async fn open_transaction(&self, on: &DatabaseConnection, options: TransactionOptions) -> Result<Transaction> {
        if !self.url.engine().is_server() {
            return Ok(Transaction(on.begin_with_options(options).await?));
        }
        let on = on.clone();
        let opening = tokio::spawn(async move { on.begin_with_options(options).await });
        let opened = opening.await.map_err(|fault| DbErr::Custom(fault.to_string()))?;
        Ok(Transaction(opened?))
    }

    /// Runs a write transaction on this store as [`repeat()`] does, and learns from its end whether the store takes writes,
    /// for [`Database::ping`].
    pub async fn repeat<T, F>(&self, transaction: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let result = repeat(transaction).await;
        self.refused.note(&result);
        result
    }

    /// Learns from a write transaction that somebody else repeats, as [`Database::repeat`] does.
    pub fn note<T>(&self, result: Result<T>) -> Result<T> {
        self.refused.note(&result);
        result
    }

    /// Whether the store answers and takes writes: what health reports. A disk that is full shows only when something is
    /// written, so a write that was refused for it is remembered for ten seconds. Takes SQLite's write lock for a moment.
    pub async fn ping(&self) -> Result<()> {
        self.read.execute_unprepared("SELECT 1").await?;
        if self.url.engine().is_server() {
            if engine::is_read_only(&self.read).await? {
                let words = DbErr::Custom(format!("{} is read-only", self.url));
                return Err(Error::Unwritable(Unwritable::ReadOnly, words));
            }
        } else {
            let transaction = self.begin().await?;
            // What is rolled back costs no disk. SQLite begins to write on a file that it cannot write to without a word.
            transaction
                .as_ref()
                .execute_unprepared("PRAGMA user_version = 0")
                .await?;
            transaction.rollback().await?;
        }
        self.refused.check()
    }

    /// Closes all connections, after which every call fails. Checkpoints the SQLite log.
    pub async fn close(self) {
        for connection in [self.read, self.write] {
            if let Err(fault) = connection.close().await {
                tracing::warn!(%fault, "closing the store");
            }
        }
    }
}

/// How long one step of a migration may take on a server.
const MIGRATION_TIMEOUT: std::time::Duration = std::time::Duration::from_hours(1);

fn refuse_newer(url: &Url, unknown: Vec<String>) -> std::result::Result<(), ConnectError> {
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ConnectError::Ahead {
        url: url.to_string(),
        unknown,
    })
}

/// Makes the directory of a SQLite file: one level only, so that a mistyped path makes no tree. If it cannot be made,
/// opening the file says so.
fn make_directory(url: &Url) {
    let path = url.expose().trim_start_matches("sqlite:").trim_start_matches("//");
    let path = std::path::Path::new(path.split('?').next().unwrap_or_default());
    if let Some(directory) = path.parent() {
        let _ = std::fs::create_dir(directory);
    }
}

/// A transaction. Use it as a `ConnectionTrait` through [`Transaction::as_ref`]; dropping it rolls it back.
#[derive(Debug)]
pub struct Transaction(DatabaseTransaction);

impl Transaction {
    /// Makes everything durable. [`Error::OutcomeUnknown`] means that it is *not known* whether it is: repeat the same ids
    /// to find out. [`Error::Contended`] means that nothing is.
    pub async fn commit(self) -> Result<()> {
        self.0.commit().await.map_err(Error::of_commit)
    }

    /// Takes everything back.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.0.rollback().await?)
    }
}

impl AsRef<DatabaseTransaction> for Transaction {
    fn as_ref(&self) -> &DatabaseTransaction {
        &self.0
    }
}
