//! Why terms cannot be split.

use crate::{MAX_SHARE_COUNT, MAX_TOTAL_FEN};

/// Why terms cannot be split. When several apply, the one that stands first here is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// There is nothing to split into.
    #[error("a packet needs at least one share")]
    NoShares,
    /// More than [`MAX_SHARE_COUNT`] shares.
    #[error("{share_count} shares are more than the {MAX_SHARE_COUNT} a packet may have")]
    TooManyShares {
        /// The count asked for.
        share_count: u32,
    },
    /// Less than one fen for each share; includes every total that is zero or negative.
    #[error("{total_fen} fen do not give each of {share_count} shares one fen")]
    TotalTooSmall {
        /// The total asked for, in fen.
        total_fen: i64,
        /// The count asked for.
        share_count: u32,
    },
    /// More than [`MAX_TOTAL_FEN`].
    #[error("{total_fen} fen are more than the {MAX_TOTAL_FEN} fen a packet may hold")]
    TotalTooLarge {
        /// The total asked for, in fen.
        total_fen: i64,
    },
    /// Even if every share reached the cap, money would be left over; includes every cap that is
    /// zero or negative.
    #[error("{share_count} shares of at most {cap_fen} fen cannot hold {total_fen} fen")]
    CapTooSmall {
        /// The cap asked for, in fen.
        cap_fen: i64,
        /// The total asked for, in fen.
        total_fen: i64,
        /// The count asked for.
        share_count: u32,
    },
}
