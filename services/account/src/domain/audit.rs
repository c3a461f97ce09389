//! Verification of the ledger: what its rows say held against each other, a slice at a time, as pure functions.
//!
//! | walk | through | holds |
//! |---|---|---|
//! | [`accounts`] | accounts and entries, in order of account and number | every balance against the entries below it |
//! | [`transfers`] | transfers, in order of id | each against its two entries and against the chain |
//! | [`seals`] | the chain, in order | each seal against the one before and the transfers under it |
//!
//! Every slice is one snapshot of the store. Between two, postings go on: entries and seals are only ever added behind what a
//! walk has seen, and an account is judged in the slice that has its last entry. So nothing posted meanwhile is a difference.

pub mod accounts;
mod finding;
pub mod seals;
pub mod transfers;

pub use finding::{Difference, Finding, Subject};

use money::Fen;

/// An answer ends when it has this many differences: enough to see a pattern.
pub const MAX_DIFFERENCES: usize = 1_000;

/// What was found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many accounts were recomputed.
    pub account_count: i64,
    /// How many transfers were held against their entries.
    pub transfer_count: i64,
    /// How many sealed transfers were held against the chain.
    pub sealed_count: i64,
    /// What the differences add to the sum of all balances. Over a whole verification, that is the sum of all balances: zero
    /// in a sound ledger (MONEY-1).
    pub balance_sum: i128,
    /// Empty means that what was looked at is sound.
    pub differences: Vec<Difference>,
}

impl Report {
    /// Notes what is wrong.
    fn add(&mut self, finding: Finding, subject: Subject, excess: i128) {
        self.differences.push(Difference {
            finding,
            subject,
            excess: fen(excess),
        });
    }
}

/// As fen, clamped to 64 bits, which no sum of a sound ledger exceeds.
pub fn fen(sum: i128) -> Fen {
    Fen::new(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}
