//! The gateway over real gRPC, in front of services that say what a test tells them to say.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should stop at once, in its helpers too"
)]

mod audience;
mod failure;
mod fake;
mod identity;
mod mesh;
mod operation;
mod record;
mod remembered;
mod routing;
mod view;
mod watch;
