//! Tries at a posting that is on record before it is made: their names, and their times.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clock::Timestamp;
use uuid::Uuid;

use crate::store::Attempt;

/// How long the ledger may take for one posting.
pub const POST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a try counts as able to take effect. Three times what the ledger is told: room for clocks that differ.
pub const WINDOW: Duration = Duration::from_secs(15);
/// How long a call waits for another's try before it takes over. Far longer than a posting takes, so that nobody takes over
/// from who is alive and well.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// How often a waiting call looks.
pub const POLL: Duration = Duration::from_millis(10);

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
