//! What a packet is and what may become of it. Pure and synchronous: no store, no wire, no clock.
//!
//! In reading order: [`order`] what a sender asks for, [`limits`] what a sender may ask for, [`packet`] what was
//! promised, [`state`] where a packet is in its life, [`day`] the sender's calendar day.

pub mod day;
pub mod limits;
pub mod order;
pub mod packet;
pub mod state;

pub use day::{DailyLimits, DailyUse, UtcOffset};
pub use limits::{Fault, Limits, Shape};
pub use order::{Fingerprint, Order};
pub use packet::{Audience, Packet, Reservation, Terms};
pub use state::{Closed, Due, Misstep, Phase, Rejection, State};

#[cfg(test)]
pub(crate) mod fixture;
