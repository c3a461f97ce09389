//! Channels to other services.

use std::time::Duration;

use tonic::transport::Endpoint;

use crate::deadline::Propagate;

/// Time for a call that no request stands behind (a background task's).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time to reach a peer before the call fails with UNAVAILABLE.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest message a client takes: a page of 1,000 claims or a batch of 1,000 transfers is well below.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// A channel that passes the caller's deadline on. Generated clients take it as their transport.
pub type Channel = Propagate<tonic::transport::Channel>;

/// A channel to `endpoint`. It connects with its first call and again after a loss, so that services may start in any
/// order.
pub fn channel(endpoint: &Endpoint) -> Channel {
    let endpoint = endpoint
        .clone()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5));
    Propagate::new(endpoint.connect_lazy(), DEFAULT_TIMEOUT)
}
