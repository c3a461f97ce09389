//! The schema, step by step. A step that was released never changes.

use sea_orm_migration::{prelude::*, schema};

/// All steps in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateRace)]
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
        let packet = Table::create()
            .table("packet")
            .col(schema::pk_uuid("packet_id"))
            .col(schema::integer("partition_no"))
            .col(schema::string_len("sender_id", NAME_LEN))
            .col(schema::integer("kind"))
            .col(schema::big_integer("total_fen"))
            .col(schema::big_integer("share_count"))
            .col(schema::big_integer_null("share_cap_fen"))
            .col(schema::integer("audience"))
            .col(schema::string_len_null("audience_id", NAME_LEN))
            .col(schema::big_integer("start_time_us"))
            .col(schema::big_integer("expire_time_us"))
            .col(schema::string("greeting"))
            .col(schema::string_len("cover", NAME_LEN))
            .col(schema::binary_len("seed", 32))
            .col(schema::binary_len_null("passphrase_digest", 48))
            .take();
        manager.create_table(packet).await?;

        let tally = Table::create()
            .table("tally")
            .col(schema::pk_uuid("packet_id"))
            .col(schema::big_integer("opened_count"))
            .col(schema::big_integer("opened_fen"))
            .col(schema::big_integer_null("close_time_us"))
            .take();
        manager.create_table(tally).await?;

        // The primary key is LOG-1: one claim a position.
        let claim = Table::create()
            .table("claim")
            .col(schema::integer("partition_no"))
            .col(schema::big_integer("seq"))
            .col(schema::uuid("packet_id"))
            .col(schema::big_integer("share_no"))
            .col(schema::string_len("user_id", NAME_LEN))
            .col(schema::big_integer("amount_fen"))
            .col(schema::big_integer("claim_time_us"))
            .col(schema::boolean("luckiest"))
            .col(schema::string_len("sender_id", NAME_LEN))
            .primary_key(Index::create().col("partition_no").col("seq"))
            .take();
        manager.create_table(claim).await?;

        for (name, columns, unique) in [
            // CLAIM-1: one claim a share, one claim a user.
            ("claim_share", ["packet_id", "share_no"].as_slice(), true),
            ("claim_user", &["packet_id", "user_id"], true),
            // The pages of a packet, and the pages and sums of a user.
            ("claim_page", &["packet_id", "seq"], false),
            ("claim_history", &["user_id", "claim_time_us", "packet_id"], false),
        ] {
            let mut index = Index::create();
            index.name(name).table("claim");
            for column in columns {
                index.col(*column);
            }
            if unique {
                index.unique();
            }
            manager.create_index(index).await?;
        }

        let head = Table::create()
            .table("log_head")
            .col(schema::integer("partition_no").primary_key())
            .col(schema::big_integer("next_seq"))
            .col(schema::big_integer("version"))
            .take();
        manager.create_table(head).await
    }
}
