//! Several databases: what is where, and that it stays there.

use std::{collections::BTreeSet, num::NonZeroU16};

use id::{PacketId, Partition};
use sea_orm::{ConnectionTrait, Statement};
use sql::{Database, Pool, Url};

use super::{Engine, Suite, execute, sample::START};
use crate::{
    domain::claim::Head,
    store::{LogStore, PacketStore, engine, sql::SqlStore},
};

/// The first column of what a query gives.
async fn column<T: sea_orm::TryGetable>(database: &Database, query: &str) -> Vec<T> {
    let on = database.read();
    let rows = on
        .query_all_raw(Statement::from_string(on.get_database_backend(), query))
        .await;
    rows.unwrap()
        .iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

/// Every row of a packet, and the head of its partition, is in the database that its partition says and in no other.
pub async fn what_belongs_together_is_together(engine: &Engine) {
    let suite = Suite::new(engine::store(engine, 2).await);
    let mut packets = Vec::new();
    for _ in 0..20 {
        let packet = suite.packet(2).await;
        suite.open(&packet, &[(0, "alice"), (1, "bob")], START).await.unwrap();
        packets.push(packet);
    }
    for (shard_no, database) in suite.store.shards().iter().enumerate() {
        let here = packets
            .iter()
            .filter(|packet| usize::from(packet.partition().index()) / 32 == shard_no);
        let here: BTreeSet<PacketId> = here.map(|packet| packet.id()).collect();
        assert!((1..20).contains(&here.len()));
        for table in ["packet", "tally", "claim"] {
            let rows: Vec<sea_orm::prelude::Uuid> = column(database, &format!("SELECT packet_id FROM {table}")).await;
            assert_eq!(
                rows.into_iter().map(PacketId::from).collect::<BTreeSet<_>>(),
                here,
                "{table}"
            );
        }
        for table in ["packet", "claim", "log_head"] {
            let rows: Vec<i32> = column(database, &format!("SELECT partition_no FROM {table}")).await;
            assert!(
                rows.iter().all(|row| usize::try_from(*row).unwrap() / 32 == shard_no),
                "{table}"
            );
        }
        let heads: Vec<i32> = column(database, "SELECT partition_no FROM log_head").await;
        assert_eq!(heads.len(), 32);
    }

    // All heads in order, and no batch over two databases.
    let ranges = suite.store.ranges();
    let heads = suite.store.heads(&ranges.concat()).await.unwrap();
    assert!(
        heads
            .iter()
            .map(|head| head.partition)
            .eq(Partition::all(Partition::DEFAULT_COUNT))
    );
    assert_eq!(heads.iter().map(Head::last_seq).sum::<i64>(), 40);
}

pub async fn another_layout_is_refused(engine: &Engine) {
    let mut urls: Vec<Url> = Vec::new();
    for _ in 0..3 {
        urls.push(engine::database(engine).await.parse().unwrap());
    }
    let [a, b, c] = urls.as_slice() else {
        panic!("three databases")
    };
    SqlStore::migrate(&urls).await.unwrap();
    let both = [a.clone(), b.clone()];
    // Two at once, on an empty store.
    let opens = tokio::join!(
        engine::open(&both, Pool::default()),
        engine::open(&both, Pool::default())
    );
    assert_eq!(opens.0.ranges(), opens.1.ranges());

    let default = Partition::DEFAULT_COUNT.get();
    for (list, partitions) in [
        (vec![a.clone()], default),
        (vec![b.clone(), a.clone()], default),
        (vec![a.clone(), c.clone(), b.clone()], default),
        (vec![a.clone(), b.clone()], 32),
    ] {
        let refused = SqlStore::open(&list, Pool::default(), NonZeroU16::new(partitions).unwrap()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("database") && refused.contains("of 2 over 64 partitions"),
            "{refused}"
        );
    }
}

/// What was written before databases knew what they are: one database, with as many partitions as it has heads.
pub async fn a_store_from_before_layouts_keeps_its_own(engine: &Engine) {
    let suite = Suite::new(engine::store(engine, 1).await);
    let packet = suite.packet(2).await;
    let url = suite.store.shards().of(packet.partition()).url().clone();
    execute(&suite.store, packet.partition(), "DROP TABLE shard_layout").await;
    let step = "DELETE FROM seaql_migrations WHERE version = '0002_fix_layout'";
    execute(&suite.store, packet.partition(), step).await;

    SqlStore::migrate(std::slice::from_ref(&url)).await.unwrap();
    let fewer = NonZeroU16::new(32).unwrap();
    let refused = SqlStore::open(std::slice::from_ref(&url), Pool::default(), fewer).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("database 1 of 1 over 64 partitions"), "{refused}");
    let store = engine::open(&[url], Pool::default()).await;
    assert_eq!(
        store.promise(packet.id()).await.unwrap().as_ref(),
        Some(packet.promise())
    );
}
