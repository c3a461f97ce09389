//! What the services rely on: commits that are durable and atomic, readers that never wait, errors told apart.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop at once")]

use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use sea_orm_migration::prelude::*;
use sql::{ConnectError, Database, Error, Pool};

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateNumbers)]
    }
}

#[derive(DeriveMigrationName)]
struct CreateNumbers;

#[async_trait::async_trait]
impl MigrationTrait for CreateNumbers {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("number")
            .col(ColumnDef::new("n").big_integer().primary_key().take())
            .take();
        manager.create_table(table).await
    }
}

mod number {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "number")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub n: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

async fn open(dir: &tempfile::TempDir) -> Database {
    let url = format!("sqlite://{}/t.db", dir.path().display()).parse().unwrap();
    Database::migrate::<Migrator>(&url).await.unwrap();
    Database::open::<Migrator>(&url, Pool::default()).await.unwrap()
}

async fn insert(on: &impl ConnectionTrait, n: i64) -> Result<(), Error> {
    number::Entity::insert(number::ActiveModel { n: sea_orm::Set(n) })
        .exec_without_returning(on)
        .await?;
    Ok(())
}

async fn numbers(on: &impl ConnectionTrait) -> Vec<i64> {
    number::Entity::find()
        .all(on)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.n)
        .collect()
}

#[tokio::test]
async fn only_what_was_committed_is_seen_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(&dir).await;
    let transaction = database.begin().await.unwrap();
    insert(transaction.as_ref(), 1).await.unwrap();
    assert_eq!(
        numbers(database.read()).await,
        [0_i64; 0],
        "readers neither wait nor see"
    );
    transaction.commit().await.unwrap();
    drop({
        let dropped = database.begin().await.unwrap();
        insert(dropped.as_ref(), 2).await.unwrap();
        dropped
    });
    database.close().await;
    assert_eq!(numbers(open(&dir).await.read()).await, [1]);
}

#[tokio::test]
async fn a_snapshot_stands_still_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(&dir).await;
    let snapshot = database.snapshot().await.unwrap();
    assert!(numbers(snapshot.as_ref()).await.is_empty());
    let transaction = database.begin().await.unwrap();
    insert(transaction.as_ref(), 1).await.unwrap();
    transaction.commit().await.unwrap();
    assert!(numbers(snapshot.as_ref()).await.is_empty());
    assert!(insert(snapshot.as_ref(), 9).await.is_err());
    assert_eq!(numbers(database.read()).await, [1]);
}

#[tokio::test]
async fn a_unique_key_is_told_from_a_broken_driver() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(&dir).await;
    let transaction = database.begin().await.unwrap();
    insert(transaction.as_ref(), 1).await.unwrap();
    assert!(matches!(insert(transaction.as_ref(), 1).await, Err(Error::Conflict(_))));
    database
        .ping()
        .await
        .expect_err("the writer is busy until the transaction ends");
    drop(transaction);
    database.ping().await.unwrap();
    database.clone().close().await;
    assert!(matches!(database.begin().await, Err(Error::Driver(_))));
}

/// CLAIM-3 stands on these three.
#[tokio::test]
async fn commits_are_durable_by_setting() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(&dir).await;
    let transaction = database.begin().await.unwrap();
    for (pragma, expected) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
        let query = Statement::from_string(sea_orm::DbBackend::Sqlite, format!("PRAGMA {pragma}"));
        let row = transaction.as_ref().query_one_raw(query).await.unwrap().unwrap();
        let value = row
            .try_get_by_index::<String>(0)
            .or_else(|_| row.try_get_by_index::<i64>(0).map(|number| number.to_string()))
            .unwrap();
        assert_eq!(value, expected, "{pragma}");
    }
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_told() {
    let url = "sqlite:///nowhere/at/all.db".parse().unwrap();
    let opened = Database::open::<Migrator>(&url, Pool::default()).await;
    let fault = opened.map(drop).unwrap_err();
    assert!(matches!(fault, ConnectError::Open { .. }), "{fault}");
    assert!(fault.to_string().contains("sqlite:///nowhere/at/all.db"), "{fault}");
}
