//! Equal parts.

use crate::pot::Pot;

/// The same for each; the first few get one fen more until nothing remains. Which shares those are
/// is left to the shuffle. A cap changes nothing: equal parts are below every cap that can hold the
/// total.
pub(crate) fn draw(pot: &Pot) -> Vec<u64> {
    let each = pot.free_fen / pot.count;
    let remainder = pot.free_fen % pot.count;
    (0..pot.count)
        .map(|share| each + u64::from(share < remainder))
        .collect()
}
