//! Whether the simulation can see: each guard taken away in turn, and the first world in which that is found.

use guard::Guard;

use crate::{
    run::{Options, run},
    world::Violation,
};

/// What became of the worlds without a guard.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The guard that was taken away.
    pub guard: Guard,
    /// How many worlds it took until an invariant was found broken, and which; `None` if none was.
    pub found: Option<(u64, Violation)>,
}

/// Runs worlds from seed `from` on without `guard` until an invariant is broken, at most `seeds`. Worlds that end otherwise,
/// because somebody was answered `INTERNAL` or nothing comes to rest, count, but not as found: that something is wrong anybody
/// can say.
pub fn try_without(guard: Guard, from: u64, seeds: u64) -> Trial {
    let options = Options {
        without: vec![guard],
        ..Options::default()
    };
    let found = (0..seeds).find_map(|n| {
        let violation = run(from + n, &options).violation?;
        violation.is_of_invariant().then_some((n + 1, violation))
    });
    Trial { guard, found }
}
