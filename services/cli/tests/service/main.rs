//! The mesh as its users and operators see it: as one process, and as many on real engines.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop at once"
)]

mod backlog;
mod chaos;
mod client;
mod crowd;
mod demo;
mod full_disk;
mod kill;
mod load;
mod mesh;
mod planted;
mod readme;
mod refund_race;
mod rig;
mod up;
mod world;
