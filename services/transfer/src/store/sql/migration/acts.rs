//! Operators' acts with their request ids, and events that tell what stands behind them.

use sea_orm_migration::prelude::*;
use sql::schema::{create_index, create_table};

use super::super::entity::{acts, case_events};
use crate::domain::CaseEvent;

/// Adds the table of acts, and to events the request they belong to and their detail.
pub struct Acts;

impl MigrationName for Acts {
    fn name(&self) -> &'static str {
        "m0002_repair_acts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Acts {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use case_events::Column::{Detail, RequestId};
        let details = <u32 as TryFrom<usize>>::try_from(CaseEvent::MAX_DETAIL).unwrap_or(u32::MAX);
        for (name, column) in [
            ("request_id", ColumnDef::new(RequestId).string_len(64).take()),
            ("detail", ColumnDef::new(Detail).string_len(details).take()),
        ] {
            // MySQL commits every definition at once: a run that was stopped half-way is run again.
            if !manager.has_column("case_events", name).await? {
                let mut table = Table::alter();
                manager
                    .alter_table(table.table(case_events::Entity).add_column(column).take())
                    .await?;
            }
        }
        create_table(manager, acts_table()).await?;
        let unfinished = Index::create()
            .table(acts::Entity)
            .col(acts::Column::Outcome)
            .col(acts::Column::AttemptUntilUs)
            .take();
        create_index(manager, "repair_acts", "repair_acts_unfinished", unfinished).await?;
        let by_case = Index::create().table(acts::Entity).col(acts::Column::CaseId).take();
        create_index(manager, "repair_acts", "repair_acts_by_case", by_case).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("money records are never dropped".to_owned()))
    }
}

fn acts_table() -> TableCreateStatement {
    use acts::Column as C;
    Table::create()
        .table(acts::Entity)
        .col(ColumnDef::new(C::RequestId).string_len(64).not_null().primary_key())
        .col(ColumnDef::new(C::CaseId).uuid().not_null())
        .col(ColumnDef::new(C::OperatorId).string_len(64).not_null())
        .col(ColumnDef::new(C::Decision).small_integer().not_null())
        .col(ColumnDef::new(C::Payee).string_len(64).not_null())
        .col(ColumnDef::new(C::Reason).string_len(200).not_null())
        .col(ColumnDef::new(C::Outcome).small_integer().not_null())
        .col(ColumnDef::new(C::OutcomeDetail).string_len(64))
        .col(ColumnDef::new(C::AttemptId).uuid().not_null())
        .col(ColumnDef::new(C::AttemptUntilUs).big_integer().not_null())
        .col(ColumnDef::new(C::CreateTimeUs).big_integer().not_null())
        .col(ColumnDef::new(C::UpdateTimeUs).big_integer().not_null())
        .to_owned()
}
