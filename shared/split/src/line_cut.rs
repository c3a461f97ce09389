//! 线段切割: cut a line at random points.

use std::collections::BTreeSet;

use crate::{pot::Pot, pour, stream::Stream};

/// Lays the fen out in a line, first fen included, and cuts it at `count - 1` distinct places
/// between two fen. Every division into whole shares of at least one fen is then equally likely.
///
/// With a cap, what exceeds it is poured into the room that the others have left.
pub(crate) fn draw(pot: &Pot, stream: &mut Stream) -> Vec<u64> {
    let total = pot.free_fen + pot.count;
    let cuts = subset(pot.count - 1, total - 1, stream);
    let mut start = 0;
    let mut shares: Vec<u64> = cuts
        .into_iter()
        .map(|place| place + 1)
        .chain([total])
        .map(|end| end - std::mem::replace(&mut start, end) - 1)
        .collect();
    pour::level(&mut shares, pot.room_fen, stream);
    shares
}

/// `size` distinct integers from `0..bound`, every such set equally likely.
///
/// Floyd's algorithm (Bentley and Floyd, *A Sample of Brilliance*, 1987): one draw for each member,
/// however dense the set.
fn subset(size: u64, bound: u64, stream: &mut Stream) -> BTreeSet<u64> {
    let mut members = BTreeSet::new();
    for newest in bound - size..bound {
        if !members.insert(stream.below(newest + 1)) {
            members.insert(newest);
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Seed;

    #[test]
    fn every_division_is_equally_likely() {
        let pot = Pot::new(7, 3, None).expect("valid terms");
        let mut stream = Stream::new(&Seed::from_bytes([8; 32]));
        let mut seen = BTreeMap::<_, u32>::new();
        for _ in 0..15_000 {
            *seen.entry(draw(&pot, &mut stream)).or_default() += 1;
        }
        // (7 - 1 choose 3 - 1) divisions, 1000 expected of each, standard deviation 31.
        assert_eq!(seen.len(), 15);
        assert!(seen.values().all(|times| (860..1140).contains(times)), "{seen:?}");
    }
}
