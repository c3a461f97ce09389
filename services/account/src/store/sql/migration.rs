//! The schema, step by step. A step that was released is never changed: a new one follows it.

mod chain;

use ::sql::schema::{create_index, create_table};
use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
    sea_orm::{DbBackend, DbErr},
    sea_query::{ColumnDef, Expr, ExprTrait, ForeignKey, Index, IndexCreateStatement, Table, TableCreateStatement},
};

use super::row::KIND_EXTERNAL;

/// Brings a database up to date.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Initial),
            Box::new(EntriesByTransfer),
            Box::new(chain::ChainOfSeals),
            Box::new(Refusals),
        ]
    }
}

/// The first schema.
struct Initial;

impl MigrationName for Initial {
    fn name(&self) -> &'static str {
        "m0001_initial"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Initial {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let on = manager.get_database_backend();
        for table in [
            users(on),
            accounts(on),
            account_acts(),
            transfers(),
            entries(),
            groups(on),
            group_members(on),
        ] {
            create_table(manager, table).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true) // a start that is killed half-way leaves nothing behind
    }
}

/// What a verification joins entries to transfers by.
struct EntriesByTransfer;

impl MigrationName for EntriesByTransfer {
    fn name(&self) -> &'static str {
        "m0002_entries_by_transfer"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for EntriesByTransfer {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create().table("entries").col("transfer_id").take();
        create_index(manager, "entries", "entries_by_transfer", index).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// What remembers a refused funding.
struct Refusals;

impl MigrationName for Refusals {
    fn name(&self) -> &'static str {
        "m0004_refusals"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Refusals {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let refusals = Table::create()
            .table("refusals")
            .col(uuid("transfer_id").primary_key())
            .col(code("verdict"))
            .col(number("create_us"))
            .take();
        create_table(manager, refusals).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// A name. Members are listed in the order of their names, which must be the one in which pages compare them: byte by
/// byte, where PostgreSQL would sort by the database's language.
fn name(on: DbBackend, column: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(column);
    column.string_len(64).not_null();
    if on == DbBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}

fn number(column: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(column);
    column.big_integer().not_null();
    column
}

fn code(column: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(column);
    column.small_integer().not_null();
    column
}

fn uuid(column: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(column);
    column.uuid().not_null();
    column
}

fn flag(column: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(column);
    column.boolean().not_null();
    column
}

fn users(on: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(name(on, "user_id").primary_key())
        .col(name(on, "display_name"))
        .col(number("create_us"))
        .take()
}

/// The id is derived from kind and owner, so that its key makes those unique too.
fn accounts(on: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("accounts")
        .col(uuid("account_id").primary_key())
        .col(code("kind"))
        .col(name(on, "owner"))
        .col(number("balance_fen"))
        .col(flag("frozen"))
        .col(number("entry_count"))
        .col(number("create_us"))
        // MONEY-2
        .check(Expr::col("balance_fen").gte(0).or(Expr::col("kind").eq(KIND_EXTERNAL)))
        .check(Expr::col("entry_count").gte(0))
        .take()
}

fn account_acts() -> TableCreateStatement {
    Table::create()
        .table("account_acts")
        .col(
            ColumnDef::new("act_id")
                .big_integer()
                .not_null()
                .auto_increment()
                .primary_key(),
        )
        .col(uuid("account_id"))
        .col(flag("frozen"))
        .col(ColumnDef::new("reason").string_len(200).not_null())
        .col(number("create_us"))
        .take()
}

/// Transfers and entries have no foreign keys: a look-up per row would be a large part of what a batch costs, the rows
/// are only ever written together, and a verification finds what does not belong together.
fn transfers() -> TableCreateStatement {
    Table::create()
        .table("transfers")
        .col(uuid("transfer_id").primary_key()) // MONEY-3
        .col(uuid("debit_id"))
        .col(uuid("credit_id"))
        .col(number("amount_fen"))
        .col(code("reason"))
        .col(ColumnDef::new("packet_id").uuid().null())
        .col(number("create_us"))
        .check(Expr::col("amount_fen").gt(0))
        .check(Expr::col("debit_id").ne(Expr::col("credit_id")))
        .take()
}

fn entries() -> TableCreateStatement {
    Table::create()
        .table("entries")
        .col(uuid("account_id"))
        .col(number("entry_no"))
        .col(uuid("transfer_id"))
        .col(number("delta_fen"))
        .col(number("balance_fen"))
        .primary_key(&mut primary_key(["account_id", "entry_no"]))
        .check(Expr::col("entry_no").gt(0))
        .check(Expr::col("delta_fen").ne(0))
        .take()
}

fn groups(on: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("groups")
        .col(name(on, "group_id").primary_key())
        .col(name(on, "display_name"))
        .col(name(on, "owner_id"))
        .col(number("create_us"))
        .foreign_key(ForeignKey::create().from("groups", "owner_id").to("users", "user_id"))
        .take()
}

fn group_members(on: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("group_members")
        .col(name(on, "group_id"))
        .col(name(on, "user_id"))
        .col(number("create_us"))
        .primary_key(&mut primary_key(["group_id", "user_id"]))
        .foreign_key(
            ForeignKey::create()
                .from("group_members", "group_id")
                .to("groups", "group_id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("group_members", "user_id")
                .to("users", "user_id"),
        )
        .take()
}

fn primary_key(columns: [&'static str; 2]) -> IndexCreateStatement {
    let [first, second] = columns;
    Index::create().col(first).col(second).take()
}
