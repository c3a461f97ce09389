//! One store over several databases: partitions map to them in contiguous ranges (分库).
//!
//! Everything that belongs to one partition is in one database, so that no transaction ever needs two. Each database
//! keeps a row that says which part of the whole it is: a list in another order, or of another length, is refused before
//! it can tear packets apart.

use std::num::NonZeroU16;

use id::Partition;
use sea_orm::{
    ActiveValue::Set,
    DbErr, EntityTrait,
    sea_query::{ColumnDef, Table},
};
use sea_orm_migration::{MigratorTrait, SchemaManager};

use crate::{ConnectError, Database, Pool, Result, Url, schema};

/// `shard_layout`: one row, what this database is a part of.
mod layout {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "shard_layout")]
    pub struct Model {
        /// Always 1: there is one row.
        #[sea_orm(primary_key, auto_increment = false)]
        pub only: i16,
        pub shard_no: i32,
        pub shard_count: i32,
        pub partition_count: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Creates `shard_layout`: a step of the migrations of a store that may be sharded.
pub async fn create_layout(manager: &SchemaManager<'_>) -> std::result::Result<(), DbErr> {
    use layout::Column::{Only, PartitionCount, ShardCount, ShardNo};
    let table = Table::create()
        .table(layout::Entity)
        .col(ColumnDef::new(Only).small_integer().not_null().primary_key())
        .col(ColumnDef::new(ShardNo).integer().not_null())
        .col(ColumnDef::new(ShardCount).integer().not_null())
        .col(ColumnDef::new(PartitionCount).integer().not_null())
        .take();
    schema::create_table(manager, table).await
}

/// The databases of one store, in the order of their ranges. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shards {
    databases: Vec<Database>,
    partitions: NonZeroU16,
}

impl Shards {
    /// Opens all of them as [`Database::open`] does; `M` must contain [`create_layout`]. Fixes the layout on first use
    /// and refuses any other ever after. There are at most as many databases as partitions, and at least one.
    pub async fn open<M: MigratorTrait>(
        urls: &[Url],
        pool: Pool,
        partitions: NonZeroU16,
    ) -> std::result::Result<Self, ConnectError> {
        let mut databases = Vec::with_capacity(urls.len());
        for (shard_no, url) in urls.iter().enumerate() {
            let database = Database::open::<M>(url, pool).await?;
            let expected = layout::Model {
                only: 1,
                shard_no: i32::try_from(shard_no).unwrap_or(i32::MAX),
                shard_count: i32::try_from(urls.len()).unwrap_or(i32::MAX),
                partition_count: i32::from(partitions.get()),
            };
            let fixed = crate::repeat(|| fix(&database, &expected)).await;
            let found = fixed.map_err(|fault| ConnectError::Store {
                url: url.to_string(),
                fault,
            })?;
            if found != expected {
                return Err(ConnectError::Layout {
                    url: url.to_string(),
                    found: describe(&found),
                    expected: describe(&expected),
                });
            }
            databases.push(database);
        }
        Ok(Self { databases, partitions })
    }

    /// Brings all of them up to date, one after the other.
    pub async fn migrate<M: MigratorTrait>(urls: &[Url]) -> std::result::Result<(), ConnectError> {
        for url in urls {
            Database::migrate::<M>(url).await?;
        }
        Ok(())
    }

    /// How many partitions there are in all.
    pub fn partitions(&self) -> NonZeroU16 {
        self.partitions
    }

    /// The number of the database that holds `partition`, from 0.
    pub fn shard_no(&self, partition: Partition) -> usize {
        let (index, count) = (usize::from(partition.index()), usize::from(self.partitions.get()));
        (index * self.databases.len() / count).min(self.databases.len() - 1)
    }

    /// The database that holds `partition`.
    pub fn of(&self, partition: Partition) -> &Database {
        &self.databases[self.shard_no(partition)]
    }

    /// The database that holds what belongs to nobody's partition but to the thing that is named `key`: any text spreads
    /// evenly and stays where it is.
    pub fn of_key(&self, key: &str) -> &Database {
        self.of(Partition::of_key(key, self.partitions))
    }

    /// All databases, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Database> {
        self.databases.iter()
    }

    /// The partitions of each database, in order.
    pub fn ranges(&self) -> Vec<Vec<Partition>> {
        let mut ranges = vec![Vec::new(); self.databases.len()];
        for partition in Partition::all(self.partitions) {
            ranges[self.shard_no(partition)].push(partition);
        }
        ranges
    }

    /// Whether all of them answer and can be written to.
    pub async fn ping(&self) -> Result<()> {
        for database in &self.databases {
            database.ping().await?;
        }
        Ok(())
    }

    /// Closes all connections, after which every call fails.
    pub async fn close(self) {
        for database in self.databases {
            database.close().await;
        }
    }
}

/// Writes the layout if there is none; gives the one there is.
async fn fix(database: &Database, layout: &layout::Model) -> Result<layout::Model> {
    let transaction = database.begin().await?;
    if let Some(found) = layout::Entity::find().one(transaction.as_ref()).await? {
        return Ok(found);
    }
    let row = layout::ActiveModel {
        only: Set(layout.only),
        shard_no: Set(layout.shard_no),
        shard_count: Set(layout.shard_count),
        partition_count: Set(layout.partition_count),
    };
    layout::Entity::insert(row)
        .exec_without_returning(transaction.as_ref())
        .await?;
    transaction.commit().await?;
    Ok(layout.clone())
}

fn describe(layout: &layout::Model) -> String {
    format!(
        "database {} of {} over {} partitions",
        layout.shard_no + 1,
        layout.shard_count,
        layout.partition_count
    )
}
