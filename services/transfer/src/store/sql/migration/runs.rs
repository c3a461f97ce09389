//! Where the periodic run through the books stands.

use sea_orm_migration::prelude::*;
use sql::schema::create_table;

use super::super::entity::runs;

/// Adds the table of the run.
pub struct Runs;

impl MigrationName for Runs {
    fn name(&self) -> &'static str {
        "m0003_reconciliations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Runs {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use runs::Column as C;
        let table = Table::create()
            .table(runs::Entity)
            .col(ColumnDef::new(C::Only).small_integer().not_null().primary_key())
            .col(ColumnDef::new(C::RunNo).big_integer().not_null())
            .col(ColumnDef::new(C::BeginUs).big_integer().not_null())
            // A token of the account service's may be in it: a few hundred characters.
            .col(ColumnDef::new(C::Position).string_len(1_000))
            .col(ColumnDef::new(C::UpdateUs).big_integer().not_null())
            .col(ColumnDef::new(C::DifferenceCount).big_integer().not_null())
            .col(ColumnDef::new(C::Owner).uuid())
            .col(ColumnDef::new(C::HoldUntilUs).big_integer().not_null())
            .take();
        create_table(manager, table).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("where a run stands is not dropped".to_owned()))
    }
}
