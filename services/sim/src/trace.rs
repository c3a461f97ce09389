//! What happened, step by step.

use std::{
    collections::VecDeque,
    fmt::{self, Write},
    hash::{DefaultHasher, Hasher},
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

/// Steps kept for the account of a failure when the whole is not printed.
const KEPT: usize = 80;

/// The steps of one run: printed as they happen or only remembered, and always counted into one number that two runs share
/// only if they did the same.
pub struct Trace {
    began: Instant,
    prints: bool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    hasher: DefaultHasher,
    steps: u64,
    last: VecDeque<String>,
    line: String,
}

impl Trace {
    /// Empty, from now on.
    pub fn new(prints: bool) -> Self {
        Self {
            began: Instant::now(),
            prints,
            inner: Mutex::default(),
        }
    }

    /// One step of `who`.
    pub fn step(&self, who: &str, what: fmt::Arguments<'_>) {
        let at = self.began.elapsed();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        inner.line.clear();
        let (seconds, ms) = (at.as_secs(), at.subsec_millis());
        // Writing to a string does not fail.
        let _ = write!(inner.line, "{seconds:>5}.{ms:03}  {who:<11} {what}");
        inner.hasher.write(inner.line.as_bytes());
        inner.steps += 1;
        if self.prints {
            println!("{}", inner.line);
            return;
        }
        let line = if inner.last.len() == KEPT {
            inner.last.pop_front().unwrap_or_default()
        } else {
            String::new()
        };
        inner.last.push_back(std::mem::replace(&mut inner.line, line));
    }

    /// The number that stands for the whole.
    pub fn digest(&self) -> u64 {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .hasher
            .finish()
    }

    /// How many steps there were.
    pub fn steps(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).steps
    }

    /// The last steps, if they were not printed.
    pub fn last(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.last.iter().cloned().collect()
    }
}
