//! Checked terms, and the bounds that keep all later arithmetic exact.

use crate::SplitError;

/// The most shares a packet may have.
pub const MAX_SHARE_COUNT: u32 = 1_000_000;

/// The most a packet may hold, in fen: ten billion yuan.
///
/// With [`MAX_SHARE_COUNT`] it keeps `total * count` below 2^60, so that no sum or product of this
/// crate leaves 64 bits, but for those that say they are 128 bits wide.
pub const MAX_TOTAL_FEN: i64 = 1_000_000_000_000;

/// What a kind has to divide once every share has its first fen.
///
/// Holds: `1 <= count`, `room_fen <= free_fen <= room_fen * count <= 2^60`.
#[derive(Clone, Copy)]
pub(crate) struct Pot {
    /// What is left to divide.
    pub(crate) free_fen: u64,
    /// Among how many shares.
    pub(crate) count: u64,
    /// The most any one of them may still take.
    pub(crate) room_fen: u64,
}

impl Pot {
    /// The one place where terms are judged. The checks stand in the order of [`SplitError`].
    pub(crate) fn new(total_fen: i64, share_count: u32, cap_fen: Option<i64>) -> Result<Self, SplitError> {
        if share_count == 0 {
            return Err(SplitError::NoShares);
        }
        if share_count > MAX_SHARE_COUNT {
            return Err(SplitError::TooManyShares { share_count });
        }
        if total_fen < i64::from(share_count) {
            return Err(SplitError::TotalTooSmall { total_fen, share_count });
        }
        if total_fen > MAX_TOTAL_FEN {
            return Err(SplitError::TotalTooLarge { total_fen });
        }
        // No share can exceed the total, so no cap and a cap above the total are the same.
        let cap = cap_fen.unwrap_or(total_fen).min(total_fen);
        if cap.saturating_mul(i64::from(share_count)) < total_fen {
            return Err(SplitError::CapTooSmall {
                cap_fen: cap,
                total_fen,
                share_count,
            });
        }
        let free_fen = total_fen.unsigned_abs() - u64::from(share_count);
        Ok(Self {
            free_fen,
            count: u64::from(share_count),
            room_fen: free_fen.min(cap.unsigned_abs() - 1),
        })
    }
}
