//! The store in SQL: entities, migrations, row → domain. Nothing of sea-orm leaves this module.
//!
//! Round trips, whatever the size of a batch:
//!
//! | method | statements |
//! |---|---|
//! | `post` | 2 selects (accounts by id with row locks, then transfers by id), 2 inserts, 1 insert of opened accounts, 1 upsert of changed ones, 1 insert of one row for the chain, commit |
//! | `seal` | 3 selects (one with a row lock), 2 inserts, 1 update, 1 delete, commit: for up to 1,000 transfers |
//! | `open` | 2 upserts, 2 selects, commit |
//! | a slice of a verification | 2 to 9 selects over one snapshot, each of a stretch of an index |
//! | everything else | 1 to 3 |
//!
//! On servers, transactions are READ COMMITTED and decide only on rows that they hold locked; every one that writes is named
//! by the ids it writes and runs in [`repeat`](::sql::repeat).

mod accounts;
mod audit;
mod chain;
mod entity;
mod groups;
mod ledger;
mod migration;
mod row;

use ::sql::Database;

pub use migration::Migrator;

/// All ports over one database.
#[derive(Clone, Debug)]
pub struct SqlStore {
    database: Database,
}

impl SqlStore {
    /// The store in `database`, whose schema is up to date.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}
