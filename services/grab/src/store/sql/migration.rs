//! The schema, step by step. A step that was released never changes.

use ::sql::{schema, shards};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use sea_orm_migration::{prelude::*, schema as column};

use super::entity::head;

/// All steps in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateRace), Box::new(FixLayout)]
    }
}

/// Promises, tallies, the claim log and its heads.
struct CreateRace;

impl MigrationName for CreateRace {
    fn name(&self) -> &'static str {
        "0001_create_race"
    }
}

/// Longest name of a user or group.
const NAME_LEN: u32 = 64;

#[async_trait::async_trait]
impl MigrationTrait for CreateRace {
    fn use_transaction(&self) -> Option<bool> {
        Some(true) // a first start that is killed half-way leaves nothing behind
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [packet(), tally(), claim(), log_head()] {
            schema::create_table(manager, table).await?;
        }
        for (name, columns, unique) in [
            // CLAIM-1: one claim a share, one claim a user.
            ("claim_share", ["packet_id", "share_no"].as_slice(), true),
            ("claim_user", &["packet_id", "user_id"], true),
            // The pages of a packet, and the pages and sums of a user.
            ("claim_page", &["packet_id", "seq"], false),
            ("claim_history", &["user_id", "claim_time_us", "packet_id"], false),
        ] {
            let mut index = Index::create();
            index.table("claim");
            for column in columns {
                index.col(*column);
            }
            if unique {
                index.unique();
            }
            schema::create_index(manager, "claim", name, index).await?;
        }
        Ok(())
    }
}

fn packet() -> TableCreateStatement {
    Table::create()
        .table("packet")
        .col(column::pk_uuid("packet_id"))
        .col(column::integer("partition_no"))
        .col(column::string_len("sender_id", NAME_LEN))
        .col(column::integer("kind"))
        .col(column::big_integer("total_fen"))
        .col(column::big_integer("share_count"))
        .col(column::big_integer_null("share_cap_fen"))
        .col(column::integer("audience"))
        .col(column::string_len_null("audience_id", NAME_LEN))
        .col(column::big_integer("start_time_us"))
        .col(column::big_integer("expire_time_us"))
        .col(column::string("greeting"))
        .col(column::string_len("cover", NAME_LEN))
        .col(column::binary_len("seed", 32))
        .col(column::binary_len_null("passphrase_digest", 48))
        .take()
}

fn tally() -> TableCreateStatement {
    Table::create()
        .table("tally")
        .col(column::pk_uuid("packet_id"))
        .col(column::big_integer("opened_count"))
        .col(column::big_integer("opened_fen"))
        .col(column::big_integer_null("close_time_us"))
        .check(Expr::col("opened_count").gte(0))
        // A share holds a fen at the least.
        .check(Expr::col("opened_fen").gte(Expr::col("opened_count")))
        .take()
}

/// The primary key is LOG-1: one claim a position.
fn claim() -> TableCreateStatement {
    Table::create()
        .table("claim")
        .col(column::integer("partition_no"))
        .col(column::big_integer("seq"))
        .col(column::uuid("packet_id"))
        .col(column::big_integer("share_no"))
        .col(column::string_len("user_id", NAME_LEN))
        .col(column::big_integer("amount_fen"))
        .col(column::big_integer("claim_time_us"))
        .col(column::boolean("luckiest"))
        .col(column::string_len("sender_id", NAME_LEN))
        .primary_key(Index::create().col("partition_no").col("seq"))
        .check(Expr::col("seq").gt(0))
        .check(Expr::col("share_no").gte(0))
        .check(Expr::col("amount_fen").gt(0))
        .take()
}

fn log_head() -> TableCreateStatement {
    Table::create()
        .table("log_head")
        .col(column::integer("partition_no").primary_key())
        .col(column::big_integer("next_seq"))
        .col(column::big_integer("version"))
        .check(Expr::col("next_seq").gt(0))
        // Every claim moves the version too (the fence).
        .check(Expr::col("version").gte(0))
        .take()
}

/// Which part of the whole this database is.
struct FixLayout;

impl MigrationName for FixLayout {
    fn name(&self) -> &'static str {
        "0002_fix_layout"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for FixLayout {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        shards::create_layout(manager).await?;
        let on = manager.get_connection();
        let heads = head::Entity::find().count(on).await?;
        if heads == 0 {
            return Ok(());
        }
        // A store from before this step is the whole, and its heads say how many partitions there are.
        let layout = Query::insert()
            .into_table("shard_layout")
            .columns(["only", "shard_no", "shard_count", "partition_count"])
            .values_panic([1.into(), 0.into(), 1.into(), heads.into()])
            .take();
        on.execute(&layout).await?;
        Ok(())
    }
}
