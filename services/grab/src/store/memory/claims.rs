//! Questions about claims.

use std::{cmp::Reverse, collections::HashMap, ops::Range};

use async_trait::async_trait;
use clock::Timestamp;
use id::{PacketId, UserId};
use sql::{Error, Result};

use super::{
    MemoryStore,
    tables::{self, Row, Tables},
};
use crate::{
    domain::claim::{Claim, Progress, Summary, Tally},
    store::{ByTime, ClaimStore},
};

#[async_trait]
impl ClaimStore for MemoryStore {
    async fn history(&self, packet_id: PacketId) -> Result<(Tally, Vec<Claim>)> {
        let look = |tables: &Tables| {
            let claims = tables.of_packet(packet_id).map(tables::readable);
            Ok((
                tables.tally(packet_id).unwrap_or_default(),
                claims.collect::<Result<_>>()?,
            ))
        };
        self.link.read("claims.history", look).await
    }

    async fn claim_of(&self, packet_id: PacketId, user_id: &UserId) -> Result<Option<Claim>> {
        let look = |tables: &Tables| {
            let mut claims = tables.of_packet(packet_id);
            let found = claims.find(|row| row.is_of(user_id));
            found.map(tables::readable).transpose()
        };
        self.link.read("claims.claim_of", look).await
    }

    async fn claims(&self, packet_id: PacketId, after_seq: i64, limit: u64) -> Result<Option<(Progress, Vec<Claim>)>> {
        let look = |tables: &Tables| {
            let Some(progress) = progress(tables, packet_id)? else {
                return Ok(None);
            };
            let behind = tables.of_packet(packet_id).filter(|row| row.claim.seq > after_seq);
            let page = behind.take(tables::count(limit)).map(tables::readable);
            Ok(Some((progress, page.collect::<Result<_>>()?)))
        };
        self.link.read("claims.claims", look).await
    }

    async fn progress(&self, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Progress>> {
        let look = |tables: &Tables| {
            let known = packet_ids
                .iter()
                .filter_map(|packet_id| progress(tables, *packet_id).transpose());
            known
                .map(|found| found.map(|progress| (progress.packet_id, progress)))
                .collect()
        };
        self.link.read("claims.progress", look).await
    }

    async fn claims_of_user(&self, user_id: &UserId, after: Option<ByTime>, limit: u64) -> Result<Vec<Claim>> {
        let look = |tables: &Tables| {
            let key = |row: &&Row| (row.claim.claim_time, row.claim.packet_id);
            let after = after.map(|after| (after.claim_time, after.packet_id));
            let of_user = tables.rows().filter(|row| row.is_of(user_id));
            let mut rows: Vec<&Row> = of_user
                .filter(|row| after.is_none_or(|after| key(row) < after))
                .collect();
            rows.sort_by_key(|row| Reverse(key(row)));
            rows.into_iter()
                .take(tables::count(limit))
                .map(tables::readable)
                .collect()
        };
        self.link.read("claims.of_user", look).await
    }

    async fn summarize(&self, user_id: &UserId, span: Range<Timestamp>) -> Result<Summary> {
        let look = |tables: &Tables| {
            let mut sum = Summary::default();
            let of_user = tables.rows().filter(|row| row.is_of(user_id));
            for row in of_user.filter(|row| span.contains(&row.claim.claim_time)) {
                let amount_fen = sum.amount_fen.checked_add(row.claim.amount_fen);
                sum = Summary {
                    claim_count: sum.claim_count + 1,
                    amount_fen: amount_fen.ok_or_else(|| Error::inconsistent("a sum that is too large"))?,
                    luckiest_count: sum.luckiest_count + i64::from(row.claim.luckiest),
                };
            }
            Ok(sum)
        };
        self.link.read("claims.summarize", look).await
    }
}

fn progress(tables: &Tables, packet_id: PacketId) -> Result<Option<Progress>> {
    let Some(promise) = tables.promise(packet_id) else {
        return Ok(None);
    };
    let tally = tables.tally(packet_id);
    let tally = tally.ok_or_else(|| Error::inconsistent(format!("packet {packet_id} has no tally")))?;
    let share_count = promise.terms.share_count;
    Ok(Some(Progress::new(packet_id, share_count, tally, promise.seed.clone())))
}
