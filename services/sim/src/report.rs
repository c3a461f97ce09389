//! Many worlds at once, and what they came to, as tables.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use comfy_table::{CellAlignment, Table, presets};

use crate::{
    audit::Sums,
    coverage::{Count, Counts},
    run::{Options, Outcome, run},
};

/// What many worlds came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many there were.
    pub worlds: u64,
    /// Those in which an invariant was broken, in order of seed.
    pub broken: Vec<Outcome>,
    /// What was done to them and what they did.
    pub counts: Counts,
    /// Steps of all of them.
    pub steps: u64,
    /// Their own time, in seconds.
    pub lasted_secs: u64,
    sums: Sums,
}

impl Summary {
    fn add(&mut self, outcome: Outcome) {
        self.worlds += 1;
        self.counts.add(&outcome.counts);
        self.steps += outcome.steps;
        self.lasted_secs += outcome.lasted.as_secs();
        let (all, one) = (&mut self.sums, outcome.sums);
        all.packets += one.packets;
        all.rejected += one.rejected;
        all.claims += one.claims;
        all.shown += one.shown;
        all.refunds += one.refunds;
        all.cases += one.cases;
        if outcome.violation.is_some() {
            self.broken.push(outcome);
        }
    }

    /// The faults and what came of them, for a terminal.
    pub fn tables(&self) -> String {
        let faults = table("fault", &self.counts.faults);
        let mut events = self.counts.events.clone();
        let sums = [
            ("packets", self.sums.packets),
            ("packets never funded", self.sums.rejected),
            ("claims", self.sums.claims),
            ("people shown an amount", self.sums.shown),
            ("refunds", self.sums.refunds),
            ("repair cases", self.sums.cases),
        ];
        for (name, times) in sums {
            let times = u64::try_from(times).unwrap_or(u64::MAX);
            events.insert(name, Count { times, runs: 0 });
        }
        format!("{faults}\n{}", table("what happened", &events))
    }
}

fn table(title: &str, counts: &std::collections::BTreeMap<&'static str, Count>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_NO_BORDERS);
    table.set_header([title, "times", "worlds"]);
    for (name, count) in counts {
        let worlds = if count.runs == 0 {
            String::new()
        } else {
            count.runs.to_string()
        };
        table.add_row([(*name).to_owned(), count.times.to_string(), worlds]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Runs the worlds of the seeds from `from` on, `seeds` of them, on all cores. Tells `progress` after each how many are done
/// and how many are broken; stops early once it says so.
///
/// # Panics
///
/// If one of them does.
pub fn run_many(from: u64, seeds: u64, options: &Options, progress: impl Fn(u64, u64) -> bool + Sync) -> Summary {
    let next = AtomicU64::new(0);
    let summary = Mutex::new(Summary::default());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= seeds {
                        return;
                    }
                    let outcome = run(from + n, options);
                    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                    summary.add(outcome);
                    let broken = summary.broken.len() as u64;
                    if !progress(summary.worlds, broken) {
                        next.store(seeds, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.broken.sort_by_key(|outcome| outcome.seed);
    summary
}
