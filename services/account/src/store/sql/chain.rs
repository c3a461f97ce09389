//! The chain of seals.
//!
//! A posting adds one row with the digests of its transfers, whatever their number. A sealing moves the oldest rows under a
//! seal, in one transaction that holds the one row of `chain_head` locked: of several instances, one seals at a time, and
//! nobody who posts waits for it.

use ::sql::{Error, Result, repeat};
use async_trait::async_trait;
use clock::Timestamp;
use sea_orm::{
    ActiveValue::{NotSet, Set, Unchanged},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{LockBehavior, LockType},
};

use super::{
    SqlStore,
    entity::{chain_head, seal, seal_member, unsealed},
};
use crate::{
    domain::chain::{Hash, Head, MAX_MEMBERS, Member, Seal, Sealing, pack, unpack},
    store::Chain,
};

/// The key of the one row of `chain_head`.
pub const HEAD: i16 = 1;

#[async_trait]
impl Chain for SqlStore {
    async fn seal(&self, now: Timestamp) -> Result<Sealing> {
        repeat(|| self.try_seal(now)).await
    }

    async fn head(&self) -> Result<Head> {
        let row = chain_head::Entity::find_by_id(HEAD).one(self.database.read()).await?;
        head(&row.ok_or_else(|| Error::inconsistent("chain_head is empty"))?)
    }
}

impl SqlStore {
    async fn try_seal(&self, now: Timestamp) -> Result<Sealing> {
        let tx = self.database.begin().await?;
        let row = chain_head::Entity::find_by_id(HEAD)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .one(tx.as_ref())
            .await?;
        let Some(row) = row else {
            return Ok(Sealing::Elsewhere);
        };
        let before = head(&row)?;
        let sizes: Vec<(i64, i64)> = unsealed::Entity::find()
            .select_only()
            .columns([unsealed::Column::PostingNo, unsealed::Column::MemberCount])
            .order_by_asc(unsealed::Column::PostingNo)
            .limit(MAX_MEMBERS as u64)
            .into_tuple()
            .all(tx.as_ref())
            .await?;
        let postings = prefix(&sizes);
        if postings.is_empty() {
            return Ok(Sealing::Idle);
        }
        let waiting = unsealed::Entity::find()
            .filter(unsealed::Column::PostingNo.is_in(postings.iter().copied()))
            .order_by_asc(unsealed::Column::PostingNo)
            .all(tx.as_ref())
            .await?;
        let mut members = Vec::new();
        for posting in &waiting {
            members.extend(members_of(posting)?);
        }
        let seal = before.seal(&members);
        seal::Entity::insert(seal_row(&seal, now))
            .exec_without_returning(tx.as_ref())
            .await?;
        seal_member::Entity::insert_many((seal.first_position..).zip(&members).map(member_row))
            .exec_without_returning(tx.as_ref())
            .await?;
        chain_head::Entity::update(chain_head::ActiveModel {
            only: Unchanged(HEAD),
            ..head_row(&Head::of(&seal))
        })
        .exec(tx.as_ref())
        .await?;
        unsealed::Entity::delete_many()
            .filter(unsealed::Column::PostingNo.is_in(postings))
            .exec(tx.as_ref())
            .await?;
        tx.commit().await?;
        Ok(Sealing::Sealed(seal.member_count))
    }
}

/// The first postings that fit one seal together; at least one if there is one.
fn prefix(sizes: &[(i64, i64)]) -> Vec<i64> {
    let mut room = i64::try_from(MAX_MEMBERS).unwrap_or(i64::MAX);
    let fitting = sizes.iter().take_while(|(_, size)| {
        room = room.saturating_sub(*size);
        room >= 0
    });
    let mut postings: Vec<i64> = fitting.map(|(posting_no, _)| *posting_no).collect();
    if let (true, Some((first, _))) = (postings.is_empty(), sizes.first()) {
        postings.push(*first);
    }
    postings
}

/// The row that a posting leaves.
pub fn posting_row(members: &[Member]) -> unsealed::ActiveModel {
    unsealed::ActiveModel {
        posting_no: NotSet,
        member_count: Set(i64::try_from(members.len()).unwrap_or(i64::MAX)),
        members: Set(pack(members)),
    }
}

/// What a posting left.
pub fn members_of(row: &unsealed::Model) -> Result<Vec<Member>> {
    unpack(&row.members).ok_or_else(|| Error::inconsistent(format!("unsealed.members of {}", row.posting_no)))
}

fn seal_row(seal: &Seal, now: Timestamp) -> seal::ActiveModel {
    seal::ActiveModel {
        seal_no: Set(seal.seal_no),
        first_position: Set(seal.first_position),
        member_count: Set(seal.member_count),
        hash: Set(seal.hash.to_vec()),
        create_us: Set(now.as_microsecond()),
    }
}

fn member_row((position, member): (i64, &Member)) -> seal_member::ActiveModel {
    seal_member::ActiveModel {
        position: Set(position),
        transfer_id: Set(member.transfer.as_uuid()),
        digest: Set(member.digest.to_vec()),
    }
}

/// The head without its key.
pub fn head_row(head: &Head) -> chain_head::ActiveModel {
    chain_head::ActiveModel {
        only: NotSet,
        seal_no: Set(head.seal_no),
        transfer_count: Set(head.transfer_count),
        hash: Set(head.hash.to_vec()),
    }
}

/// The head in a row.
pub fn head(row: &chain_head::Model) -> Result<Head> {
    Ok(Head {
        seal_no: row.seal_no,
        transfer_count: row.transfer_count,
        hash: hash("chain_head.hash", &row.hash)?,
    })
}

/// A hash in a column.
pub fn hash(column: &str, bytes: &[u8]) -> Result<Hash> {
    let hash = bytes.try_into();
    hash.map_err(|_| Error::inconsistent(format!("{column} has {} bytes", bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_takes_whole_postings_as_far_as_they_fit() {
        type Row<'a> = (&'a [(i64, i64)], &'a [i64]);
        let table: [Row<'_>; 6] = [
            (&[], &[]),
            (&[(7, 1_000)], &[7]),
            (&[(7, 600), (8, 400), (9, 1)], &[7, 8]),
            (&[(7, 600), (8, 401), (9, 1)], &[7]),
            (&[(7, 1), (9, 1)], &[7, 9]),
            (&[(7, 2_000), (8, 1)], &[7]),
        ];
        for (sizes, expected) in table {
            assert_eq!(prefix(sizes), expected, "{sizes:?}");
        }
    }
}
