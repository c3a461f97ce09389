//! The ports over SQL. Entities never leave this module.

mod entity;
mod migration;
mod packets;
mod requests;
mod rows;

pub use migration::Migrator;

/// Requests and packets in one database: both homes of the embedded default.
#[derive(Clone, Debug)]
pub struct SqlStore {
    database: sql::Database,
}

impl SqlStore {
    /// A store in a database that [`Migrator`] has brought up to date.
    pub fn new(database: sql::Database) -> Self {
        Self { database }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;

    #[tokio::test]
    async fn sqlite_keeps_the_contract() {
        let dir = testkit::Dir::new();
        let database = sql::Database::connect(&dir.sqlite("packet")).await.unwrap();
        database.migrate::<Migrator>().await.unwrap();
        database.migrate::<Migrator>().await.unwrap();
        let store = SqlStore::new(database);
        contract::requests(&store).await;
        contract::packets(&store).await;
    }
}
