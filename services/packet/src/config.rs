//! What the service can be told, and what it understands by it.

use std::{num::NonZeroU16, ops::RangeInclusive, time::Duration};

use id::Partition;
use runtime::{
    Faults,
    client::Endpoints,
    config::{ServerConfig, ServerSettings},
};

use crate::domain::{
    DailyLimits, Limits,
    limits::{MAX_LIFETIME, MIN_LIFETIME},
};

/// The settings as text.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// What every server is told.
    #[command(flatten)]
    pub server: ServerSettings,
    /// Databases, one or more with commas between them, in the order of their partitions: sqlite:, postgres: or mysql:
    #[arg(long, value_name = "URLS", default_value = "sqlite://data/packet.db")]
    pub database_url: String,
    /// How connections to a database server are kept.
    #[command(flatten)]
    pub pool: sql::settings::PoolSettings,
    /// Number of partitions of packet space; the same everywhere, and never changed
    #[arg(long, value_name = "COUNT", default_value = "64")]
    pub partitions: String,
    /// Address of the account service, or of each of its instances with commas between them
    #[arg(long, value_name = "URLS", default_value = "http://127.0.0.1:50051")]
    pub account_url: String,
    /// Address of the grab service, or of each of its instances with commas between them
    #[arg(long, value_name = "URLS", default_value = "http://127.0.0.1:50053")]
    pub grab_url: String,
    /// Address of the transfer service, or of each of its instances with commas between them
    #[arg(long, value_name = "URLS", default_value = "http://127.0.0.1:50054")]
    pub transfer_url: String,
    /// The most one share may hold, in fen
    #[arg(long, value_name = "FEN", default_value = "20000")]
    pub max_share_fen: String,
    /// The most shares a packet may have
    #[arg(long, value_name = "COUNT", default_value = "100")]
    pub max_share_count: String,
    /// The most packets one sender may send in a day
    #[arg(long, value_name = "COUNT", default_value = "500")]
    pub daily_count_limit: String,
    /// The most one sender may send in a day, in fen
    #[arg(long, value_name = "FEN", default_value = "10000000")]
    pub daily_total_limit_fen: String,
    /// Whose midnight ends a day, as an offset from UTC
    #[arg(long, value_name = "OFFSET", default_value = "+08:00", allow_hyphen_values = true)]
    pub utc_offset: String,
    /// How long a packet can be grabbed if its sender does not say
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    pub default_lifetime: String,
    /// Longest time until an expired packet is noticed
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    pub sweep_interval: String,
    /// How old an unfinished send must be to be finished in the background
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    pub recover_after: String,
    /// How long an instance keeps a packet it works on from the others
    #[arg(long, value_name = "SPAN", default_value = "30s")]
    pub lease: String,
}

/// The settings, understood.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every server is told.
    pub server: ServerConfig,
    /// Where the store is, in the order of the partitions.
    pub database_urls: Vec<sql::Url>,
    /// How connections to it are kept.
    pub pool: sql::Pool,
    /// Number of partitions of packet space.
    pub partitions: NonZeroU16,
    /// The account service.
    pub account: Endpoints,
    /// The grab service.
    pub grab: Endpoints,
    /// The transfer service.
    pub transfer: Endpoints,
    /// What may be sent.
    pub limits: Limits,
    /// Longest time until an expired packet is noticed.
    pub sweep_interval: Duration,
    /// How old an unfinished send must be to be finished in the background.
    pub recover_after: Duration,
    /// How long an instance keeps a packet it works on from the others.
    pub lease: Duration,
}

/// The pace of a background loop: more often costs more than it brings, more rarely nobody would wait for.
const PACE: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(1);

