//! The services behind the gateway.
//!
//! Each peer is a small struct over a generated client. Every answer passes through `error::pass_on`, so that what
//! comes out of here may be shown to a client. Cheap to clone; clones share the connections.

mod account;
mod error;
mod grab;
mod health;
mod packet;
mod transfer;

pub use account::Accounts;
pub use error::RETRY_DELAY;
pub use grab::{Event, Feed, Grabs};
pub use health::Health;
pub use packet::{Packets, terms};
pub use transfer::Transfers;

use tonic::{Response, Status};

/// All services behind the gateway.
#[derive(Clone, Debug)]
pub struct Peers {
    /// The account service.
    pub account: Accounts,
    /// The packet service.
    pub packet: Packets,
    /// The grab service.
    pub grab: Grabs,
    /// The transfer service.
    pub transfer: Transfers,
}

/// Waits for the answer of `peer`, and makes its error one that may be shown.
async fn answer<T>(peer: &str, call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Status> {
    match call.await {
        Ok(response) => Ok(response.into_inner()),
        Err(status) => Err(error::pass_on(peer, &status)),
    }
}

/// A part of an answer that the contract promises.
fn promised<T>(peer: &str, what: &str, part: Option<T>) -> Result<T, Status> {
    part.ok_or_else(|| status::internal(format!("{peer} answered without its {what}")))
}
