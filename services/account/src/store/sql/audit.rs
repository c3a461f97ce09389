//! Verification of the whole ledger, set by set, over one snapshot.
//!
//! Each query names what breaks one rule and nothing else, so that a sound ledger sends no rows however large it is.

use ::sql::{Database, Result, integer};
use money::Fen;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, FromQueryResult,
    sea_query::{Alias, CaseStatement, Cond, Expr, ExprTrait, Func, Query, SelectStatement},
};
use uuid::Uuid;

use super::{
    entity::{account, entry, transfer},
    row::KIND_EXTERNAL,
};
use crate::domain::audit::{Audit, Difference, Finding, MAX_DIFFERENCES, Subject};

/// See [`Ledger::verify`](crate::store::Ledger::verify).
pub async fn verify(database: &Database) -> Result<Audit> {
    let tx = database.snapshot().await?;
    let snapshot = tx.as_ref();
    let on = snapshot.get_database_backend();
    let accounts: Totals = one(snapshot, &account_totals(on)).await?;
    let transfers: Totals = one(snapshot, &transfer_totals()).await?;

    let mut differences = Vec::new();
    if accounts.sum_fen != 0 {
        differences.push(difference(Finding::SumNotZero, Subject::Ledger, accounts.sum_fen));
    }
    for Excess { id, excess_fen } in all(snapshot, &below_zero()).await? {
        differences.push(difference(Finding::BelowZero, of_account(id), excess_fen));
    }
    for found in all::<AccountRow>(snapshot, &accounts_against_entries(on)).await? {
        found.name(&mut differences);
    }
    for found in all::<EntryRow>(snapshot, &running_balances()).await? {
        let finding = Finding::RunningBalance {
            entry_no: found.entry_no,
        };
        differences.push(difference(finding, of_account(found.id), found.excess_fen));
    }
    for Excess { id, excess_fen } in all(snapshot, &entries_without_account(on)).await? {
        differences.push(difference(Finding::NoSuchAccount, of_account(id), excess_fen));
    }
    for found in all::<TransferRow>(snapshot, &transfers_against_entries(on)).await? {
        let finding = Finding::Entries { found: found.entries };
        differences.push(difference(finding, of_transfer(found.id), found.excess_fen));
    }
    for Excess { id, excess_fen } in all(snapshot, &entries_without_transfer(on)).await? {
        differences.push(difference(Finding::NoSuchTransfer, of_transfer(id), excess_fen));
    }
    differences.truncate(MAX_DIFFERENCES);
    Ok(Audit {
        account_count: accounts.rows,
        transfer_count: transfers.rows,
        balance_sum: Fen::new(accounts.sum_fen),
        differences,
    })
}

fn difference(finding: Finding, subject: Subject, excess_fen: i64) -> Difference {
    Difference {
        finding,
        subject,
        excess: Fen::new(excess_fen),
    }
}

fn of_account(id: Uuid) -> Subject {
    Subject::Account(id.into())
}

fn of_transfer(id: Uuid) -> Subject {
    Subject::Transfer(id.into())
}

#[derive(Debug, FromQueryResult)]
struct Totals {
    rows: i64,
    sum_fen: i64,
}

#[derive(Debug, FromQueryResult)]
struct Excess {
    id: Uuid,
    excess_fen: i64,
}

#[derive(Debug, FromQueryResult)]
struct AccountRow {
    id: Uuid,
    excess_fen: i64,
    counted: i64,
    found: i64,
    lowest: i64,
    highest: i64,
}

impl AccountRow {
    fn name(&self, differences: &mut Vec<Difference>) {
        if self.excess_fen != 0 {
            differences.push(difference(Finding::Balance, of_account(self.id), self.excess_fen));
        }
        if self.counted != self.found || self.lowest != 1 || self.highest != self.found {
            let finding = Finding::EntryCount {
                counted: self.counted,
                found: self.found,
            };
            differences.push(difference(finding, of_account(self.id), 0));
        }
    }
}

#[derive(Debug, FromQueryResult)]
struct EntryRow {
    id: Uuid,
    entry_no: i64,
    excess_fen: i64,
}

