//! Divides a red packet into shares.
//!
//! [`split`] is a pure function of a secret [`Seed`] and the packet's terms (invariant SEED-1): no
//! clock, no I/O, no ambient randomness, no floating point. Its every byte is specified in
//! `docs/split.md`, with test vectors, so that anyone can recompute a packet in another language.
//!
//! # What always holds
//!
//! - The shares sum to the total, each is at least one fen, and none exceeds the cap.
//! - One fen is set aside for each share *before* anything is drawn; the kinds divide only the
//!   rest, so that a small packet is as even-handed as a large one.
//! - What division leaves over is spread at random, never left to the last share.
//! - The finished shares are shuffled, so that no position is luckier than another. Unshuffled,
//!   the last of 100 double-mean shares would be the luckiest eight times too often.
//! - Time and memory grow as `share_count`, with or without a cap (as `n log n` for line cut).
//!
//! # What is published when
//!
//! At send, the [`commitment`]; when the packet has ended, the seed. Whoever holds both runs
//! [`verify`] and gets every amount, or learns that the packet was tampered with. A nonce that the
//! sender adds after the commitment ([`Seed::mix_nonce`]) keeps the operator from choosing a seed
//! that suits him.
//!
//! # Reading order
//!
//! - `seed`: the secret.
//! - `stream`: from the seed to unbiased integers, and the shuffle.
//! - `pot`: from the terms to what there is to divide; all the bounds.
//! - `equal`, `double_mean`, `gaussian`, `line_cut`: the kinds.
//! - `pour`: proportional division, which the Gaussian kind and the cap are made of.
//! - `commit`: commit and reveal.

#![deny(
    clippy::float_arithmetic,
    reason = "another language must get the same fen, to the last one"
)]

mod commit;
#[cfg(test)]
mod documented;
mod double_mean;
mod equal;
mod error;
#[cfg(test)]
mod fairness;
mod gaussian;
mod kind;
mod line_cut;
mod pot;
mod pour;
mod seed;
mod stream;

pub use commit::{Reveal, VerifyError, commitment, verify};
pub use error::SplitError;
pub use kind::Kind;
pub use pot::{MAX_SHARE_COUNT, MAX_TOTAL_FEN};
pub use seed::Seed;

use pot::Pot;
use stream::Stream;

/// Divides `total_fen` into `share_count` shares; element `i` is the amount of share `i`, in fen.
///
/// The same arguments give the same shares, for ever and everywhere. The shares sum to
/// `total_fen`, each lies in `1..=cap_fen` (in `1..=total_fen` without a cap), and all positions
/// have the same distribution.
///
/// Bounds: `1 <= share_count <=` [`MAX_SHARE_COUNT`], `share_count <= total_fen <=`
/// [`MAX_TOTAL_FEN`], and a cap, where there is one, leaves room for the total
/// (`cap_fen * share_count >= total_fen`). Anything else is a [`SplitError`], and the first variant
/// that fits is the one returned.
///
/// ```
/// use split::{Kind, Seed, split};
///
/// let seed = Seed::from_bytes([7; 32]);
/// let shares = split(Kind::DoubleMean, &seed, 20_00, 5, Some(8_88))?;
/// assert_eq!(shares.iter().sum::<i64>(), 20_00);
/// assert!(shares.iter().all(|share_fen| (1..=8_88).contains(share_fen)));
/// # Ok::<(), split::SplitError>(())
/// ```
pub fn split(
    kind: Kind,
    seed: &Seed,
    total_fen: i64,
    share_count: u32,
    cap_fen: Option<i64>,
) -> Result<Vec<i64>, SplitError> {
    let pot = Pot::new(total_fen, share_count, cap_fen)?;
    let mut stream = Stream::new(seed);
    let mut extras = draw(kind, &pot, &mut stream);
    stream.shuffle(&mut extras);
    Ok(extras
        .into_iter()
        .map(|extra_fen| (extra_fen + 1).cast_signed())
        .collect())
}

/// What each share gets beyond its first fen, in the order of drawing.
fn draw(kind: Kind, pot: &Pot, stream: &mut Stream) -> Vec<u64> {
    match kind {
        Kind::DoubleMean => double_mean::draw(pot, stream),
        Kind::Gaussian => gaussian::draw(pot, stream),
        Kind::LineCut => line_cut::draw(pot, stream),
        Kind::Equal => equal::draw(pot),
    }
}
