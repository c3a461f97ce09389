//! What the service is told, as text and understood.

use std::{
    fs,
    num::{NonZeroU16, NonZeroUsize},
    time::Duration,
};

use clap::Args;
use id::Partition;
use resp::{RedisConfig, settings::RedisSettings};
use runtime::{
    client::Endpoints,
    config::{Faults, ServerConfig, ServerSettings},
};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    domain::{voucher::KeyRing, year::UtcOffset},
    gate::Timing,
    writer::Width,
};

/// The longest that a voucher may be good: shares that somebody holds and never opens are kept from everyone else.
const MAX_VOUCHER_TTL: Duration = Duration::from_hours(1);
/// The most lanes of a database: one writer each, and no engine commits faster with more.
const MAX_LANES: usize = 64;
/// Lanes of a database on a server unless told otherwise: commits of several sessions share one flush of its log.
const SERVER_LANES: NonZeroUsize = NonZeroUsize::new(4).unwrap();
/// How many times the longest statement a batch may take before its lane gives up on the connection.
const STATEMENTS_PER_BATCH: u32 = 2;
/// The largest queue of a lane: some 300 bytes an ask.
const MAX_QUEUE: usize = 1_000_000;
/// The most watchers: some 10 KB each with their connections.
const MAX_WATCHERS: usize = 1_000_000;
/// The largest batch. Marking the luckiest shares of the packets it completes takes an expression as deep as there are
/// such packets, and SQLite's limit on depth is 1,000; its rows stay well below what engines bind in one statement.
const MAX_BATCH: usize = 900;

/// The settings.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// What every server is told
    #[command(flatten)]
    pub server: ServerSettings,
    /// Databases, one or more with commas between them, in the order of their partitions: sqlite:, postgres: or mysql:
    #[arg(long, value_name = "URLS", default_value = "sqlite://data/grab.db")]
    pub database_url: String,
    /// How connections to a database server are kept.
    #[command(flatten)]
    pub pool: sql::settings::PoolSettings,
    /// The Redis of the gate and of caches.
    #[command(flatten)]
    pub redis: RedisSettings,
    /// Address of the account service, or of each of its instances with commas between them
    #[arg(long, value_name = "URLS", default_value = "http://127.0.0.1:50051")]
    pub account_url: String,
    /// Keys that sign vouchers, as id:hex of 32 bytes, comma-separated; the first signs, all verify. Required, here or in
    /// a file. Secret
    #[arg(
        long,
        value_name = "KEYS",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub voucher_keys: String,
    /// File that holds the voucher keys, in the same form
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    pub voucher_keys_file: String,
    /// How long a voucher can be opened before its share goes back to the pool
    #[arg(long, value_name = "SPAN", default_value = "30s")]
    pub voucher_ttl: String,
    /// How much later than the voucher lapses its share goes back, so that clocks may differ
    #[arg(long, value_name = "SPAN", default_value = "2s")]
    pub lapse_grace: String,
    /// Into how many partitions packets are spread, 1 to 65535. Fixed at the first start
    #[arg(long, value_name = "N", default_value_t = Partition::DEFAULT_COUNT.to_string())]
    pub partitions: String,
    /// How many lanes write claims to each database at once, up to 64; 0 is 1 on SQLite, which has one writer, and 4 on a
    /// server
    #[arg(long, value_name = "N", default_value = "0")]
    pub writer_lanes: String,
    /// How many opens may wait in a lane before more are refused, 1 to 1000000
    #[arg(long, value_name = "N", default_value = "10000")]
    pub writer_queue: String,
    /// How many opens one transaction takes at most, 1 to 900
    #[arg(long, value_name = "N", default_value = "500")]
    pub writer_batch: String,
    /// How many may watch a packet at once before more are refused, 1 to 1000000
    #[arg(long, value_name = "N", default_value = "10000")]
    pub max_watchers: String,
    /// How often to look for claims that other processes wrote
    #[arg(long, value_name = "SPAN", default_value = "1s")]
    pub tail_poll: String,
    /// Offset from UTC at which a calendar year begins
    #[arg(long, value_name = "OFFSET", default_value = "+08:00", allow_hyphen_values = true)]
    pub utc_offset: String,
}

