//! The ports in memory, on a simulated disk that outlives them. What SQL refuses by its keys and CHECKs is refused here too.
//!
//! Fit for simulations and tests and nothing else: each transaction copies the tables that it changes, so that readers and
//! whoever looks at a [`Snapshot`] keep the instant they saw.

mod acts;
mod books;
mod cases;
mod cursors;
mod orders;
mod runs;
mod tables;

use std::sync::Arc;

use disk::{Disk, Link, Weather};

use tables::Tables;
pub use tables::{ActRow, CaseRow, Cursor, OrderRow, Snapshot};

/// What survives every instance of the service. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Disk<Tables>);

impl MemoryDisk {
    /// A way to it under `weather`: one instance's connection.
    pub fn store(&self, weather: Arc<dyn Weather>) -> MemoryStore {
        MemoryStore {
            link: self.0.link(weather),
        }
    }

    /// Everything on it as of this instant. Cheap.
    pub fn snapshot(&self) -> Snapshot {
        self.0.read(|tables| Snapshot::of(tables.clone()))
    }
}

/// The ports over a [`MemoryDisk`]. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    link: Link<Tables>,
}

/// A limit as a count of rows.
fn count(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
