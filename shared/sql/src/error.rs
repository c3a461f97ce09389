//! What can go wrong with a store, by what a caller can do about it.

use sea_orm::{DbErr, SqlErr};

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine or the way to it failed before a commit: nothing changed, repeating is safe and may help.
    #[error("store: {0}")]
    Driver(#[source] DbErr),
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
}

impl From<DbErr> for Error {
    fn from(fault: DbErr) -> Self {
        match fault.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Conflict(fault),
            _ => Self::Driver(fault),
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL's scheme names no engine that this build knows.
    #[error("`{0}` is not a known engine: the URL must start with sqlite:")]
    UnknownEngine(String),
    /// The URL does not parse.
    #[error("the database URL is malformed: {0}")]
    BadUrl(String),
    /// The engine refused or could not be reached.
    #[error("cannot open the database: {0}")]
    Open(#[from] DbErr),
    /// The schema could not be brought up to date.
    #[error("cannot migrate the database: {0}")]
    Migrate(#[source] DbErr),
}
