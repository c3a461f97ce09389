//! Open (拆): a voucher becomes a claim, and only then an amount.

use id::{PacketId, UserId};

use super::{Error, Race};
use crate::domain::{claim::Claim, picture::Opening};

/// A user redeems a voucher.
#[derive(Clone, Debug)]
pub struct Request {
    /// Of which packet.
    pub packet_id: PacketId,
    /// Who redeems.
    pub user_id: UserId,
    /// The voucher's text.
    pub voucher: String,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The claim, durable; the same one on every repeat.
    Opened(Claim),
    /// The share was gone and nothing else is left. Final.
    Exhausted,
    /// The packet was closed first. Final.
    Closed,
}

impl Race {
    /// Opens. The voucher was granted in time, so that the packet's `expire_time` does not matter any more: only its
    /// close does (CLOSE-1).
    ///
    /// Stopping anywhere is safe: the claim is made or not, and repeating the call finds out.
    pub async fn open(&self, request: &Request) -> Result<Outcome, Error> {
        let Request { packet_id, user_id, .. } = request;
        let voucher = self.keys.read(&request.voucher, *packet_id, user_id)?;

        // Repeats are answered from memory where it remembers.
        if let Some(claim) = self.gate.recall(*packet_id, user_id).await {
            return Ok(Outcome::Opened(claim));
        }
        if let Err(lapsed) = voucher.check_hour(self.clock.now()) {
            // Too late to make a claim, but not to be told of one.
            let claim = self.claims.claim_of(*packet_id, user_id).await?;
            return claim.map(Outcome::Opened).ok_or(lapsed.into());
        }

        let packet = self.packets.get(*packet_id).await?;
        Ok(match self.writer.open(&packet, user_id, voucher.share_no).await? {
            Opening::Opened(claim) | Opening::Already(claim) => Outcome::Opened(claim),
            Opening::Exhausted => Outcome::Exhausted,
            Opening::Closed => Outcome::Closed,
        })
    }
}