/// [`Settings`], understood.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every server is told.
    pub server: ServerConfig,
    /// Where the store is, in the order of the partitions.
    pub database_urls: Vec<sql::Url>,
    /// How connections to it are kept.
    pub pool: sql::Pool,
    /// The Redis of the gate and of caches; without it the gate is in memory.
    pub redis: Option<RedisConfig>,
    /// The account service.
    pub account: Endpoints,
    /// The keys that sign vouchers.
    pub keys: KeyRing,
    /// How long reservations live.
    pub timing: Timing,
    /// Into how many partitions packets are spread.
    pub partitions: NonZeroU16,
    /// How wide and how deep the writer is.
    pub width: Width,
    /// How many may watch a packet at once.
    pub max_watchers: NonZeroUsize,
    /// How often to look for claims that other processes wrote.
    pub tail_poll: Duration,
    /// When a year begins.
    pub utc_offset: UtcOffset,
}

impl Settings {
    /// The settings, understood; every fault is noted.
    pub fn check(&self, faults: &mut Faults) -> Option<Config> {
        let server = self.server.check(faults);
        let database_urls = sql::settings::urls(faults, "database_url", &self.database_url);
        let pool = self.pool.check(faults);
        let redis = self.redis.check(faults);
        let account = faults.endpoints("account_url", &self.account_url);
        let keys = self.keys(faults);
        let voucher_ttl = span(
            faults,
            "voucher_ttl",
            &self.voucher_ttl,
            Duration::from_secs(1)..=MAX_VOUCHER_TTL,
        );
        let lapse_grace = span(
            faults,
            "lapse_grace",
            &self.lapse_grace,
            Duration::ZERO..=MAX_VOUCHER_TTL,
        );
        let partitions = faults.parse("partitions", &self.partitions);
        if partitions.is_some_and(|count| count > Partition::MAX_COUNT) {
            faults.add("partitions", format!("must be 1 to {}", Partition::MAX_COUNT));
        }
        let too_many = |urls: &Vec<_>| partitions.is_some_and(|count: NonZeroU16| urls.len() > count.get().into());
        if database_urls.as_ref().is_some_and(too_many) {
            faults.add("database_url", "names more databases than there are partitions");
        }
        let lanes = match self.writer_lanes.as_str() {
            "0" => database_urls.as_deref().map(lanes_for),
            lanes => count(faults, "writer_lanes", lanes, MAX_LANES),
        };
        let queue = count(faults, "writer_queue", &self.writer_queue, MAX_QUEUE);
        let batch = count(faults, "writer_batch", &self.writer_batch, MAX_BATCH);
        let max_watchers = count(faults, "max_watchers", &self.max_watchers, MAX_WATCHERS);
        let poll_range = Duration::from_millis(10)..=Duration::from_mins(1);
        let tail_poll = span(faults, "tail_poll", &self.tail_poll, poll_range);
        let utc_offset = faults.parse("utc_offset", &self.utc_offset);
        Some(Config {
            server: server?,
            database_urls: database_urls?,
            pool: pool?,
            redis: redis?,
            account: account?,
            keys: keys?,
            timing: Timing {
                voucher_ttl: voucher_ttl?,
                lapse_grace: lapse_grace?,
            },
            partitions: partitions?,
            width: Width {
                lanes: lanes?,
                queue: queue?,
                batch: batch?,
                attempt: pool?.statement_timeout * STATEMENTS_PER_BATCH,
            },
            max_watchers: max_watchers?,
            tail_poll: tail_poll?,
            utc_offset: utc_offset?,
        })
    }

    /// The key ring, from the setting or from its file. No fault repeats what it read: it is secret.
    fn keys(&self, faults: &mut Faults) -> Option<KeyRing> {
        let (setting, text) = match (self.voucher_keys.as_str(), self.voucher_keys_file.as_str()) {
            (keys, "") => ("voucher_keys", SecretString::from(keys)),
            ("", file) => match fs::read_to_string(file) {
                Ok(text) => ("voucher_keys_file", SecretString::from(text)),
                Err(fault) => {
                    faults.add("voucher_keys_file", format!("cannot read {file}: {fault}"));
                    return None;
                }
            },
            _ => {
                faults.add("voucher_keys_file", "must not be set together with voucher-keys");
                return None;
            }
        };
        let ring = text.expose_secret().parse();
        ring.map_err(|fault| faults.add(setting, fault)).ok()
    }
}

