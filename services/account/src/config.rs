//! How the service is configured.

use std::time::Duration;

use clap::Args;
use resp::{RedisConfig, settings::RedisSettings};
use runtime::config::{Faults, ServerConfig, ServerSettings};

/// Settings as text. The comments are what `--help` says.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// What every server is told.
    #[command(flatten)]
    pub server: ServerSettings,
    /// Database that holds users, groups and the ledger: sqlite:, postgres: or mysql:
    #[arg(long, value_name = "URL", default_value = "sqlite://data/account.db")]
    pub database_url: String,
    /// How connections to a database server are kept.
    #[command(flatten)]
    pub pool: sql::settings::PoolSettings,
    /// The Redis where caches hear that somebody left a group: the one that the other services are told.
    #[command(flatten)]
    pub redis: RedisSettings,
    /// How often posted transfers are sealed into the hash chain; 0s for never, where another instance does
    #[arg(long, value_name = "SPAN", default_value = "1s")]
    pub seal_interval: String,
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
    /// Where caches hear that somebody left a group.
    pub redis: Option<RedisConfig>,
    /// How often posted transfers are sealed; `None` for never.
    pub seal_interval: Option<Duration>,
}

impl Settings {
    /// The settings, understood; notes every fault.
    pub fn check(&self, faults: &mut Faults) -> Option<Config> {
        let server = self.server.check(faults);
        let database_url = sql::settings::url(faults, "database_url", &self.database_url);
        let pool = self.pool.check(faults);
        let redis = self.redis.check(faults);
        let seal_interval = faults.duration("seal_interval", &self.seal_interval);
        Some(Config {
            server: server?,
            database_url: database_url?,
            pool: pool?,
            redis: redis?,
            seal_interval: Some(seal_interval?).filter(|interval| !interval.is_zero()),
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
        assert_eq!(config.seal_interval, Some(Duration::from_secs(1)));
    }

    #[test]
    fn all_faults_are_told_at_once_and_no_url_is_shown() {
        let mut settings: Settings = runtime::config::defaults();
        settings.server.listen = "nowhere".to_owned();
        settings.server.drain_timeout = "soon".to_owned();
        settings.seal_interval = "never".to_owned();
        settings.database_url = "oracle://user:secret@host".to_owned();
        let mut faults = Faults::default();
        let config = settings.check(&mut faults);
        let text = faults.finish(config).map(drop).unwrap_err().to_string();
        for part in ["listen", "drain-timeout", "database-url", "oracle", "seal-interval"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn a_configuration_does_not_show_a_password() {
        let mut settings: Settings = runtime::config::defaults();
        settings.database_url = "postgres://user:secret@host/account".to_owned();
        let config = format!("{:?}", settings.check(&mut Faults::default()).unwrap());
        assert!(
            config.contains("host/account") && !config.contains("secret"),
            "{config}"
        );
    }
}
