//! What a verification reads: stretches of indexes, each over one snapshot.

mod transfers;

use ::sql::Result;
use async_trait::async_trait;
use id::{AccountId, TransferId};
use money::Fen;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect,
    sea_query::{Expr, ExprTrait, JoinType, Order, Query, SelectStatement},
};
use uuid::Uuid;

use super::{
    SqlStore,
    chain::{HEAD, hash, head},
    entity::{account, chain_head, entry, seal, seal_member, transfer},
    row,
};
use crate::{
    domain::{
        audit::{
            accounts::{AccountLine, AccountSlice, EntryLine, Place},
            seals::{SealSlice, Sealed},
            transfers::TransferSlice,
        },
        chain::{MAX_MEMBERS, Member, Seal},
    },
    store::Audit,
};

/// Transfers listed outside of the chain that are named at the most: there should be none.
const MAX_BEYOND: u64 = 100;

#[async_trait]
impl Audit for SqlStore {
    async fn accounts_from(&self, from: Place, limit: u64) -> Result<AccountSlice> {
        let snapshot = self.database.snapshot().await?;
        accounts(snapshot.as_ref(), from, limit).await
    }

    async fn transfers_from(&self, after: Option<TransferId>, limit: u64) -> Result<TransferSlice> {
        let snapshot = self.database.snapshot().await?;
        transfers::slice(snapshot.as_ref(), after, limit).await
    }

    async fn seals_from(&self, after_no: i64, limit: u64) -> Result<SealSlice> {
        let snapshot = self.database.snapshot().await?;
        seals(snapshot.as_ref(), after_no, limit).await
    }
}

async fn accounts(snapshot: &DatabaseTransaction, from: Place, limit: u64) -> Result<AccountSlice> {
    let (behind, unfinished) = match from {
        Place::Start => (None, None),
        Place::Within(account, entry_no) => (Some(account), Some(entry_no)),
        Place::Behind(account) => (Some(account), None),
    };
    let mut entries = Vec::new();
    if let (Some(account), Some(entry_no)) = (behind, unfinished) {
        let rest = Expr::col(entry::Column::AccountId).eq(account.as_uuid());
        entries = lines(
            snapshot,
            rest.and(Expr::col(entry::Column::EntryNo).gt(entry_no)),
            limit,
        )
        .await?;
        if entries.len() as u64 == limit {
            return Ok(within(Vec::new(), entries));
        }
    }

    let mut query = account::Entity::find();
    if let Some(account) = behind {
        let id = account::Column::AccountId;
        query = query.filter(match unfinished {
            Some(_) => id.gte(account.as_uuid()),
            None => id.gt(account.as_uuid()),
        });
    }
    let rows = query
        .order_by_asc(account::Column::AccountId)
        .limit(limit)
        .all(snapshot)
        .await?;
    let last = (rows.len() as u64 == limit).then(|| rows.last()).flatten();
    let last: Option<AccountId> = last.map(|row| row.account_id.into());
    let accounts: Vec<AccountLine> = rows.iter().map(line).collect();

    let mut range = Expr::val(1).eq(1);
    if let Some(account) = behind {
        range = range.and(Expr::col(entry::Column::AccountId).gt(account.as_uuid()));
    }
    if let Some(last) = last {
        range = range.and(Expr::col(entry::Column::AccountId).lte(last.as_uuid()));
    }
    let room = limit.saturating_sub(entries.len() as u64);
    let more = lines(snapshot, range, room).await?;
    let is_cut = more.len() as u64 == room;
    entries.extend(more);
    if is_cut && !entries.is_empty() {
        return Ok(within(accounts, entries));
    }
    Ok(AccountSlice {
        accounts,
        entries,
        to: last.map(Place::Behind),
    })
}

/// A slice whose last account may go on: neither it nor any behind it is complete.
fn within(mut accounts: Vec<AccountLine>, entries: Vec<EntryLine>) -> AccountSlice {
    let last = entries.last().copied();
    accounts.retain(|account| last.is_some_and(|last| account.id < last.account));
    AccountSlice {
        accounts,
        entries,
        to: last.map(|last| Place::Within(last.account, last.entry_no)),
    }
}

fn line(row: &account::Model) -> AccountLine {
    AccountLine {
        id: row.account_id.into(),
        reference: row::reference(row.kind, &row.owner).ok(),
        balance: Fen::new(row.balance_fen),
        entry_count: row.entry_count,
    }
}