/// How many lanes each of these databases gets.
fn lanes_for(urls: &[sql::Url]) -> NonZeroUsize {
    if urls.iter().all(|url| url.engine().is_server()) {
        SERVER_LANES
    } else {
        NonZeroUsize::MIN
    }
}

fn span(faults: &mut Faults, setting: &str, text: &str, range: std::ops::RangeInclusive<Duration>) -> Option<Duration> {
    let span = faults.duration(setting, text)?;
    if !range.contains(&span) {
        faults.add(
            setting,
            format!("`{text}`: must be {:?} to {:?}", range.start(), range.end()),
        );
        return None;
    }
    Some(span)
}

fn count(faults: &mut Faults, setting: &str, text: &str, max: usize) -> Option<NonZeroUsize> {
    let count = faults.parse::<NonZeroUsize>(setting, text)?;
    if count.get() > max {
        faults.add(setting, format!("`{text}`: must be at most {max}"));
        return None;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::config::defaults;

    fn check(settings: &Settings) -> Result<Config, String> {
        let mut faults = Faults::default();
        let config = settings.check(&mut faults);
        faults.finish(config).map_err(|faults| faults.to_string())
    }

    #[test]
    fn nothing_but_the_keys_must_be_given() {
        let mut settings: Settings = defaults();
        let faults = check(&settings).unwrap_err();
        assert!(
            faults.contains("1 fault") && faults.contains("voucher-keys: must hold at least one key"),
            "{faults}"
        );
        settings.voucher_keys = format!("k1:{}", "c0de".repeat(16));
        let config = check(&settings).unwrap();
        assert_eq!(config.partitions, Partition::DEFAULT_COUNT);
        assert!(!format!("{config:?}").contains("c0de"), "a secret is shown");
    }

    #[test]
    fn lanes_follow_the_engine_and_databases_the_partitions() {
        let lanes = |urls: &str, lanes: &str, partitions: &str| {
            let settings = Settings {
                voucher_keys: format!("k1:{}", "c0de".repeat(16)),
                database_url: urls.to_owned(),
                writer_lanes: lanes.to_owned(),
                partitions: partitions.to_owned(),
                ..defaults()
            };
            check(&settings).map(|config| config.width.lanes.get())
        };
        assert_eq!(lanes("sqlite://a.db", "0", "2"), Ok(1));
        assert_eq!(lanes("sqlite://a.db", "3", "2"), Ok(3));
        assert_eq!(lanes("postgres://h/a,mysql://h/b", "0", "2"), Ok(4));
        assert_eq!(lanes("postgres://h/a,postgres://h/b", "7", "2"), Ok(7));
        let fault = lanes("postgres://h/a,postgres://h/b", "0", "1").unwrap_err();
        assert!(fault.contains("more databases than there are partitions"), "{fault}");
    }

    #[test]
    fn keys_come_from_a_file_or_from_the_setting_but_not_both() {
        let dir = testkit::Dir::new();
        let file = dir.path().join("keys");
        let mut settings: Settings = defaults();
        settings.voucher_keys_file = file.display().to_string();
        assert!(check(&settings).unwrap_err().contains("cannot read"));
        fs::write(&file, format!("k1:{}\n", "ab".repeat(32))).unwrap();
        check(&settings).unwrap();
        settings.voucher_keys = format!("k1:{}", "ab".repeat(32));
        assert!(check(&settings).unwrap_err().contains("together"));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let settings = Settings {
            account_url: "account".to_owned(),
            voucher_keys: "k1:secret".to_owned(),
            voucher_ttl: "2h".to_owned(),
            lapse_grace: "soon".to_owned(),
            partitions: "0".to_owned(),
            writer_lanes: "65".to_owned(),
            writer_queue: "-1".to_owned(),
            writer_batch: "5000".to_owned(),
            tail_poll: "1ms".to_owned(),
            utc_offset: "8".to_owned(),
            ..defaults()
        };
        let faults = check(&settings).unwrap_err();
        assert!(faults.contains("has 10 fault(s)"), "{faults}");
        assert!(!faults.contains("secret"), "{faults}");
    }
}
