//! The service's settings.

use std::{num::NonZeroU16, time::Duration};

use clap::Args;
use id::Partition;
use runtime::{
    client::Endpoints,
    config::{Faults, ServerConfig, ServerSettings},
};

/// A lease is renewed three times in its life: below this the renewals alone keep the disk busy.
const MIN_LEASE_TTL: Duration = Duration::from_millis(100);

/// Settings as text.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// What every server is told
    #[command(flatten)]
    pub server: ServerSettings,
    /// Database that holds orders, cursors and repair cases: sqlite:, postgres: or mysql:
    #[arg(long, value_name = "URL", default_value = "sqlite://data/transfer.db")]
    pub database_url: String,
    /// How connections to a database server are kept.
    #[command(flatten)]
    pub pool: sql::settings::PoolSettings,
    /// Address of the account service, or of each of its instances with commas between them
    #[arg(long, value_name = "URLS", default_value = "http://127.0.0.1:50051")]
    pub account_url: String,
    /// Address of the grab service, or of each of its instances with commas between them
    #[arg(long, value_name = "URLS", default_value = "http://127.0.0.1:50053")]
    pub grab_url: String,
    /// Number of partitions of packet space; the same everywhere, and never changed
    #[arg(long, value_name = "COUNT", default_value = "64")]
    pub partitions: String,
    /// How long a partition stays with an instance that no longer renews its lease
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    pub lease_ttl: String,
    /// How often the books are reconciled; 0s for only on demand
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    pub reconcile_interval: String,
}

/// [`Settings`], understood.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every server is told.
    pub server: ServerConfig,
    /// Where the store is.
    pub database_url: sql::Url,
    /// How connections to it are kept.
    pub pool: sql::Pool,
    /// The account service.
    pub account: Endpoints,
    /// The grab service.
    pub grab: Endpoints,
    /// Number of partitions of packet space.
    pub partitions: NonZeroU16,
    /// How long a partition stays with an instance that no longer renews its lease.
    pub lease_ttl: Duration,
    /// How often the books are reconciled; `None` for only on demand.
    pub reconcile_interval: Option<Duration>,
}

impl Settings {
    /// The settings, understood.
    pub fn check(&self, faults: &mut Faults) -> Option<Config> {
        let server = self.server.check(faults);
        let database_url = sql::settings::url(faults, "database_url", &self.database_url);
        let pool = self.pool.check(faults);
        let account = faults.endpoints("account_url", &self.account_url);
        let grab = faults.endpoints("grab_url", &self.grab_url);
        let partitions = faults.parse("partitions", &self.partitions);
        if partitions.is_some_and(|count| count > Partition::MAX_COUNT) {
            faults.add("partitions", format!("must be 1 to {}", Partition::MAX_COUNT));
        }
        let lease_ttl = faults.duration("lease_ttl", &self.lease_ttl);
        if lease_ttl.is_some_and(|ttl| ttl < MIN_LEASE_TTL) {
            faults.add("lease_ttl", format!("must be at least {MIN_LEASE_TTL:?}"));
        }
        let reconcile_interval = faults.duration("reconcile_interval", &self.reconcile_interval);
        Some(Config {
            server: server?,
            database_url: database_url?,
            pool: pool?,
            account: account?,
            grab: grab?,
            partitions: partitions?,
            lease_ttl: lease_ttl?,
            reconcile_interval: Some(reconcile_interval?).filter(|interval| !interval.is_zero()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        let settings: Settings = runtime::config::defaults();
        let mut faults = Faults::default();
        let config = settings.check(&mut faults);
        let config = faults.finish(config).unwrap();
        assert_eq!(config.partitions.get(), 64);
        assert_eq!(config.lease_ttl, Duration::from_secs(10));
        assert_eq!(config.reconcile_interval, Some(Duration::from_hours(1)));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let settings = Settings {
            account_url: "account".to_owned(),
            grab_url: String::new(),
            partitions: "5000".to_owned(),
            lease_ttl: "1ms".to_owned(),
            reconcile_interval: "often".to_owned(),
            ..runtime::config::defaults()
        };
        let mut faults = Faults::default();
        assert!(settings.check(&mut faults).is_none());
        let told = faults.to_string();
        for name in [
            "account-url",
            "grab-url",
            "partitions",
            "lease-ttl",
            "reconcile-interval",
        ] {
            assert!(told.contains(name), "{name} in {told}");
        }
    }
}
