//! A service's SQL store: connecting by URL, transactions that are durable when they say so, and errors that tell
//! *driver*, *inconsistent* and *outcome unknown* apart.
//!
//! On SQLite there is one writing connection, so that writers queue in the process instead of meeting `SQLITE_BUSY`, and
//! a pool of reading ones beside it (WAL readers never wait). Every write transaction starts `IMMEDIATE`: a deferred one
//! that turns into a writer half-way gets BUSY without the busy handler ever running. `synchronous=FULL` makes a commit
//! durable before it returns, which is what CLAIM-3 stands on.

mod error;

use std::{str::FromStr, time::Duration};

use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database as SeaDatabase, DatabaseConnection, DatabaseTransaction,
    DbBackend, SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use sea_orm_migration::MigratorTrait;

pub use error::{ConnectError, Error, Result};

/// How long a statement waits for another process's lock on a SQLite file before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Reading connections on SQLite. Readers are short; two cores do not profit from more.
const SQLITE_READERS: u32 = 4;
/// How long a caller waits for a connection of the pool before the store counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A service's store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    write: DatabaseConnection,
    read: DatabaseConnection,
}

impl Database {
    /// Connects to `url` (`sqlite:///path/to/file.db`), creating the file and the directory it is in
    /// where they are missing.
    pub async fn connect(url: &str) -> std::result::Result<Self, ConnectError> {
        let file = parse(url)?;
        if let Some(directory) = file.get_filename().parent() {
            // One level only, so that a mistyped path makes no tree. If it cannot be made, opening the file says so.
            let _ = std::fs::create_dir(directory);
        }
        // The writer comes first: it creates the file and switches it to WAL.
        let write = SeaDatabase::connect(options(url, 1, false)).await?;
        let read = SeaDatabase::connect(options(url, SQLITE_READERS, true)).await?;
        Ok(Self { write, read })
    }

    /// Brings the schema up to date. Safe to repeat.
    pub async fn migrate<M: MigratorTrait>(&self) -> std::result::Result<(), ConnectError> {
        M::up(&self.write, None).await.map_err(ConnectError::Migrate)
    }

    /// Where queries go that write nothing. They see only what was committed.
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// A transaction that may write. On SQLite it waits here for the one before it. Dropping it rolls it back.
    pub async fn begin(&self) -> Result<Transaction> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        Ok(Transaction(self.write.begin_with_options(options).await?))
    }

    /// A transaction that sees one snapshot of the store from its first query to its last, and writes nothing.
    pub async fn snapshot(&self) -> Result<Transaction> {
        let options = TransactionOptions {
            // SQLite has no such mode, and warns of it: there, the reading connections cannot write anyway.
            access_mode: (self.read.get_database_backend() != DbBackend::Sqlite).then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
            ..Default::default()
        };
        Ok(Transaction(self.read.begin_with_options(options).await?))
    }

    /// Whether the store answers and can be written to: what health reports. Takes the write lock for a moment.
    pub async fn ping(&self) -> Result<()> {
        self.read.execute_unprepared("SELECT 1").await?;
        self.begin().await?.rollback().await
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

/// Whether `url` names an engine that this build knows, in a form that it reads. For configurations, which are checked
/// before anything is connected.
pub fn check_url(url: &str) -> std::result::Result<(), ConnectError> {
    parse(url).map(drop)
}

fn parse(url: &str) -> std::result::Result<SqliteConnectOptions, ConnectError> {
    if !url.starts_with("sqlite:") {
        return Err(ConnectError::UnknownEngine(
            url.split(':').next().unwrap_or_default().to_owned(),
        ));
    }
    SqliteConnectOptions::from_str(url).map_err(|fault| ConnectError::BadUrl(fault.to_string()))
}

fn options(url: &str, connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .min_connections(1)
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .test_before_acquire(false) // a file does not hang up
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(BUSY_TIMEOUT)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .statement_cache_capacity(256);
            if read_only {
                sqlite.pragma("query_only", "on")
            } else {
                sqlite
            }
        });
    options
}

/// A transaction. Use it as a `ConnectionTrait` through [`Transaction::as_ref`]; dropping it rolls it back.
#[derive(Debug)]
pub struct Transaction(DatabaseTransaction);

impl Transaction {
    /// Makes everything durable. An error means that it is *not known* whether it is
    /// ([`Error::OutcomeUnknown`]): repeat the same ids to find out.
    pub async fn commit(self) -> Result<()> {
        self.0.commit().await.map_err(Error::OutcomeUnknown)
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
