//! What was done to the mesh and what it did, counted.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Counts by name, of one run or of many.
#[derive(Debug, Default)]
pub struct Coverage(Mutex<Counts>);

/// How often each thing happened, and in how many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// What was done to the mesh, such as `crash`.
    pub faults: BTreeMap<&'static str, Count>,
    /// What it did, such as `packets sent`.
    pub events: BTreeMap<&'static str, Count>,
}

/// How often, and in how many runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often in all.
    pub times: u64,
    /// In how many runs at least once.
    pub runs: u64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.times += other.times;
        self.runs += other.runs;
    }
}

impl Coverage {
    /// A fault was injected.
    pub fn fault(&self, name: &'static str) {
        self.with(|counts| note(&mut counts.faults, name));
    }

    /// Something happened.
    pub fn event(&self, name: &'static str) {
        self.with(|counts| note(&mut counts.events, name));
    }

    fn with(&self, act: impl FnOnce(&mut Counts)) {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn note(counts: &mut BTreeMap<&'static str, Count>, name: &'static str) {
    let count = counts.entry(name).or_default();
    count.times += 1;
    count.runs = 1;
}

impl Counts {
    /// Adds those of other runs.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in [(&mut self.faults, &other.faults), (&mut self.events, &other.events)] {
            for (name, count) in theirs {
                mine.entry(name).or_default().add(*count);
            }
        }
    }
}
