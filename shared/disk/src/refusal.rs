//! What a table refuses, in the errors that an engine's own refusals come out as.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{
        Error as SqlxError,
        error::{DatabaseError, ErrorKind},
    },
};
use sql::{Error, Result};

/// Refuses a row whose unique key `name` is taken.
pub fn key(free: bool, name: &str) -> Result<()> {
    free.then_some(())
        .ok_or_else(|| Error::Conflict(Refusal::UniqueKey.of(name)))
}

/// Refuses a row that breaks the check `name`.
pub fn check(holds: bool, name: &str) -> Result<()> {
    holds
        .then_some(())
        .ok_or_else(|| Error::Driver(Refusal::Check.of(name)))
}

/// Refuses a row that refers to one that does not exist.
pub fn reference(found: bool, name: &str) -> Result<()> {
    found
        .then_some(())
        .ok_or_else(|| Error::Driver(Refusal::Reference.of(name)))
}

/// Why a row is refused.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    UniqueKey,
    Check,
    Reference,
}

impl Refusal {
    fn of(self, name: &str) -> DbErr {
        let refused = Refused {
            why: self,
            words: format!("{self:?} {name}"),
        };
        DbErr::Exec(RuntimeErr::SqlxError(Arc::new(SqlxError::Database(Box::new(refused)))))
    }
}

/// A refusal as the driver tells it.
#[derive(Debug)]
struct Refused {
    why: Refusal,
    words: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl StdError for Refused {}

impl DatabaseError for Refused {
    fn message(&self) -> &str {
        &self.words
    }

    /// As SQLite has it: `SQLITE_CONSTRAINT_UNIQUE`, `_CHECK`, `_FOREIGNKEY`.
    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self.why {
            Refusal::UniqueKey => "2067",
            Refusal::Check => "275",
            Refusal::Reference => "787",
        }))
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
        match self.why {
            Refusal::UniqueKey => ErrorKind::UniqueViolation,
            Refusal::Check => ErrorKind::CheckViolation,
            Refusal::Reference => ErrorKind::ForeignKeyViolation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_would_be_refused_again() {
        for refused in [key(false, "k"), check(false, "c"), reference(false, "r")] {
            let fault = refused.unwrap_err();
            assert!(fault.is_refusal(), "{fault}");
        }
        assert!(key(true, "k").is_ok() && check(true, "c").is_ok() && reference(true, "r").is_ok());
    }
}
