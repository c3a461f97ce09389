//! The store in SQL: entities, migrations, row → domain. Nothing of sea-orm leaves this module.
//!
//! Round trips, whatever the size of a batch:
//!
//! | method | statements |
//! |---|---|
//! | `post` | 2 selects (accounts by id with row locks, then transfers by id), 2 inserts, 1 insert of opened accounts, 1 upsert of changed ones, commit |
//! | `open` | 2 upserts, 2 selects, commit |
//! | `verify` | 8 selects over one snapshot, each one pass over its tables |
//! | everything else | 1 to 3 |
//!
//! On servers, transactions are READ COMMITTED and decide only on rows that they hold locked; every one that writes is named
//! by the ids it writes and runs in [`repeat`](::sql::repeat).

mod accounts;
mod audit;
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
