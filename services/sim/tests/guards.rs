//! Whether the simulation can see: without a guard, what breaks is found within so many worlds.

use std::thread;

use guard::Guard;
use sim::guards::try_without;

/// For each guard how many worlds it may take: three times what it took when it was last measured (`sim --guards`), so that
/// other code may have other histories. Those that are not here take too many for a test.
const WITHIN: &[(Guard, u64)] = &[
    (Guard::SameAccount, 10),
    (Guard::LedgerLock, 63),
    (Guard::Funds, 27),
    (Guard::TransferOnce, 5),
    (Guard::TransferPayload, 5),
    (Guard::SuspenseId, 10),
    (Guard::UserOnce, 12),
    (Guard::AmountFromSeed, 5),
    (Guard::CommitFirst, 33),
    (Guard::FundFirst, 27),
    (Guard::CaseOpened, 10),
    (Guard::WriterFence, 12),
    (Guard::LogOrder, 48),
    (Guard::CloseFirst, 36),
    (Guard::RefundRest, 5),
    (Guard::StateFence, 147),
    (Guard::SeedOnce, 5),
    (Guard::SeedLast, 5),
    (Guard::RequestOnce, 5),
    (Guard::RequestPayload, 10),
];

#[test]
fn every_guard_that_is_taken_away_is_missed() {
    thread::scope(|scope| {
        for half in WITHIN.chunks(WITHIN.len().div_ceil(2)) {
            scope.spawn(move || {
                for (guard, worlds) in half {
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
