//! Settings of the gateway.

use std::num::NonZeroU16;

use resp::{RedisConfig, settings::RedisSettings};
use runtime::{
    Faults,
    client::Endpoints,
    config::{ServerConfig, ServerSettings},
};

/// Settings as text.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// What every server is told.
    #[command(flatten)]
    pub server: ServerSettings,
    /// Address of the account service, or of each of its instances with commas between them
    #[arg(long, value_name = "URLS", default_value = "http://127.0.0.1:50051")]
    pub account_url: String,
    /// Address of the packet service, or of each of its instances with commas between them
    #[arg(long, value_name = "URLS", default_value = "http://127.0.0.1:50052")]
    pub packet_url: String,
    /// Address of the grab service, or of each of its instances with commas between them
    #[arg(long, value_name = "URLS", default_value = "http://127.0.0.1:50053")]
    pub grab_url: String,
    /// Address of the transfer service, or of each of its instances with commas between them
    #[arg(long, value_name = "URLS", default_value = "http://127.0.0.1:50054")]
    pub transfer_url: String,
    /// The Redis of caches.
    #[command(flatten)]
    pub redis: RedisSettings,
    /// How many may watch a packet at once before more are refused
    #[arg(long, value_name = "N", default_value = "10000")]
    pub max_watchers: String,
    /// Whether to believe every caller's word for who it is: true or false. Never true where strangers can connect
    #[arg(long, value_name = "BOOL", default_value = "false")]
    pub development: String,
}

/// [`Settings`], understood.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every server is told.
    pub server: ServerConfig,
    /// Where the account service is.
    pub account: Endpoints,
    /// Where the packet service is.
    pub packet: Endpoints,
    /// Where the grab service is.
    pub grab: Endpoints,
    /// Where the transfer service is.
    pub transfer: Endpoints,
    /// Where caches share what they know with other processes.
    pub redis: Option<RedisConfig>,
    /// How many may watch a packet at once.
    pub max_watchers: NonZeroU16,
    /// Whether the metadata keys of [`crate::identity::Plain`] are believed.
    pub development: bool,
}

impl Settings {
    /// The settings, understood; every fault is noted.
    pub fn check(&self, faults: &mut Faults) -> Option<Config> {
        let server = self.server.check(faults);
        let account = faults.endpoints("account_url", &self.account_url);
        let packet = faults.endpoints("packet_url", &self.packet_url);
        let grab = faults.endpoints("grab_url", &self.grab_url);
        let transfer = faults.endpoints("transfer_url", &self.transfer_url);
        let redis = self.redis.check(faults);
        let max_watchers = faults.parse("max_watchers", &self.max_watchers);
        let development = faults.parse("development", &self.development);
        Some(Config {
            server: server?,
            account: account?,
            packet: packet?,
            grab: grab?,
            transfer: transfer?,
            redis: redis?,
            max_watchers: max_watchers?,
            development: development?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_trust_nobody() {
        let mut faults = Faults::default();
        let config = runtime::config::defaults::<Settings>().check(&mut faults);
        let config = faults.finish(config).unwrap();
        assert!(!config.development);
        assert_eq!(config.transfer.to_string(), "http://127.0.0.1:50054/");
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let mut settings: Settings = runtime::config::defaults();
        settings.server.listen = "here".to_owned();
        settings.account_url = "a".to_owned();
        settings.packet_url = "https://b".to_owned();
        settings.grab_url = String::new();
        settings.transfer_url = "http://".to_owned();
        settings.development = "yes".to_owned();
        let mut faults = Faults::default();
        assert!(settings.check(&mut faults).is_none());
        let text = faults.to_string();
        for setting in [
            "listen",
            "account-url",
            "packet-url",
            "grab-url",
            "transfer-url",
            "development",
        ] {
            assert!(text.contains(&format!("\n  {setting}: ")), "{setting} in {text}");
        }
    }
}
