//! The guards that keep the invariants, by name.
//!
//! Where a line of code or a key of a store keeps an invariant, it says so: `if guard::stands(Guard::CloseFirst) && closed`.
//! In every service [`stands`] is the constant `true`, and nothing can change that: the compiler leaves nothing of it.
//! Only a simulation, built with the feature `switch`, can take a guard away ([`without`]), to show that it would see what
//! breaks. A guard that several layers keep (a rule in memory and a key in SQL) is one guard, taken away from all of them.

mod guards;
#[cfg(feature = "switch")]
mod switch;

pub use guards::Guard;
#[cfg(feature = "switch")]
pub use switch::{stands, without};

/// Whether the guard stands: always.
#[cfg(not(feature = "switch"))]
pub const fn stands(_: Guard) -> bool {
    true
}
