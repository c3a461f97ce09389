//! What may happen on the way to a server.

use std::{fmt, io};

use async_trait::async_trait;

/// A request on its way.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    words: &'a [Vec<u8>],
}

impl<'a> Request<'a> {
    pub(crate) fn new(words: &'a [Vec<u8>]) -> Self {
        Self { words }
    }

    /// The command.
    pub fn name(&self) -> &'a [u8] {
        self.words.first().map_or(&[], Vec::as_slice)
    }

    /// What comes after it.
    pub fn args(&self) -> &'a [Vec<u8>] {
        self.words.get(1..).unwrap_or_default()
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, word) in self.words.iter().enumerate() {
            write!(f, "{}{}", if n == 0 { "" } else { " " }, word.escape_ascii())?;
        }
        Ok(())
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It takes effect, and its answer arrives.
    Fair,
    /// The connection breaks before it arrives: nothing happens.
    Cut,
    /// It takes effect, and the connection breaks before its answer arrives.
    AnswerLost,
    /// It never arrives, and the connection stays: nothing happens, and nobody says so.
    Swallowed,
    /// It takes effect, and nobody says so.
    Unanswered,
}

/// Decides it. The methods may take their time: that is how slow the way is. Requests of one connection come one after the
/// other. One on its way takes effect even if who sent it does not wait any more.
#[async_trait]
pub trait Weather: Send + Sync + 'static {
    /// Before a connection is made; an error is that of the caller's `connect`.
    async fn dial(&self) -> io::Result<()> {
        Ok(())
    }

    /// Before a request takes effect.
    async fn before(&self, request: Request<'_>) -> Fate;

    /// After a request took effect, before its answer arrives; not asked if it never will. Requests that come after it do not
    /// wait for this.
    async fn after(&self, request: Request<'_>);
}

/// Nothing ever happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calm;

#[async_trait]
impl Weather for Calm {
    async fn before(&self, _: Request<'_>) -> Fate {
        Fate::Fair
    }

    async fn after(&self, _: Request<'_>) {}
}
