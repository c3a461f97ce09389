//! The schema, step by step.

use ::sql::{schema, shards};
use sea_orm_migration::{
    prelude::*,
    schema::{
        big_integer, big_integer_null, boolean, integer, integer_null, small_integer, string_len, string_len_null, uuid,
    },
};

use super::entity::{packets, send_requests, sender_days};

/// Names are at most 64 ASCII characters (`id::name`).
const NAME_LEN: u32 = 64;
/// A greeting is at most 100 characters (packet.proto).
const GREETING_LEN: u32 = 100;

/// Brings the schema up to date.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Initial), Box::new(Layout)]
    }
}

struct Initial;

impl MigrationName for Initial {
    fn name(&self) -> &'static str {
        "m0001_initial"
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait declares them so, and async_trait would make them others"
)]
#[async_trait::async_trait]
impl MigrationTrait for Initial {
    fn use_transaction(&self) -> Option<bool> {
        Some(true) // a first start that is killed half-way leaves nothing behind
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::create_table(manager, packets_table()).await?;
        for (name, columns) in [
            (
                "packets_by_sender",
                [packets::Column::SenderId, packets::Column::PacketId],
            ),
            (
                "packets_by_group",
                [packets::Column::GroupId, packets::Column::PacketId],
            ),
            ("packets_by_due", [packets::Column::State, packets::Column::DueUs]),
        ] {
            let mut index = Index::create();
            index.table(packets::Entity);
            for column in columns {
                index.col(column);
            }
            schema::create_index(manager, "packets", name, index).await?;
        }
        schema::create_table(manager, send_requests_table()).await?;
        schema::create_table(manager, sender_days_table()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table(sender_days::Entity).to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table(send_requests::Entity).to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table(packets::Entity).to_owned())
            .await
    }
}

/// What each database of the list is a part of.
struct Layout;

impl MigrationName for Layout {
    fn name(&self) -> &'static str {
        "m0002_layout"
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait declares them so, and async_trait would make them others"
)]
#[async_trait::async_trait]
impl MigrationTrait for Layout {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        shards::create_layout(manager).await
    }
}

fn packets_table() -> TableCreateStatement {
    use packets::Column::{
        Attempts, CloseUs, Commitment, Cover, CreateUs, DueUs, ExpireUs, Greeting, GroupId, Kind, OpenedCount,
        OpenedFen, PacketId, PassphraseDigest, ReceiverId, RefundedFen, RejectBalanceFen, RejectReason, Seed, SenderId,
        ShareCapFen, ShareCount, StartUs, State, TotalFen,
    };
    Table::create()
        .table(packets::Entity)
        .col(uuid(PacketId).primary_key())
        .col(string_len(SenderId, NAME_LEN))
        .col(small_integer(Kind))
        .col(big_integer(TotalFen))
        .col(integer(ShareCount))
        .col(big_integer_null(ShareCapFen))
        .col(string_len_null(GroupId, NAME_LEN))
        .col(string_len_null(ReceiverId, NAME_LEN))
        .col(big_integer(StartUs))
        .col(big_integer(ExpireUs))
        .col(string_len(Greeting, GREETING_LEN))
        .col(string_len(Cover, NAME_LEN))
        .col(bytes(Seed).not_null())
        .col(bytes(Commitment).not_null())
        .col(bytes(PassphraseDigest))
        .col(big_integer(CreateUs))
        .col(small_integer(State))
        .col(string_len_null(RejectReason, NAME_LEN))
        .col(big_integer_null(RejectBalanceFen))
        .col(big_integer_null(CloseUs))
        .col(integer_null(OpenedCount))
        .col(big_integer_null(OpenedFen))
        .col(big_integer_null(RefundedFen))
        .col(big_integer_null(DueUs))
        .col(integer(Attempts))
        .check(Expr::col(ShareCount).gte(1))
        .check(Expr::col(TotalFen).gte(Expr::col(ShareCount)))
        .check(Expr::col(OpenedFen).gte(0))
        // What was opened and what went back are the whole packet (CLOSE-1); unknown sums pass.
        .check(Expr::col(RefundedFen).add(Expr::col(OpenedFen)).eq(Expr::col(TotalFen)))
        .to_owned()
}

fn send_requests_table() -> TableCreateStatement {
    use send_requests::Column::{
        Counted, CreateUs, Day, ExpireUs, Fingerprint, PacketId, RequestId, SenderId, ShareCapFen, StartUs, TotalFen,
    };
    Table::create()
        .table(send_requests::Entity)
        .col(string_len(SenderId, NAME_LEN))
        .col(string_len(RequestId, NAME_LEN))
        .col(uuid(PacketId).unique_key())
        .col(bytes(Fingerprint).not_null())
        .col(big_integer(TotalFen))
        .col(big_integer_null(ShareCapFen))
        .col(big_integer(CreateUs))
        .col(big_integer(StartUs))
        .col(big_integer(ExpireUs))
        .col(big_integer(Day))
        .col(boolean(Counted))
        .primary_key(Index::create().col(SenderId).col(RequestId))
        .to_owned()
}

fn sender_days_table() -> TableCreateStatement {
    use sender_days::Column::{Day, SenderId, SentCount, SentFen};
    Table::create()
        .table(sender_days::Entity)
        .col(string_len(SenderId, NAME_LEN))
        .col(big_integer(Day))
        .col(big_integer(SentCount))
        .col(big_integer(SentFen))
        .primary_key(Index::create().col(SenderId).col(Day))
        .check(Expr::col(SentCount).gte(0))
        .check(Expr::col(SentFen).gte(0))
        .to_owned()
}

/// Bytes of a length that fits a row on every engine: seeds, digests.
fn bytes(column: impl IntoIden) -> ColumnDef {
    ColumnDef::new(column).var_binary(64).to_owned()
}
