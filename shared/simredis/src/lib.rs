//! A Redis that is not there: what scripts and caches need of one, in memory, at a time of the caller's, with every way to
//! fail.
//!
//! A [`Server`] speaks Redis' own protocol over byte streams, and a client reaches it by [`resp::Redis::over`] a [`Link`]: the
//! driver, its connections, its time-outs and its errors are those of production. Scripts are run as they are, by the
//! Lua that Redis has.
//!
//! In reading order:
//!
//! - [`Server`]: its memory and its moods: emptied, gone back in time, stopped, hung, full, read-only.
//! - [`Link`] and [`Weather`]: one client's way to it: slow, cut, answers lost.
//! - [`command`]: the commands, on a [`keyspace`].
//! - [`lua`][mod@lua]: scripts.
//! - [`reply`], [`wire`], [`number`]: the protocol, and how numbers are written.
//!
//! It knows the commands that somebody here sends, and says of others what Redis says of those that it does not know;
//! [`Server::misunderstood`] lists them, and should be empty. Whether it is right is tested by asking it and a real server the same
//! (`tests/twin.rs`).
//!
//! Nothing in it depends on chance or on the machine's clock: on one thread with a given [`Weather`], the same requests get
//! the same answers in the same order.

mod command;
mod keyspace;
mod link;
mod lua;
mod number;
mod reply;
mod server;
mod weather;
mod wire;

pub use link::Link;
pub use reply::Reply;
pub use server::{Mood, Server, Snapshot};
pub use weather::{Calm, Fate, Request, Weather};
