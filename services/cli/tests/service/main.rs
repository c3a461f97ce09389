//! The mesh as its users and operators see it: as one process, and as many on real engines.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop at once"
)]

mod client;
mod crowd;
mod demo;
mod kill;
mod load;
mod mesh;
mod readme;
mod refund_race;
mod rig;
mod up;
mod world;
