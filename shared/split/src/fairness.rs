//! Statistics: no position is luckier than another, and each kind has its own feel.
//!
//! The seeds are numbered, not random: a test that passes once passes always.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "statistics need no exact fen"
)]

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::*;

const PACKETS: u32 = 200_000;
const SHARE_COUNTS: [u32; 5] = [1, 2, 3, 10, 100];

/// How many standard errors a position may be off. The tests below compare some 3,500 figures; one
/// in 150,000 is further off by chance.
const STANDARD_ERRORS: f64 = 4.5;

/// The least probability with which a fair split may look as uneven as what is observed.
const LEAST_P: f64 = 1e-4;

/// From `n` fen, where nothing is left to chance, to `200 n`.
fn totals_fen(share_count: u32) -> [i64; 5] {
    let n = i64::from(share_count);
    [n, n + 1, n * 3 / 2, n * 10, n * 200]
}

fn numbered_seed(packet_no: u32) -> Seed {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&packet_no.to_le_bytes());
    Seed::from_bytes(bytes)
}

fn unshuffled(kind: Kind, seed: &Seed, total_fen: i64, share_count: u32) -> Vec<i64> {
    let pot = Pot::new(total_fen, share_count, None).expect("valid terms");
    draw(kind, &pot, &mut Stream::new(seed))
        .into_iter()
        .map(|extra_fen| (extra_fen + 1).cast_signed())
        .collect()
}

/// What many packets of the same terms looked like, by position.
struct Sample {
    total_fen: i64,
    packets: f64,
    /// By position, of the deviation from the mean `μ = total/n`.
    sums: Vec<f64>,
    squares: Vec<f64>,
    /// Over all positions.
    fourth_powers: f64,
    maxima_fen: i64,
    /// `luckiest[t - 1][k]`: how often position `k` was the first of `t` equally lucky ones.
    luckiest: Vec<Vec<u32>>,
}

impl Sample {
    /// Draws packets and checks on the way what must hold for each one.
    fn take(packets: u32, share_count: u32, total_fen: i64, one: impl Fn(&Seed) -> Vec<i64>) -> Self {
        let n = share_count as usize;
        let mean = total_fen as f64 / f64::from(share_count);
        let mut sample = Self {
            total_fen,
            packets: f64::from(packets),
            sums: vec![0.0; n],
            squares: vec![0.0; n],
            fourth_powers: 0.0,
            maxima_fen: 0,
            luckiest: vec![vec![0; n]; n],
        };
        for packet_no in 0..packets {
            let shares = one(&numbered_seed(packet_no));
            assert_eq!(shares.iter().sum::<i64>(), total_fen);
            let (mut luckiest, mut ties) = (0, 0);
            for (at, &share_fen) in shares.iter().enumerate() {
                assert!(share_fen >= 1);
                if share_fen > shares[luckiest] {
                    (luckiest, ties) = (at, 1);
                } else if share_fen == shares[luckiest] {
                    ties += 1;
                }
                let deviation = share_fen as f64 - mean;
                let square = deviation * deviation;
                sample.sums[at] += deviation;
                sample.squares[at] += square;
                sample.fourth_powers += square * square;
            }
            sample.maxima_fen += shares[luckiest];
            sample.luckiest[ties - 1][luckiest] += 1;
        }
        sample
    }

    fn share_count(&self) -> f64 {
        self.sums.len() as f64
    }

    /// The variance of a share, over all positions.
    fn variance(&self) -> f64 {
        self.squares.iter().sum::<f64>() / self.packets / self.share_count()
    }

    fn mean_fen(&self) -> f64 {
        self.total_fen as f64 / self.share_count()
    }

    /// The mean of every position is `μ`, and its variance that of all positions together.
    fn assert_positions_alike(&self) {
        let variance = self.variance();
        let fourth_moment = self.fourth_powers / self.packets / self.share_count();
        let mean_error = (variance / self.packets).sqrt();
        let variance_error = ((fourth_moment - variance * variance).max(0.0) / self.packets).sqrt();
        // Where all packets are alike, both errors are zero, give or take the rounding of `μ`.
        let rounding = 1e-9 * self.mean_fen() * self.mean_fen();
        for (at, (sum, square)) in self.sums.iter().zip(&self.squares).enumerate() {
            let off = sum / self.packets;
            assert!(
                off.abs() <= STANDARD_ERRORS * mean_error + rounding,
                "position {at} of {} in {} fen: mean off by {off}, standard error {mean_error}",
                self.sums.len(),
                self.total_fen,
            );
            let off = square / self.packets - variance;
            assert!(
                off.abs() <= STANDARD_ERRORS * variance_error + rounding,
                "position {at} of {} in {} fen: variance off by {off}, standard error {variance_error}",
                self.sums.len(),
                self.total_fen,
            );
        }
    }