/// Entries in order of their key.
async fn lines(snapshot: &DatabaseTransaction, of: Expr, limit: u64) -> Result<Vec<EntryLine>> {
    let query = Query::select()
        .columns([
            entry::Column::AccountId,
            entry::Column::EntryNo,
            entry::Column::DeltaFen,
            entry::Column::BalanceFen,
        ])
        .from(entry::Entity)
        .and_where(of)
        .order_by(entry::Column::AccountId, Order::Asc)
        .order_by(entry::Column::EntryNo, Order::Asc)
        .limit(limit)
        .take();
    let rows = rows(snapshot, &query).await?;
    let line = |row: &QueryResult| {
        Ok(EntryLine {
            account: row.try_get_by_index::<Uuid>(0)?.into(),
            entry_no: row.try_get_by_index(1)?,
            delta: Fen::new(row.try_get_by_index(2)?),
            balance: Fen::new(row.try_get_by_index(3)?),
        })
    };
    Ok(rows.iter().map(line).collect::<std::result::Result<_, DbErr>>()?)
}

/// Rows to be read by the places of their columns: by name would cost more than the rest of it.
async fn rows(snapshot: &DatabaseTransaction, query: &SelectStatement) -> Result<Vec<QueryResult>> {
    Ok(snapshot.query_all(query).await?)
}

async fn seals(snapshot: &DatabaseTransaction, after_no: i64, limit: u64) -> Result<SealSlice> {
    let rows = seal::Entity::find()
        .filter(seal::Column::SealNo.gt(after_no))
        .order_by_asc(seal::Column::SealNo)
        .limit(limit) // none is empty
        .all(snapshot)
        .await?;
    let mut room = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut seals = Vec::new();
    let mut is_last = (rows.len() as u64) < limit;
    for row in rows {
        if room <= 0 {
            is_last = false;
            break;
        }
        let seal = Seal {
            seal_no: row.seal_no,
            first_position: row.first_position,
            member_count: row.member_count,
            hash: hash("seals.hash", &row.hash)?,
        };
        room = room.saturating_sub(seal.member_count);
        seals.push((seal, members(snapshot, &seal).await?));
    }
    let row = chain_head::Entity::find_by_id(HEAD).one(snapshot).await?;
    let head = row.as_ref().map(head).transpose()?;
    let end = head.map_or(0, |head| head.transfer_count);
    let beyond: Vec<Uuid> = if is_last {
        seal_member::Entity::find()
            .select_only()
            .column(seal_member::Column::TransferId)
            .filter(
                seal_member::Column::Position
                    .gt(end)
                    .or(seal_member::Column::Position.lt(1)),
            )
            .order_by_asc(seal_member::Column::Position)
            .limit(MAX_BEYOND)
            .into_tuple()
            .all(snapshot)
            .await?
    } else {
        Vec::new()
    };
    Ok(SealSlice {
        seals,
        head,
        is_last,
        beyond: beyond.into_iter().map(TransferId::from).collect(),
    })
}

/// What is listed at a seal's positions. A count that no seal has is cut: the seal's hash tells.
async fn members(snapshot: &DatabaseTransaction, seal: &Seal) -> Result<Vec<Sealed>> {
    let most = i64::try_from(MAX_MEMBERS).unwrap_or(i64::MAX);
    let to = seal.first_position.saturating_add(seal.member_count.clamp(0, most));
    let (members, transfers) = (seal_member::Entity, transfer::Entity);
    let member = |column: seal_member::Column| Expr::col((members, column));
    let mut query = Query::select();
    query
        .expr(member(seal_member::Column::TransferId))
        .expr(member(seal_member::Column::Digest))
        .from(members)
        .join(
            JoinType::LeftJoin,
            transfers,
            Expr::col((transfers, transfer::Column::TransferId)).eq(member(seal_member::Column::TransferId)),
        )
        .and_where(member(seal_member::Column::Position).gte(seal.first_position))
        .and_where(member(seal_member::Column::Position).lt(to))
        .order_by((members, seal_member::Column::Position), Order::Asc);
    transfers::trace_columns(&mut query);
    let mut sealed = Vec::new();
    for row in rows(snapshot, &query).await? {
        let digest: Vec<u8> = row.try_get_by_index(1)?;
        let member = Member {
            transfer: row.try_get_by_index::<Uuid>(0)?.into(),
            digest: hash("seal_members.digest", &digest)?,
        };
        let trace = transfers::trace(&row, 2)?;
        sealed.push(Sealed { member, trace });
    }
    Ok(sealed)
}
