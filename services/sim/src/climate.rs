//! How a world is treated: which faults, and how likely each.

use crate::{dice::Dice, redis};

/// Likelihoods in permille, each per opportunity. Zero where the seed leaves a kind of fault out, so that every kind is also met
/// alone and every other kind without it.
#[derive(Clone, Debug)]
pub struct Climate {
    /// A message is held up, by up to [`Climate::delay_ms`].
    pub delay: u32,
    /// The longest delay of a message.
    pub delay_ms: u64,
    /// A request is lost on its way.
    pub request_lost: u32,
    /// An answer is lost on its way.
    pub answer_lost: u32,
    /// A request arrives a second time, later.
    pub doubled: u32,
    /// A stream breaks off between two messages.
    pub stream_cut: u32,
    /// A message in the middle of a stream is lost.
    pub stream_gap: u32,
    /// A transaction is slow, by up to [`Climate::slow_ms`].
    pub slow: u32,
    /// The longest delay of a transaction.
    pub slow_ms: u64,
    /// A transaction fails before its commit.
    pub cut: u32,
    /// A transaction meets another one.
    pub contended: u32,
    /// A transaction finds the disk full.
    pub full: u32,
    /// The answer to a commit is lost.
    pub commit_answer_lost: u32,
    /// A commit is lost and nobody is told.
    pub commit_lost: u32,
    /// A host dies at a transaction, before or after it.
    pub crash_at_disk: u32,
    /// A host dies at a message, before or after it.
    pub crash_at_net: u32,
    /// Crashes at any moment, in a world's active time.
    pub crashes: u64,
    /// Times that a host stands still, longer than its leases.
    pub freezes: u64,
    /// Times that a host stands still with something in hand, longer than its leases.
    pub stalls: u64,
    /// Times that two hosts cannot reach each other.
    pub partitions: u64,
    /// Times that a database is away.
    pub outages: u64,
    /// Whether clocks are wrong, each by up to so many milliseconds, and jump.
    pub skew_ms: u64,
    /// Of Redis and the ways to it.
    pub redis: redis::Climate,
}

/// Clocks differ by no more than twice this: `transfer::ops::fund` promises what it promises only where instances' clocks differ
/// by less than `WINDOW - POST_TIMEOUT`, 10 s.
const MAX_SKEW_MS: u64 = 4_500;

impl Climate {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        Self {
            delay: 0,
            delay_ms: 0,
            request_lost: 0,
            answer_lost: 0,
            doubled: 0,
            stream_cut: 0,
            stream_gap: 0,
            slow: 0,
            slow_ms: 0,
            cut: 0,
            contended: 0,
            full: 0,
            commit_answer_lost: 0,
            commit_lost: 0,
            crash_at_disk: 0,
            crash_at_net: 0,
            crashes: 0,
            freezes: 0,
            stalls: 0,
            partitions: 0,
            outages: 0,
            skew_ms: 0,
            redis: redis::Climate::calm(),
        }
    }

    /// The climate of a seed.
    pub fn draw(dice: &Dice) -> Self {
        // One world in eight is without any fault.
        let stormy = !dice.chance(125);
        let some = |likely: u32, strongest: u64| {
            let strength = dice.number(1..=strongest.max(1));
            if stormy && dice.chance(likely) { strength } else { 0 }
        };
        let permille = |likely, strongest: u32| u32::try_from(some(likely, strongest.into())).unwrap_or(0);
        Self {
            delay: permille(700, 300),
            delay_ms: dice.number(5..=3_000),
            request_lost: permille(500, 40),
            answer_lost: permille(500, 40),
            doubled: permille(500, 60),
            stream_cut: permille(400, 50),
            // So much, because few messages of a stream are followed by another one before it breaks off.
            stream_gap: permille(500, 500),
            slow: permille(600, 200),
            slow_ms: dice.number(5..=1_500),
            cut: permille(500, 30),
            contended: permille(400, 50),
            full: permille(300, 30),
            commit_answer_lost: permille(500, 40),
            commit_lost: permille(400, 30),
            crash_at_disk: permille(500, 6),
            crash_at_net: permille(400, 4),
            crashes: some(500, 8),
            freezes: some(400, 4),
            stalls: some(700, 8),
            partitions: some(400, 4),
            outages: some(300, 3),
            skew_ms: some(500, MAX_SKEW_MS),
            redis: redis::Climate::draw(&dice.apart("redis")),
        }
    }
}
