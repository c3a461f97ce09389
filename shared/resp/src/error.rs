//! What can go wrong, by what a caller can do about it.

use std::time::Duration;

use deadpool_redis::redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why Redis did not do what it was asked. The texts are for logs; none holds a password.
///
/// An error does not say whether the command took effect: a connection that breaks takes the answer with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not there just now: down, hung, loading, in the middle of a failover, a replica where a master should be.
    /// Do without it, and try again later.
    #[error("Redis is not available: {0}")]
    Unavailable(String),
    /// It is there and does not want: a wrong password, a missing permission, out of memory, no disk for its dump. Do
    /// without it; an operator must act.
    #[error("Redis refuses: {0}")]
    Refused(String),
    /// It answered what nobody expects: a script failed, a reply of another shape, keys of several slots. A fault of this
    /// program or of who wrote into its keys.
    #[error("unexpected answer of Redis: {0}")]
    Broken(String),
}

impl Error {
    /// Whether to do without Redis for a while: what a circuit breaker counts.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Refused(_))
    }

    pub(crate) fn silent(timeout: Duration) -> Self {
        Self::Unavailable(format!("no answer within {timeout:?}"))
    }
}

/// Codes of error replies by which a server says that it cannot just now.
const NOT_NOW: [&str; 10] = [
    "LOADING",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "READONLY",
    "MOVED",
    "ASK",
    "BUSY",
    "NOREPLICAS",
    "UNBLOCKED",
];
/// Codes of error replies by which a server says that it does not want.
const NOT_ALLOWED: [&str; 6] = ["NOAUTH", "WRONGPASS", "NOPERM", "OOM", "MISCONF", "DENIED"];

impl From<RedisError> for Error {
    fn from(fault: RedisError) -> Self {
        let text = fault.to_string();
        match fault.kind() {
            ErrorKind::AuthenticationFailed | ErrorKind::RESP3NotSupported | ErrorKind::InvalidClientConfig => {
                Self::Refused(text)
            }
            // A cluster that nobody could log in to comes as a failure to connect, with the reason as its text.
            ErrorKind::Io | ErrorKind::ClusterConnectionNotFound => match text {
                text if told(&text, "AuthenticationFailed") || told(&text, "NOAUTH") || told(&text, "certificate") => {
                    Self::Refused(text)
                }
                text => Self::Unavailable(text),
            },
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask,
            ) => Self::Unavailable(text),
            ErrorKind::Server(ServerErrorKind::NoPerm) => Self::Refused(text),
            _ => match fault.code() {
                Some(code) if NOT_NOW.contains(&code) => Self::Unavailable(text),
                Some(code) if NOT_ALLOWED.contains(&code) => Self::Refused(text),
                // Before 7.0 the error of a command inside a script comes inside the script's own.
                _ if NOT_NOW.iter().any(|code| told(&text, &format!(" -{code} "))) => Self::Unavailable(text),
                _ if NOT_ALLOWED.iter().any(|code| told(&text, &format!(" -{code} "))) => Self::Refused(text),
                _ if told(&text, "max number of clients") => Self::Unavailable(text),
                _ => Self::Broken(text),
            },
        }
    }
}

fn told(text: &str, part: &str) -> bool {
    text.contains(part)
}

#[cfg(test)]
mod tests {
    use deadpool_redis::redis::parse_redis_value;

    use super::*;

    fn said(reply: &str) -> Error {
        let value = parse_redis_value(format!("-{reply}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err().into()
    }

    #[test]
    fn an_error_reply_says_what_a_caller_can_do() {
        for reply in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "READONLY You can't write against a read only replica. script: 1f, on @user_script:1.",
            "CLUSTERDOWN The cluster is down",
            "MOVED 3999 127.0.0.1:6381",
            "ASK 3999 127.0.0.1:6381",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "BUSY Redis is busy running a script.",
            "NOREPLICAS Not enough good replicas to write.",
            "ERR max number of clients reached",
            "ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write against a read only replica.",
        ] {
            assert!(
                matches!(said(reply), Error::Unavailable(_)),
                "{reply}: {:?}",
                said(reply)
            );
        }
        for reply in [
            "NOAUTH Authentication required.",
            "WRONGPASS invalid username-password pair or user is disabled.",
            "NOPERM this user has no permissions to run the 'eval' command",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MISCONF Redis is configured to save RDB snapshots, but is unable to persist on disk.",
            "ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed.",
        ] {
            assert!(matches!(said(reply), Error::Refused(_)), "{reply}: {:?}", said(reply));
        }
        for reply in [
            "ERR user_script:1: attempt to index a nil value script: 1f, on @user_script:1.",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "ERR unknown command 'FOO'",
        ] {
            assert!(matches!(said(reply), Error::Broken(_)), "{reply}: {:?}", said(reply));
        }
    }
}
