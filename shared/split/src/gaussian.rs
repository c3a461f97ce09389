//! A normal distribution around the mean, cut off at nothing and at twice the mean.

use crate::{pot::Pot, pour, stream::Stream};

/// The mean weight: two standard deviations, so that `σ = μ/2`.
const MEAN: u64 = 1 << 17;

/// The mean of the sum of twelve uniform 16-bit integers: `12 * (2^16 - 1) / 2`.
const SUM_MEAN: u64 = 393_210;

/// Draws a weight for each share and divides the money in proportion.
pub(crate) fn draw(pot: &Pot, stream: &mut Stream) -> Vec<u64> {
    let weights: Vec<u64> = (0..pot.count).map(|_| weight(stream)).collect();
    let mut shares: Vec<u64> = pour::divide(pot.free_fen, &weights, stream).collect();
    pour::level(&mut shares, pot.room_fen, stream);
    shares
}

/// A normal deviate in integers, with mean `2^17` and standard deviation `2^16`, cut off to
/// `1..2^18`: two standard deviations to either side.
///
/// By the central limit theorem: a uniform 16-bit integer has variance `(2^32 - 1) / 12`, so the
/// sum of twelve has standard deviation `2^16` (Irwin and Hall). Three words hold twelve such
/// integers. A sum outside the interval is drawn again, which happens to one in 22. No weight is
/// zero, so that the weights can always be divided by their sum.
fn weight(stream: &mut Stream) -> u64 {
    loop {
        let sum: u64 = (0..3).map(|_| lanes(stream.word())).sum();
        // Below the interval this wraps around to far above it.
        let weight = (sum + MEAN).wrapping_sub(SUM_MEAN);
        if (1..2 * MEAN).contains(&weight) {
            return weight;
        }
    }
}

/// The sum of the four 16-bit integers that make up `word`.
fn lanes(word: u64) -> u64 {
    [0, 16, 32, 48].map(|shift| word >> shift & 0xffff).iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    /// The normal distribution with these cut-offs has deviation
    /// `σ √(1 − 4φ(2)/(2Φ(2) − 1)) = 0.8796 σ`.
    #[test]
    #[expect(clippy::cast_precision_loss, reason = "statistics")]
    fn weights_are_normal() {
        const DRAWS: u32 = 1_000_000;
        let mut stream = Stream::new(&Seed::from_bytes([6; 32]));
        let deviates = (0..DRAWS).map(|_| weight(&mut stream) as f64 / MEAN as f64 - 1.0);
        let (sum, squares) = deviates.fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
        let mean = sum / f64::from(DRAWS);
        let deviation = (squares / f64::from(DRAWS)).sqrt();
        assert!(mean.abs() < 0.002, "mean off by {mean}");
        assert!((deviation - 0.4398).abs() < 0.003, "deviation {deviation}");
    }
}
