//! The double-entry ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ::sql::{Error, Result, Transaction};
use async_trait::async_trait;
use clock::{Timestamp, from_micros};
use id::{AccountId, PacketId, TransferId};
use money::Fen;
use paging::Page;
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Alias, CaseStatement, Expr, ExprTrait, OnConflict, Order, Query},
};
use uuid::Uuid;

use super::{
    SqlStore,
    chain::posting_row,
    entity::{account, entry, refusal, transfer, unsealed},
    row,
};
use crate::{
    domain::{
        account::{Account, AccountRef},
        chain::Member,
        ledger::{self, Books, Item, MAX_BATCH, Outcome, Posting},
        transfer::{Entry, PostedTransfer, Reason, Transfer},
    },
    store::Ledger,
};

/// Most variables SQLite binds to one statement (`SQLITE_MAX_VARIABLE_NUMBER`); the other engines take more.
const MAX_BINDS: usize = 32_766;
// The widest statement of a batch upserts both accounts of every item, seven columns each: no statement needs cutting.
const _: () = assert!(MAX_BATCH * 2 * 7 <= MAX_BINDS);

#[async_trait]
impl Ledger for SqlStore {
    async fn post(&self, items: &[Item], now: Timestamp) -> Result<Vec<Posting>> {
        self.database.repeat(|| self.try_post(items, now)).await
    }

    async fn transfers(&self, ids: &[TransferId]) -> Result<Vec<PostedTransfer>> {
        let tx = self.database.snapshot().await?;
        let rows = transfer::Entity::find()
            .filter(transfer::Column::TransferId.is_in(ids.iter().map(TransferId::as_uuid)))
            .all(tx.as_ref())
            .await?;
        let sides: BTreeSet<Uuid> = rows.iter().flat_map(|row| [row.debit_id, row.credit_id]).collect();
        let accounts = account::Entity::find()
            .filter(account::Column::AccountId.is_in(sides))
            .all(tx.as_ref())
            .await?;
        let references: HashMap<Uuid, AccountRef> = accounts
            .iter()
            .map(|account| Ok((account.account_id, row::reference(account.kind, &account.owner)?)))
            .collect::<Result<_>>()?;
        let reference = |id: Uuid| {
            let found = references.get(&id).cloned();
            found.ok_or_else(|| Error::inconsistent(format!("a transfer names account {id}, which does not exist")))
        };
        let posted = |row: &transfer::Model| {
            let (id, payload) = row::payload(row)?;
            Ok(PostedTransfer {
                transfer: Transfer {
                    id,
                    debit: reference(row.debit_id)?,
                    credit: reference(row.credit_id)?,
                    amount: payload.amount,
                    reason: payload.reason,
                    packet: payload.packet,
                },
                create_time: from_micros(row.create_us),
            })
        };
        rows.iter().map(posted).collect()
    }

    async fn entries(&self, account: &AccountRef, page: &Page<i64>) -> Result<Vec<Entry>> {
        let read = self.database.read();
        let statement = read.get_database_backend().build(&entries_query(account, page));
        let lines = Line::find_by_statement(statement).all(read).await?;
        lines.into_iter().map(Line::entry).collect()
    }
}

impl SqlStore {
    async fn try_post(&self, items: &[Item], now: Timestamp) -> Result<Vec<Posting>> {
        let tx = self.database.begin().await?;
        let books = lock(&tx, items).await?;
        let outcome = ledger::post(items, books, now);
        if outcome.transfers.is_empty() && outcome.refused.is_empty() {
            tx.rollback().await?;
            return Ok(outcome.postings);
        }
        if !outcome.transfers.is_empty() {
            write(&tx, &outcome, now).await?;
        }
        if !outcome.refused.is_empty() {
            refuse(&tx, &outcome, now).await?;
        }
        tx.commit().await?;
        Ok(outcome.postings)
    }
}

/// Locks the accounts of the batch, in the order of their ids so that two batches never wait for each other in a circle;
/// then reads which of its transfers are posted, and which of its fundings refused. In the other order, a transfer that another instance posts meanwhile
/// would be judged by the balances that it left behind: refused, where it is done.
///
/// What is not there cannot be locked. An account that another instance opens between the two, which a transfer found posted
/// gives away, is a reason to begin anew; an id that it posts or an account that it opens later ends in a conflict of keys.
async fn lock(tx: &Transaction, items: &[Item]) -> Result<Books> {
    let readable = || items.iter().flatten();
    let ids: BTreeSet<Uuid> = readable().map(|transfer| transfer.id.as_uuid()).collect();
    let sides: BTreeSet<Uuid> = readable()
        .flat_map(|transfer| [transfer.debit.id().as_uuid(), transfer.credit.id().as_uuid()])
        .collect();
    if ids.is_empty() {
        return Ok(Books::default());
    }
    let accounts = account::Entity::find()
        .filter(account::Column::AccountId.is_in(sides.iter().copied()))
        .order_by_asc(account::Column::AccountId)
        .lock_exclusive()
        .all(tx.as_ref())
        .await?;
    let posted = transfer::Entity::find()
        .filter(transfer::Column::TransferId.is_in(ids))
        .all(tx.as_ref())
        .await?;
    let fundings = readable().filter(|transfer| transfer.reason == Reason::Fund);
    let fundings: BTreeSet<Uuid> = fundings.map(|transfer| transfer.id.as_uuid()).collect();
    let refused = if fundings.is_empty() {
        Vec::new()
    } else {
        refusal::Entity::find()
            .filter(refusal::Column::TransferId.is_in(fundings))
            .all(tx.as_ref())
            .await?
    };
    let books = Books {
        posted: posted.iter().map(row::payload).collect::<Result<_>>()?,
        refused: refused.iter().map(row::refusal).collect::<Result<_>>()?,
        accounts: accounts
            .iter()
            .map(|account| Ok((account.account_id.into(), row::account(account)?)))
            .collect::<Result<_>>()?,
    };
    let opened_meanwhile = |side: AccountId| sides.contains(&side.as_uuid()) && !books.accounts.contains_key(&side);
    if books
        .posted
        .values()
        .any(|posted| opened_meanwhile(posted.debit) || opened_meanwhile(posted.credit))
    {
        let words = "an account was opened between two statements";
        return Err(Error::Contended(DbErr::Custom(words.to_owned())));
    }
    Ok(books)
}

