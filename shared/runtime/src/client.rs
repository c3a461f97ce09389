//! Channels to other services.

use std::{fmt, time::Duration};

use tonic::transport::Endpoint;

pub use crate::balance::{OneInstance, Way};
use crate::{
    balance::{Balanced, Transport},
    deadline::Propagate,
};

/// Time for a call that no request stands behind (a background task's).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time to reach a peer before the call fails with UNAVAILABLE.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest message a client takes: a page of 1,000 claims or a batch of 1,000 transfers is well below.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// A channel that passes the caller's deadline on. Generated clients take it as their transport.
pub type Channel = Propagate<Balanced>;

/// Where the instances of one service are: at least one.
#[derive(Clone, Debug)]
pub struct Endpoints(Vec<Endpoint>);

impl Endpoints {
    /// Reads addresses such as `http://127.0.0.1:50051` with commas between them; `None` if one is none.
    pub fn parse(text: &str) -> Option<Self> {
        let one = |text: &str| {
            let endpoint = Endpoint::from_shared(text.trim().to_owned()).ok()?;
            let uri = endpoint.uri();
            (uri.scheme_str() == Some("http") && uri.host().is_some()).then_some(endpoint)
        };
        text.split(',').map(one).collect::<Option<_>>().map(Self)
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uris: Vec<_> = self.0.iter().map(|endpoint| endpoint.uri().to_string()).collect();
        f.write_str(&uris.join(","))
    }
}

impl From<Endpoint> for Endpoints {
    fn from(only: Endpoint) -> Self {
        Self(vec![only])
    }
}

/// A channel to the instances at `endpoints`. It connects with its first call and again after a loss, so that services may
/// start in any order. Of several instances each call goes to one that answers: see [`Balanced`].
pub fn channel(endpoints: &Endpoints) -> Channel {
    let connect = |endpoint: &Endpoint| {
        endpoint
            .clone()
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .connect_lazy()
    };
    over(endpoints.0.iter().map(connect).map(Transport::Connection))
}

/// A channel to instances that are reached in other ways than over sockets, one way for each: what stands behind the clients
/// in a simulation. In everything else it is what [`channel`] gives.
pub fn channel_over(ways: impl IntoIterator<Item = Way>) -> Channel {
    over(ways.into_iter().map(Transport::Other))
}

fn over(transports: impl Iterator<Item = Transport>) -> Channel {
    Propagate::new(Balanced::over(transports), DEFAULT_TIMEOUT)
}
