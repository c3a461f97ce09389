//! Migrations: steps that may be run again, tables that compare text byte by byte, and what a store's schema is.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait};
use sea_orm_migration::{
    MigratorTrait, SchemaManager,
    prelude::{IndexCreateStatement, TableCreateStatement},
    seaql_migrations,
};

/// The name of the advisory lock that lets one process migrate at a time.
const LOCK_NAME: &str = "hongbao-migrate";
/// The same as a number, for PostgreSQL: "hongbao" in ASCII.
const LOCK_NUMBER: i64 = 0x0068_6f6e_6762_616f;
/// How long a process waits for another one's migration.
const LOCK_SECONDS: u32 = 60;

/// Creates a table unless it is there. MySQL commits every definition at once, so that a migration that was stopped
/// half-way is run again over its own beginnings. Its tables compare text byte by byte, as the other engines' do: by
/// default `alice` and `Alice` would be one user.
pub async fn create_table(manager: &SchemaManager<'_>, mut table: TableCreateStatement) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::MySql {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
    }
    manager.create_table(table.if_not_exists().take()).await
}

/// Creates an index of `table` under `name` unless it is there.
pub async fn create_index(
    manager: &SchemaManager<'_>,
    table: &str,
    name: &str,
    mut index: IndexCreateStatement,
) -> Result<(), DbErr> {
    if manager.has_index(table, name).await? {
        return Ok(());
    }
    manager.create_index(index.name(name).take()).await
}

/// What a schema is beside what this program knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Migrations that this program has and the schema lacks, in order.
    pub missing: Vec<String>,
    /// Migrations that the schema has and this program lacks.
    pub unknown: Vec<String>,
}

/// How the schema stands. Changes nothing.
pub(crate) async fn standing<M: MigratorTrait>(connection: &DatabaseConnection) -> Result<Standing, DbErr> {
    let known: Vec<String> = M::migrations().iter().map(|step| step.name().to_owned()).collect();
    let applied: Vec<String> = if SchemaManager::new(connection).has_table("seaql_migrations").await? {
        let rows = seaql_migrations::Entity::find().all(connection).await?;
        rows.into_iter().map(|row| row.version).collect()
    } else {
        Vec::new()
    };
    let beyond =
        |these: &[String], those: &[String]| these.iter().filter(|name| !those.contains(name)).cloned().collect();
    Ok(Standing {
        missing: beyond(&known, &applied),
        unknown: beyond(&applied, &known),
    })
}

/// Applies what is missing, one process at a time. `connection` is a pool of one, so that the lock is held by the
/// session that migrates; it ends with the session.
pub(crate) async fn migrate<M: MigratorTrait>(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let lock = match connection.get_database_backend() {
        DbBackend::Postgres => Some(format!("SELECT pg_advisory_lock({LOCK_NUMBER})")),
        DbBackend::MySql => Some(format!("SELECT GET_LOCK('{LOCK_NAME}', {LOCK_SECONDS})")),
        _ => None, // the one writer of a SQLite file
    };
    if let Some(lock) = lock {
        connection.execute_unprepared(&lock).await?;
    }
    M::up(connection, None).await
}
