//! Whether a Redis is one that can be used.

use crate::{Error, Redis, RedisConfig, Url, cmd};

/// The oldest version that can be used: the commands and options that scripts rely on are all there since.
const MIN_VERSION: (u32, u32) = (6, 2);

/// What a Redis said about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Its version, such as `7.0.15`; of a cluster, the oldest of the nodes that were asked.
    pub version: String,
    /// What is not well and what to do about it; nothing keeps it from being used.
    pub warnings: Vec<String>,
}

/// Why a Redis cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// It never can as it is: an operator must act. A service should not start.
    #[error("{0}")]
    Unfit(String),
    /// It does not answer now. A service starts without it.
    #[error("{0}")]
    Unreachable(String),
}

impl From<Error> for CheckError {
    fn from(fault: Error) -> Self {
        match fault {
            Error::Unavailable(_) => Self::Unreachable(fault.to_string()),
            Error::Refused(text) if text.contains("NOAUTH") => Self::Unfit(format!(
                "Redis wants a password: put it into redis_url, as in redis://:password@host:6379 ({text})"
            )),
            Error::Refused(text) if text.contains("AuthenticationFailed") || text.contains("WRONGPASS") => Self::Unfit(
                format!("Redis does not accept the user or password in redis_url ({text})"),
            ),
            Error::Refused(text) if text.contains("certificate") => Self::Unfit(format!(
                "the TLS certificate of Redis is not trusted: name its authority's file in SSL_CERT_FILE ({text})"
            )),
            Error::Refused(_) | Error::Broken(_) => Self::Unfit(fault.to_string()),
        }
    }
}

/// Asks one server, or each of the named nodes of a cluster. Some nodes of a cluster may be away.
pub(crate) async fn check(redis: &Redis, cluster: Option<&Url>) -> Result<Checked, CheckError> {
    let Some(cluster) = cluster else {
        return judge(&[ask(redis).await?], false);
    };
    let mut told = Vec::new();
    let mut away = None;
    for url in cluster.each_node() {
        let timeout = redis.timeout();
        let node = Redis::open(&RedisConfig { url, timeout })?;
        match ask(&node).await {
            Ok(text) => told.push(text),
            Err(fault @ Error::Unavailable(_)) => away = Some(fault),
            Err(fault) => return Err(fault.into()),
        }
    }
    match away {
        Some(fault) if told.is_empty() => Err(fault.into()),
        _ => judge(&told, true),
    }
}

async fn ask(redis: &Redis) -> Result<String, Error> {
    match redis.query(&cmd("INFO")).await {
        // Some providers allow no INFO; whatever else is wrong will show.
        Err(Error::Refused(text)) if text.contains("NOPERM") => Ok(String::new()),
        answer => answer,
    }
}

fn judge(told: &[String], cluster: bool) -> Result<Checked, CheckError> {
    let mut warnings = Vec::new();
    let mut warn = |text: String| {
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    };
    let mut oldest: Option<((u32, u32), &str)> = None;
    for info in told {
        match field(info, "redis_version").and_then(|text| Some((version(text)?, text))) {
            None => warn("Redis does not tell its version: it must be 6.2 or newer".to_owned()),
            Some(found) if oldest.is_none_or(|oldest| found.0 < oldest.0) => oldest = Some(found),
            Some(_) => {}
        }
        match (cluster, field(info, "cluster_enabled")) {
            (false, Some("1")) => {
                return Err(CheckError::Unfit(
                    "redis_url names a node of a Redis Cluster: write redis+cluster://host:port,host:port".to_owned(),
                ));
            }
            (true, Some("0")) => {
                return Err(CheckError::Unfit(
                    "redis_url names a cluster, and a server of it is no part of one: write redis://host:port"
                        .to_owned(),
                ));
            }
            _ => {}
        }
        if !cluster && field(info, "role") == Some("slave") {
            warn("Redis is a replica and takes no writes: point redis_url at its master, or promote it".to_owned());
        }
        match field(info, "maxmemory_policy") {
            None | Some("noeviction") => {}
            Some(policy) => warn(format!(
                "maxmemory-policy of Redis is {policy}: when memory runs short it will drop live packets, each of which must \
                 then be rebuilt from the database; run `CONFIG SET maxmemory-policy noeviction` and write it to its configuration"
            )),
        }
    }
    match oldest {
        Some((found, text)) if found < MIN_VERSION => {
            let (major, minor) = MIN_VERSION;
            Err(CheckError::Unfit(format!(
                "Redis is of version {text}: {major}.{minor} or newer is needed"
            )))
        }
        oldest => Ok(Checked {
            version: oldest.map_or("unknown", |(_, text)| text).to_owned(),
            warnings,
        }),
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(version: &str, role: &str, policy: &str, cluster: u8) -> String {
        format!(
            "# Server\r\nredis_version:{version}\r\n# Replication\r\nrole:{role}\r\nmaxmemory_policy:{policy}\r\n\
             cluster_enabled:{cluster}\r\n"
        )
    }

    #[test]
    fn a_sound_server_is_sound() {
        let checked = judge(&[info("7.0.15", "master", "noeviction", 0)], false).unwrap();
        assert_eq!(
            checked,
            Checked {
                version: "7.0.15".to_owned(),
                warnings: vec![]
            }
        );
        let nodes = [
            info("7.2.1", "master", "noeviction", 1),
            info("6.2.0", "slave", "noeviction", 1),
        ];
        assert_eq!(
            judge(&nodes, true).unwrap(),
            Checked {
                version: "6.2.0".to_owned(),
                warnings: vec![]
            }
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_what_to_do() {
        for (told, cluster, word) in [
            (info("6.0.16", "master", "noeviction", 0), false, "6.2"),
            (info("7.0.15", "master", "noeviction", 1), false, "redis+cluster://"),
            (info("7.0.15", "master", "noeviction", 0), true, "redis://"),
        ] {
            let fault = judge(&[told], cluster).unwrap_err();
            assert!(
                matches!(&fault, CheckError::Unfit(text) if text.contains(word)),
                "{fault}"
            );
        }
    }

    #[test]
    fn what_is_not_well_is_a_warning() {
        let checked = judge(&[info("7.0.15", "slave", "allkeys-lru", 0)], false).unwrap();
        assert_eq!(checked.warnings.len(), 2);
        assert!(
            checked.warnings.iter().any(|text| text.contains("noeviction")),
            "{checked:?}"
        );
        assert_eq!(judge(&[String::new()], false).unwrap().version, "unknown");
    }
}
