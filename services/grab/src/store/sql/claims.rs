//! Questions about claims. What belongs to a packet is asked of its database, what belongs to a user of all of them at
//! once: if one does not answer, neither does the store.

use std::{cmp::Reverse, collections::HashMap, ops::Range};

use async_trait::async_trait;
use clock::Timestamp;
use futures::future::try_join_all;
use id::{PacketId, UserId};
use money::Fen;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};
use sql::{Error, Result};

use super::{
    SqlStore,
    entity::{claim, packet, tally},
    row,
};
use crate::{
    domain::claim::{Claim, Progress, Summary, Tally},
    store::{ByTime, ClaimStore},
};

#[async_trait]
impl ClaimStore for SqlStore {
    async fn history(&self, packet_id: PacketId) -> Result<(Tally, Vec<Claim>)> {
        let snapshot = self.database(packet_id).snapshot().await?;
        let tally = tally::Entity::find_by_id(packet_id.as_uuid())
            .one(snapshot.as_ref())
            .await?;
        let claims = claim::Entity::find()
            .filter(claim::Column::PacketId.eq(packet_id.as_uuid()))
            .order_by_asc(claim::Column::Seq)
            .all(snapshot.as_ref())
            .await?;
        let tally = tally.as_ref().map(row::from_tally).transpose()?.unwrap_or_default();
        Ok((tally, into_claims(claims)?))
    }

    async fn claim_of(&self, packet_id: PacketId, user_id: &UserId) -> Result<Option<Claim>> {
        let found = claim::Entity::find()
            .filter(claim::Column::PacketId.eq(packet_id.as_uuid()))
            .filter(claim::Column::UserId.eq(user_id.as_str()))
            .one(self.database(packet_id).read())
            .await?;
        found.map(row::from_claim).transpose()
    }

    async fn claims(&self, packet_id: PacketId, after_seq: i64, limit: u64) -> Result<Option<(Progress, Vec<Claim>)>> {
        let snapshot = self.database(packet_id).snapshot().await?;
        let mut progress = find_progress(snapshot.as_ref(), &[packet_id]).await?;
        let Some(progress) = progress.remove(&packet_id) else {
            return Ok(None);
        };
        let claims = claim::Entity::find()
            .filter(claim::Column::PacketId.eq(packet_id.as_uuid()))
            .filter(claim::Column::Seq.gt(after_seq))
            .order_by_asc(claim::Column::Seq)
            .limit(limit)
            .all(snapshot.as_ref())
            .await?;
        Ok(Some((progress, into_claims(claims)?)))
    }

