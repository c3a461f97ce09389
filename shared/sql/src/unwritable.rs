//! Stores that answer and take nothing: what they say, and how long that is remembered.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sea_orm::{DbErr, RuntimeErr, sqlx};
use tokio::time::Instant;

use crate::{Error, Result};

/// How long health speaks of a refused write after the last one. Nobody can ask a disk whether it has room again but by
/// writing to it: after this time work is let in again, and the next write tells.
const REMEMBERED: Duration = Duration::from_secs(10);

/// Why an engine that answers takes no writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritable {
    /// There is no room where it stores things.
    Full,
    /// It was told to take no writes, or is a standby.
    ReadOnly,
}

impl Unwritable {
    /// The name by which programs know it (`ErrorInfo.reason`).
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Full => "STORE_FULL",
            Self::ReadOnly => "STORE_READ_ONLY",
        }
    }

    /// Whether `fault` is the engine's word for it.
    pub(crate) fn said_by(fault: &DbErr) -> Option<Self> {
        let fault = database_error(fault)?;
        if let Some(fault) = fault.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            return match fault.number() {
                // EE_DISK_FULL, ER_DISK_FULL, ER_RECORD_FILE_FULL ("the table is full")
                20 | 1021 | 1114 => Some(Self::Full),
                // EE_WRITE, ER_ERROR_ON_WRITE, ER_GET_ERRNO; 28 is ENOSPC
                3 | 1026 | 1030 if fault.message().contains("28") => Some(Self::Full),
                // ER_OPTION_PREVENTS_STATEMENT names the option
                1290 if fault.message().contains("read-only") || fault.message().contains("read_only") => {
                    Some(Self::ReadOnly)
                }
                // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE
                1792 | 1836 => Some(Self::ReadOnly),
                _ => None,
            };
        }
        let code = fault.code()?;
        if fault.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
            return match &*code {
                "53100" => Some(Self::Full),     // disk_full
                "25006" => Some(Self::ReadOnly), // read_only_sql_transaction
                _ => None,
            };
        }
        match code.parse::<u32>().ok()? & 0xff {
            13 => Some(Self::Full),    // SQLITE_FULL
            8 => Some(Self::ReadOnly), // SQLITE_READONLY, with whatever detail
            _ => None,
        }
    }
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no room is left where it stores things",
            Self::ReadOnly => "it takes no writes just now",
        })
    }
}

/// What the engine said, if it is the engine that spoke.
pub(crate) fn database_error(fault: &DbErr) -> Option<&dyn sqlx::error::DatabaseError> {
    let (DbErr::Exec(RuntimeErr::SqlxError(fault))
    | DbErr::Query(RuntimeErr::SqlxError(fault))
    | DbErr::Conn(RuntimeErr::SqlxError(fault))) = fault
    else {
        return None;
    };
    fault.as_database_error()
}

/// The last write that a store refused as a whole, for health.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastRefusal(Arc<Mutex<Option<(Unwritable, Instant)>>>);

impl LastRefusal {
    /// Learns from the end of a write transaction. One that succeeds says nothing of room: it may have written nothing.
    pub(crate) fn note<T>(&self, result: &Result<T>) {
        if let Some(why) = result.as_ref().err().and_then(Error::unwritable) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((why, Instant::now()));
        }
    }

    /// Whether writes are refused, as far as is known.
    pub(crate) fn check(&self) -> Result<()> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match last.filter(|(_, when)| when.elapsed() < REMEMBERED) {
            Some((why, _)) => Err(Error::Unwritable(
                why,
                DbErr::Custom("a write was refused a moment ago".to_owned()),
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refused_write_is_remembered_for_a_while() {
        let refused = || -> Result<()> { Err(Error::Unwritable(Unwritable::Full, DbErr::Custom(String::new()))) };
        let last = LastRefusal::default();
        last.check().unwrap();
        last.note(&refused());
        let said = last.check().unwrap_err();
        assert_eq!(said.unwritable(), Some(Unwritable::Full));
        last.note::<()>(&Err(Error::inconsistent("another matter")));
        last.note(&Ok(()));
        assert!(last.check().is_err());
        tokio::time::advance(REMEMBERED).await;
        last.check().unwrap();
    }
}
