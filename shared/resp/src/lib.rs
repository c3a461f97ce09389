//! Redis by URL: one server, with or without TLS, or a Redis Cluster. Named after Redis' protocol, RESP.
//!
//! In reading order:
//!
//! - [`Redis`]: what callers hold. Opening it connects nothing, so that a service starts while Redis is away.
//! - [`Script`]: Lua from a file, called by its digest and sent again to whoever does not know it.
//! - [`Error`]: what went wrong, by what a caller can do about it.
//! - [`link`]: connections, made when needed, shared by all callers, replaced when they fail. [`Dial`]: other than by TCP.
//! - [`check`]: whether a Redis is one that can be used.
//! - [`settings`] and [`Url`]: where it is.
//!
//! What holds for every call:
//!
//! - It returns within the time-out, connecting included: a server that accepts and never answers counts as gone. A
//!   connection on which that happened is thrown away.
//! - What is sent may reach the server twice, and an error does not say whether it took effect: send nothing that minds.
//! - It may be dropped at any await; what was sent by then may take effect.

pub mod check;
mod dial;
mod error;
mod link;
mod script;
pub mod settings;
mod url;

use std::{fmt, sync::Arc, time::Duration};

pub use deadpool_redis::redis::{Cmd, FromRedisValue, Pipeline, ToRedisArgs, Value, cmd, pipe};
use deadpool_redis::redis::{ErrorKind, RedisError, ServerErrorKind};
use tokio::time::{Instant, timeout_at};

pub use check::{CheckError, Checked};
pub use dial::{Dial, Stream};
pub use error::Error;
pub use script::{Call, Script};
pub use settings::RedisConfig;
pub use url::{BadUrl, Url};

use link::{Lane, Request};

/// A Redis. Cheap to clone; clones share one connection, to each node of a cluster: see [`link`].
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    place: Place,
    timeout: Duration,
    lane: Arc<Lane>,
}

/// Where it is.
enum Place {
    Url(Url),
    Dialled,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::Dialled => f.write_str("dialled"),
        }
    }
}

impl Redis {
    /// The Redis of `config`. Connects nothing; an error means that no connection could ever be made.
    pub fn open(config: &RedisConfig) -> Result<Self, Error> {
        // TLS must not depend on what else is linked. An error says that somebody chose before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pool = link::pool(&config.url, config.timeout)?;
        Ok(Self::new(Place::Url(config.url.clone()), config.timeout, pool))
    }

    /// One server, behind connections that `dial` makes.
    pub fn over(dial: Arc<dyn Dial>, timeout: Duration) -> Result<Self, Error> {
        Ok(Self::new(Place::Dialled, timeout, link::pool_over(dial, timeout)?))
    }

    fn new(place: Place, timeout: Duration, pool: link::Pool) -> Self {
        Self(Arc::new(Inner {
            place,
            timeout,
            lane: Lane::new(pool),
        }))
    }

    /// Whether it is a Redis Cluster, where all keys of a call must be of one slot.
    pub fn is_cluster(&self) -> bool {
        self.cluster().is_some()
    }

    fn cluster(&self) -> Option<&Url> {
        match &self.0.place {
            Place::Url(url) if url.is_cluster() => Some(url),
            Place::Url(_) | Place::Dialled => None,
        }
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Runs a script.
    pub async fn run<T: FromRedisValue>(&self, call: &Call) -> Result<T, Error> {
        let unknown = |fault: &RedisError| fault.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
        let deadline = self.deadline();
        match self.send(Request::Command(call.by_name()), deadline).await {
            Err(Failure::Reply(fault)) if unknown(&fault) => {
                read(self.send(Request::Command(&call.by_text()), deadline).await)
            }
            answer => read(answer),
        }
    }

    /// Sends a command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        read(self.send(Request::Command(command), self.deadline()).await)
    }

    /// Sends several commands at once and returns what they say, in order; on a cluster all keys must be of one slot. An error
    /// of one is an error of all, though the others may have taken effect.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, Error> {
        read(self.send(Request::Pipeline(pipeline), self.deadline()).await)
    }

    /// Asks what it is and whether it can be used.
    pub async fn check(&self) -> Result<Checked, CheckError> {
        check::check(self, self.cluster()).await
    }

    /// [`Redis::check`] for the start of a service: what is not well goes to the log, and so does a Redis that does not
    /// answer, without which services start. An error means that the service should not: it says what to do.
    pub async fn begin(&self) -> Result<(), CheckError> {
        match self.check().await {
            Ok(Checked { version, warnings }) => {
                tracing::info!(url = %self.0.place, version, "Redis");
                for warning in warnings {
                    tracing::warn!("{warning}");
                }
                Ok(())
            }
            Err(CheckError::Unreachable(fault)) => {
                tracing::warn!(url = %self.0.place, fault, "starting without Redis");
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout()
    }

    async fn send(&self, request: Request<'_>, deadline: Instant) -> Result<Value, Failure> {
        let mut stale = true;
        loop {
            let Ok(link) = timeout_at(deadline, self.0.lane.link()).await else {
                return Err(Error::silent(self.timeout()).into());
            };
            let link = link?;
            let Ok(answer) = timeout_at(deadline, link.send(request)).await else {
                link.lose();
                return Err(Error::silent(self.timeout()).into());
            };
            match answer {
                // The server may have been restarted since the last call: that shows only now.
                Err(fault) if stale && fault.is_connection_dropped() && !self.is_cluster() => {
                    link.lose();
                    stale = false;
                }
                Err(fault) => {
                    if fault.is_io_error() || fault.is_unrecoverable_error() {
                        link.lose();
                    }
                    return Err(Failure::Reply(fault));
                }
                Ok(value) => return Ok(value),
            }
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis({})", self.0.place)
    }
}

/// Why there is no value: ours to say, or as it came.
enum Failure {
    Ours(Error),
    Reply(RedisError),
}

impl From<Error> for Failure {
    fn from(fault: Error) -> Self {
        Self::Ours(fault)
    }
}

fn read<T: FromRedisValue>(answer: Result<Value, Failure>) -> Result<T, Error> {
    match answer {
        Ok(value) => T::from_redis_value(value).map_err(|fault| Error::Broken(fault.to_string())),
        Err(Failure::Ours(fault)) => Err(fault),
        Err(Failure::Reply(fault)) => Err(fault.into()),
    }
}
