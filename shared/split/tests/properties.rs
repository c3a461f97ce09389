//! What holds for every packet: of a split, of a commitment, of a reveal.

#![expect(clippy::expect_used, reason = "a helper that panics fails its test")]

use proptest::prelude::*;
use split::{Kind, MAX_TOTAL_FEN, Reveal, Seed, SplitError, VerifyError, commitment, split, verify};

/// Valid terms, from the smallest to the largest total and from the tightest cap to none.
#[derive(Clone, Debug)]
struct Terms {
    kind: Kind,
    total_fen: i64,
    share_count: u32,
    cap_fen: Option<i64>,
}

impl Terms {
    fn split(&self, seed: &Seed) -> Vec<i64> {
        split(self.kind, seed, self.total_fen, self.share_count, self.cap_fen).expect("valid terms")
    }

    fn commitment(&self, packet_id: &[u8; 16], seed: &Seed) -> [u8; 32] {
        commitment(
            packet_id,
            self.kind,
            self.total_fen,
            self.share_count,
            self.cap_fen,
            seed,
        )
    }

    fn reveal<'a>(&self, packet_id: &'a [u8; 16], seed: &'a Seed, nonce: Option<&'a [u8]>) -> Reveal<'a> {
        Reveal {
            packet_id,
            kind: self.kind,
            total_fen: self.total_fen,
            share_count: self.share_count,
            cap_fen: self.cap_fen,
            seed,
            nonce,
        }
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL.to_vec())
}

fn seeds() -> impl Strategy<Value = Seed> {
    any::<[u8; 32]>().prop_map(Seed::from_bytes)
}

