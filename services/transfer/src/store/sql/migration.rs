//! The schema.

mod acts;
mod runs;

use sea_orm_migration::prelude::*;
use sql::schema::{create_index, create_table};

use super::{
    entity::{case_events, cases, cursors, orders, workers},
    row,
};
use crate::domain::{Kind, State};

/// All migrations in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Initial), Box::new(acts::Acts), Box::new(runs::Runs)]
    }
}

struct Initial;

impl MigrationName for Initial {
    fn name(&self) -> &'static str {
        "m0001_initial"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Initial {
    fn use_transaction(&self) -> Option<bool> {
        Some(true) // a first start that is killed half-way leaves nothing behind
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_table(manager, orders_table()).await?;
        let index = |columns: &[orders::Column]| {
            let mut index = Index::create();
            index.table(orders::Entity);
            for column in columns {
                index.col(*column);
            }
            index
        };
        {
            use orders::Column::{CreateTimeUs, PacketId, PartitionNo, Seq, TransferId, UserId};
            // A claim has one order (CLAIM-3).
            let by_claim = index(&[PartitionNo, Seq]).unique().take();
            for (name, index) in [
                ("orders_by_packet", index(&[PacketId, CreateTimeUs, TransferId])),
                ("orders_by_user", index(&[UserId, CreateTimeUs, TransferId])),
                ("orders_by_claim", by_claim),
            ] {
                create_index(manager, "orders", name, index).await?;
            }
        }
        create_table(manager, cursors_table()).await?;
        create_table(manager, workers_table()).await?;
        create_table(manager, cases_table()).await?;
        let mut by_time = Index::create();
        by_time
            .table(cases::Entity)
            .col(cases::Column::CreateTimeUs)
            .col(cases::Column::CaseId);
        create_index(manager, "repair_cases", "repair_cases_by_time", by_time).await?;
        create_table(manager, events_table()).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("money records are never dropped".to_owned()))
    }
}

fn orders_table() -> TableCreateStatement {
    use orders::Column as C;
    let (fund, rejected, stuck) = (
        row::kind_code(Kind::Fund),
        row::state_code(State::Rejected),
        row::state_code(State::Stuck),
    );
    Table::create()
        .table(orders::Entity)
        .col(ColumnDef::new(C::TransferId).uuid().not_null().primary_key())
        .col(ColumnDef::new(C::Kind).small_integer().not_null())
        .col(ColumnDef::new(C::State).small_integer().not_null())
        .col(ColumnDef::new(C::PacketId).uuid())
        .col(ColumnDef::new(C::UserId).string_len(64))
        .col(ColumnDef::new(C::AmountFen).big_integer().not_null())
        .col(ColumnDef::new(C::ShareNo).big_integer().not_null())
        .col(ColumnDef::new(C::PartitionNo).integer())
        .col(ColumnDef::new(C::Seq).big_integer())
        .col(ColumnDef::new(C::ClaimTimeUs).big_integer())
        .col(ColumnDef::new(C::Failure).string_len(32))
        .col(ColumnDef::new(C::BalanceFen).big_integer().not_null())
        .col(ColumnDef::new(C::PaidTo).string_len(64))
        .col(ColumnDef::new(C::AttemptId).uuid())
        .col(ColumnDef::new(C::AttemptUntilUs).big_integer())
        .col(ColumnDef::new(C::CreateTimeUs).big_integer().not_null())
        .col(ColumnDef::new(C::UpdateTimeUs).big_integer().not_null())
        // Only what a person must look at may have an amount that no ledger takes.
        .check(Expr::col(C::AmountFen).gt(0).or(Expr::col(C::State).eq(stuck)))
        .check(Expr::col(C::State).ne(rejected).or(Expr::col(C::Kind).eq(fund)))
        .to_owned()
}

fn cursors_table() -> TableCreateStatement {
    use cursors::Column as C;
    Table::create()
        .table(cursors::Entity)
        .col(ColumnDef::new(C::PartitionNo).integer().not_null().primary_key())
        .col(ColumnDef::new(C::AfterSeq).big_integer().not_null())
        .col(ColumnDef::new(C::LeaseOwner).uuid())
        .col(ColumnDef::new(C::LeaseUntilUs).big_integer().not_null())
        .to_owned()
}

fn workers_table() -> TableCreateStatement {
    use workers::Column as C;
    Table::create()
        .table(workers::Entity)
        .col(ColumnDef::new(C::WorkerId).uuid().not_null().primary_key())
        .col(ColumnDef::new(C::AliveUntilUs).big_integer().not_null())
        .to_owned()
}

fn cases_table() -> TableCreateStatement {
    use cases::Column as C;
    Table::create()
        .table(cases::Entity)
        .col(ColumnDef::new(C::CaseId).uuid().not_null().primary_key())
        .col(ColumnDef::new(C::State).small_integer().not_null())
        .col(ColumnDef::new(C::CreateTimeUs).big_integer().not_null())
        .to_owned()
}

fn events_table() -> TableCreateStatement {
    use case_events::Column as C;
    Table::create()
        .table(case_events::Entity)
        .col(ColumnDef::new(C::CaseId).uuid().not_null())
        .col(ColumnDef::new(C::EventNo).integer().not_null())
        .col(ColumnDef::new(C::Actor).string_len(64).not_null())
        .col(ColumnDef::new(C::Action).string_len(16).not_null())
        .col(ColumnDef::new(C::Reason).string_len(400).not_null())
        .col(ColumnDef::new(C::CreateTimeUs).big_integer().not_null())
        .primary_key(Index::create().col(C::CaseId).col(C::EventNo))
        .to_owned()
}
