//! From FUNDING to ACTIVE or REJECTED: what a send waits for, and what recovery repeats.
//!
//! | step | repeating it |
//! |---|---|
//! | fund | the transfer service gives its first verdict again |
//! | preload | changes nothing |
//! | activate or reject | a compare-and-set; the loser finds the packet moved |
//!
//! A packet whose time is up before it is funded goes the same way: it becomes ACTIVE, and the sweep refunds all of it.

use std::sync::Arc;

use guard::Guard;

use super::{Error, step};
use crate::{
    domain::{Packet, State},
    peer::{
        gate::Gate,
        treasury::{Funding, Treasury},
    },
    store::{Packets, Requests},
};

/// Drives FUNDING packets.
pub struct Advance {
    /// The senders' days, which rejected packets do not count in.
    pub requests: Arc<dyn Requests>,
    /// The packets.
    pub packets: Arc<dyn Packets>,
    /// The money.
    pub treasury: Arc<dyn Treasury>,
    /// The gate.
    pub gate: Arc<dyn Gate>,
}

impl Advance {
    /// The packet once it is no longer FUNDING; others are returned as they are.
    pub async fn advance(&self, packet: Packet) -> Result<Packet, Error> {
        if packet.state != State::Funding {
            return Ok(packet);
        }
        let next = match self.treasury.fund(&packet.terms).await? {
            Funding::Refused(rejection) if guard::stands(Guard::FundFirst) => {
                // Before the state, not with it: the day may be in another database, and what is released twice is
                // released once.
                self.requests.release(&packet.terms.sender_id, packet.id()).await?;
                packet.rejected(rejection)?
            }
            Funding::Funded | Funding::Refused(_) => {
                self.gate.preload(&packet).await?;
                packet.activated()?
            }
        };
        step(&*self.packets, packet, next).await
    }
}
