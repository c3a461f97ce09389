//! A full disk and a database that takes no writes, on every engine: told for what they are, nothing half done, and over when
//! there is room again.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop at once")]

#[expect(dead_code, reason = "other tests need the rest of it")]
mod schema;

use engines::{MariaDb, Postgres, SmallDisk};
use schema::{Migrator, insert, numbers, set};
use sql::{Database, Error, Pool, Unwritable, Url};

/// Rows that are written at once, with names as long as they may be: some pages.
const ROWS: i64 = 200;
/// Batches that are written before a disk without room is believed to have some.
const BATCHES: i64 = 200;

async fn open(url: &str) -> Database {
    let url: Url = url.parse().unwrap();
    Database::migrate::<Migrator>(&url).await.unwrap();
    Database::open::<Migrator>(&url, Pool::default()).await.unwrap()
}

/// Writes the rows of one batch.
async fn write(database: &Database, batch: i64) -> Result<(), Error> {
    let write = || async {
        let transaction = database.begin().await?;
        for n in batch * ROWS..(batch + 1) * ROWS {
            insert(transaction.as_ref(), n, &format!("{n:064}")).await?;
        }
        transaction.commit().await
    };
    database.repeat(write).await
}

/// Writes until that is refused; says how many batches are there.
async fn write_until_refused(database: &Database, from: i64) -> (i64, Error) {
    for batch in from..BATCHES {
        if let Err(fault) = write(database, batch).await {
            return (batch, fault);
        }
    }
    panic!("there is room for everything");
}

async fn expect_batches(database: &Database, batches: i64) {
    assert!(numbers(database.read()).await.into_iter().eq(0..batches * ROWS));
}

/// `disk` is where `database` stores things.
async fn is_full_and_has_room_again(database: &Database, disk: &SmallDisk) {
    write(database, 0).await.unwrap();
    disk.fill().unwrap();
    let (batches, fault) = write_until_refused(database, 1).await;
    assert!(matches!(fault, Error::Unwritable(Unwritable::Full, _)), "{fault:?}");
    let health = database.ping().await.unwrap_err();
    assert!(health.to_string().contains("no room"), "{health}");
    // What was told to be there is there, and nothing of what was refused.
    expect_batches(database, batches).await;
    // Tried again, it is told again. SQLite may have found room in its log meanwhile.
    let (batches, fault) = write_until_refused(database, batches).await;
    assert!(matches!(fault, Error::Unwritable(Unwritable::Full, _)), "{fault:?}");

    disk.free().unwrap();
    write(database, batches).await.unwrap();
    expect_batches(database, batches + 1).await;
}

#[tokio::test]
async fn sqlite_on_a_full_disk() {
    if !SmallDisk::is_possible() {
        return;
    }
    let disk = SmallDisk::new(8 * 1_024).await.unwrap();
    let database = open(&format!("sqlite://{}/t.db", disk.path().display())).await;
    is_full_and_has_room_again(&database, &disk).await;
    // What was found full keeps nothing that it should not.
    database.clone().close().await;
    let database = open(&format!("sqlite://{}/t.db", disk.path().display())).await;
    assert!(!numbers(database.read()).await.is_empty());
}

#[tokio::test]
async fn postgres_on_a_full_disk() {
    if !SmallDisk::is_possible() {
        return;
    }
    let server = Postgres::start().await.unwrap();
    let disk = SmallDisk::new(24 * 1_024).await.unwrap();
    let space = format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display());
    server.query("postgres", &space).await.unwrap();
    server
        .query("postgres", "CREATE DATABASE one TABLESPACE small")
        .await
        .unwrap();
    let database = open(&server.url("one")).await;
    is_full_and_has_room_again(&database, &disk).await;
}

#[tokio::test]
async fn mariadb_on_a_full_disk() {
    if !SmallDisk::is_possible() {
        return;
    }
    let server = MariaDb::start().await.unwrap();
    let url = server.database("one").await.unwrap();
    let disk = SmallDisk::over(&server.dir().join("data/one"), 16 * 1_024)
        .await
        .unwrap();
    let database = open(&url).await;
    is_full_and_has_room_again(&database, &disk).await;
}

/// `told` tells the engine to take no writes, or to take them again.
async fn takes_no_writes_and_takes_them_again(database: &Database, mut told: impl AsyncFnMut(bool)) {
    write(database, 0).await.unwrap();
    database.ping().await.unwrap();
    told(true).await;
    let fault = write(database, 1).await.unwrap_err();
    assert!(matches!(fault, Error::Unwritable(Unwritable::ReadOnly, _)), "{fault:?}");
    let transaction = database.begin().await;
    if let Ok(transaction) = transaction {
        let fault = set(transaction.as_ref(), 0).await.unwrap_err();
        assert!(matches!(fault, Error::Unwritable(Unwritable::ReadOnly, _)), "{fault:?}");
    }
    let health = database.ping().await.unwrap_err();
    assert_eq!(health.unwritable(), Some(Unwritable::ReadOnly), "{health:?}");
    expect_batches(database, 1).await;
    told(false).await;
    write(database, 1).await.unwrap();
    expect_batches(database, 2).await;
}

#[tokio::test]
async fn sqlite_that_takes_no_writes() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/t.db", dir.path().display());
    let database = open(&url).await;
    for batch in 0..2 {
        write(&database, batch).await.unwrap();
    }
    // A file that cannot be written to at all can be read, and is not well.
    database.close().await;
    let url: Url = format!("{url}?mode=ro").parse().unwrap();
    let opened = Database::open::<Migrator>(&url, Pool::default()).await.unwrap();
    expect_batches(&opened, 2).await;
    let fault = write(&opened, 2).await.unwrap_err();
    assert_eq!(fault.unwritable(), Some(Unwritable::ReadOnly), "{fault:?}");
    let health = opened.ping().await.unwrap_err();
    assert_eq!(health.unwritable(), Some(Unwritable::ReadOnly), "{health:?}");
}

#[tokio::test]
async fn postgres_that_takes_no_writes() {
    let server = Postgres::start().await.unwrap();
    let database = open(&server.database("one").await.unwrap()).await;
    takes_no_writes_and_takes_them_again(&database, async |read_only| {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {read_only}");
        server.query("postgres", &set).await.unwrap();
        server.query("postgres", "SELECT pg_reload_conf()").await.unwrap();
        let shown = if read_only { "on" } else { "off" };
        loop {
            let now = server.query("one", "SHOW default_transaction_read_only").await.unwrap();
            if now == shown {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn mariadb_that_takes_no_writes() {
    let server = MariaDb::start().await.unwrap();
    let url = server.database("one").await.unwrap();
    // Who may do everything may write to a server that takes no writes.
    let user = "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app'; GRANT ALL PRIVILEGES ON one.* TO app@'127.0.0.1'";
    server.query("", user).await.unwrap();
    let database = open(&url.replace("hongbao:hongbao@", "app:app@")).await;
    takes_no_writes_and_takes_them_again(&database, async |read_only| {
        let set = format!("SET GLOBAL read_only = {}", u8::from(read_only));
        server.query("", &set).await.unwrap();
    })
    .await;
}
