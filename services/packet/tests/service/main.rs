//! The service over real servers and clients: its own, and peers that keep books and fail when told to.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop at once")]

mod answers;
mod app;
mod engines;
mod life;
mod peers;
mod queries;
mod refusals;
mod send;
mod sweep;
