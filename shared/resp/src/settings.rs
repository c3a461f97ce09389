//! The settings of a service that uses Redis.

use std::time::Duration;

use clap::Args;
use runtime::Faults;

use crate::Url;

/// The least time that a call to Redis is given: less could not tell a busy machine from a dead one.
const MIN_TIMEOUT: Duration = Duration::from_millis(10);
/// The most: whoever waits longer for a cache or a gate would do better without.
const MAX_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings as text. The comments are what `--help` says.
#[derive(Clone, Debug, Args)]
pub struct RedisSettings {
    /// Redis to use: `redis://host:6379`, `rediss://` for TLS, `redis+cluster://host:port,host:port`; empty for none
    #[arg(long, value_name = "URL", default_value = "", hide_env_values = true)]
    pub redis_url: String,
    /// How long Redis may take to answer, connecting included, before it counts as gone
    #[arg(long, value_name = "SPAN", default_value = "250ms")]
    pub redis_timeout: String,
}

/// [`RedisSettings`], understood.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Where it is.
    pub url: Url,
    /// How long a call may take, connecting included.
    pub timeout: Duration,
}

impl RedisSettings {
    /// The settings, understood; notes every fault. `Some(None)` if no Redis is wanted.
    pub fn check(&self, faults: &mut Faults) -> Option<Option<RedisConfig>> {
        let timeout = faults.duration("redis_timeout", &self.redis_timeout).filter(|timeout| {
            let sound = (MIN_TIMEOUT..=MAX_TIMEOUT).contains(timeout);
            if !sound {
                faults.add("redis_timeout", "must be from 10ms to 5s");
            }
            sound
        });
        let url = match self.redis_url.as_str() {
            "" => Some(None),
            // The text is not repeated: it may hold a password.
            text => text
                .parse()
                .map(Some)
                .map_err(|fault: crate::BadUrl| faults.add("redis_url", fault))
                .ok(),
        };
        let (url, timeout) = (url?, timeout?);
        Some(url.map(|url| RedisConfig { url, timeout }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, timeout: &str) -> Result<Option<RedisConfig>, String> {
        let settings = RedisSettings {
            redis_url: url.to_owned(),
            redis_timeout: timeout.to_owned(),
        };
        let mut faults = Faults::default();
        let config = settings.check(&mut faults);
        faults.finish(config).map_err(|faults| faults.to_string())
    }

    #[test]
    fn none_is_the_default() {
        let settings: RedisSettings = runtime::config::defaults();
        assert!(settings.check(&mut Faults::default()).unwrap().is_none());
    }

    #[test]
    fn all_faults_are_told_and_no_password() {
        assert_eq!(
            check("redis://h", "1s").unwrap().unwrap().timeout,
            Duration::from_secs(1)
        );
        let text = check("redis://:hush@h:x", "1ms").unwrap_err();
        assert!(text.contains("redis-url") && text.contains("redis-timeout"), "{text}");
        assert!(!text.contains("hush"), "{text}");
    }
}
