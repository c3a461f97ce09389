//! The packets that people know of.

use std::sync::{Arc, Mutex, PoisonError};

use rand::{RngExt, rngs::StdRng};

/// How many packets of those sent last are on everybody's screen …
const ON_SCREEN: usize = 24;
/// … and how often somebody scrolls further up.
const SCROLLS: f64 = 0.3;

/// A packet whose send was answered.
#[derive(Debug)]
pub struct Posted {
    /// Which packet.
    pub packet_id: String,
    /// What it asks for; empty where it asks for nothing.
    pub passphrase: String,
}

/// All of them, the newest last.
#[derive(Debug, Default)]
pub struct Board(Mutex<Vec<Arc<Posted>>>);

impl Board {
    /// Adds one.
    pub fn post(&self, posted: Posted) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(posted));
    }

    /// One that somebody sees; `None` while there is none.
    pub fn look(&self, rng: &mut StdRng) -> Option<Arc<Posted>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from = if rng.random_bool(SCROLLS) {
            0
        } else {
            all.len().saturating_sub(ON_SCREEN)
        };
        (!all.is_empty()).then(|| all[rng.random_range(from..all.len())].clone())
    }
}
