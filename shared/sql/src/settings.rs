//! How a service is told about its store.

use std::{num::NonZeroU32, time::Duration};

use clap::Args;
use runtime::config::Faults;

use crate::Url;

/// How the connections to a database server are kept, as text. On SQLite they mean nothing: one connection writes.
#[derive(Clone, Debug, Args)]
pub struct PoolSettings {
    /// Most connections to each database server
    #[arg(long, value_name = "COUNT", default_value = "10")]
    pub database_pool: String,
    /// Longest time that a statement may take on a database server
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    pub statement_timeout: String,
}

/// [`PoolSettings`], understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Most connections.
    pub connections: NonZeroU32,
    /// Longest time that a statement may take, waiting for a lock included.
    pub statement_timeout: Duration,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            connections: NonZeroU32::MIN.saturating_add(9),
            statement_timeout: Duration::from_secs(5),
        }
    }
}

impl PoolSettings {
    /// The settings, understood; notes every fault.
    pub fn check(&self, faults: &mut Faults) -> Option<Pool> {
        let connections = faults.parse("database_pool", &self.database_pool);
        let statement_timeout = faults.duration("statement_timeout", &self.statement_timeout);
        let statement_timeout = statement_timeout.filter(|span| {
            let fits = !span.is_zero();
            if !fits {
                faults.add("statement_timeout", "must be above zero");
            }
            fits
        });
        Some(Pool {
            connections: connections?,
            statement_timeout: statement_timeout?,
        })
    }
}

/// Reads the URL of one database.
pub fn url(faults: &mut Faults, setting: &str, text: &str) -> Option<Url> {
    text.parse().map_err(|fault| faults.add(setting, fault)).ok()
}

/// Reads the URLs of one or more databases with commas between them; at most one for each of `partitions`.
pub fn urls(faults: &mut Faults, setting: &str, text: &str) -> Option<Vec<Url>> {
    let urls: Vec<Option<Url>> = text.split(',').map(|text| url(faults, setting, text.trim())).collect();
    urls.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_every_fault_is_noted() {
        let mut faults = Faults::default();
        let read = urls(&mut faults, "database_url", "postgres://h/a, postgres://h/b").unwrap();
        assert_eq!(
            read.iter().map(Url::to_string).collect::<Vec<_>>(),
            ["postgres://h/a", "postgres://h/b"]
        );
        assert!(urls(&mut faults, "database_url", "x://h/a,,postgres://h/c").is_none());
        let text = faults.finish(None::<()>).unwrap_err().to_string();
        assert!(text.contains("2 fault"), "{text}");
    }

    #[test]
    fn a_pool_has_connections_and_time() {
        let check = |pool: &str, timeout: &str| {
            let settings = PoolSettings {
                database_pool: pool.to_owned(),
                statement_timeout: timeout.to_owned(),
            };
            settings.check(&mut Faults::default())
        };
        assert_eq!(check("10", "5s"), Some(Pool::default()));
        assert_eq!(check("0", "5s"), None);
        assert_eq!(check("10", "0s"), None);
    }
}
