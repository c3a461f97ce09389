//! What the services rely on, on real servers: the same promises as on SQLite, and what only servers can do wrong.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop at once")]

mod schema;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use engines::{MariaDb, Options, Postgres, Proxy};
use schema::{Migrator, Newer, insert, names, numbers, set};
use sea_orm::ConnectionTrait;
use sql::{ConnectError, Database, Error, Pool, Shards, Url};

const POOL: Pool = Pool {
    connections: std::num::NonZeroU32::new(4).unwrap(),
    statement_timeout: Duration::from_secs(2),
};

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

async fn open(text: &str) -> Database {
    Database::open::<Migrator>(&url(text), POOL).await.unwrap()
}

#[tokio::test]
async fn postgres() {
    let server = Postgres::start().await.unwrap();
    let database = server.database("one").await.unwrap();
    let other = server.database("two").await.unwrap();
    let proxy = server.proxy().await.unwrap();
    suite(&database, &other, &proxy).await;
    let opened = open(&database).await;
    assert_eq!(opened.doubts().await.unwrap(), [""; 0]);
    let doubtful = server.database("doubtful").await.unwrap();
    server
        .query("doubtful", "ALTER DATABASE doubtful SET synchronous_commit = off")
        .await
        .unwrap();
    Database::migrate::<Migrator>(&url(&doubtful)).await.unwrap();
    let doubts = open(&doubtful).await.doubts().await.unwrap();
    assert_eq!(doubts, ["synchronous_commit = off (should be on)"]);
    server
        .query("one", "ALTER DATABASE one SET default_transaction_read_only = on")
        .await
        .unwrap();
    let standby = open(&database).await;
    assert!(
        matches!(
            standby.ping().await,
            Err(Error::Unwritable(sql::Unwritable::ReadOnly, _))
        ),
        "a standby is not well"
    );
}

#[tokio::test]
async fn mariadb() {
    let server = MariaDb::start().await.unwrap();
    let database = server.database("one").await.unwrap();
    let other = server.database("two").await.unwrap();
    let proxy = server.proxy().await.unwrap();
    suite(&database, &other, &proxy).await;
    let opened = open(&database).await;
    assert_eq!(opened.doubts().await.unwrap(), [""; 0]);
    server
        .query("one", "SET GLOBAL innodb_flush_log_at_trx_commit = 2")
        .await
        .unwrap();
    let doubts = opened.doubts().await.unwrap();
    assert_eq!(doubts, ["innodb_flush_log_at_trx_commit = 2 (should be 1)"]);
}

async fn suite(database: &str, other: &str, proxy: &Proxy) {
    Box::pin(is_opened_as_this_program_knows_it(database)).await;
    commits_rolls_back_and_reads(database).await;
    compares_text_byte_by_byte(database).await;
    transactions_in_each_others_way_both_succeed(database).await;
    a_lost_answer_is_found_out(database, proxy).await;
    a_begin_that_is_dropped_leaves_nothing_open(database, proxy).await;
    shards_keep_their_order(database, other).await;
}

async fn is_opened_as_this_program_knows_it(database: &str) {
    let opened = Database::open::<Migrator>(&url(database), POOL).await;
    let fault = opened.map(drop).unwrap_err();
    assert!(matches!(fault, ConnectError::Behind { .. }), "{fault}");
    assert!(fault.to_string().contains("`migrate` command"), "{fault}");
    let target = url(database);
    let (one, two) = tokio::join!(
        Database::migrate::<Migrator>(&target),
        Database::migrate::<Migrator>(&target)
    );
    one.unwrap();
    two.unwrap();

    let newer = Database::open::<Newer>(&url(database), POOL)
        .await
        .map(drop)
        .unwrap_err();
    assert!(matches!(newer, ConnectError::Behind { .. }), "{newer}");
    let wrong = database.replace('@', "x@"); // another user, or another password
    let fault = Database::open::<Migrator>(&url(&wrong), POOL)
        .await
        .map(drop)
        .unwrap_err();
    assert!(matches!(fault, ConnectError::Open { .. }), "{fault}");
}

