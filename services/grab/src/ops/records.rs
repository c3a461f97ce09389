//! Questions about what was opened.

use std::sync::Arc;

use id::{PacketId, UserId};
use paging::Page;

use super::Error;
use crate::{
    domain::{
        claim::{Claim, Progress, Summary},
        year::UtcOffset,
    },
    store::{ByTime, ClaimStore},
};

/// Answers from the store.
pub struct Records {
    /// The claims.
    pub claims: Arc<dyn ClaimStore>,
    /// When a year begins.
    pub utc_offset: UtcOffset,
}

impl Records {
    /// A page of a packet's claims in commit order, the token of the next page, and the packet's progress, all as of one
    /// instant.
    pub async fn claims(&self, packet_id: PacketId, page: &Page<i64>) -> Result<(Vec<Claim>, String, Progress), Error> {
        let after_seq = page.after.unwrap_or(0);
        let found = self.claims.claims(packet_id, after_seq, page.fetch()).await?;
        let (progress, claims) = found.ok_or(Error::UnknownPacket(packet_id))?;
        let (claims, next) = page.cut(claims, |claim| claim.seq);
        Ok((claims, next, progress))
    }

    /// The progress of the packets that are known, in the order asked for.
    pub async fn progress(&self, packet_ids: &[PacketId]) -> Result<Vec<Progress>, Error> {
        let found = self.claims.progress(packet_ids).await?;
        Ok(packet_ids
            .iter()
            .filter_map(|packet_id| found.get(packet_id).cloned())
            .collect())
    }

    /// A page of a user's claims, newest first, and the token of the next page.
    pub async fn of_user(&self, user_id: &UserId, page: &Page<ByTime>) -> Result<(Vec<Claim>, String), Error> {
        let claims = self.claims.claims_of_user(user_id, page.after, page.fetch()).await?;
        Ok(page.cut(claims, ByTime::of))
    }

    /// What a user received in a calendar year.
    pub async fn summarize(&self, user_id: &UserId, year: i16) -> Result<Summary, Error> {
        Ok(self.claims.summarize(user_id, self.utc_offset.year(year)).await?)
    }
}
