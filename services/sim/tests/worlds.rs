//! A handful of worlds, and whether the same seed is the same world.

use sim::{Options, run};

fn outcome_of(seed: u64) -> sim::Outcome {
    let outcome = run(seed, &Options::default());
    assert_eq!(outcome.violation, None, "seed {seed}: {:#?}", outcome.last);
    outcome
}

#[test]
fn nothing_breaks_in_a_handful_of_worlds() {
    for seed in 0..12 {
        outcome_of(seed);
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 100..105 {
        let (one, other) = (outcome_of(seed), outcome_of(seed));
        assert_eq!((one.digest, one.steps), (other.digest, other.steps), "seed {seed}");
        assert_eq!(one.counts, other.counts, "seed {seed}");
    }
    assert_ne!(outcome_of(100).digest, outcome_of(101).digest);
}
