//! Which faults, when and for how long: drawn from a seed, before anything happens.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::fault::{Fault, Lines, Weather};

/// Time that a fault gets on average …
const SLOT: Duration = Duration::from_secs(5);
/// … and in a drill so short that it has not seen each fault by then.
const SHORTEST_SLOT: Duration = Duration::from_millis(1_200);
/// How long the mesh is left alone at the end, so that the last faults' ends can be seen as well.
const CALM: Duration = Duration::from_secs(2);
/// Between two faults at the same place.
const BREATH: Duration = Duration::from_millis(500);

/// What there is to do things to.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// The instances of services.
    pub members: Vec<String>,
    /// The engines, and whether they keep money.
    pub engines: Vec<(&'static str, bool)>,
    /// The lines: from which instance to which engine.
    pub lines: Vec<(String, &'static str)>,
    /// How many people there are.
    pub people: usize,
}

/// A fault and its time, from the beginning of the drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it is done.
    pub from: Duration,
    /// When it is undone; the same where there is nothing to undo.
    pub to: Duration,
    /// What.
    pub fault: Fault,
}

/// The faults of a drill that takes `length`, in order of time: the same for the same seed, length and targets. In every
/// deck of faults each kind is there, a kill of each instance among them; a drill that is too short for one deck has
/// the kills first. Faults at different places may overlap.
pub fn draw(seed: u64, length: Duration, targets: &Targets) -> Vec<Planned> {
    let mut rng = StdRng::seed_from_u64(seed);
    let usable = length.saturating_sub(CALM);
    let mut faults = deck(&mut rng, targets);
    let whole = usize::try_from(usable.as_millis() / SLOT.as_millis()).unwrap_or(usize::MAX);
    let count = if whole >= faults.len() {
        whole
    } else {
        let most = usize::try_from(usable.as_millis() / SHORTEST_SLOT.as_millis()).unwrap_or(usize::MAX);
        most.min(faults.len())
    };
    while faults.len() < count && !faults.is_empty() {
        faults.extend(deck(&mut rng, targets));
    }
    faults.truncate(count);
    let Ok(slots) = u32::try_from(faults.len().max(1)) else {
        return Vec::new();
    };
    let slot = usable / slots;
    // Kills come first in a deck and keep their times; all else gives way to them.
    let mut order: Vec<u32> = (0..slots).collect();
    order.shuffle(&mut rng);
    let mut plan: Vec<Planned> = Vec::new();
    for (fault, n) in faults.into_iter().zip(order) {
        let from = slot * n + slot.mul_f64(rng.random_range(0.0..0.6));
        let lasts = how_long(&mut rng, &fault, slot);
        plan.extend(place(&plan, fault, from, lasts, usable));
    }
    plan.sort_by_key(|planned| planned.from);
    plan
}

/// As planned, or after what is in its way; `None` where there is no room for it.
fn place(plan: &[Planned], fault: Fault, from: Duration, lasts: Duration, end: Duration) -> Option<Planned> {
    let place = fault.place();
    let mut from = from;
    let mut same: Vec<_> = plan.iter().filter(|other| other.fault.place() == place).collect();
    same.sort_by_key(|other| other.from);
    for other in same {
        if from < other.to + BREATH && other.from < from + lasts + BREATH {
            from = other.to + BREATH;
        }
    }
    let to = (from + lasts).min(end);
    let is_in_time = from < to || fault.is_over_at_once() && from < end;
    is_in_time.then_some(Planned { from, to, fault })
}

/// Far from a whole slot mostly, and longer at times, so that some faults overlap.
fn how_long(rng: &mut StdRng, fault: &Fault, slot: Duration) -> Duration {
    let share = rng.random_range(0.1..0.8);
    let lasts = if rng.random_bool(0.2) { slot * 2 } else { slot };
    if fault.is_over_at_once() {
        return Duration::ZERO;
    }
    let lasts = lasts.mul_f64(share);
    // A frozen wallet hinders nobody else.
    if matches!(fault, Fault::Freeze(_)) {
        lasts * 3
    } else {
        lasts
    }
}

/// One of each, the kills of instances first; both parts shuffled.
fn deck(rng: &mut StdRng, targets: &Targets) -> Vec<Fault> {
    let mut kills: Vec<_> = targets.members.iter().cloned().map(Fault::Kill).collect();
    kills.shuffle(rng);
    let mut others = Vec::new();
    for fault in [Fault::Terminate, Fault::Pause, Fault::Pause] {
        others.extend(any(rng, &targets.members).map(|member| fault(member.clone())));
    }
    for (engine, keeps_money) in &targets.engines {
        others.push(Fault::TakeAway(engine));
        if !keeps_money {
            others.push(Fault::Flush(engine));
        }
        others.extend(weathers(rng, targets, engine, *keeps_money));
    }
    for _ in 0..2_usize.min(targets.people) {
        others.push(Fault::Freeze(rng.random_range(0..targets.people)));
    }
    others.shuffle(rng);
    kills.append(&mut others);
    kills
}

