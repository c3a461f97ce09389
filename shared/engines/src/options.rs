//! Where and how a server runs.

use std::path::PathBuf;

/// Where and how a server runs. The default: a directory and a port of its own, no password, no TLS, the server's own
/// settings.
///
/// ```
/// let options = engines::Options::default().password("secret").set("maxmemory-policy", "allkeys-lru");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) port: Option<u16>,
    pub(crate) password: Option<String>,
    pub(crate) tls: bool,
    pub(crate) settings: Vec<(String, String)>,
}

impl Options {
    /// Keeps all data in `dir`, which is made if it is not there and stays when the server goes. What an earlier server
    /// left there is served again (but not by a Redis Cluster, which always begins empty).
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Listens on this port of 127.0.0.1.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Refuses clients without this password, which is part of the server's URL. It must be of characters that need no
    /// escape in URLs and SQL: letters, digits, `-`, `_`.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Encrypts connections with a certificate for `localhost` and 127.0.0.1 from an authority made for this server.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Runs with this setting of the server's own, such as `fsync`, `innodb_lock_wait_timeout`, `maxmemory-policy`.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}
