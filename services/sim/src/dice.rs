//! Everything that is left to chance, from one seed.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

/// A stream of chance. Clones draw from the same stream; the world runs on one thread, so that who draws when is part of
/// what the seed decides.
#[derive(Clone, Debug)]
pub struct Dice {
    seed: u64,
    rng: Arc<Mutex<StdRng>>,
}

impl Dice {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rng: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        }
    }

    /// Another stream of the same seed: what is drawn from one changes nothing of the other.
    #[must_use]
    pub fn apart(&self, name: &str) -> Self {
        // Its keys are fixed, so that the same name gives the same stream on every machine.
        let mut hasher = DefaultHasher::new();
        (self.seed, name).hash(&mut hasher);
        Self::new(hasher.finish())
    }

    fn with<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Yes in so many of a thousand cases.
    pub fn chance(&self, permille: u32) -> bool {
        self.with(|rng| rng.random_range(0..1000_u32)) < permille
    }

    /// One of these numbers, all equally likely.
    pub fn number(&self, range: RangeInclusive<u64>) -> u64 {
        self.with(|rng| rng.random_range(range))
    }

    /// One of these sizes, all equally likely.
    pub fn size(&self, range: RangeInclusive<usize>) -> usize {
        self.with(|rng| rng.random_range(range))
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.size(0..=of.len() - 1)]
    }

    /// So many milliseconds. Nothing finer: the runtime's timers are not.
    pub fn ms(&self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.with(|rng| rng.fill_bytes(&mut bytes));
        bytes
    }

    /// A generator for who needs one of its own.
    pub fn rng(&self) -> StdRng {
        StdRng::from_seed(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_stream_and_names_part_streams() {
        let draw = |dice: Dice| (0..20).map(|_| dice.number(0..=u64::MAX)).collect::<Vec<_>>();
        assert_eq!(draw(Dice::new(1)), draw(Dice::new(1)));
        assert_ne!(draw(Dice::new(1)), draw(Dice::new(2)));
        assert_eq!(draw(Dice::new(1).apart("net")), draw(Dice::new(1).apart("net")));
        assert_ne!(draw(Dice::new(1).apart("net")), draw(Dice::new(1).apart("disk")));
        assert!(!Dice::new(3).chance(0) && Dice::new(3).chance(1000));
    }
}
