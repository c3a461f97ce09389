//! The chain of seals, and what was posted before there was one.

use ::sql::schema::{create_index, create_table};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::DbErr,
    sea_query::{ColumnDef, Expr, ExprTrait, Index, Table},
};

use super::{number, uuid};
use crate::{
    domain::chain::{Head, MAX_MEMBERS, Member},
    store::sql::{
        chain::{HEAD, head_row, posting_row},
        entity::{chain_head, transfer, unsealed},
        row,
    },
};

/// Tables of the chain; every transfer that is there already waits for its seal afterwards.
pub(super) struct ChainOfSeals;

impl MigrationName for ChainOfSeals {
    fn name(&self) -> &'static str {
        "m0003_chain_of_seals"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for ChainOfSeals {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_tables(manager).await?;
        let connection = manager.get_connection();
        if chain_head::Entity::find_by_id(HEAD).count(connection).await? == 0 {
            // MySQL commits definitions at once: a run that was stopped half-way may have left some of these.
            unsealed::Entity::delete_many().exec(connection).await?;
            let mut after = None;
            loop {
                let mut query = transfer::Entity::find();
                if let Some(after) = after {
                    query = query.filter(transfer::Column::TransferId.gt(after));
                }
                let page = query
                    .order_by_asc(transfer::Column::TransferId)
                    .limit(MAX_MEMBERS as u64)
                    .all(connection)
                    .await?;
                let Some(last) = page.last() else {
                    break;
                };
                after = Some(last.transfer_id);
                let members: Result<Vec<Member>, _> = page.iter().map(row::member).collect();
                let members = members.map_err(|fault| DbErr::Migration(fault.to_string()))?;
                unsealed::Entity::insert(posting_row(&members))
                    .exec_without_returning(connection)
                    .await?;
            }
            chain_head::Entity::insert(chain_head::ActiveModel {
                only: Set(HEAD),
                ..head_row(&Head::GENESIS)
            })
            .exec_without_returning(connection)
            .await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn create_tables(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let hash = |column: &'static str| {
        let mut column = ColumnDef::new(column);
        column.binary_len(32).not_null();
        column
    };
    let unsealed = Table::create()
        .table("unsealed")
        .col(
            ColumnDef::new("posting_no")
                .big_integer()
                .not_null()
                .auto_increment()
                .primary_key(),
        )
        .col(number("member_count"))
        // The largest posting has 48,000 bytes, which MySQL's BLOB holds.
        .col(ColumnDef::new("members").blob().not_null())
        .take();
    let seals = Table::create()
        .table("seals")
        .col(number("seal_no").primary_key())
        .col(number("first_position"))
        .col(number("member_count"))
        .col(hash("hash"))
        .col(number("create_us"))
        .check(Expr::col("seal_no").gt(0))
        .check(Expr::col("member_count").gt(0))
        .take();
    let members = Table::create()
        .table("seal_members")
        .col(number("position").primary_key())
        .col(uuid("transfer_id"))
        .col(hash("digest"))
        .take();
    let head = Table::create()
        .table("chain_head")
        .col(ColumnDef::new("only").small_integer().not_null().primary_key())
        .col(number("seal_no"))
        .col(number("transfer_count"))
        .col(hash("hash"))
        .check(Expr::col("only").eq(HEAD))
        .take();
    for table in [unsealed, seals, members, head] {
        create_table(manager, table).await?;
    }
    // No transfer is sealed twice, and each is found without a walk through the chain.
    let by_transfer = Index::create().table("seal_members").col("transfer_id").unique().take();
    create_index(manager, "seal_members", "seal_members_by_transfer", by_transfer).await
}
