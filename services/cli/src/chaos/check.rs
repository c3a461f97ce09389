//! Holds what clients heard against what is in the books. Pure: a history and books in, what is wrong out.
//!
//! - [`violation`]: what can be wrong.
//! - [`claims`]: what was told of packets and shares, and the claim log.
//! - [`money`]: settlements, refunds, escrows, wallets, the ledger.
//! - [`errors`]: which errors the faults explain.

pub mod claims;
pub mod errors;
pub mod money;
pub mod violation;

use std::collections::{HashMap, HashSet};

use super::{
    books::{Books, Claim},
    history::Record,
};

pub use errors::Excuses;
pub use violation::Violation;

/// What the books are to be held against.
#[derive(Debug)]
pub struct Story<'a> {
    /// Everything that was asked and heard.
    pub records: &'a [Record],
    /// What each person began with, in fen.
    pub start_fen: i64,
    /// Everyone who may have an open repair case: those whose wallet was frozen.
    pub frozen: &'a HashSet<String>,
    /// When the books were read.
    pub read_us: i64,
}

/// Everything in the books that does not agree with the story or with itself. Empty means that nothing was lost, doubled or
/// made up.
pub fn check(story: &Story, books: &Books) -> Vec<Violation> {
    let index = Index::of(books);
    let mut found = claims::check(story, books, &index);
    found.extend(money::check(story, books, &index));
    found
}

/// The claims as they are asked for.
#[derive(Debug, Default)]
pub struct Index<'a> {
    /// By packet.
    by_packet: HashMap<&'a str, Vec<&'a Claim>>,
    /// By packet and user.
    by_person: HashMap<(&'a str, &'a str), &'a Claim>,
}

impl<'a> Index<'a> {
    fn of(books: &'a Books) -> Self {
        let mut index = Self::default();
        for claim in &books.claims {
            index.by_packet.entry(&claim.packet_id).or_default().push(claim);
            index.by_person.entry((&claim.packet_id, &claim.user)).or_insert(claim);
        }
        index
    }

    fn of_packet(&self, packet_id: &str) -> &[&'a Claim] {
        self.by_packet.get(packet_id).map_or(&[], Vec::as_slice)
    }

    fn claimed_fen(&self, packet_id: &str) -> i64 {
        let amounts = self.of_packet(packet_id).iter().map(|claim| claim.amount_fen);
        amounts.fold(0, i64::saturating_add)
    }
}

#[cfg(test)]
mod scene;
#[cfg(test)]
mod tests;
