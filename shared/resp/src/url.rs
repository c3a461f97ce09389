//! Where a Redis is, as one text.

use std::{fmt, str::FromStr};

use deadpool_redis::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisError};
use secrecy::{ExposeSecret, SecretString};

/// The port of a Redis that names none.
const DEFAULT_PORT: u16 = 6379;

/// Where a Redis is and how to log in. Its `Debug` and `Display` do not show the password.
///
/// | text | what it is |
/// |---|---|
/// | `redis://[[user]:password@]host[:port][/db]` | one server |
/// | `rediss://…` | the same with TLS |
/// | `redis+cluster://[[user]:password@]host[:port],host[:port],…` | a Redis Cluster, by some of its nodes |
/// | `rediss+cluster://…` | the same with TLS |
///
/// Certificates are checked against the authorities that the system trusts, or those in the file that `SSL_CERT_FILE` names.
///
/// What in a user name or a password is not a letter, a digit or one of `-._~` is written as `%` and two hex digits.
#[derive(Clone)]
pub struct Url {
    tls: bool,
    cluster: bool,
    user: Option<String>,
    password: Option<SecretString>,
    nodes: Vec<(String, u16)>,
    database: i64,
}

/// Why a text is no Redis URL, and what would be right. It never repeats the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Another scheme, or none.
    #[error("must begin with redis://, rediss:// (TLS), redis+cluster:// or rediss+cluster://")]
    Scheme,
    /// No host where one must be.
    #[error("must name a host, such as redis://127.0.0.1:6379")]
    Host,
    /// The port is no port.
    #[error(
        "the port must be a number from 1 to 65535, such as redis://127.0.0.1:6379; `@`, `/`, `:` in a password are written %40, %2F, %3A"
    )]
    Port,
    /// The database is no number.
    #[error("the database must be a number, such as redis://127.0.0.1:6379/0")]
    Database,
    /// A cluster with a database.
    #[error("a cluster has no numbered databases: leave out what is after the last host")]
    ClusterDatabase,
    /// Several hosts that are no cluster.
    #[error("several hosts are a cluster: begin with redis+cluster:// or rediss+cluster://")]
    SeveralHosts,
    /// A `%` that is not followed by two hex digits, or not UTF-8 after it.
    #[error("`%` in a user name or password must be followed by two hex digits; a `%` itself is written %25")]
    Percent,
    /// Options behind `?`, which are not known here.
    #[error("must have nothing after `?` or `#`; in a password they are written %3F and %23")]
    Options,
}

impl Url {
    /// Whether it names a Redis Cluster.
    pub fn is_cluster(&self) -> bool {
        self.cluster
    }

    /// How to connect to each of the nodes that the URL names; to one server, if it is no cluster.
    pub(crate) fn nodes(&self) -> Result<Vec<ConnectionInfo>, RedisError> {
        self.nodes.iter().map(|(host, port)| self.node(host, *port)).collect()
    }

    /// Each of the nodes by itself, as if it were a server of its own.
    pub(crate) fn each_node(&self) -> impl Iterator<Item = Self> {
        self.nodes.iter().map(|node| Self {
            cluster: false,
            nodes: vec![node.clone()],
            ..self.clone()
        })
    }

    fn node(&self, host: &str, port: u16) -> Result<ConnectionInfo, RedisError> {
        let host = host.to_owned();
        let address = if self.tls {
            ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let mut login = RedisConnectionInfo::default().set_db(self.database);
        if let Some(user) = &self.user {
            login = login.set_username(user);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password.expose_secret());
        }
        Ok(address.into_connection_info()?.set_redis_settings(login))
    }
}