/// Writes new rows in the order of their keys, those that another batch may write as well first: again so that two batches
/// never wait for each other in a circle.
async fn write(tx: &Transaction, outcome: &Outcome, now: Timestamp) -> Result<()> {
    let mut transfers: Vec<&Transfer> = outcome.transfers.iter().collect();
    transfers.sort_unstable_by_key(|transfer| transfer.id.as_uuid());
    transfer::Entity::insert_many(transfers.into_iter().map(|transfer| row::from_transfer(transfer, now)))
        .exec_without_returning(tx.as_ref())
        .await?;
    account::Entity::insert_many(account_rows(&outcome.opened))
        .exec_without_returning(tx.as_ref())
        .await?;
    entry::Entity::insert_many(outcome.entries.iter().map(row::from_entry))
        .exec_without_returning(tx.as_ref())
        .await?;
    let members: Vec<Member> = outcome
        .transfers
        .iter()
        .map(|transfer| Member::of(transfer, now))
        .collect();
    unsealed::Entity::insert(posting_row(&members))
        .exec_without_returning(tx.as_ref())
        .await?;
    // Every row of this insert meets its key: it is an update of many rows with a value of its own for each.
    account::Entity::insert_many(account_rows(&outcome.changed))
        .on_conflict(
            OnConflict::column(account::Column::AccountId)
                .update_columns([account::Column::BalanceFen, account::Column::EntryCount])
                .to_owned(),
        )
        .exec_without_returning(tx.as_ref())
        .await?;
    Ok(())
}

/// Remembers the fundings that are refused for good, in the order of their keys. Two batches that refuse one id have its
/// debited account locked, one after the other.
async fn refuse(tx: &Transaction, outcome: &Outcome, now: Timestamp) -> Result<()> {
    let mut refused = outcome.refused.clone();
    refused.sort_unstable_by_key(|(id, _)| id.as_uuid());
    let rows = refused
        .into_iter()
        .filter_map(|(id, verdict)| row::from_refusal(id, verdict, now));
    refusal::Entity::insert_many(rows)
        .exec_without_returning(tx.as_ref())
        .await?;
    Ok(())
}

fn account_rows(accounts: &BTreeMap<AccountId, Account>) -> impl Iterator<Item = account::ActiveModel> {
    accounts
        .iter()
        .map(|(id, account)| row::from_account(id.as_uuid(), account))
}

/// One entry with its transfer and the account on the other side.
#[derive(Debug, FromQueryResult)]
struct Line {
    entry_no: i64,
    transfer_id: Uuid,
    delta_fen: i64,
    balance_fen: i64,
    reason: i16,
    packet_id: Option<Uuid>,
    kind: i16,
    owner: String,
    create_us: i64,
}

impl Line {
    fn entry(self) -> Result<Entry> {
        Ok(Entry {
            entry_no: self.entry_no,
            transfer: self.transfer_id.into(),
            delta: Fen::new(self.delta_fen),
            balance: Fen::new(self.balance_fen),
            reason: row::reason(self.reason)?,
            packet: self.packet_id.map(PacketId::from),
            counterparty: row::reference(self.kind, &self.owner)?,
            create_time: from_micros(self.create_us),
        })
    }
}

fn entries_query(account: &AccountRef, page: &Page<i64>) -> sea_orm::sea_query::SelectStatement {
    let (entries, transfers, others) = (entry::Entity, transfer::Entity, Alias::new("others"));
    let other_side = CaseStatement::new()
        .case(
            Expr::col((transfers, transfer::Column::DebitId)).equals((entries, entry::Column::AccountId)),
            Expr::col((transfers, transfer::Column::CreditId)),
        )
        .finally(Expr::col((transfers, transfer::Column::DebitId)));
    let mut query = Query::select();
    query
        .columns([
            (entries, entry::Column::EntryNo),
            (entries, entry::Column::TransferId),
            (entries, entry::Column::DeltaFen),
            (entries, entry::Column::BalanceFen),
        ])
        .columns([
            (transfers, transfer::Column::Reason),
            (transfers, transfer::Column::PacketId),
            (transfers, transfer::Column::CreateUs),
        ])
        .columns([
            (others.clone(), account::Column::Kind),
            (others.clone(), account::Column::Owner),
        ])
        .from(entries)
        .inner_join(
            transfers,
            Expr::col((transfers, transfer::Column::TransferId)).equals((entries, entry::Column::TransferId)),
        )
        .join_as(
            sea_orm::JoinType::InnerJoin,
            account::Entity,
            others.clone(),
            Expr::col((others, account::Column::AccountId)).eq(other_side),
        )
        .and_where(Expr::col((entries, entry::Column::AccountId)).eq(account.id().as_uuid()))
        .order_by((entries, entry::Column::EntryNo), Order::Desc)
        .limit(page.fetch());
    if let Some(after) = page.after {
        query.and_where(Expr::col((entries, entry::Column::EntryNo)).lt(after));
    }
    query
}
