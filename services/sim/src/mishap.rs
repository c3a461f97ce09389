//! One fault at one step of a course that is otherwise calm: how every step of every saga is crashed and repeated.

use std::sync::atomic::{AtomicU64, Ordering};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The host at which it happens dies: before or after a commit, before sending a request, on receiving one, on an answer.
    Crash,
    /// A request arrives twice.
    Double,
}

/// What goes wrong, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mishap {
    /// What.
    pub kind: Kind,
    /// At which opportunity for it, from 1. One beyond the last: never.
    pub step: u64,
}

impl Mishap {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        kind: Kind::Crash,
        step: u64::MAX,
    };
}

/// Counts the opportunities of a run.
#[derive(Debug)]
pub struct Course {
    mishap: Mishap,
    crashes: AtomicU64,
    doubles: AtomicU64,
}

impl Course {
    /// A run in which `mishap` happens.
    pub fn new(mishap: Mishap) -> Self {
        Self {
            mishap,
            crashes: AtomicU64::new(0),
            doubles: AtomicU64::new(0),
        }
    }

    fn count(&self, kind: Kind) -> &AtomicU64 {
        match kind {
            Kind::Crash => &self.crashes,
            Kind::Double => &self.doubles,
        }
    }

    /// Whether the mishap happens at this opportunity.
    pub fn strikes(&self, kind: Kind) -> bool {
        let step = self.count(kind).fetch_add(1, Ordering::Relaxed) + 1;
        self.mishap == Mishap { kind, step }
    }

    /// How many opportunities there were so far.
    pub fn steps(&self, kind: Kind) -> u64 {
        self.count(kind).load(Ordering::Relaxed)
    }
}
