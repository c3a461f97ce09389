//! The store in memory: what the simulation runs on, and a second opinion on the ports' words.
//!
//! The tables are on a simulated [`Disk`](disk::Disk), which outlives the service. Each method is one transaction on it,
//! repeated where the SQL store's is. The ledger's rules are the domain's own; the keys and checks are those of the SQL
//! schema.

mod audit;
mod chain;
mod groups;
mod ledger;
mod people;
mod tables;

use disk::Link;

pub use tables::{Act, Snapshot, Tables};

/// All ports over the tables of one disk.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    link: Link<Tables>,
}

impl MemoryStore {
    /// The store at the other end of `link`.
    pub fn new(link: Link<Tables>) -> Self {
        Self { link }
    }
}
