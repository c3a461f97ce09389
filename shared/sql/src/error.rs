//! What can go wrong with a store, by what a caller can do about it.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine or the way to it failed before a commit: nothing changed, repeating is safe and may help.
    #[error("store: {0}")]
    Driver(#[source] DbErr),
    /// Another transaction was in the way: a deadlock, a serialization failure, a lock that was not given in time.
    /// Nothing changed; repeating the whole transaction at once is what the engine expects.
    #[error("store: in each other's way: {0}")]
    Contended(#[source] DbErr),
    /// A unique key refused the write: someone else did it first. Nothing changed.
    #[error("store: unique key: {0}")]
    Conflict(#[source] DbErr),
    /// The answer to a COMMIT was lost: it may have happened or not. Repeat the same ids to find out.
    #[error("store: outcome of a commit unknown: {0}")]
    OutcomeUnknown(#[source] DbErr),
    /// A row says what no row can say. Nobody but a person can help; never retried.
    #[error("store: inconsistent: {0}")]
    Inconsistent(String),
}

impl Error {
    /// A row that breaks a rule, in words that help to find it.
    pub fn inconsistent(what: impl std::fmt::Display) -> Self {
        Self::Inconsistent(what.to_string())
    }

    /// What a failed COMMIT means. Only the engine's own word that it lost a race is proof that nothing changed; every
    /// other failure leaves it open.
    pub(crate) fn of_commit(fault: DbErr) -> Self {
        if is_contention(&fault) {
            Self::Contended(fault)
        } else {
            Self::OutcomeUnknown(fault)
        }
    }
}

impl From<DbErr> for Error {
    fn from(fault: DbErr) -> Self {
        match fault.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Conflict(fault),
            _ if is_contention(&fault) => Self::Contended(fault),
            _ => Self::Driver(fault),
        }
    }
}

/// Whether the engine gave up on a transaction in favour of another one.
fn is_contention(fault: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(fault))
    | DbErr::Query(RuntimeErr::SqlxError(fault))
    | DbErr::Conn(RuntimeErr::SqlxError(fault))) = fault
    else {
        return false;
    };
    let Some(fault) = fault.as_database_error() else {
        return false;
    };
    if let Some(fault) = fault.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        // ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK, ER_CHECKREAD (MariaDB: the row changed since it was read)
        return matches!(fault.number(), 1205 | 1213 | 1020);
    }
    // PostgreSQL: serialization_failure, deadlock_detected, lock_not_available. SQLite: BUSY, BUSY_SNAPSHOT.
    matches!(fault.code().as_deref(), Some("40001" | "40P01" | "55P03" | "5" | "517"))
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The engine refused or could not be reached.
    #[error("cannot open the database {url}: {fault}")]
    Open {
        /// Which one, without its password.
        url: String,
        /// What it said.
        fault: DbErr,
    },
    /// The schema could not be brought up to date.
    #[error("cannot migrate the database {url}: {fault}")]
    Migrate {
        /// Which one, without its password.
        url: String,
        /// What it said.
        fault: DbErr,
    },
    /// The schema is older than this program.
    #[error("the database {url} lacks {}: run this program's `migrate` command with the same settings", missing.join(", "))]
    Behind {
        /// Which one, without its password.
        url: String,
        /// The migrations that were not applied.
        missing: Vec<String>,
    },
    /// The schema is newer than this program.
    #[error(
        "the database {url} was migrated further than this program knows ({}): run a newer version of it",
        unknown.join(", ")
    )]
    Ahead {
        /// Which one, without its password.
        url: String,
        /// The migrations that this program does not have.
        unknown: Vec<String>,
    },
    /// The list of databases is not the one that the data was laid out over.
    #[error(
        "the database {url} holds {found}, but the settings make it {expected}: the list of databases must keep its \
         order and length, and the number of partitions must not change"
    )]
    Layout {
        /// Which one, without its password.
        url: String,
        /// What it is, by its own word.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A row of the schema itself says what it cannot say.
    #[error("the database {url}: {fault}")]
    Store {
        /// Which one, without its password.
        url: String,
        /// What went wrong.
        fault: Error,
    },
}