fn terms() -> impl Strategy<Value = Terms> {
    let share_counts = prop_oneof![1..=5_u32, 1..=300_u32];
    (kinds(), share_counts)
        .prop_flat_map(|(kind, share_count)| {
            let least = i64::from(share_count);
            // Half of them small, where rounding is everything; the rest of every magnitude.
            let totals = prop_oneof![
                least..=least * 4,
                (0..40_u32).prop_map(move |bits| (least + (1 << bits)).min(MAX_TOTAL_FEN)),
                least..=MAX_TOTAL_FEN,
            ];
            (Just(kind), Just(share_count), totals)
        })
        .prop_flat_map(|(kind, share_count, total_fen)| {
            let tightest = (total_fen + i64::from(share_count) - 1) / i64::from(share_count);
            let caps = prop_oneof![
                Just(None),
                Just(Some(tightest)),
                (tightest..=tightest * 3).prop_map(Some),
                (tightest..=i64::MAX).prop_map(Some),
            ];
            caps.prop_map(move |cap_fen| Terms {
                kind,
                total_fen,
                share_count,
                cap_fen,
            })
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn shares_are_exact_and_in_bounds(terms in terms(), seed in seeds()) {
        let shares = terms.split(&seed);
        prop_assert_eq!(shares.len(), terms.share_count as usize);
        prop_assert_eq!(shares.iter().sum::<i64>(), terms.total_fen);
        let cap_fen = terms.cap_fen.unwrap_or(i64::MAX);
        prop_assert!(shares.iter().all(|share_fen| (1..=cap_fen).contains(share_fen)));
    }

    #[test]
    fn the_same_seed_gives_the_same_shares(terms in terms(), seed in seeds()) {
        prop_assert_eq!(terms.split(&seed), terms.split(&seed));
    }

    #[test]
    fn a_cap_that_binds_nothing_changes_nothing(mut terms in terms(), seed in seeds()) {
        terms.cap_fen = None;
        let shares = terms.split(&seed);
        terms.cap_fen = Some(terms.total_fen);
        prop_assert_eq!(shares, terms.split(&seed));
    }

    #[test]
    fn equal_shares_differ_by_a_fen_at_most(mut terms in terms(), seed in seeds()) {
        terms.kind = Kind::Equal;
        let shares = terms.split(&seed);
        let low = terms.total_fen / i64::from(terms.share_count);
        prop_assert!(shares.iter().all(|share_fen| (low..=low + 1).contains(share_fen)));
    }

    /// Over many seeds, every way to hand the remainder out comes up: no position is left out.
    #[test]
    fn any_position_can_get_the_odd_fen(kind in kinds(), share_count in 2..=6_u32, salt: [u8; 16]) {
        let total_fen = i64::from(share_count) + 1;
        let mut reached = vec![0; share_count as usize];
        for round in 0..120_u8 {
            let seed = Seed::from_bytes([7; 32]).mix_nonce(&[&salt[..], &[round]].concat());
            let shares = split(kind, &seed, total_fen, share_count, None).expect("valid terms");
            let odd = shares.iter().position(|share_fen| *share_fen == 2).expect("one has two");
            reached[odd] += 1;
        }
        prop_assert!(reached.iter().all(|times| *times > 0), "{:?}", reached);
    }

    #[test]
    fn a_true_reveal_gives_the_amounts(
        terms in terms(),
        seed in seeds(),
        packet_id: [u8; 16],
        nonce in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    ) {
        let committed = terms.commitment(&packet_id, &seed);
        let mixed = nonce.as_ref().map_or_else(|| seed.clone(), |nonce| seed.mix_nonce(nonce));
        prop_assert_eq!(
            verify(&committed, &terms.reveal(&packet_id, &seed, nonce.as_deref())),
            Ok(terms.split(&mixed))
        );
    }

    #[test]
    fn a_false_reveal_is_refused(
        terms in terms(),
        other in terms(),
        seed in seeds(),
        other_seed in seeds(),
        packet_id: [u8; 16],
        other_id: [u8; 16],
    ) {
        let committed = terms.commitment(&packet_id, &seed);
        let false_terms = [
            Terms { kind: other.kind, ..terms.clone() },
            Terms { total_fen: other.total_fen, ..terms.clone() },
            Terms { share_count: other.share_count, ..terms.clone() },
            Terms { cap_fen: other.cap_fen, ..terms.clone() },
        ];
        for false_terms in &false_terms {
            let reveal = false_terms.reveal(&packet_id, &seed, None);
            let same = false_terms.commitment(&packet_id, &seed) == committed;
            let untouched = (false_terms.kind, false_terms.total_fen) == (terms.kind, terms.total_fen)
                && (false_terms.share_count, false_terms.cap_fen) == (terms.share_count, terms.cap_fen);
            prop_assert_eq!(same, untouched);
            prop_assert_eq!(verify(&committed, &reveal) == Err(VerifyError::Mismatch), !untouched);
        }
        let reveal = terms.reveal(&packet_id, &other_seed, None);
        prop_assert_eq!(verify(&committed, &reveal), Err(VerifyError::Mismatch));
        let reveal = terms.reveal(&other_id, &seed, None);
        prop_assert_eq!(verify(&committed, &reveal), Err(VerifyError::Mismatch));
    }
}

#[test]
fn impossible_terms_do_not_verify_even_when_committed_to() {
    let seed = Seed::from_bytes([2; 32]);
    let terms = Terms {
        kind: Kind::Equal,
        total_fen: 10,
        share_count: 0,
        cap_fen: None,
    };
    let committed = terms.commitment(&[3; 16], &seed);
    assert_eq!(
        verify(&committed, &terms.reveal(&[3; 16], &seed, None)),
        Err(VerifyError::Split(SplitError::NoShares)),
    );
    assert_eq!(
        verify(&[0; 32], &terms.reveal(&[3; 16], &seed, None)),
        Err(VerifyError::Mismatch),
    );
}

#[test]
fn generated_seeds_are_fresh() {
    let mut rng = rand::rng();
    assert_ne!(Seed::generate(&mut rng), Seed::generate(&mut rng));
}
