//! What a drill shows while it goes on: a bar in a terminal, a line now and then elsewhere. On standard error, so that
//! the table at the end can be kept apart.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::history::{Counts, History};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
const TEMPLATE: &str = "{elapsed_precise} [{wide_bar}] {msg}";

/// The display of a drill.
pub struct Progress {
    bar: Option<ProgressBar>,
    history: Arc<History>,
    length: Duration,
    last_line: Duration,
}

impl Progress {
    /// For a drill that takes `length`.
    pub fn new(length: Duration, history: Arc<History>) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
            // The template is a constant that is right; without it there is the default.
            bar.with_style(ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self {
            bar,
            history,
            length,
            last_line: Duration::ZERO,
        }
    }

    /// Brings it up to date.
    pub fn show(&mut self, elapsed: Duration) {
        let counts = told(self.history.counts());
        match &self.bar {
            Some(bar) => {
                bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
                bar.set_message(counts);
            }
            None if elapsed >= self.last_line + LINE_EVERY => {
                self.last_line = elapsed;
                eprintln!("{}/{} s  {counts}", elapsed.as_secs(), self.length.as_secs());
            }
            None => {}
        }
    }

    /// Says what happens.
    pub fn say(&self, elapsed: Duration, what: &str) {
        let line = format!("{:>7.1} s  {what}", elapsed.as_secs_f64());
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    /// What is done now that the drill is over.
    pub fn then(&self, what: &str) {
        match &self.bar {
            Some(bar) => {
                bar.finish_and_clear();
                eprintln!("{what}");
            }
            None => eprintln!("{what}"),
        }
    }
}

fn told(counts: Counts) -> String {
    format!(
        "{} sends  {} grabs  {} opens  {} others  {} errors",
        counts.sent, counts.grabbed, counts.opened, counts.other, counts.errors
    )
}
