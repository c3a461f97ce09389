//! Where a test's databases are.

use engines::{MariaDb, Postgres, Proxy};

use crate::{Dir, eventually};

/// Where databases are made: files, or a server of the test's own, which goes with the value.
pub enum Engine {
    /// Files in a directory.
    Sqlite(Dir),
    /// A server.
    Postgres(Postgres),
    /// A server.
    MariaDb(MariaDb),
}

impl Engine {
    /// Files.
    pub fn sqlite() -> Self {
        Self::Sqlite(Dir::new())
    }

    /// A `PostgreSQL` server.
    ///
    /// # Panics
    ///
    /// If it does not start; the text says what is missing.
    pub async fn postgres() -> Self {
        Self::Postgres(Postgres::start().await.expect("PostgreSQL"))
    }

    /// A `MariaDB` server.
    ///
    /// # Panics
    ///
    /// If it does not start; the text says what is missing.
    pub async fn mariadb() -> Self {
        Self::MariaDb(MariaDb::start().await.expect("MariaDB"))
    }

    /// Whether several instances may write to one database at once.
    pub fn is_server(&self) -> bool {
        !matches!(self, Self::Sqlite(_))
    }

    /// URL of a database that is empty when it is named for the first time.
    ///
    /// # Panics
    ///
    /// If the server does not make it.
    pub async fn database(&self, name: &str) -> String {
        match self {
            Self::Sqlite(dir) => dir.sqlite(name),
            Self::Postgres(server) => server.database(name).await.expect("a database"),
            Self::MariaDb(server) => server.database(name).await.expect("a database"),
        }
    }

    /// A network before the server that fails on demand; `None` where there is no server.
    ///
    /// # Panics
    ///
    /// If there is no port for it.
    pub async fn proxy(&self) -> Option<Proxy> {
        let proxy = match self {
            Self::Sqlite(_) => return None,
            Self::Postgres(server) => server.proxy().await,
            Self::MariaDb(server) => server.proxy().await,
        };
        Some(proxy.expect("a proxy"))
    }

    /// How many statements wait for a lock in a database.
    ///
    /// # Panics
    ///
    /// If the server does not say.
    pub async fn waiting(&self, name: &str) -> u32 {
        let count = match self {
            Self::Sqlite(_) => return 0,
            Self::Postgres(server) => {
                let query = "SELECT count(*) FROM pg_locks WHERE NOT granted";
                server.query(name, query).await
            }
            Self::MariaDb(server) => {
                let query = "SELECT count(*) FROM information_schema.innodb_lock_waits";
                server.query(name, query).await
            }
        };
        count.expect("a count").trim().parse().expect("a number")
    }

    /// The server hangs. Nothing happens to files.
    pub fn pause(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(server) => server.pause(),
            Self::MariaDb(server) => server.pause(),
        }
    }

    /// It goes on.
    pub fn resume(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(server) => server.resume(),
            Self::MariaDb(server) => server.resume(),
        }
    }

    /// SIGKILL to the server. Nothing happens to files.
    pub async fn kill(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(server) => server.kill().await,
            Self::MariaDb(server) => server.kill().await,
        }
    }

    /// Starts the server again. A session may outlive a kill by a moment, and holds the data as long.
    ///
    /// # Panics
    ///
    /// If it does not start within half a minute.
    pub async fn restart(&mut self) {
        eventually("the restart", async || match self {
            Self::Sqlite(_) => Some(()),
            Self::Postgres(server) => server.restart().await.ok(),
            Self::MariaDb(server) => server.restart().await.ok(),
        })
        .await;
    }
}
