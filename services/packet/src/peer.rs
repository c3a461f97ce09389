//! The ports to other services, in domain words, and their gRPC clients: [`people`] for account, [`treasury`] for
//! transfer, [`gate`] for grab.

use tonic::{Code, Status};

pub mod gate;
pub mod people;
pub mod treasury;

/// A call to another service that gave no answer to build on. Whether it had an effect is not known; repeating it with the
/// same ids is safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A passing failure.
    #[error("{peer}: {cause}")]
    Unavailable {
        /// Which service.
        peer: &'static str,
        /// What it or the way to it said.
        cause: String,
    },
    /// The peer refuses what it should take, or answers what it should not. Someone has to look.
    #[error("{peer} and packet do not understand each other: {cause}")]
    Broken {
        /// Which service.
        peer: &'static str,
        /// What is wrong.
        cause: String,
    },
}

/// Result of a call to another service.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    fn new(peer: &'static str, status: &Status) -> Self {
        let cause = format!("{:?}: {}", status.code(), status.message());
        match status.code() {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Aborted
            | Code::ResourceExhausted => Self::Unavailable { peer, cause },
            _ => Self::Broken { peer, cause },
        }
    }

    fn broken(peer: &'static str, cause: impl Into<String>) -> Self {
        Self::Broken {
            peer,
            cause: cause.into(),
        }
    }
}