impl Settings {
    /// The settings, understood; notes every fault.
    pub fn check(&self, faults: &mut Faults) -> Option<Config> {
        let server = self.server.check(faults);
        let database_urls = sql::settings::urls(faults, "database_url", &self.database_url);
        let pool = self.pool.check(faults);
        let partitions: Option<NonZeroU16> = faults.parse("partitions", &self.partitions);
        if partitions.is_some_and(|count| count > Partition::MAX_COUNT) {
            faults.add("partitions", format!("must be 1 to {}", Partition::MAX_COUNT));
        }
        if let (Some(urls), Some(partitions)) = (&database_urls, partitions)
            && urls.len() > usize::from(partitions.get())
        {
            faults.add(
                "database_url",
                format!("at most one database for each of {partitions} partitions"),
            );
        }
        let account = faults.endpoints("account_url", &self.account_url);
        let grab = faults.endpoints("grab_url", &self.grab_url);
        let transfer = faults.endpoints("transfer_url", &self.transfer_url);
        let max_share_fen = number(faults, "max_share_fen", &self.max_share_fen, 1..=split::MAX_TOTAL_FEN);
        let max_share_count = number(
            faults,
            "max_share_count",
            &self.max_share_count,
            1..=split::MAX_SHARE_COUNT,
        );
        let daily_count = number(faults, "daily_count_limit", &self.daily_count_limit, 1..=u32::MAX);
        let daily_total = number(
            faults,
            "daily_total_limit_fen",
            &self.daily_total_limit_fen,
            1..=i64::MAX,
        );
        let utc_offset = faults.parse("utc_offset", &self.utc_offset);
        let lifetime = span(
            faults,
            "default_lifetime",
            &self.default_lifetime,
            MIN_LIFETIME..=MAX_LIFETIME,
        );
        let sweep_interval = span(faults, "sweep_interval", &self.sweep_interval, PACE);
        let recover_after = span(faults, "recover_after", &self.recover_after, PACE);
        let lease = span(faults, "lease", &self.lease, PACE);
        if let (Some(fen), Some(count)) = (max_share_fen, max_share_count)
            && fen.saturating_mul(i64::from(count)) > split::MAX_TOTAL_FEN
        {
            faults.add(
                "max_share_fen",
                format!("times max-share-count must be at most {}", split::MAX_TOTAL_FEN),
            );
        }
        Some(Config {
            server: server?,
            database_urls: database_urls?,
            pool: pool?,
            partitions: partitions?,
            account: account?,
            grab: grab?,
            transfer: transfer?,
            limits: Limits {
                max_share_fen: max_share_fen?,
                max_share_count: max_share_count?,
                default_lifetime: lifetime?,
                daily: DailyLimits {
                    count: daily_count?,
                    total_fen: daily_total?,
                },
                utc_offset: utc_offset?,
            },
            sweep_interval: sweep_interval?,
            recover_after: recover_after?,
            lease: lease?,
        })
    }
}

fn number<T>(faults: &mut Faults, setting: &str, text: &str, range: RangeInclusive<T>) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display> + PartialOrd + std::fmt::Display,
{
    let value = faults.parse::<T>(setting, text)?;
    if range.contains(&value) {
        return Some(value);
    }
    faults.add(
        setting,
        format!("`{text}`: must be {} to {}", range.start(), range.end()),
    );
    None
}

fn span(faults: &mut Faults, setting: &str, text: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
    let value = faults.duration(setting, text)?;
    if range.contains(&value) {
        return Some(value);
    }
    faults.add(
        setting,
        format!("`{text}`: must be {:?} to {:?}", range.start(), range.end()),
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::config::defaults;

    #[test]
    fn the_defaults_are_a_configuration() {
        let mut faults = Faults::default();
        let config = defaults::<Settings>().check(&mut faults);
        let config = faults.finish(config).unwrap();
        assert_eq!(config.partitions.get(), 64);
        assert_eq!(config.limits.max_share_fen, 20_000);
        assert_eq!(config.limits.default_lifetime, Duration::from_hours(24));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let settings = Settings {
            partitions: "0".to_owned(),
            account_url: "ftp://x".to_owned(),
            grab_url: String::new(),
            transfer_url: "x".to_owned(),
            max_share_fen: "0".to_owned(),
            max_share_count: "1000001".to_owned(),
            daily_count_limit: "many".to_owned(),
            daily_total_limit_fen: "-1".to_owned(),
            utc_offset: "8".to_owned(),
            default_lifetime: "8d".to_owned(),
            sweep_interval: "1ms".to_owned(),
            recover_after: "2h".to_owned(),
            lease: "soon".to_owned(),
            ..defaults()
        };
        let mut faults = Faults::default();
        assert!(settings.check(&mut faults).is_none());
        let told = faults.to_string();
        assert!(told.starts_with("the configuration has 13 fault(s)"), "{told}");

        for (partitions, urls, fault) in [
            ("4097", "sqlite://a,sqlite://b", "partitions: must be 1 to"),
            (
                "1",
                "sqlite://a,sqlite://b",
                "database-url: at most one database for each of 1 partitions",
            ),
        ] {
            let settings = Settings {
                partitions: partitions.to_owned(),
                database_url: urls.to_owned(),
                ..defaults()
            };
            let mut faults = Faults::default();
            let config = settings.check(&mut faults);
            let told = faults.finish(config).unwrap_err().to_string();
            assert!(told.contains(fault), "{told}");
        }

        let settings = Settings {
            max_share_fen: "1000000001".to_owned(),
            max_share_count: "1000".to_owned(),
            ..defaults()
        };
        let mut faults = Faults::default();
        let config = settings.check(&mut faults);
        assert!(
            faults
                .finish(config)
                .unwrap_err()
                .to_string()
                .contains("max-share-fen: times")
        );
    }
}
