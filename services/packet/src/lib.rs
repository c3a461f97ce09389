//! The packet service: packet orders from send to completion.
//!
//! It owns the terms of every packet, its secret seed, its state, the senders' daily limits, the recovery of sends that
//! stopped on the way, and the expiry sweep. Money and shares it only orders: from the transfer service and the grab
//! service, in steps that may each be repeated.
//!
//! # Invariants
//!
//! - **ID-1**: one packet for each (sender, `request_id`); a repeat gives the first answer, another payload is refused.
//! - **SEED-1**: the seed comes from a CSPRNG, is committed to from the start, and shown only once the packet is completed.
//! - **CLOSE-1**: the refund is total − opened, from sums that grab fixed when it closed the packet.
//! - A REJECTED packet never funds; a packet is ACTIVE only when its money is in escrow and the gate knows it.
//!
//! # Reading order
//!
//! - [`domain`]: orders, limits, packets, the states and the ways between them. Pure.
//! - [`store`]: the ports to requests, packets and what is due, and their SQL over one database or several.
//! - [`peer`]: the ports to account, transfer and grab, and their gRPC clients.
//! - [`ops`]: the use cases over the ports; begin with [`ops::send`] and [`ops::sweep`].
//! - [`metrics`]: what is measured.
//! - `rpc`: parse → call → render. `wire`: what rpc and peer both say.
//! - [`config`], [`app`]: settings, and who is plugged into whom.

pub mod app;
pub mod config;
pub mod domain;
pub mod metrics;
pub mod ops;
pub mod peer;
#[doc(hidden)]
pub mod rpc;
pub mod store;
mod wire;

pub use app::Packet;
pub use config::{Config, Settings};