impl FromStr for Url {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(BadUrl::Scheme)?;
        let (tls, cluster) = match scheme {
            "redis" => (false, false),
            "rediss" => (true, false),
            "redis+cluster" => (false, true),
            "rediss+cluster" => (true, true),
            _ => return Err(BadUrl::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(BadUrl::Options);
        }
        let (login, place) = rest
            .rsplit_once('@')
            .map_or((None, rest), |(login, place)| (Some(login), place));
        let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
        let nodes = hosts.split(',').map(node).collect::<Result<Vec<_>, _>>()?;
        if nodes.len() > 1 && !cluster {
            return Err(BadUrl::SeveralHosts);
        }
        if cluster && !database.is_empty() {
            return Err(BadUrl::ClusterDatabase);
        }
        let database = match database {
            "" => 0,
            number => number.parse::<u16>().map_err(|_| BadUrl::Database)?.into(),
        };
        let (user, password) = match login {
            None => (None, None),
            Some(login) => {
                // `redis://secret@host` is read as a password too: that is what whoever writes it means.
                let (user, password) = login.split_once(':').unwrap_or(("", login));
                (
                    Some(decode(user)?).filter(|user| !user.is_empty()),
                    Some(decode(password)?.into()),
                )
            }
        };
        Ok(Self {
            tls,
            cluster,
            user,
            password,
            nodes,
            database,
        })
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn node(text: &str) -> Result<(String, u16), BadUrl> {
    let (host, port) = match text.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']').ok_or(BadUrl::Host)?;
            match rest {
                "" => (host, None),
                rest => (host, Some(rest.strip_prefix(':').ok_or(BadUrl::Port)?)),
            }
        }
        None => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(BadUrl::Host);
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(BadUrl::Port)?,
    };
    Ok((host.to_owned(), port))
}

fn decode(text: &str) -> Result<String, BadUrl> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(BadUrl::Percent)?;
        let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
        bytes.push(
            digits
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .ok_or(BadUrl::Percent)?,
        );
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| BadUrl::Percent)
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "redis{}{}://",
            if self.tls { "s" } else { "" },
            if self.cluster { "+cluster" } else { "" }
        )?;
        if self.user.is_some() || self.password.is_some() {
            write!(f, "{}:***@", self.user.as_deref().unwrap_or_default())?;
        }
        for (n, (host, port)) in self.nodes.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            if host.contains(':') {
                write!(f, "{comma}[{host}]:{port}")?;
            } else {
                write!(f, "{comma}{host}:{port}")?;
            }
        }
        if self.database != 0 {
            write!(f, "/{}", self.database)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Url>().unwrap().to_string()
    }

    #[test]
    fn a_url_is_understood_and_hides_its_password() {
        assert_eq!(shown("redis://localhost"), "redis://localhost:6379");
        assert_eq!(shown("rediss://h:1/3"), "rediss://h:1/3");
        assert_eq!(shown("redis://h:1/0"), "redis://h:1");
        assert_eq!(shown("redis://:secret@h"), "redis://:***@h:6379");
        assert_eq!(shown("redis://secret@h"), "redis://:***@h:6379");
        assert_eq!(shown("redis://me:a%40b@[::1]:7"), "redis://me:***@[::1]:7");
        assert_eq!(
            shown("redis+cluster://a:1,b,[::1]"),
            "redis+cluster://a:1,b:6379,[::1]:6379"
        );
        assert_eq!(shown("rediss+cluster://:x@a:1,b:2"), "rediss+cluster://:***@a:1,b:2");
        let url: Url = "redis://me:hush@h".parse().unwrap();
        assert!(!format!("{url:?} {url}").contains("hush"));
    }

    #[test]
    fn a_login_is_decoded() {
        let url: Url = "redis://m%65:a%40%2F%E7%BA%A2@h".parse().unwrap();
        assert_eq!(url.user.as_deref(), Some("me"));
        assert_eq!(url.password.unwrap().expose_secret(), "a@/红");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_text() {
        for (text, why) in [
            ("localhost:6379", BadUrl::Scheme),
            ("http://h", BadUrl::Scheme),
            ("redis://", BadUrl::Host),
            ("redis://:1", BadUrl::Host),
            ("redis://[::1", BadUrl::Host),
            ("redis+cluster://a,,b", BadUrl::Host),
            ("redis://h:0", BadUrl::Port),
            ("redis://h:x", BadUrl::Port),
            ("redis://[::1]6379", BadUrl::Port),
            ("redis://h/x", BadUrl::Database),
            ("redis://h/-1", BadUrl::Database),
            ("redis+cluster://h/1", BadUrl::ClusterDatabase),
            ("redis://a,b", BadUrl::SeveralHosts),
            ("redis://:50%@h", BadUrl::Percent),
            ("redis://:%+1@h", BadUrl::Percent),
            ("redis://:%FF@h", BadUrl::Percent),
            ("redis://h?db=1", BadUrl::Options),
        ] {
            assert_eq!(text.parse::<Url>().map(drop), Err(why), "{text}");
        }
    }
}
