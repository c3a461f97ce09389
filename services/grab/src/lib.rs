//! The grab service: who gets which share of a red packet (抢红包), and how that is never wrong.
//!
//! It owns the gate, the vouchers, the claims and the claim log. A **grab** is answered from the gate, in memory; an
//! **open** makes a claim durable and only then shows its amount. Everything in front of SQL is there to be fast and may
//! be wrong; SQL decides.
//!
//! # What it guarantees
//!
//! - **CLAIM-1** At most one claim per share and per user of a packet: unique keys in [`store::sql`].
//! - **CLAIM-2** A claim's amount follows from the packet's seed, when the packet is made ([`domain::packet`]); it is never
//!   taken from a message.
//! - **CLAIM-3** No amount is shown before its claim is durable: the [`writer`] answers after its commit, and the [`gate`]
//!   hears of claims after it.
//! - **LOG-1** Within a partition, `seq` is gapless and in commit order: taken from the partition's head, which stays
//!   locked until commit ([`writer`], [`store`]).
//! - **CLOSE-1** After a close no claim can commit: closes go through the same lane as opens ([`writer`],
//!   [`domain::picture`]).
//! - **SEED-1** The seed is told to nobody before the packet has ended ([`domain::claim::Progress`]).
//!
//! # In reading order
//!
//! 1. [`ops::grab`]: the whole race on one screen; then [`ops::open`](mod@ops::open).
//! 2. [`domain`]: the rules, pure.
//! 3. [`gate`]: the port; [`gate::local`] in memory, with [`gate::live`] as the state of one packet; [`gate::redis`] for several
//!    processes, behind [`gate::breaker`], which falls back on [`gate::degraded`].
//! 4. [`writer`]: group commit, with its table of round trips, and the fence that keeps it right.
//! 5. [`ops::feed`] with [`heads`]: following the claim log. [`ops::records`]: questions.
//! 6. [`store`], [`peer`], [`packets`]: the ports and what stands behind them; `store::memory`
//!    for simulations.
//! 7. [`rpc`]: the wire. [`config`] and [`app`]: how it is put together.

pub mod app;
pub mod config;
pub mod domain;
pub mod gate;
pub mod heads;
pub mod ops;
pub mod packets;
pub mod peer;
#[doc(hidden)]
pub mod rpc;
pub mod store;
pub mod writer;

pub use app::Grab;
pub use config::{Config, Settings};
