//! Byte streams that are not TCP: how everything above them runs, as it is, over a network that is only simulated.

use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection to a server, as bytes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Where connections to a server come from. What it does wrong (refuse, never return, break off) is dealt with as if TCP had
/// done it.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// Another connection.
    async fn dial(&self) -> io::Result<Box<dyn Stream>>;
}
