//! A set of share numbers: which are taken, and the lowest and the highest that is not.

const BITS: u32 = u64::BITS;

/// Shares `0..count`, each taken or free. One bit a share; finding a free end scans words from a hint that moves with
/// the ends, so that a packet's whole life costs one pass however many shares it has.
#[derive(Clone, Debug)]
pub struct Shares {
    words: Vec<u64>,
    count: u32,
    taken: u32,
    /// Every word below is full.
    low: usize,
    /// Every word from here on is full.
    high: usize,
}

fn place(share_no: u32) -> (usize, u64) {
    ((share_no / BITS) as usize, 1 << (share_no % BITS))
}

impl Shares {
    /// `count` shares, all free.
    pub fn all_free(count: u32) -> Self {
        let mut words = vec![0; count.div_ceil(BITS) as usize];
        // What the last word has beyond `count` is no share: it is taken from the start.
        if let Some(last) = words.last_mut().filter(|_| !count.is_multiple_of(BITS)) {
            *last = u64::MAX << (count % BITS);
        }
        Self {
            high: words.len(),
            words,
            count,
            taken: 0,
            low: 0,
        }
    }

    /// How many are taken.
    pub fn taken(&self) -> u32 {
        self.taken
    }

    /// Whether all are taken.
    pub fn is_full(&self) -> bool {
        self.taken == self.count
    }

    /// Whether `share_no` is taken. A share that does not exist is.
    pub fn is_taken(&self, share_no: u32) -> bool {
        let (word, bit) = place(share_no);
        self.words.get(word).is_none_or(|word| word & bit != 0)
    }

    /// Takes a share; `false` if it was taken or does not exist.
    pub fn take(&mut self, share_no: u32) -> bool {
        if self.is_taken(share_no) {
            return false;
        }
        let (word, bit) = place(share_no);
        self.words[word] |= bit;
        self.taken += 1;
        true
    }

    /// Gives a share back; nothing happens if it is free or does not exist.
    pub fn release(&mut self, share_no: u32) {
        if share_no >= self.count || !self.is_taken(share_no) {
            return;
        }
        let (word, bit) = place(share_no);
        self.words[word] &= !bit;
        self.taken -= 1;
        self.low = self.low.min(word);
        self.high = self.high.max(word + 1);
    }

    /// The lowest free share.
    pub fn lowest_free(&mut self) -> Option<u32> {
        while self.words.get(self.low) == Some(&u64::MAX) {
            self.low += 1;
        }
        let bit = self.words.get(self.low)?.trailing_ones();
        Some(u32::try_from(self.low).ok()? * BITS + bit)
    }

    /// The highest free share.
    pub fn highest_free(&mut self) -> Option<u32> {
        while self.high > 0 && self.words[self.high - 1] == u64::MAX {
            self.high -= 1;
        }
        let word = self.high.checked_sub(1)?;
        let bit = BITS - 1 - self.words[word].leading_ones();
        Some(u32::try_from(word).ok()? * BITS + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Clone, Debug)]
    enum Step {
        Take(u32),
        Release(u32),
        Lowest,
        Highest,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..210_u32).prop_map(Step::Take),
            (0..210_u32).prop_map(Step::Release),
            Just(Step::Lowest),
            Just(Step::Highest),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn behaves_like_a_set_of_numbers(
            count in prop_oneof![Just(0), Just(1), Just(63), Just(64), Just(65), 0..200_u32],
            steps in prop::collection::vec(step(), 0..400),
        ) {
            let mut free: BTreeSet<u32> = (0..count).collect();
            let mut shares = Shares::all_free(count);
            for step in steps {
                match step {
                    Step::Take(n) => prop_assert_eq!(shares.take(n), free.remove(&n)),
                    Step::Release(n) => {
                        shares.release(n);
                        if n < count {
                            free.insert(n);
                        }
                    }
                    Step::Lowest => prop_assert_eq!(shares.lowest_free(), free.first().copied()),
                    Step::Highest => prop_assert_eq!(shares.highest_free(), free.last().copied()),
                }
                prop_assert_eq!(shares.taken() as usize, count as usize - free.len());
                prop_assert_eq!(shares.is_full(), free.is_empty());
            }
        }
    }
}
