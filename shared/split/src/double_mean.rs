//! 二倍均值: uniform between nothing and twice the mean of what is left.

use crate::{pot::Pot, stream::Stream};

/// Draws share after share. With `m` shares and `R` fen left, a share is uniform on `0..=2R/m`, so
/// its mean is `R/m`, exactly what an equal division of the rest would give it.
///
/// `2R/m` is rarely whole. It is rounded up with the probability of its fraction, which keeps the
/// mean exact; always rounding down would leave the surplus to the last share.
///
/// A cap is the same thing seen from above. Let `D` be the fen by which the rest falls short of `m`
/// full shares: a share is as far below the cap as a double-mean division of `D` says. Whichever of
/// `R` and `D` is smaller is divided; then the interval fits below the cap, what is left fits into
/// the shares that are left, and the mean is `R/m` either way.
pub(crate) fn draw(pot: &Pot, stream: &mut Stream) -> Vec<u64> {
    let mut rest = pot.free_fen;
    let mut shortfall = pot.room_fen * pot.count - pot.free_fen;
    (1..=pot.count)
        .rev()
        .map(|left| {
            let divided = rest.min(shortfall);
            let part = if left == 1 {
                divided
            } else {
                let twice_mean = (2 * divided + stream.below(left)) / left;
                stream.below(twice_mean + 1)
            };
            let share = if rest <= shortfall { part } else { pot.room_fen - part };
            rest -= share;
            shortfall -= pot.room_fen - share;
            share
        })
        .collect()
}
