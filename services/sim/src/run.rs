//! One world from its seed to its rest.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use disk::Disk;
use guard::Guard;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    audit::{Auditor, Sums},
    coverage::Counts,
    dice::Dice,
    mesh::{Disks, Mesh, PARTITIONS},
    mishap::{Kind, Mishap},
    redis, storms,
    workload::{self, Clients},
    world::{Violation, World},
};

/// How long a world may take to come to rest when nothing goes wrong any more: the longest life of a packet here, the longest
/// lease (packet's, 30 s), the longest pause between two tries (packet's, a minute), and as much again.
const REST: Duration = Duration::from_mins(5);

/// How long people and operators may go on when nothing goes wrong any more: far longer than any of them insists on anything.
const GIVE_UP: Duration = Duration::from_mins(30);

/// How long a course takes at the most when one host has to start again.
const COURSE: Duration = Duration::from_mins(1);

/// How a world is run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether each step is printed.
    pub prints: bool,
    /// The guards that are taken away.
    pub without: Vec<Guard>,
    /// Instead of what the seed draws: the calm course through every saga, with one mishap.
    pub course: Option<Mishap>,
}

/// What became of a world.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The first invariant that was broken.
    pub violation: Option<Violation>,
    /// Stands for everything that happened, in order.
    pub digest: u64,
    /// How many steps it had.
    pub steps: u64,
    /// How long it lasted, in its own time.
    pub lasted: Duration,
    /// What was done to it and what it did.
    pub counts: Counts,
    /// What it came to.
    pub sums: Sums,
    /// On a course: how many opportunities there were for a crash, and for a doubled request.
    pub opportunities: [u64; 2],
    /// Its last steps, unless they were printed.
    pub last: Vec<String>,
}

/// Runs the world of a seed.
///
/// # Panics
///
/// If there can be no runtime.
pub fn run(seed: u64, options: &Options) -> Outcome {
    guard::without(&options.without, || {
        // The jitter of retries (`shared/retry`) draws from it.
        fastrand::seed(seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        #[expect(clippy::expect_used, reason = "without a thread there is nothing to simulate on")]
        let runtime = runtime.expect("a runtime without any I/O");
        runtime.block_on(live(seed, options))
    })
}

async fn live(seed: u64, options: &Options) -> Outcome {
    let dice = Dice::new(seed);
    let world = World::new(&dice, options);
    world
        .trace
        .step("world", format_args!("seed {seed}, {:?}", world.climate));
    let disks = disks(&dice.apart("disks"));
    let auditor = Auditor::new(&world, &disks);
    let mesh = Mesh::new(&world, disks, &auditor, &dice.apart("mesh"));
    mesh.keep_up();

    let active = match options.course {
        None => dice.ms(5_000..=60_000),
        Some(_) => COURSE,
    };
    storms::brew(&mesh, &dice.apart("storms"), active);
    if let Some(server) = &mesh.redis {
        redis::brew(&mesh, server, active);
    }
    let mut clients = match options.course {
        None => workload::start(&mesh, &auditor, &dice.apart("workload"), active),
        Some(_) => workload::walk(&mesh, &auditor, &dice.apart("workload"), active),
    };
    until_broken(&world, sleep(active)).await;
    world.calm_down();
    mesh.mend();
    until_broken(&world, all_done(&world, &mut clients)).await;
    until_broken(&world, come_to_rest(&world, &auditor)).await;
    if world.violation().is_none() {
        until_broken(&world, clients.reconcile()).await;
    }
    if let Some(server) = &mesh.redis {
        redis::judge(&world, server);
    }
    Outcome {
        seed,
        violation: world.violation(),
        digest: world.trace.digest(),
        steps: world.trace.steps(),
        lasted: world.began.elapsed(),
        counts: world.coverage.counts(),
        sums: auditor.sums(),
        opportunities: [Kind::Crash, Kind::Double]
            .map(|kind| world.course.as_ref().map_or(0, |course| course.steps(kind))),
        last: world.trace.last(),
    }
}

fn disks(dice: &Dice) -> Disks {
    let databases = NonZeroUsize::MIN.saturating_add(dice.size(0..=1));
    #[expect(clippy::expect_used, reason = "it is a constant")]
    let partitions = PARTITIONS.try_into().expect("more than none");
    Disks {
        account: Disk::new(account::store::memory::Tables::default()),
        packet: Disk::new(packet::store::memory::Tables::default()),
        grab: grab::store::memory::MemoryDisk::new(partitions, databases),
        transfer: transfer::store::memory::MemoryDisk::default(),
    }
}

/// Goes on with `work` until it is done or an invariant is broken.
async fn until_broken(world: &Arc<World>, work: impl Future<Output = ()>) {
    let broken = async {
        while world.violation().is_none() {
            sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::select! {
        biased;
        () = broken => {}
        () = work => {}
    }
}

async fn all_done(world: &World, clients: &mut Clients) {
    if timeout(GIVE_UP, clients.over()).await.is_err() {
        world.violated("REST", "people and operators still insist on something");
    }
}

async fn come_to_rest(world: &World, auditor: &Auditor) {
    let began = Instant::now();
    let resting = async {
        while auditor.unrest().is_some() {
            sleep(Duration::from_millis(250)).await;
        }
    };
    match timeout(REST, resting).await {
        Ok(()) => world.trace.step(
            "world",
            format_args!("at rest after {} ms", began.elapsed().as_millis()),
        ),
        Err(_) => world.violated("REST", auditor.unrest().unwrap_or_default()),
    }
}
