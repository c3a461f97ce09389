//! What tests of every service need: a store of their own, a server on a free port, waiting without sleeping.
#![allow(clippy::expect_used, reason = "a test that cannot be set up should stop at once")]

mod engine;

pub use engine::Engine;
pub use engines;

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use runtime::{Channel, client::Endpoints, config::ServerConfig, telemetry::Format};
use tempfile::TempDir;

/// How long [`eventually`] waits. Generous, because a loaded machine is slow, and free, because a passing test never
/// uses it up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A directory for one test, removed with the value.
pub struct Dir(TempDir);

impl Dir {
    /// A new, empty directory.
    ///
    /// # Panics
    ///
    /// If there is no place for one.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// The directory.
    pub fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    /// URL of a `SQLite` database in this directory.
    pub fn sqlite(&self, name: &str) -> String {
        format!("sqlite://{}", self.0.path().join(format!("{name}.db")).display())
    }
}

impl Default for Dir {
    fn default() -> Self {
        Self::new()
    }
}

/// A server's settings for tests: a free loopback port, short time-outs.
pub fn server_config() -> ServerConfig {
    ServerConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        log: "warn".to_owned(),
        log_format: Format::Text,
        request_timeout: Duration::from_secs(10),
        max_requests: const { NonZeroUsize::new(10_000).unwrap() },
        drain_timeout: Duration::from_secs(5),
        metrics_listen: None,
    }
}

/// The address of a server on loopback, for clients.
///
/// # Panics
///
/// Never: every socket address makes a URL.
pub fn endpoint(address: SocketAddr) -> Endpoints {
    Endpoints::parse(&format!("http://{address}")).expect("an address")
}

/// A channel to a server on loopback.
pub fn channel(address: SocketAddr) -> Channel {
    runtime::client::channel(&endpoint(address))
}

/// Waits until `probe` gives a value.
///
/// # Panics
///
/// If it has not after a minute; `what` says what was waited for.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
