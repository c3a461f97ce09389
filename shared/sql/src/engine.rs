//! Connections to each engine, and what is asked of it: durable commits, bounded statements, plain text comparison.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement,
    sqlx::{
        self, Connection, SqliteConnection,
        mysql::MySqlConnection,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};

use crate::{Engine, Pool, Url};

/// How long a statement waits for another process's lock on a SQLite file before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection of the pool before the store counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection to a server that was idle for longer is tried before it is used.
const STALE_AFTER: Duration = Duration::from_secs(2);
/// How long a session on MySQL may be idle, its transaction and its locks with it.
const IDLE_SECONDS: u32 = 30;
/// How long a server may take to say that a connection which is given back is sound.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// Prepared statements kept per connection. Batches of different sizes are different statements.
const STATEMENT_CACHE: usize = 256;

/// Options for a SQLite file: durable commits, foreign keys, readers that cannot write.
pub(crate) fn sqlite(url: &Url, connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = common(url, connections);
    options
        .test_before_acquire(false) // a file does not hang up
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.before_acquire(|connection, _| Box::pin(is_outside_transactions(connection)))
        })
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(BUSY_TIMEOUT)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .statement_cache_capacity(STATEMENT_CACHE);
            if read_only {
                sqlite.pragma("query_only", "on")
            } else {
                sqlite
            }
        });
    options
}

/// Options for a server: every session reads what was committed, waits for a lock half as long as a statement may take (so
/// that waiting ends as contention, not as a time-out), and does not sit in a transaction that its client forgot.
pub(crate) fn server(url: &Url, connections: u32, pool: Pool) -> ConnectOptions {
    let mut options = common(url, connections);
    options.test_before_acquire_if_idle_for(STALE_AFTER);
    let timeout = pool.statement_timeout;
    match url.engine() {
        Engine::Postgres => {
            let ms = timeout.as_millis().max(2).to_string();
            let lock_ms = (timeout.as_millis() / 2).max(1).to_string();
            options
                .map_sqlx_postgres_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_sound(connection))));
            options.map_sqlx_postgres_opts(move |postgres| {
                postgres
                    .application_name("hongbao")
                    .statement_cache_capacity(STATEMENT_CACHE)
                    .options([
                        ("default_transaction_isolation", "read committed"),
                        ("statement_timeout", &ms),
                        ("lock_timeout", &lock_ms),
                        ("idle_in_transaction_session_timeout", &ms),
                    ])
            });
        }
        Engine::MySql => {
            options
                .map_sqlx_mysql_opts(|mysql| mysql.charset("utf8mb4").statement_cache_capacity(STATEMENT_CACHE))
                .map_sqlx_mysql_pool_opts(move |pool| {
                    pool.after_connect(move |connection, _| Box::pin(mysql_session(connection, timeout)))
                        .after_release(|connection, _| Box::pin(is_sound(connection)))
                });
        }
        Engine::Sqlite => {}
    }
    options
}

fn common(url: &Url, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.expose());
    options
        .min_connections(1)
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false);
    options
}

/// Whether no transaction is left open on a connection. A COMMIT that is refused, such as for a full disk, can leave the
/// driver counting a transaction that is over, or one open: what the next one commits would be a savepoint within it, and
/// CLAIM-3 would not hold. Such a connection is closed, which takes back whatever was open.
async fn is_outside_transactions(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?; // behind whatever rollback is on its way
    Ok(!connection.is_in_transaction())
}

/// Asks a connection that is given back whether its server is there. The pool does so as well, but would wait for an answer
/// as long as the kernel keeps a connection to a host that went dark, and hold the connection's place meanwhile.
async fn is_sound(connection: &mut impl Connection) -> Result<bool, sqlx::Error> {
    let answer = tokio::time::timeout(PING_TIMEOUT, connection.ping()).await;
    answer.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    Ok(true)
}

