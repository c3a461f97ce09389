//! A partition's log, position by position, also where its records are damaged (LOG-1).
//!
//! | statement | when |
//! |---|---|
//! | read the positions asked for | always |
//! | in one snapshot: read the head, read the positions again | only if one is missing, or there are fewer than asked for |
//!
//! A claim and the head that counts it are committed together, so that one snapshot shows both or neither: a position below the
//! head without a record has lost it, and is no claim that is yet to appear.

use std::{collections::BTreeMap, fmt::Write as _};

use id::Partition;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QueryResult, QuerySelect,
    QueryTrait, prelude::Uuid,
};
use sql::{Database, Error, Result};

use super::{
    entity::{claim, head},
    row,
};
use crate::domain::claim::{Entry, Unreadable};

/// What a damaged record is told of, besides the position under which it is found.
const FACTS: [claim::Column; 7] = [
    claim::Column::PacketId,
    claim::Column::ShareNo,
    claim::Column::UserId,
    claim::Column::AmountFen,
    claim::Column::ClaimTimeUs,
    claim::Column::Luckiest,
    claim::Column::SenderId,
];

/// At most `limit` positions behind `after_seq`, each of them.
pub async fn read(database: &Database, partition: Partition, after_seq: i64, limit: u64) -> Result<Vec<Entry>> {
    let found = positions(database.read(), partition, after_seq, limit).await?;
    if found.len() as u64 == limit && found.keys().copied().eq((after_seq + 1..).take(found.len())) {
        return Ok(found.into_values().collect());
    }
    complete(database, partition, after_seq, limit).await
}

/// The same, held against the head.
async fn complete(database: &Database, partition: Partition, after_seq: i64, limit: u64) -> Result<Vec<Entry>> {
    let snapshot = database.snapshot().await?;
    let head = head::Entity::find_by_id(row::partition_no(partition));
    let head = head.one(snapshot.as_ref()).await?;
    let head = head.ok_or_else(|| Error::inconsistent(format!("{partition} has no head")))?;
    let last_seq = row::from_head(&head)?
        .last_seq()
        .min(after_seq.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX)));
    let mut found = positions(snapshot.as_ref(), partition, after_seq, limit).await?;
    let entries = (after_seq + 1..=last_seq).map(|seq| {
        found.remove(&seq).unwrap_or_else(|| {
            tracing::error!(%partition, seq, "a position of the claim log has lost its record");
            Entry::Unreadable(Unreadable::missing(partition, seq))
        })
    });
    Ok(entries.collect())
}

async fn positions(
    on: &impl ConnectionTrait,
    partition: Partition,
    after_seq: i64,
    limit: u64,
) -> Result<BTreeMap<i64, Entry>> {
    let query = claim::Entity::find()
        .filter(claim::Column::PartitionNo.eq(row::partition_no(partition)))
        .filter(claim::Column::Seq.gt(after_seq))
        .order_by_asc(claim::Column::Seq)
        .limit(limit);
    let rows = on.query_all_raw(query.build(on.get_database_backend())).await?;
    Ok(rows.iter().filter_map(|row| entry(partition, row)).collect())
}

/// What stands at the position that a row names; `None` if it names none.
fn entry(partition: Partition, row: &QueryResult) -> Option<(i64, Entry)> {
    let seq: i64 = row.try_get("", "seq").ok()?;
    let claim = claim::Model::from_query_result(row, "").map_err(Error::from);
    let entry = claim.and_then(row::from_claim).map_or_else(
        |fault| {
            tracing::error!(%partition, seq, %fault, "a record of the claim log cannot be understood");
            Entry::Unreadable(Unreadable::damaged(partition, seq, &facts(row)))
        },
        Entry::Claim,
    );
    Some((seq, entry))
}

/// What is in a row, for a person: `column=value`, in whatever type it can be read.
fn facts(row: &QueryResult) -> String {
    let mut text = String::new();
    for column in FACTS {
        let name = sea_orm::IdenStatic::as_str(&column);
        let value = (row.try_get::<Option<String>>("", name).map(Option::unwrap_or_default))
            .or_else(|_| row.try_get::<i64>("", name).map(|number| number.to_string()))
            .or_else(|_| row.try_get::<bool>("", name).map(|flag| flag.to_string()))
            .or_else(|_| row.try_get::<Uuid>("", name).map(|uuid| uuid.to_string()))
            .or_else(|_| row.try_get::<Vec<u8>>("", name).map(|bytes| format!("{bytes:02x?}")))
            .unwrap_or_else(|_| "?".to_owned());
        let _ = write!(text, "{name}={value} ");
    }
    text
}