/// A session whose BEGIN was asked for by somebody who did not wait for it serves the next one as if nothing had been.
async fn a_begin_that_is_dropped_leaves_nothing_open(database: &str, proxy: &Proxy) {
    let database = open(&proxy.url(database)).await;
    let every = || futures::future::join_all((0..POOL.connections.get()).map(|_| database.snapshot()));
    let open_all = async || {
        for snapshot in every().await {
            numbers(snapshot.unwrap().as_ref()).await;
        }
    };
    open_all().await;
    for hold in [
        Duration::from_millis(1),
        Duration::from_millis(3),
        Duration::from_millis(9),
    ] {
        proxy.delay(Duration::from_millis(2));
        let begin = || tokio::time::timeout(hold, database.begin());
        futures::future::join_all((0..POOL.connections.get()).map(|_| begin())).await;
        proxy.resume();
        open_all().await;
    }
}

async fn commits_rolls_back_and_reads(database: &str) {
    let database = open(database).await;
    let transaction = database.begin().await.unwrap();
    insert(transaction.as_ref(), 1, "one").await.unwrap();
    assert!(
        numbers(database.read()).await.is_empty(),
        "readers neither wait nor see"
    );
    transaction.commit().await.unwrap();
    let dropped = database.begin().await.unwrap();
    insert(dropped.as_ref(), 2, "two").await.unwrap();
    drop(dropped);
    assert_eq!(numbers(database.read()).await, [1]);

    let snapshot = database.snapshot().await.unwrap();
    assert_eq!(numbers(snapshot.as_ref()).await, [1]);
    let transaction = database.begin().await.unwrap();
    insert(transaction.as_ref(), 2, "two").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(numbers(snapshot.as_ref()).await, [1], "a snapshot stands still");
    assert!(
        insert(snapshot.as_ref(), 9, "nine").await.is_err(),
        "and writes nothing"
    );
    drop(snapshot);

    let transaction = database.begin().await.unwrap();
    assert!(matches!(
        insert(transaction.as_ref(), 1, "again").await,
        Err(Error::Conflict(_))
    ));
    drop(transaction);
    // By a CHECK, and for its length: the same would be refused again.
    for (n, name) in [(-1, "negative".to_owned()), (5, "x".repeat(65))] {
        let transaction = database.begin().await.unwrap();
        let refused = insert(transaction.as_ref(), n, &name).await.unwrap_err();
        assert!(
            matches!(refused, Error::Driver(_)) && refused.is_refusal(),
            "{refused:?}"
        );
    }
    database.ping().await.unwrap();
    database.clone().close().await;
    assert!(matches!(database.begin().await, Err(Error::Driver(_))));
}

/// Names hold no blanks, which MySQL's binary collation would ignore at the end.
async fn compares_text_byte_by_byte(database: &str) {
    let database = open(database).await;
    let transaction = database.begin().await.unwrap();
    for (n, name) in [(11, "alice"), (12, "Alice"), (14, "红包")] {
        insert(transaction.as_ref(), n, name).await.unwrap();
    }
    transaction.commit().await.unwrap();
    assert_eq!(names(database.read(), "Alice").await, [12]);
    assert_eq!(names(database.read(), "alice").await, [11]);
    assert_eq!(names(database.read(), "红包").await, [14]);
}

/// Two transactions that take two rows in opposite order: the engine gives one up, and repeating it is enough.
async fn transactions_in_each_others_way_both_succeed(database: &str) {
    let database = open(database).await;
    let (meet, gave_up) = (tokio::sync::Barrier::new(2), AtomicUsize::new(0));
    let swap = async |first: i64, second: i64| {
        let mut tries = 0;
        sql::repeat(|| {
            tries += 1;
            let (database, meet, gave_up, first_try) = (&database, &meet, &gave_up, tries == 1);
            async move {
                let transaction = database.begin().await?;
                set(transaction.as_ref(), first).await?;
                if first_try {
                    meet.wait().await;
                }
                let done = set(transaction.as_ref(), second).await;
                if matches!(done, Err(Error::Contended(_))) {
                    gave_up.fetch_add(1, Ordering::Relaxed);
                }
                done?;
                transaction.commit().await
            }
        })
        .await
    };
    let (one, two) = tokio::join!(swap(11, 12), swap(12, 11));
    one.unwrap();
    two.unwrap();
    assert!(gave_up.load(Ordering::Relaxed) >= 1, "they did meet");

    // A lock that is not given up is not waited for longer than a statement may take.
    let holder = database.begin().await.unwrap();
    set(holder.as_ref(), 11).await.unwrap();
    let waiter = database.begin().await.unwrap();
    let fault = set(waiter.as_ref(), 11).await.unwrap_err();
    assert!(matches!(fault, Error::Contended(_)), "{fault}");
}