    /// The probability that a fair split deviates at least this much in which position is the
    /// luckiest, ties to the earliest (`χ²`).
    ///
    /// Ties favour early positions even in a fair split: of `t` equally lucky ones in random order,
    /// the first is at `k` with probability `C(n-k-1, t-1) / C(n, t)`. So packets are compared with
    /// that, separately for each `t`.
    fn luckiest_p(&self) -> f64 {
        let n = self.share_count();
        let (mut chi_squared, mut freedom) = (0.0, 0.0);
        for (ties, observed) in (1_u32..).map(f64::from).zip(&self.luckiest) {
            let packets = f64::from(observed.iter().sum::<u32>());
            let mut expected = packets * ties / n;
            let mut cells = vec![];
            for (at, &times) in (0_u32..).map(f64::from).zip(observed) {
                cells.push((expected, f64::from(times)));
                expected *= (n - at - ties).max(0.0) / (n - at - 1.0).max(1.0);
            }
            let cells = merge_rare(cells);
            chi_squared += cells
                .iter()
                .map(|(expected, times)| (times - expected).powi(2) / expected)
                .sum::<f64>();
            freedom += cells.len().saturating_sub(1) as f64;
        }
        if freedom == 0.0 {
            return 1.0;
        }
        ChiSquared::new(freedom).expect("positive").sf(chi_squared)
    }

    /// How often the last position is the luckiest, relative to one in `n`.
    fn luck_of_last(&self) -> f64 {
        let last = self.luckiest.iter().filter_map(|times| times.last()).sum::<u32>();
        f64::from(last) / self.packets * self.share_count()
    }
}

/// Joins the rarest cells, which come last, until each is expected at least five times: below that
/// the `χ²` distribution is not a good approximation.
fn merge_rare(mut cells: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    while let [.., before, last] = &mut cells[..]
        && last.0 < 5.0
    {
        before.0 += last.0;
        before.1 += last.1;
        cells.pop();
    }
    // The only cell left tells nothing, and may expect nothing.
    if cells.len() == 1 {
        cells.clear();
    }
    cells
}

fn assert_fair(kind: Kind) {
    for share_count in SHARE_COUNTS {
        for total_fen in totals_fen(share_count) {
            let sample = Sample::take(PACKETS, share_count, total_fen, |seed| {
                split(kind, seed, total_fen, share_count, None).expect("valid terms")
            });
            sample.assert_positions_alike();
            let p = sample.luckiest_p();
            assert!(
                p > LEAST_P,
                "{total_fen} fen in {share_count}: luckiest position has p = {p}"
            );
        }
    }
}

#[test]
fn double_mean_is_fair() {
    assert_fair(Kind::DoubleMean);
}

#[test]
fn gaussian_is_fair() {
    assert_fair(Kind::Gaussian);
}

#[test]
fn line_cut_is_fair() {
    assert_fair(Kind::LineCut);
}

/// A cap that a third of the shares would exceed must not bring a position forward either.
#[test]
fn capped_splits_are_fair() {
    for kind in Kind::ALL {
        let sample = Sample::take(PACKETS, 10, 1_005, |seed| {
            let shares = split(kind, seed, 1_005, 10, Some(120)).expect("valid terms");
            assert!(shares.iter().all(|share_fen| *share_fen <= 120));
            shares
        });
        sample.assert_positions_alike();
        let p = sample.luckiest_p();
        assert!(p > LEAST_P, "{kind:?}: luckiest position has p = {p}");
    }
}

/// Proves that the test above can see: without the shuffle, the last of 100 double-mean shares is
/// the luckiest eight times too often, as measurements of the classic algorithm say.
#[test]
fn unshuffled_double_mean_is_seen_to_be_unfair() {
    for total_fen in [1_000, 20_000] {
        let sample = Sample::take(PACKETS, 100, total_fen, |seed| {
            unshuffled(Kind::DoubleMean, seed, total_fen, 100)
        });
        assert!(sample.luckiest_p() < LEAST_P);
    }
    let sample = Sample::take(PACKETS, 100, 1_000_000, |seed| {
        unshuffled(Kind::DoubleMean, seed, 1_000_000, 100)
    });
    let luck = sample.luck_of_last();
    assert!((luck - 7.96).abs() < 0.3, "the last is luckiest {luck} times too often");
}

/// The relative deviation of a share and the mean luckiest share tell the kinds apart. The figures
/// are those of the published algorithms, with too many fen for rounding to matter.
#[test]
fn each_kind_keeps_its_feel() {
    let feel = |kind, share_count: u32| {
        let total_fen = i64::from(share_count) * 100_000;
        let sample = Sample::take(20_000, share_count, total_fen, |seed| {
            split(kind, seed, total_fen, share_count, None).expect("valid terms")
        });
        let luckiest_fen = sample.maxima_fen as f64 / sample.packets;
        (
            sample.variance().sqrt() / sample.mean_fen(),
            luckiest_fen / sample.mean_fen(),
        )
    };
    for (share_count, known) in [(4, 0.654), (10, 0.647), (20, 0.627), (100, 0.594)] {
        let (deviation, _) = feel(Kind::DoubleMean, share_count);
        assert!(
            (deviation - known).abs() < 0.006,
            "double mean of {share_count}: {deviation}"
        );

        let n = f64::from(share_count);
        let (deviation, _) = feel(Kind::LineCut, share_count);
        let known = ((n - 1.0) / (n + 1.0)).sqrt();
        assert!(
            (deviation - known).abs() < 0.012,
            "line cut of {share_count}: {deviation}"
        );
    }
    let (_, luckiest) = feel(Kind::DoubleMean, 100);
    assert!((luckiest - 2.3).abs() < 0.05, "double mean: luckiest {luckiest}");
    let (_, luckiest) = feel(Kind::LineCut, 100);
    assert!((luckiest - 5.2).abs() < 0.05, "line cut: luckiest {luckiest}");
    let (deviation, _) = feel(Kind::Gaussian, 100);
    assert!((deviation - 0.43).abs() < 0.015, "gaussian: {deviation}");
}
