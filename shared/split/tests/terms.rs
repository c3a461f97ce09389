//! Which terms are refused, and with which error: one test per variant, in order of precedence.
//!
//! Each case breaks its own rule and every later one that can be broken at the same time.

#![expect(clippy::expect_used, reason = "a helper that panics fails its test")]

use split::{Kind, MAX_SHARE_COUNT, MAX_TOTAL_FEN, Seed, SplitError, split};

fn refusal(total_fen: i64, share_count: u32, cap_fen: Option<i64>) -> SplitError {
    let refusals = Kind::ALL.map(|kind| {
        let seed = Seed::from_bytes([1; 32]);
        split(kind, &seed, total_fen, share_count, cap_fen).expect_err("must be refused")
    });
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]));
    refusals[0]
}

fn accepted(total_fen: i64, share_count: u32, cap_fen: Option<i64>) {
    for kind in Kind::ALL {
        let seed = Seed::from_bytes([1; 32]);
        let shares = split(kind, &seed, total_fen, share_count, cap_fen).expect("valid terms");
        assert_eq!(shares.len(), share_count as usize);
        assert_eq!(shares.iter().sum::<i64>(), total_fen);
    }
}

#[test]
fn no_shares() {
    for (total_fen, cap_fen) in [(0, None), (-1, Some(-1)), (i64::MAX, Some(0))] {
        assert_eq!(refusal(total_fen, 0, cap_fen), SplitError::NoShares);
    }
}

#[test]
fn too_many_shares() {
    for share_count in [MAX_SHARE_COUNT + 1, u32::MAX] {
        for (total_fen, cap_fen) in [(0, None), (i64::MIN, Some(0)), (i64::MAX, Some(1))] {
            assert_eq!(
                refusal(total_fen, share_count, cap_fen),
                SplitError::TooManyShares { share_count },
            );
        }
    }
}

#[test]
fn total_too_small() {
    for (total_fen, share_count) in [(0, 1), (9, 10), (-1, 1), (i64::MIN, 1), (999_999, 1_000_000)] {
        assert_eq!(
            refusal(total_fen, share_count, Some(0)),
            SplitError::TotalTooSmall { total_fen, share_count },
        );
    }
}

#[test]
fn total_too_large() {
    for total_fen in [MAX_TOTAL_FEN + 1, i64::MAX] {
        assert_eq!(refusal(total_fen, 1, Some(1)), SplitError::TotalTooLarge { total_fen },);
    }
}

#[test]
fn cap_too_small() {
    let cases = [
        (100, 10, 9),
        (101, 10, 10),
        (1, 1, 0),
        (1, 1, -1),
        (1, 1, i64::MIN),
        (MAX_TOTAL_FEN, MAX_SHARE_COUNT, 999_999),
    ];
    for (total_fen, share_count, cap_fen) in cases {
        assert_eq!(
            refusal(total_fen, share_count, Some(cap_fen)),
            SplitError::CapTooSmall {
                cap_fen,
                total_fen,
                share_count,
            },
        );
    }
}

#[test]
fn the_bounds_themselves_are_accepted() {
    accepted(1, 1, None);
    accepted(1, 1, Some(1));
    accepted(1, 1, Some(i64::MAX));
    accepted(MAX_TOTAL_FEN, 1, None);
    accepted(i64::from(MAX_SHARE_COUNT), MAX_SHARE_COUNT, Some(1));
    accepted(MAX_TOTAL_FEN, MAX_SHARE_COUNT, None);
    accepted(MAX_TOTAL_FEN, MAX_SHARE_COUNT, Some(1_000_000));
    accepted(MAX_TOTAL_FEN, MAX_SHARE_COUNT, Some(1_000_001));
    accepted(MAX_TOTAL_FEN, MAX_SHARE_COUNT, Some(MAX_TOTAL_FEN / 2));
}
