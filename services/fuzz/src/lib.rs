//! What must hold for every input that comes from outside, as functions of bytes: a function panics where it does not.
//!
//! The functions are [`TARGETS`]. Two things call them: `cargo fuzz` (the crate in `libfuzzer/`, which is no part of the
//! workspace), to look for inputs that break something, and `tests/smoke.rs`, to try what was found worth keeping (`corpus/`) and
//! some thousand variations of it in every test run.
//!
//! - [`requests`]: what holds for every request of every service: refused with names of fields that there are, or understood.
//!   [`account`](mod@account), [`packet`](mod@packet), [`grab`](mod@grab), [`transfer`](mod@transfer): what holds for those
//!   that are understood.
//! - [`gateway`](mod@gateway): requests of clients, on their way through the gateway to the parser of a service.
//! - [`voucher`](mod@voucher): the signed texts that clients bring back.
//! - [`replies`](mod@replies): what a Redis might answer to the gate's scripts.
//! - [`config`](mod@config): configuration files.
#![expect(
    clippy::missing_panics_doc,
    reason = "to panic where something does not hold is what all of it is for"
)]

pub mod account;
pub mod config;
pub mod fields;
pub mod gateway;
pub mod grab;
pub mod packet;
pub mod replies;
pub mod requests;
pub mod samples;
pub mod transfer;
pub mod voucher;

/// A function of bytes that panics where something does not hold.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: [(&str, Target); 8] = [
    ("account", account::account),
    ("config", config::config),
    ("gateway", gateway::gateway),
    ("grab", grab::grab),
    ("packet", packet::packet),
    ("replies", replies::replies),
    ("transfer", transfer::transfer),
    ("voucher", voucher::voucher),
];
