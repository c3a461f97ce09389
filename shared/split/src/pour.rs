//! Proportional division of whole fen: exact in sum, and fair to the fen on average.

use crate::stream::Stream;

/// Divides `fen` in proportion to `weights`, whose sum is positive and below 2^64.
///
/// Each part is its exact quota rounded down or up, and equals it on average. The fractions are
/// carried from part to part, from a random start below one fen: the residue falls on random parts,
/// and the carry ends where it began, which makes the sum exact.
pub(crate) fn divide(fen: u64, weights: &[u64], stream: &mut Stream) -> impl Iterator<Item = u64> {
    let whole: u64 = weights.iter().sum();
    let mut carry = stream.below(whole);
    weights.iter().map(move |&weight| {
        // 128 bits: a weight may be 2^40, as large as a packet, and so may `fen`.
        let quota = u128::from(weight) * u128::from(fen) + u128::from(carry);
        let (part, rest) = (quota / u128::from(whole), quota % u128::from(whole));
        carry = narrow(rest);
        narrow(part)
    })
}

/// Back to 64 bits, for what is known to fit: a part is at most `fen`, a carry less than the sum of
/// the weights.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
fn narrow(value: u128) -> u64 {
    value as u64
}

/// Brings every share down to `room_fen` and pours what was above it into the others, in proportion
/// to the room each has left.
///
/// No share is then above: what is poured is at most all the room there is, so that each gets at
/// most the whole of its own. Draws nothing where nothing is above.
pub(crate) fn level(shares: &mut [u64], room_fen: u64, stream: &mut Stream) {
    let overflow_fen = shares.iter().map(|share| share.saturating_sub(room_fen)).sum();
    if overflow_fen == 0 {
        return;
    }
    let rooms: Vec<u64> = shares.iter().map(|share| room_fen.saturating_sub(*share)).collect();
    for (share, more) in shares.iter_mut().zip(divide(overflow_fen, &rooms, stream)) {
        *share = room_fen.min(*share) + more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    #[test]
    fn parts_are_quotas_rounded_at_random() {
        let mut stream = Stream::new(&Seed::from_bytes([9; 32]));
        let mut sums = [0; 3];
        for _ in 0..10_000 {
            let parts: Vec<u64> = divide(10, &[1, 2, 4], &mut stream).collect();
            assert_eq!(parts.iter().sum::<u64>(), 10);
            for ((sum, part), quota) in sums.iter_mut().zip(parts).zip([1, 2, 5]) {
                assert!(part == quota || part == quota + 1);
                *sum += part;
            }
        }
        // Quotas 10/7, 20/7 and 40/7; the standard deviation of these sums is below 50.
        for (sum, quota) in sums.into_iter().zip([14_286_u64, 28_571, 57_143]) {
            assert!(sum.abs_diff(quota) < 250, "{sums:?}");
        }
    }

    #[test]
    fn a_weight_of_zero_gets_nothing() {
        let mut stream = Stream::new(&Seed::from_bytes([10; 32]));
        for _ in 0..100 {
            let parts: Vec<u64> = divide(5, &[0, 3, 0, 1, 0], &mut stream).collect();
            assert_eq!([parts[0], parts[2], parts[4]], [0; 3]);
        }
    }

    #[test]
    fn levels_to_the_brim() {
        let mut stream = Stream::new(&Seed::from_bytes([11; 32]));
        let mut shares = [12, 0, 0];
        level(&mut shares, 4, &mut stream);
        assert_eq!(shares, [4, 4, 4]);
    }
}
