//! The store in memory: what the simulation runs on, and a second opinion on the ports' words.
//!
//! The tables are on a simulated [`Disk`](disk::Disk), which outlives the service. Each method is one transaction on it,
//! repeated where the SQL store's is. The keys and checks are those of the SQL schema.

mod agenda;
mod packets;
mod requests;
mod tables;

use disk::Link;

pub use tables::{PacketRow, RequestRow, Snapshot, Tables};

/// Requests, packets and what is due, in the tables of one disk.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    link: Link<Tables>,
    place: String,
}

impl MemoryStore {
    /// The store at the other end of `link`; `place` names the disk in logs.
    pub fn new(link: Link<Tables>, place: impl Into<String>) -> Self {
        Self {
            link,
            place: place.into(),
        }
    }
}

#[cfg(test)]
mod tests;
