//! Every saga (send, open, settle, close and refund, compensate and repair), crashed at every step and with every request
//! repeated: afterwards everything has settled, and the auditor and reconciliation find nothing.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use sim::{
    Options, Outcome,
    mishap::{Kind, Mishap},
    run,
};

/// The mesh of this seed has two instances of a service where it can.
const SEED: u64 = 1;

fn with(mishap: Mishap) -> Outcome {
    let options = Options {
        course: Some(mishap),
        ..Options::default()
    };
    run(SEED, &options)
}

/// Runs the course with a mishap of `kind` at every step, on all cores.
fn at_every_step(kind: Kind) {
    let calm = with(Mishap::NONE);
    assert_eq!(calm.violation, None, "{:#?}", calm.last);
    let [crashes, doubles] = calm.opportunities;
    let steps = if kind == Kind::Crash { crashes } else { doubles };
    assert!(steps > 25, "a course of {steps} steps leads nowhere");
    let next = AtomicU64::new(1);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let step = next.fetch_add(1, Ordering::Relaxed);
                    if step > steps {
                        return;
                    }
                    let outcome = with(Mishap { kind, step });
                    assert_eq!(outcome.violation, None, "{kind:?} at step {step}: {:#?}", outcome.last);
                }
            });
        }
    });
}

#[test]
fn a_crash_at_every_step_loses_nothing() {
    at_every_step(Kind::Crash);
}

#[test]
fn every_request_twice_changes_nothing() {
    at_every_step(Kind::Double);
}