/// What may happen to the lines to an engine.
fn weathers(rng: &mut StdRng, targets: &Targets, engine: &'static str, keeps_money: bool) -> Vec<Fault> {
    let lines = targets.lines.iter().filter(|(_, to)| *to == engine);
    let members: Vec<_> = lines.map(|(member, _)| member.clone()).collect();
    if members.is_empty() {
        return Vec::new();
    }
    let mut weathers = vec![
        Weather::Cut,
        Weather::Refuse,
        Weather::Delay(Duration::from_millis(rng.random_range(20..300))),
        Weather::Hang,
    ];
    if keeps_money {
        weathers.push(Weather::LoseAnswers(rng.random_range(1..6)));
        weathers.push(Weather::LoseCommits(rng.random_range(1..6)));
    }
    let on_lines = |weather| {
        let member = if rng.random_bool(0.5) {
            any(rng, &members).cloned()
        } else {
            None
        };
        Fault::Network(Lines { engine, member }, weather)
    };
    weathers.into_iter().map(on_lines).collect()
}

fn any<'a, T>(rng: &mut StdRng, of: &'a [T]) -> Option<&'a T> {
    (!of.is_empty()).then(|| &of[rng.random_range(0..of.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Targets {
        let members = [
            "gateway",
            "packet",
            "transfer-1",
            "transfer-2",
            "grab-1",
            "grab-2",
            "account",
        ];
        Targets {
            members: members.map(str::to_owned).into(),
            engines: vec![("redis", false), ("postgres", true)],
            lines: members.map(|member| (member.to_owned(), "postgres")).into(),
            people: 10,
        }
    }

    #[test]
    fn a_seed_is_a_schedule() {
        let length = Duration::from_mins(2);
        let first = draw(7, length, &targets());
        assert_eq!(first, draw(7, length, &targets()));
        assert_ne!(first, draw(8, length, &targets()));
    }

    #[test]
    fn two_minutes_hold_everything_that_can_be_done() {
        for seed in 0..200 {
            let plan = draw(seed, Duration::from_mins(2), &targets());
            let told: Vec<_> = plan.iter().map(|planned| planned.fault.to_string()).collect();
            for member in targets().members {
                assert!(told.contains(&format!("kill -9 {member}")), "seed {seed}: {told:#?}");
            }
            for kind in [
                "SIGTERM",
                "SIGSTOP",
                "kill -9 redis",
                "FLUSHALL",
                "postgres -m immediate",
                "freeze",
            ]
            .into_iter()
            .chain(["cut", "refuse", "delay", "hang", "answers to COMMIT", "COMMITs"])
            {
                // What finds no room beside the others gives way: rarely.
                let found = told.iter().any(|fault| fault.contains(kind));
                assert!(found || seed > 0, "seed {seed}: no {kind} in {told:#?}");
            }
        }
    }

    #[test]
    fn a_short_drill_kills_first() {
        let plan = draw(1, Duration::from_secs(12), &targets());
        let kills = plan.iter().filter(|planned| matches!(planned.fault, Fault::Kill(_)));
        assert_eq!((kills.count(), plan.len()), (7, 8));
        assert!(draw(1, Duration::from_secs(2), &targets()).is_empty());
    }

    fn collide(one: &Planned, other: &Planned) -> bool {
        one.fault.place() == other.fault.place() && one.from < other.to && other.from < one.to
    }

    #[test]
    fn nothing_is_done_twice_at_once_or_outlasts_the_drill() {
        for seed in 0..200 {
            let length = Duration::from_mins(10);
            let plan = draw(seed, length, &targets());
            assert!(plan.len() > 100);
            for (n, one) in plan.iter().enumerate() {
                assert!(one.from <= one.to && one.to + CALM <= length, "{one:?}");
                assert!(
                    plan.iter().skip(n + 1).all(|other| !collide(one, other)),
                    "seed {seed}: {one:?}"
                );
            }
        }
    }

    #[test]
    fn without_anything_to_harm_nothing_happens() {
        assert!(draw(1, Duration::from_mins(2), &Targets::default()).is_empty());
    }
}