async fn a_lost_answer_is_found_out(database: &str, proxy: &Proxy) {
    let through = proxy.url(database);
    let database = open(&through).await;
    proxy.swallow_commit();
    let transaction = database.begin().await.unwrap();
    insert(transaction.as_ref(), 21, "lost").await.unwrap();
    assert!(matches!(transaction.commit().await, Err(Error::OutcomeUnknown(_))));
    assert_eq!(names(database.read(), "lost").await, [21], "it was committed");

    // Cut before COMMIT: known not to have happened.
    let transaction = database.begin().await.unwrap();
    insert(transaction.as_ref(), 22, "cut").await.unwrap();
    proxy.cut();
    assert!(matches!(
        insert(transaction.as_ref(), 23, "cut too").await,
        Err(Error::Driver(_))
    ));
    drop(transaction);
    drop(database);
    let database = open(&through).await;
    assert!(names(database.read(), "cut").await.is_empty());
}

async fn shards_keep_their_order(database: &str, other: &str) {
    let partitions = id::Partition::DEFAULT_COUNT;
    let urls = [url(database), url(other)];
    Shards::migrate::<Migrator>(&urls).await.unwrap();
    let shards = Shards::open::<Migrator>(&urls, POOL, partitions).await.unwrap();
    let ranges = shards.ranges();
    assert_eq!(ranges.iter().map(Vec::len).collect::<Vec<_>>(), [32, 32]);
    assert_eq!(shards.of(ranges[1][0]).url().to_string(), urls[1].to_string());
    shards.ping().await.unwrap();
    Shards::open::<Migrator>(&urls, POOL, partitions).await.unwrap();
    let swapped = [urls[1].clone(), urls[0].clone()];
    let fault = Shards::open::<Migrator>(&swapped, POOL, partitions)
        .await
        .map(drop)
        .unwrap_err();
    assert!(
        fault.to_string().contains("database 2 of 2 over 64 partitions"),
        "{fault}"
    );
    let shorter = Shards::open::<Migrator>(&urls[..1], POOL, partitions).await;
    assert!(matches!(shorter.map(drop).unwrap_err(), ConnectError::Layout { .. }));
    shards
        .of(ranges[0][0])
        .read()
        .execute_unprepared("SELECT 1")
        .await
        .unwrap();
}

/// A password and a certificate, and what happens when either is not the right one.
#[tokio::test]
async fn tls_is_asked_for_in_the_url() {
    let options = || Options::default().password("s3cret").tls();
    let postgres = Postgres::start_with(options()).await.unwrap();
    let url = postgres.database("safe").await.unwrap();
    let authority = postgres.authority().unwrap().display();
    let wrong = postgres.authority().unwrap().with_file_name("no-such-authority.pem");
    checks(&url, &format!("{url}?sslmode=verify-full&sslrootcert={authority}")).await;
    refuses(&format!("{url}?sslmode=verify-full"), "certificate").await;
    refuses(
        &format!("{url}?sslmode=verify-full&sslrootcert={}", wrong.display()),
        "postgres://",
    )
    .await;
    refuses(&url.replace("s3cret", "guessed"), "password").await;
    drop(postgres);

    let mariadb = MariaDb::start_with(options()).await.unwrap();
    let url = mariadb.database("safe").await.unwrap();
    let authority = mariadb.authority().unwrap().display();
    checks(&url, &format!("{url}?ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}")).await;
    refuses(&format!("{url}?ssl-mode=VERIFY_IDENTITY"), "certificate").await;
    refuses(&url.replace("s3cret", "guessed"), "denied").await;
}

async fn checks(plain: &str, checked: &str) {
    Database::migrate::<Migrator>(&url(plain)).await.unwrap();
    open(checked).await.ping().await.unwrap();
}

async fn refuses(text: &str, why: &str) {
    let fault = Database::open::<Migrator>(&url(text), POOL)
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        fault.contains(why) && !fault.contains("s3cret") && !fault.contains("guessed"),
        "{fault}"
    );
}
