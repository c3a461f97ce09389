//! Expiry and refund (回收): from ACTIVE past its time to COMPLETED.
//!
//! | step | repeating it |
//! |---|---|
//! | CLOSING | a compare-and-set; the loser finds the packet moved |
//! | close | grab returns its first answer: every claim is before it or refused (CLOSE-1) |
//! | record the sums | the first stay |
//! | refund total − opened | one transfer, by its id (MONEY-3) |
//! | COMPLETED | a compare-and-set |

use std::sync::Arc;

use async_trait::async_trait;
use clock::SharedClock;

use super::{Error, rounds::Drive, step};
use crate::{
    domain::{Packet, Phase, State},
    peer::{gate::Gate, treasury::Treasury},
    store::Packets,
};

/// Drives expired packets.
#[derive(Clone)]
pub struct Sweep {
    /// The packets.
    pub packets: Arc<dyn Packets>,
    /// The gate.
    pub gate: Arc<dyn Gate>,
    /// The money.
    pub treasury: Arc<dyn Treasury>,
    /// The hour.
    pub clock: SharedClock,
}

impl Sweep {
    /// The packet once it is COMPLETED. One that is not ACTIVE or CLOSING is returned as it is.
    pub async fn complete(&self, mut packet: Packet) -> Result<Packet, Error> {
        loop {
            let next = match &packet.state {
                State::Active => packet.closing(self.clock.now())?,
                State::Closing(None) => packet.closed(self.gate.close(packet.id()).await?)?,
                State::Closing(Some(_)) => {
                    let completed = packet.completed()?;
                    if let State::Completed { refunded_fen, .. } = completed {
                        self.treasury.refund(&packet.terms, refunded_fen).await?;
                    }
                    completed
                }
                State::Funding | State::Rejected(_) | State::Completed { .. } => return Ok(packet),
            };
            packet = step(&*self.packets, packet, next).await?;
        }
    }
}

#[async_trait]
impl Drive for Sweep {
    const NAME: &'static str = "sweep";
    const PHASES: &'static [Phase] = &[Phase::Active, Phase::Closing];

    async fn drive(&self, packet: Packet) -> Result<(), Error> {
        self.complete(packet).await.map(drop)
    }
}
