//! Simulated storage: what the in-memory stores of the services stand on.
//!
//! A [`Disk`] holds a store's tables and outlives whoever uses it. A [`Link`] is one instance's way to it, under a
//! [`Weather`] that may delay a transaction, lose it, or lose the answer to its commit. Every transaction is one atomic
//! step: whoever is dropped before it has changed nothing, whoever is dropped after it has changed everything.
//!
//! The tables keep their keys and checks themselves, as SQL does, and say so with [`key`], [`check`] and [`reference()`],
//! which fail with the errors that an engine's own would come out as.

mod link;
mod refusal;
mod weather;

use std::sync::{Arc, Mutex, PoisonError};

pub use link::Link;
pub use refusal::{check, key, reference};
pub use weather::{Call, Calm, Fate, Told, Weather};

/// Tables that survive their service. Clones are the same disk.
#[derive(Debug, Default)]
pub struct Disk<T>(Arc<Mutex<T>>);

impl<T> Clone for Disk<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone> Disk<T> {
    /// A disk with these tables on it.
    pub fn new(tables: T) -> Self {
        Self(Arc::new(Mutex::new(tables)))
    }

    /// What is on it at this moment.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One transaction: all of what `change` does, or nothing where it fails.
    pub fn write<R>(&self, change: impl FnOnce(&mut T) -> sql::Result<R>) -> sql::Result<R> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = tables.clone();
        let answer = change(&mut changed)?;
        *tables = changed;
        Ok(answer)
    }

    /// A way to it under `weather`.
    pub fn link(&self, weather: Arc<dyn Weather>) -> Link<T> {
        Link::new(self.clone(), weather)
    }
}
