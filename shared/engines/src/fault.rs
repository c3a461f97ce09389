//! Why a server is not there.

use std::{fmt, io, path::PathBuf, time::Duration};

/// Why a server could not be started, stopped or told something. Its text says what to do about it.
#[derive(thiserror::Error)]
pub enum Fault {
    /// A program is not installed.
    #[error("`{program}` was not found: run `make deps`, or install it ({package})")]
    Missing {
        /// The program.
        program: &'static str,
        /// What has it, in words for people.
        package: &'static str,
    },
    /// A program ended although it should run, or ended badly.
    #[error("{name} ended ({how}); the end of {log}:\n{tail}", log = .log.display())]
    Ended {
        /// What ended.
        name: String,
        /// How.
        how: String,
        /// Where it wrote.
        log: PathBuf,
        /// What it wrote last.
        tail: String,
    },
    /// A program runs but did not do what it should in the time it has.
    #[error("{name} did not {what} within {within:?}; its log is {log}", log = .log.display())]
    Slow {
        /// What is slow.
        name: String,
        /// What was waited for.
        what: &'static str,
        /// How long.
        within: Duration,
        /// Where it writes.
        log: PathBuf,
    },
    /// A command to a server failed.
    #[error("{program}: {said}")]
    Refused {
        /// The client program.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// The operating system refused something.
    #[error("{doing}: {fault}")]
    System {
        /// What was tried.
        doing: String,
        /// Why not.
        fault: io::Error,
    },
    /// No certificate could be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// As for people: a test that unwraps shows what to do.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Says what was tried when the operating system refused it.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl fmt::Display) -> Result<T, Fault>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: impl fmt::Display) -> Result<T, Fault> {
        self.map_err(|fault| Fault::System {
            doing: what.to_string(),
            fault,
        })
    }
}