#[derive(Debug, FromQueryResult)]
struct TransferRow {
    id: Uuid,
    entries: i64,
    excess_fen: i64,
}

async fn one<R: FromQueryResult>(snapshot: &DatabaseTransaction, query: &SelectStatement) -> Result<R> {
    let statement = snapshot.get_database_backend().build(query);
    let row = R::find_by_statement(statement).one(snapshot).await?;
    row.ok_or_else(|| ::sql::Error::inconsistent("a count gave no row"))
}

async fn all<R: FromQueryResult>(snapshot: &DatabaseTransaction, query: &SelectStatement) -> Result<Vec<R>> {
    let mut limited = query.clone();
    limited.limit(MAX_DIFFERENCES as u64);
    let statement = snapshot.get_database_backend().build(&limited);
    Ok(R::find_by_statement(statement).all(snapshot).await?)
}

/// A sum, zero over no rows.
fn sum(on: DbBackend, expr: impl Into<Expr>) -> Expr {
    integer(on, Func::coalesce([Func::sum(expr).into(), Expr::val(0)]))
}

fn count(column: Expr) -> Expr {
    Func::count(column).into()
}

/// How many rows of a group satisfy `condition`.
fn count_where(on: DbBackend, condition: impl sea_orm::sea_query::IntoCondition) -> Expr {
    sum(on, CaseStatement::new().case(condition, 1).finally(0))
}

fn a(column: account::Column) -> Expr {
    Expr::col((account::Entity, column))
}

fn e(column: entry::Column) -> Expr {
    Expr::col((entry::Entity, column))
}

fn t(column: transfer::Column) -> Expr {
    Expr::col((transfer::Entity, column))
}

fn account_totals(on: DbBackend) -> SelectStatement {
    Query::select()
        .expr_as(count(a(account::Column::AccountId)), "rows")
        .expr_as(sum(on, a(account::Column::BalanceFen)), "sum_fen")
        .from(account::Entity)
        .take()
}

fn transfer_totals() -> SelectStatement {
    Query::select()
        .expr_as(count(t(transfer::Column::TransferId)), "rows")
        .expr_as(Expr::val(0_i64), "sum_fen")
        .from(transfer::Entity)
        .take()
}

/// MONEY-2, for a database whose CHECK was taken away.
fn below_zero() -> SelectStatement {
    Query::select()
        .expr_as(a(account::Column::AccountId), "id")
        .expr_as(a(account::Column::BalanceFen), "excess_fen")
        .from(account::Entity)
        .and_where(a(account::Column::BalanceFen).lt(0))
        .and_where(a(account::Column::Kind).ne(KIND_EXTERNAL))
        .take()
}

/// Accounts whose balance is not the sum of their entries, or whose entries are not numbered 1 to `entry_count`.
fn accounts_against_entries(on: DbBackend) -> SelectStatement {
    let (balance, counted) = (a(account::Column::BalanceFen), a(account::Column::EntryCount));
    let entries = || sum(on, e(entry::Column::DeltaFen));
    let found = || count(e(entry::Column::EntryNo));
    let lowest = || {
        Expr::from(Func::coalesce([
            Func::min(e(entry::Column::EntryNo)).into(),
            Expr::val(1),
        ]))
    };
    let highest = || {
        Expr::from(Func::coalesce([
            Func::max(e(entry::Column::EntryNo)).into(),
            Expr::val(0),
        ]))
    };
    Query::select()
        .expr_as(a(account::Column::AccountId), "id")
        .expr_as(balance.clone().sub(entries()), "excess_fen")
        .expr_as(counted.clone(), "counted")
        .expr_as(found(), "found")
        .expr_as(lowest(), "lowest")
        .expr_as(highest(), "highest")
        .from(account::Entity)
        .left_join(
            entry::Entity,
            e(entry::Column::AccountId).eq(a(account::Column::AccountId)),
        )
        .add_group_by([a(account::Column::AccountId), balance.clone(), counted.clone()])
        .cond_having(
            Cond::any()
                .add(balance.ne(entries()))
                .add(counted.ne(found()))
                .add(lowest().ne(1))
                .add(highest().ne(found())),
        )
        .take()
}

