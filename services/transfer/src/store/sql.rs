//! The ports on SQL, by sea-orm.
//!
//! | operation | statements |
//! |---|---|
//! | settle a batch of any size | lock cursors, insert orders, cases and events, move cursors: 5 at most |
//! | fund | 2 transactions of 2 statements around the posting |
//! | refund | 2 transactions of 2 to 4 statements around the posting |
//! | renew all leases | 7 at most, and 1 for each instance that is no more |
//!
//! On servers, transactions are READ COMMITTED and decide only on rows that they hold locked: an order's, a case's before its
//! order's, or cursors' in the order of their partitions. Every one that writes is named by the ids it writes and runs in
//! [`repeat`](sql::repeat).

mod acts;
mod books;
mod cases;
mod cursors;
mod entity;
mod migration;
mod orders;
mod row;
mod runs;

use sea_orm::{ColumnTrait, Condition, DatabaseTransaction, EntityTrait, ExprTrait, QuerySelect, sea_query::LockType};

use crate::{domain::Order, store::ListKey};
use id::TransferId;

pub use migration::Migrator;

/// Rows in one INSERT: 17 columns each stay below SQLite's 32,766 variables a statement.
const CHUNK_ROWS: usize = 1_000;

/// The store on a SQL database.
#[derive(Clone, Debug)]
pub struct SqlStore {
    database: sql::Database,
}

impl SqlStore {
    /// The store in `database`, whose schema is up to date.
    pub fn new(database: sql::Database) -> Self {
        Self { database }
    }
}

/// Reads one order's row, locked for this transaction.
async fn locked(transaction: &DatabaseTransaction, id: TransferId) -> sql::Result<Option<entity::orders::Model>> {
    Ok(entity::orders::Entity::find_by_id(id.as_uuid())
        .lock(LockType::Update)
        .one(transaction)
        .await?)
}

/// Stores an order that is known to be there.
async fn update(transaction: &DatabaseTransaction, order: &Order) -> sql::Result<()> {
    use sea_orm::{ActiveModelTrait, IntoActiveModel};
    let mut row = entity::orders::Model::from(order).into_active_model().reset_all();
    row.transfer_id = sea_orm::ActiveValue::Unchanged(order.id.as_uuid());
    // The try of a FUND is not the order's business; an order that is stored again has none open.
    row.update_without_returning(transaction).await?;
    Ok(())
}

/// The rows behind `key` in order of time and id.
fn behind<C: ColumnTrait>(key: Option<ListKey>, time: C, id: C) -> Condition {
    let Some(key) = key else {
        return Condition::all();
    };
    let at = key.created.as_microsecond();
    Condition::any()
        .add(time.gt(at))
        .add(time.eq(at).and(id.gt(key.id.as_uuid())))
}
