//! Names for tries.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use clock::Timestamp;
use uuid::Uuid;

use super::fund::WINDOW;
use crate::store::Attempt;

/// Names for tries: a random start of this process, counted on. Clones share the count.
#[derive(Clone, Debug)]
pub struct Attempts {
    start: u128,
    next: Arc<AtomicU64>,
}

impl Attempts {
    /// Names from the random `start` on.
    pub fn new(start: Uuid) -> Self {
        Self {
            start: start.as_u128(),
            next: Arc::default(),
        }
    }

    /// A try that begins `now` and may take effect for [`WINDOW`].
    pub fn next(&self, now: Timestamp) -> Attempt {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Attempt {
            id: Uuid::from_u128(self.start.wrapping_add(u128::from(number))),
            until: clock::after(now, WINDOW),
        }
    }
}