/// Entries whose noted balance does not follow from the entry before. After a missing entry, that is the next one.
fn running_balances() -> SelectStatement {
    let before = Alias::new("before");
    let p = |column: entry::Column| Expr::col((before.clone(), column));
    let expected = || {
        let balance = Func::coalesce([p(entry::Column::BalanceFen), Expr::val(0)]);
        Expr::from(balance).add(e(entry::Column::DeltaFen))
    };
    Query::select()
        .expr_as(e(entry::Column::AccountId), "id")
        .expr_as(e(entry::Column::EntryNo), "entry_no")
        .expr_as(e(entry::Column::BalanceFen).sub(expected()), "excess_fen")
        .from(entry::Entity)
        .join_as(
            sea_orm::JoinType::LeftJoin,
            entry::Entity,
            before.clone(),
            Cond::all()
                .add(p(entry::Column::AccountId).eq(e(entry::Column::AccountId)))
                .add(p(entry::Column::EntryNo).eq(e(entry::Column::EntryNo).sub(1))),
        )
        .and_where(e(entry::Column::BalanceFen).ne(expected()))
        .take()
}

fn entries_without_account(on: DbBackend) -> SelectStatement {
    Query::select()
        .expr_as(e(entry::Column::AccountId), "id")
        .expr_as(sum(on, e(entry::Column::DeltaFen)), "excess_fen")
        .from(entry::Entity)
        .left_join(
            account::Entity,
            a(account::Column::AccountId).eq(e(entry::Column::AccountId)),
        )
        .and_where(a(account::Column::AccountId).is_null())
        .add_group_by([e(entry::Column::AccountId)])
        .take()
}

/// Transfers without exactly one debit of the account that gives and one credit of the one that receives (MONEY-1). The
/// excess is what the entries create or destroy or, where they balance, by how much they move more than the transfer.
fn transfers_against_entries(on: DbBackend) -> SelectStatement {
    let amount = || t(transfer::Column::AmountFen);
    let side = |account: transfer::Column, delta: Expr| {
        count_where(
            on,
            Cond::all()
                .add(e(entry::Column::AccountId).eq(t(account)))
                .add(e(entry::Column::DeltaFen).eq(delta)),
        )
    };
    let debits = side(transfer::Column::DebitId, Expr::val(0).sub(amount()));
    let credits = side(transfer::Column::CreditId, amount());
    let created = || sum(on, e(entry::Column::DeltaFen));
    let moved = sum(
        on,
        CaseStatement::new()
            .case(e(entry::Column::DeltaFen).gt(0), e(entry::Column::DeltaFen))
            .finally(0),
    );
    let excess = CaseStatement::new()
        .case(created().ne(0), created())
        .finally(moved.sub(amount()));
    Query::select()
        .expr_as(t(transfer::Column::TransferId), "id")
        .expr_as(count(e(entry::Column::EntryNo)), "entries")
        .expr_as(excess, "excess_fen")
        .from(transfer::Entity)
        .left_join(
            entry::Entity,
            e(entry::Column::TransferId).eq(t(transfer::Column::TransferId)),
        )
        .add_group_by([t(transfer::Column::TransferId), amount()])
        .cond_having(
            Cond::any()
                .add(count(e(entry::Column::EntryNo)).ne(2))
                .add(debits.ne(1))
                .add(credits.ne(1)),
        )
        .take()
}

fn entries_without_transfer(on: DbBackend) -> SelectStatement {
    Query::select()
        .expr_as(e(entry::Column::TransferId), "id")
        .expr_as(sum(on, e(entry::Column::DeltaFen)), "excess_fen")
        .from(entry::Entity)
        .left_join(
            transfer::Entity,
            t(transfer::Column::TransferId).eq(e(entry::Column::TransferId)),
        )
        .and_where(t(transfer::Column::TransferId).is_null())
        .add_group_by([e(entry::Column::TransferId)])
        .take()
}
