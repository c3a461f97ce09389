//! What can go wrong with a store, by what a caller can do about it.

use sea_orm::{DbErr, SqlErr, sqlx};

use crate::unwritable::{Unwritable, database_error};

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
    /// The engine answers, and has no room or takes no writes. Nothing changed. Repeating helps once somebody has seen to
    /// it, and not a moment sooner: tell it, and do not try again at once.
    #[error("store: {0}: {1}")]
    Unwritable(Unwritable, #[source] DbErr),
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

    /// Whether the engine said that it has no room or takes no writes, also where it is not known what that did to a commit.
    pub fn unwritable(&self) -> Option<Unwritable> {
        match self {
            Self::Unwritable(why, _) => Some(*why),
            Self::OutcomeUnknown(fault) => Unwritable::said_by(fault),
            _ => None,
        }
    }

    /// Whether it is what was to be written that is refused, so that the same would be refused again: a row that breaks a
    /// rule, a key that is taken, a value that fits no column. A caller that writes for many can find out whose it is.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Conflict(_) | Self::Inconsistent(_) => true,
            Self::Driver(fault) => is_refusal(fault),
            Self::Contended(_) | Self::Unwritable(..) | Self::OutcomeUnknown(_) => false,
        }
    }

    /// What a failed COMMIT means. Only the engine's own word that it lost a race, or had no room, is proof that nothing
    /// changed; every other failure leaves it open.
    pub(crate) fn of_commit(fault: DbErr) -> Self {
        if is_contention(&fault) {
            return Self::Contended(fault);
        }
        match Unwritable::said_by(&fault).filter(|_| ends_with_its_error(&fault)) {
            Some(why) => Self::Unwritable(why, fault),
            None => Self::OutcomeUnknown(fault),
        }
    }
}

impl From<DbErr> for Error {
    fn from(fault: DbErr) -> Self {
        match fault.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Conflict(fault),
            _ if is_contention(&fault) => Self::Contended(fault),
            _ => match Unwritable::said_by(&fault) {
                Some(why) => Self::Unwritable(why, fault),
                None => Self::Driver(fault),
            },
        }
    }
}

/// Whether an error in answer to COMMIT is proof that the transaction is undone. On PostgreSQL it is: behind the commit's
/// record in the log no error can be told any more. On SQLite, FULL and READONLY are: the frame that commits is the last one
/// written, and these say that one was not written. `InnoDB` and its binary log are two, and make no such promise.
fn ends_with_its_error(fault: &DbErr) -> bool {
    database_error(fault).is_some_and(|fault| fault.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().is_none())
}

/// Whether the engine refused the values, not the moment.
fn is_refusal(fault: &DbErr) -> bool {
    let Some(fault) = database_error(fault) else {
        return false;
    };
    if let Some(fault) = fault.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        // ER_BAD_NULL, ER_WARN_DATA_OUT_OF_RANGE, ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, ER_DATA_TOO_LONG, CHECK (MySQL, MariaDB),
        // foreign keys
        return matches!(fault.number(), 1048 | 1264 | 1366 | 1406 | 3819 | 4025 | 1451 | 1452);
    }
    let Some(code) = fault.code() else {
        return false;
    };
    if fault.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        // data exceptions, violated integrity
        return code.starts_with("22") || code.starts_with("23");
    }
    // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18..=20))
}

/// Whether the engine gave up on a transaction in favour of another one.
fn is_contention(fault: &DbErr) -> bool {
    let Some(fault) = database_error(fault) else {
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

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

    use sea_orm::RuntimeErr;
    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// What an engine says with a code of its own; SQLite where the code is a number.
    #[derive(Debug)]
    struct Said(&'static str);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for Said {}

    impl DatabaseError for Said {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn said(code: &'static str) -> DbErr {
        let said = sqlx::Error::Database(Box::new(Said(code)));
        DbErr::Exec(RuntimeErr::SqlxError(Arc::new(said)))
    }

    /// Before a commit, and in answer to one: what is known of it then.
    #[test]
    fn each_code_is_told_for_what_it_is() {
        // BUSY, BUSY_SNAPSHOT; serialization failure, deadlock, no lock in time
        for code in ["5", "517", "40001", "40P01", "55P03"] {
            assert!(matches!(Error::from(said(code)), Error::Contended(_)), "{code}");
            assert!(matches!(Error::of_commit(said(code)), Error::Contended(_)), "{code}");
        }
        for (code, why) in [
            ("13", Unwritable::Full),
            ("8", Unwritable::ReadOnly),
            ("1032", Unwritable::ReadOnly),
        ] {
            assert_eq!(Error::from(said(code)).unwritable(), Some(why), "{code}");
            let commit = Error::of_commit(said(code));
            assert!(
                matches!(commit, Error::Unwritable(told, _) if told == why),
                "{commit:?}"
            );
            // Health hears of it where nobody knows what it did, too.
            assert_eq!(Error::OutcomeUnknown(said(code)).unwritable(), Some(why), "{code}");
        }
        // IOERR, CORRUPT; a violated check at a commit is not what any engine says, so nothing is known.
        for code in ["10", "11", "275"] {
            assert!(matches!(Error::from(said(code)), Error::Driver(_)), "{code}");
            assert!(
                matches!(Error::of_commit(said(code)), Error::OutcomeUnknown(_)),
                "{code}"
            );
        }
    }

    /// Whoever writes for many looks for whose fault it is only where the same would be refused again.
    #[test]
    fn a_refusal_is_of_what_was_to_be_written() {
        // TOOBIG, CONSTRAINT, MISMATCH, and constraints in detail
        for code in ["18", "19", "20", "275", "787", "1299"] {
            assert!(Error::from(said(code)).is_refusal(), "{code}");
        }
        for code in ["1", "5", "8", "10", "11", "13", "517", "40001"] {
            assert!(!Error::from(said(code)).is_refusal(), "{code}");
            assert!(!Error::of_commit(said(code)).is_refusal(), "{code}");
        }
        assert!(Error::inconsistent("a row").is_refusal());
        assert!(Error::Conflict(said("2067")).is_refusal());
        assert!(!Error::from(DbErr::Custom("no engine spoke".to_owned())).is_refusal());
    }
}