/// MySQL and MariaDB name the bound on a statement differently; MySQL's holds for reads only.
async fn mysql_session(session: &mut MySqlConnection, timeout: Duration) -> Result<(), sqlx::Error> {
    let version: String = sqlx::query_scalar("SELECT VERSION()").fetch_one(&mut *session).await?;
    let bound = if version.contains("MariaDB") {
        let idle = timeout.as_secs().max(1);
        format!(
            "max_statement_time = {}, SESSION idle_transaction_timeout = {idle}",
            timeout.as_secs_f64()
        )
    } else {
        // MySQL has no bound for a client that is gone in the middle of a transaction but the one for idle sessions. The pool
        // tries those before it uses them.
        format!(
            "max_execution_time = {}, SESSION wait_timeout = {IDLE_SECONDS}",
            timeout.as_millis()
        )
    };
    let lock_wait = (timeout.as_secs() / 2).max(1);
    let set = format!(
        "SET SESSION {bound}, SESSION innodb_lock_wait_timeout = {lock_wait}, \
         SESSION transaction_isolation = 'READ-COMMITTED', \
         SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
    );
    // MariaDB knew the isolation level under an older name until 11.1.
    let set = if version.contains("MariaDB") {
        set.replace("transaction_isolation", "tx_isolation")
    } else {
        set
    };
    sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(session).await?;
    Ok(())
}

/// What a server is set to that a durable commit (CLAIM-3) needs otherwise; empty if all is well.
pub(crate) async fn doubts(connection: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let wanted: &[(&str, &[&str], &str)] = match connection.get_database_backend() {
        DbBackend::Postgres => &[
            ("SELECT current_setting('fsync')", &["on"], "fsync"),
            (
                "SELECT current_setting('synchronous_commit')",
                &["on", "remote_write", "remote_apply", "local"],
                "synchronous_commit",
            ),
            (
                "SELECT current_setting('full_page_writes')",
                &["on"],
                "full_page_writes",
            ),
        ],
        DbBackend::MySql => &[
            (
                "SELECT CAST(@@innodb_flush_log_at_trx_commit AS CHAR)",
                &["1", "3"],
                "innodb_flush_log_at_trx_commit",
            ),
            // InnoDB by itself lets others see a commit before it is on disk: they could pay for a claim that a crash takes
            // back. With a binary log, what can be seen can be recovered.
            ("SELECT CAST(@@log_bin AS CHAR)", &["1", "ON"], "log_bin"),
            ("SELECT CAST(@@sync_binlog AS CHAR)", &["1"], "sync_binlog"),
            (
                "SELECT CAST(@@innodb_doublewrite AS CHAR)",
                &["1", "ON"],
                "innodb_doublewrite",
            ),
        ],
        _ => &[],
    };
    let mut doubts = Vec::new();
    for (query, fitting, name) in wanted {
        let found = scalar(connection, query).await?;
        if !fitting.contains(&found.as_str()) {
            doubts.push(format!("{name} = {found} (should be {})", fitting[0]));
        }
    }
    Ok(doubts)
}

/// Whether a server refuses writes: a standby, or one that was told to.
pub(crate) async fn is_read_only(connection: &DatabaseConnection) -> Result<bool, DbErr> {
    let query = match connection.get_database_backend() {
        DbBackend::Postgres => "SELECT current_setting('transaction_read_only')",
        DbBackend::MySql => "SELECT CAST(@@global.read_only AS CHAR)",
        _ => return Ok(false),
    };
    let found = scalar(connection, query).await?;
    Ok(matches!(found.to_ascii_lowercase().as_str(), "on" | "1"))
}

/// The text that a query for one value gives.
async fn scalar(connection: &DatabaseConnection, query: &str) -> Result<String, DbErr> {
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let row = connection.query_one_raw(statement).await?;
    row.ok_or_else(|| DbErr::RecordNotFound(query.to_owned()))?
        .try_get_by_index(0)
}
