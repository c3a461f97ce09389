//! A host: one process of the mesh, which dies and starts again over what is on its disk.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use runtime::{Process, client::Way};
use tokio::{sync::Notify, time::Instant};

use crate::{clock::HostClock, world::World};

/// One host of the mesh.
pub struct Host {
    /// Its name, such as `grab-1`.
    pub name: String,
    /// Its hour.
    pub clock: HostClock,
    state: Mutex<State>,
    fell: Notify,
}

#[derive(Default)]
struct State {
    up: Option<Up>,
    lives: u32,
    frozen_until: Option<Instant>,
    /// By transaction: that it stands still before one of that name.
    stalls: BTreeMap<&'static str, Stall>,
    away_until: Option<Instant>,
}

/// That a host is to stand still before a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Stall {
    /// How many of them it passes before.
    pub passes: u64,
    /// For how long.
    pub for_: Duration,
}

/// What there is of a host that is up.
#[derive(Clone)]
pub struct Up {
    /// Its tasks.
    pub process: Process,
    /// The way to its services.
    pub way: Way,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Host {
    /// One that is down.
    pub fn new(name: impl Into<String>, world: &World) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            clock: HostClock::new(world.began),
            state: Mutex::default(),
            fell: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is of it, if it is up.
    pub fn up(&self) -> Option<Up> {
        self.state().up.clone()
    }

    /// It serves from now on.
    pub fn rise(&self, up: Up) {
        let mut state = self.state();
        state.up = Some(up);
        state.lives += 1;
    }

    /// How often it has started.
    pub fn lives(&self) -> u32 {
        self.state().lives
    }

    /// It dies: nothing of it runs any further, wherever it stands. `false` if it was down.
    pub fn crash(&self, world: &World, why: &str) -> bool {
        let Some(up) = self.state().up.take() else {
            return false;
        };
        world.fault("crash", &self.name, format_args!("({why})"));
        up.process.kill();
        self.fell.notify_one();
        true
    }

    /// Returns when it has died since the last time that this returned.
    pub async fn fell(&self) {
        self.fell.notified().await;
    }

    /// It stands still for so long: it asks nobody, answers nobody and writes nothing, and then goes on as if nothing had
    /// been.
    pub fn freeze(&self, for_: Duration) {
        self.state().frozen_until = Some(Instant::now() + for_);
    }

    /// It stands still when it comes to a transaction of this name.
    pub fn plan_stall(&self, transaction: &'static str, stall: Stall) {
        self.state().stalls.insert(transaction, stall);
    }

    /// How long it stands still before this transaction, if it was to stand still there; once.
    pub fn stall(&self, transaction: &str) -> Option<Duration> {
        let mut state = self.state();
        let stall = state.stalls.get_mut(transaction)?;
        if let Some(passes) = stall.passes.checked_sub(1) {
            stall.passes = passes;
            return None;
        }
        state.stalls.remove(transaction).map(|stall| stall.for_)
    }

    /// Its database cannot be reached for so long.
    pub fn cut_off(&self, for_: Duration) {
        self.state().away_until = Some(Instant::now() + for_);
    }

    /// Whether its database cannot be reached.
    pub fn is_cut_off(&self) -> bool {
        self.state().away_until.is_some_and(|until| until > Instant::now())
    }

    /// It stands still no longer and reaches its database.
    pub fn mend(&self) {
        let mut state = self.state();
        state.frozen_until = None;
        state.stalls.clear();
        state.away_until = None;
    }

    /// Returns when it does not stand still.
    pub async fn awake(&self) {
        loop {
            let until = self.state().frozen_until.filter(|until| *until > Instant::now());
            let Some(until) = until else {
                return;
            };
            tokio::time::sleep_until(until).await;
        }
    }
}
