//! From a seed to unbiased integers, byte for byte.
//!
//! The stream is the `ChaCha20` keystream of RFC 8439 (nonce zero, block counter from zero) under the
//! key `HMAC-SHA256(seed, "hongbao/split/v1/stream")`, read eight bytes at a time as little-endian
//! integers. Nothing is skipped and nothing is read twice.

use rand::{Rng, SeedableRng, rngs::ChaCha20Rng};

use crate::Seed;

/// Separates the stream's key from every other use of the seed.
const STREAM_TAG: &[u8] = b"hongbao/split/v1/stream";

/// The random integers of one split.
pub(crate) struct Stream(ChaCha20Rng);

impl Stream {
    pub(crate) fn new(seed: &Seed) -> Self {
        Self(ChaCha20Rng::from_seed(seed.derive(STREAM_TAG, b"")))
    }

    /// The next eight bytes of the keystream, as a little-endian integer.
    pub(crate) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// An integer in `0..bound`, all equally likely. `bound` is at least 1; every call reads at
    /// least one word, even when there is nothing to choose.
    ///
    /// Lemire's method (*Fast Random Integer Generation in an Interval*, 2019, algorithm 5): the
    /// product `word * bound` has the candidate in its high half. Its low half tells the few words
    /// that would make some candidates likelier than others; those are drawn again.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let (mut low, mut high) = self.word().carrying_mul(bound, 0);
        if low < bound {
            let surplus = bound.wrapping_neg() % bound; // 2^64 mod bound
            while low < surplus {
                (low, high) = self.word().carrying_mul(bound, 0);
            }
        }
        high
    }

    /// Puts `items` in a random order, all orders equally likely (Fisher and Yates, from the end).
    pub(crate) fn shuffle(&mut self, items: &mut [u64]) {
        for len in (2..=items.len()).rev() {
            #[expect(clippy::cast_possible_truncation, reason = "less than `len`, a usize")]
            let picked = self.below(len as u64) as usize;
            items.swap(picked, len - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key schedule is ours, the keystream must be the standard's: RFC 8439, appendix A.1,
    /// test vectors 1 and 2 (the zero key, blocks 0 and 1).
    #[test]
    fn is_the_standard_keystream() {
        let mut stream = Stream(ChaCha20Rng::from_seed([0; 32]));
        let bytes: Vec<u8> = (0..16).flat_map(|_| stream.word().to_le_bytes()).collect();
        assert_eq!(
            hex::encode(bytes),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7\
             da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586\
             9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed\
             29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
        );
    }

    #[test]
    fn stays_below_any_bound() {
        let mut stream = Stream::new(&Seed::from_bytes([3; 32]));
        for bound in [1, 2, 3, 1 << 32, (1 << 63) + 1, u64::MAX] {
            assert!((0..1000).all(|_| stream.below(bound) < bound));
        }
    }

    /// Just above 2^63 nearly half of all words are surplus: without rejection, even candidates
    /// would come up twice as often as odd ones.
    #[test]
    fn rejects_the_surplus() {
        let mut stream = Stream::new(&Seed::from_bytes([4; 32]));
        let odd = (0..10_000).filter(|_| stream.below((1 << 63) + 1) % 2 == 1).count();
        assert!((4800..5200).contains(&odd), "{odd} of 10,000 were odd");
    }

    #[test]
    fn shuffles_into_every_order_equally_often() {
        let mut stream = Stream::new(&Seed::from_bytes([5; 32]));
        let mut seen = std::collections::BTreeMap::<_, u32>::new();
        for _ in 0..24_000 {
            let mut items = [1, 2, 3, 4];
            stream.shuffle(&mut items);
            *seen.entry(items).or_default() += 1;
        }
        assert_eq!(seen.len(), 24);
        // 1000 expected of each, standard deviation 31.
        assert!(seen.values().all(|times| (860..1140).contains(times)), "{seen:?}");
    }
}
