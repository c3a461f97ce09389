//! The whole mesh on one thread, from one seed.
//!
//! The services' own code runs here, composed as in production ([`mesh`]), over simulated time, disks, network and clocks. What
//! goes wrong is drawn from the seed, so that a seed is a history: the same one twice gives the same steps. After every
//! transaction an auditor ([`audit`]) that was written from the invariants looks at the raw rows; at the end everything has
//! settled or is a repair case.
//!
//! In reading order:
//!
//! - [`mod@run`]: a world from its seed to its rest.
//! - [`climate`]: what may go wrong, and how likely it is; [`dice`] decides.
//! - [`mesh`], [`host`]: the processes, which die and start again over their disks.
//! - [`net`], [`weather`], [`redis`], [`clock`](mod@clock), [`storms`]: where faults come in.
//! - [`mishap`]: one fault at one step of a calm course.
//! - [`workload`]: what people and operators do meanwhile.
//! - [`audit`]: what must hold.
//! - [`trace`], [`coverage`]: what happened, step by step and in numbers; [`report`] of many worlds.
//! - [`guards`]: whether all this can see.

pub mod audit;
pub mod climate;
pub mod clock;
pub mod coverage;
pub mod dice;
pub mod guards;
pub mod host;
pub mod mesh;
pub mod mishap;
pub mod net;
pub mod redis;
pub mod report;
pub mod run;
pub mod storms;
pub mod trace;
pub mod weather;
pub mod workload;
pub mod world;

pub use run::{Options, Outcome, run};