    async fn progress(&self, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Progress>> {
        let found = self.shards.iter().enumerate().map(|(shard_no, database)| async move {
            let here = packet_ids.iter().copied();
            let here: Vec<PacketId> = here.filter(|packet_id| self.shard_no(*packet_id) == shard_no).collect();
            if here.is_empty() {
                return Ok(HashMap::new());
            }
            find_progress(database.read(), &here).await
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn claims_of_user(&self, user_id: &UserId, after: Option<ByTime>, limit: u64) -> Result<Vec<Claim>> {
        let pages = self
            .shards
            .iter()
            .map(|database| find_claims_of_user(database.read(), user_id, after, limit));
        let mut claims = try_join_all(pages).await?.concat();
        claims.sort_by_key(|claim| Reverse((claim.claim_time, claim.packet_id)));
        claims.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(claims)
    }

    async fn summarize(&self, user_id: &UserId, span: Range<Timestamp>) -> Result<Summary> {
        let sums = self
            .shards
            .iter()
            .map(|database| find_sums(database.read(), user_id, &span));
        let mut sum = Summary::default();
        for part in try_join_all(sums).await? {
            let amount_fen = sum.amount_fen.checked_add(part.amount_fen);
            sum = Summary {
                claim_count: sum.claim_count + part.claim_count,
                amount_fen: amount_fen.ok_or_else(|| Error::inconsistent("a sum that is too large"))?,
                luckiest_count: sum.luckiest_count + part.luckiest_count,
            };
        }
        Ok(sum)
    }
}

async fn find_claims_of_user(
    on: &DatabaseConnection,
    user_id: &UserId,
    after: Option<ByTime>,
    limit: u64,
) -> Result<Vec<Claim>> {
    let mut query = claim::Entity::find().filter(claim::Column::UserId.eq(user_id.as_str()));
    if let Some(after) = after {
        let claim_time_us = after.claim_time.as_microsecond();
        query = query.filter(
            Condition::any().add(claim::Column::ClaimTimeUs.lt(claim_time_us)).add(
                Condition::all()
                    .add(claim::Column::ClaimTimeUs.eq(claim_time_us))
                    .add(claim::Column::PacketId.lt(after.packet_id.as_uuid())),
            ),
        );
    }
    let rows = query
        .order_by_desc(claim::Column::ClaimTimeUs)
        .order_by_desc(claim::Column::PacketId)
        .limit(limit)
        .all(on)
        .await?;
    into_claims(rows)
}

async fn find_sums(on: &DatabaseConnection, user_id: &UserId, span: &Range<Timestamp>) -> Result<Summary> {
    #[derive(FromQueryResult)]
    struct Sums {
        claim_count: i64,
        amount_fen: Option<i64>,
        luckiest_count: Option<i64>,
    }
    let backend = on.get_database_backend();
    let lucky: SimpleExpr = Expr::case(claim::Column::Luckiest.eq(true), 1).finally(0).into();
    let sums = claim::Entity::find()
        .select_only()
        .column_as(claim::Column::Seq.count(), "claim_count")
        .column_as(sql::integer(backend, claim::Column::AmountFen.sum()), "amount_fen")
        .column_as(sql::integer(backend, lucky.sum()), "luckiest_count")
        .filter(claim::Column::UserId.eq(user_id.as_str()))
        .filter(claim::Column::ClaimTimeUs.gte(span.start.as_microsecond()))
        .filter(claim::Column::ClaimTimeUs.lt(span.end.as_microsecond()))
        .into_model::<Sums>()
        .one(on)
        .await?;
    Ok(sums.map_or_else(Summary::default, |sums| Summary {
        claim_count: sums.claim_count,
        amount_fen: Fen::new(sums.amount_fen.unwrap_or_default()),
        luckiest_count: sums.luckiest_count.unwrap_or_default(),
    }))
}

/// Promises before tallies: they are kept together, so that a promise that is seen has its tally.
async fn find_progress(on: &impl ConnectionTrait, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Progress>> {
    let packets: Vec<(sea_orm::prelude::Uuid, i64, Vec<u8>)> = packet::Entity::find()
        .select_only()
        .column(packet::Column::PacketId)
        .column(packet::Column::ShareCount)
        .column(packet::Column::Seed)
        .filter(packet::Column::PacketId.is_in(packet_ids.iter().map(PacketId::as_uuid)))
        .into_tuple()
        .all(on)
        .await?;
    let tallies = tally::Entity::find()
        .filter(tally::Column::PacketId.is_in(packet_ids.iter().map(PacketId::as_uuid)))
        .all(on)
        .await?;
    let tallies: HashMap<_, _> = tallies.iter().map(|row| (row.packet_id, row)).collect();
    let progress = packets.into_iter().map(|(uuid, share_count, seed)| {
        let packet_id = PacketId::from(uuid);
        let tally = tallies.get(&uuid);
        let tally = tally.ok_or_else(|| Error::inconsistent(format!("packet {packet_id} has no tally")))?;
        let share_count = u32::try_from(share_count).map_err(Error::inconsistent)?;
        let progress = Progress::new(packet_id, share_count, row::from_tally(tally)?, row::seed(uuid, seed)?);
        Ok((packet_id, progress))
    });
    progress.collect()
}

pub fn into_claims(rows: Vec<claim::Model>) -> Result<Vec<Claim>> {
    rows.into_iter().map(row::from_claim).collect()
}
