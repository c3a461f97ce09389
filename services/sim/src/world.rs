//! What everything in one simulation shares.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::time::Instant;

use crate::{
    climate::Climate,
    coverage::Coverage,
    dice::Dice,
    mishap::{Course, Kind},
    run::Options,
    trace::Trace,
};

/// Stands where an invariant's number would: somebody was answered `INTERNAL`, or a host stopped by itself.
pub const PANIC: &str = "PANIC";

/// A broken invariant, or a world that does not come to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's number, or `REST` for what did not settle, `BOOKS` for what reconciliation says, [`PANIC`].
    pub invariant: &'static str,
    /// What is wrong, for a person.
    pub what: String,
}

impl Violation {
    /// Whether an invariant was seen broken, and not only that something is wrong.
    pub fn is_of_invariant(&self) -> bool {
        !matches!(self.invariant, PANIC | "REST" | "BOOKS" | "REDIS")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// One simulated world. Everything in it happens on one thread.
pub struct World {
    /// Its steps.
    pub trace: Trace,
    /// What was done to it.
    pub coverage: Coverage,
    /// How it is treated.
    pub climate: Climate,
    /// When it began.
    pub began: Instant,
    /// Chance of the network.
    pub net_dice: Dice,
    /// Chance of the disks.
    pub disk_dice: Dice,
    /// Chance of hosts.
    pub host_dice: Dice,
    /// Chance of Redis.
    pub redis_dice: Dice,
    /// Where the world is calm but for one mishap.
    pub course: Option<Course>,
    calm: AtomicBool,
    violation: Mutex<Option<Violation>>,
}

impl World {
    /// A world of this seed.
    pub fn new(dice: &Dice, options: &Options) -> Arc<Self> {
        let world = Self {
            trace: Trace::new(options.prints),
            coverage: Coverage::default(),
            climate: match options.course {
                None => Climate::draw(&dice.apart("climate")),
                Some(_) => Climate::calm(),
            },
            began: Instant::now(),
            net_dice: dice.apart("net"),
            disk_dice: dice.apart("disk"),
            host_dice: dice.apart("hosts"),
            redis_dice: dice.apart("redis"),
            course: options.course.map(Course::new),
            calm: AtomicBool::new(false),
            violation: Mutex::default(),
        };
        Arc::new(world)
    }

    /// Notes a fault that is injected.
    pub fn fault(&self, name: &'static str, who: &str, what: fmt::Arguments<'_>) {
        self.coverage.fault(name);
        self.trace.step(who, format_args!("! {name} {what}"));
    }

    /// From now on nothing goes wrong any more.
    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.trace.step("world", format_args!("the faults are over"));
    }

    /// Whether nothing goes wrong any more.
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether a fault of this likelihood strikes now.
    pub fn strikes(&self, dice: &Dice, permille: u32) -> bool {
        permille > 0 && !self.is_calm() && dice.chance(permille)
    }

    /// Whether the one mishap of a calm course happens here.
    pub fn mishap(&self, kind: Kind) -> bool {
        !self.is_calm() && self.course.as_ref().is_some_and(|course| course.strikes(kind))
    }

    /// Notes a broken invariant. The first one stays.
    pub fn violated(&self, invariant: &'static str, what: impl Into<String>) {
        let violation = Violation {
            invariant,
            what: what.into(),
        };
        self.trace.step("auditor", format_args!("VIOLATION {violation}"));
        let mut first = self.violation.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(violation);
    }

    /// The first broken invariant.
    pub fn violation(&self) -> Option<Violation> {
        self.violation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
