//! The client-facing services, one file each: take the caller, pass on with the identity in the request, render.

mod group;
mod operation;
mod record;
mod red_packet;
mod wallet;

pub use group::Groups;
pub use operation::Operations;
pub use record::Records;
pub use red_packet::RedPackets;
pub use wallet::Wallets;

use tonic::{Request, Status};

use crate::identity::Caller;

/// Largest request a client may send. The largest sensible one names 1,000 group members, about 66 KB; tonic refuses a
/// larger one with `RESOURCE_EXHAUSTED` before it reads it.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// The caller whom the guard let in, and what they want.
fn take<T>(request: Request<T>) -> Result<(Caller, T), Status> {
    let (_, mut extensions, message) = request.into_parts();
    let caller = extensions
        .remove::<Caller>()
        .ok_or_else(|| status::internal("a request came past the guard"))?;
    Ok((caller, message))
}
