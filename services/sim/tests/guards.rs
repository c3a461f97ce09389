//! Whether the simulation can see: without a guard, an invariant is found broken within so many worlds.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use guard::Guard;
use sim::guards::try_without;

/// For each guard how many worlds it may take: three times what it took when it was last measured (`sim --guards`) and not below
/// ten, so that other code may have other histories.
const WITHIN: [(Guard, u64); Guard::ALL.len()] = [
    (Guard::SameAccount, 15),
    (Guard::LedgerLock, 96),
    (Guard::Funds, 10),
    (Guard::TransferOnce, 10),
    (Guard::TransferPayload, 15),
    (Guard::SuspenseId, 10),
    (Guard::ShareOnce, 42),
    (Guard::UserOnce, 10),
    (Guard::AmountFromSeed, 10),
    (Guard::CommitFirst, 246),
    (Guard::FundFirst, 10),
    (Guard::CaseOpened, 10),
    (Guard::WriterFence, 10),
    (Guard::LogOrder, 117),
    (Guard::LogGap, 456),
    (Guard::CursorFence, 126),
    (Guard::CloseFirst, 10),
    (Guard::RefundRest, 10),
    (Guard::StateFence, 255),
    (Guard::RefusalLasts, 10),
    (Guard::SeedOnce, 10),
    (Guard::SeedLast, 10),
    (Guard::RequestOnce, 10),
    (Guard::RequestPayload, 27),
];

#[test]
fn every_guard_that_is_taken_away_is_missed() {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((guard, worlds)) = WITHIN.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let trial = try_without(*guard, 0, *worlds);
                    assert!(
                        trial.found.is_some(),
                        "without {guard:?} nothing was found in {worlds} worlds"
                    );
                }
            });
        }
    });
}

/// None is left out, and none is there twice.
#[test]
fn every_guard_is_tried() {
    assert_eq!(WITHIN.map(|(guard, _)| guard), Guard::ALL);
}
