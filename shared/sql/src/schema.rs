//! Migrations: steps that may be run again, tables that compare text byte by byte, and what a store's schema is.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, Statement};
use sea_orm_migration::{
    MigratorTrait, SchemaManager,
    prelude::{IndexCreateStatement, TableCreateStatement},
    seaql_migrations,
};

/// The number of the advisory lock that lets one process migrate a PostgreSQL database at a time: "hongbao" in ASCII.
const LOCK_NUMBER: i64 = 0x0068_6f6e_6762_616f;
/// How long a process waits for another one's migration on MySQL, where a lock has a name that all databases share.
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
    let backend = connection.get_database_backend();
    let lock = match backend {
        DbBackend::Postgres => Some(format!("SELECT 1 FROM pg_advisory_lock({LOCK_NUMBER})")),
        DbBackend::MySql => Some(format!(
            "SELECT CAST(GET_LOCK(CONCAT('hongbao-', MD5(DATABASE())), {LOCK_SECONDS}) AS SIGNED)"
        )),
        _ => None, // the one writer of a SQLite file
    };
    if let Some(lock) = lock {
        let row = connection.query_one_raw(Statement::from_string(backend, lock)).await?;
        let given = row.is_some_and(|row| {
            // 0 or NULL on MySQL: another process has it still
            row.try_get_by_index::<i32>(0).is_ok_and(|given| given == 1)
                || row.try_get_by_index::<i64>(0).is_ok_and(|given| given == 1)
        });
        if !given {
            return Err(DbErr::Migration(
                "another process is migrating it; try again".to_owned(),
            ));
        }
    }
    M::up(connection, None).await
}
