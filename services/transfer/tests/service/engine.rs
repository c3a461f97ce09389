//! Stores and meshes on an engine.

use sql::{Database, Pool};
use testkit::{Dir, Engine};
use transfer::store::{Migrator, SqlStore};

use crate::mesh::Mesh;

/// A store in a database; two of the same name are two instances.
pub async fn store(engine: &Engine, name: &str) -> (Database, SqlStore) {
    open(&engine.database(name).await).await
}

/// A mesh whose transfer stores in a database of its own.
pub async fn mesh(engine: &Engine, name: &str) -> Mesh {
    Mesh::on(&engine.database(name).await, Dir::new()).await
}

/// A store behind a URL.
pub async fn open(url: &str) -> (Database, SqlStore) {
    let url = url.parse().unwrap();
    Database::migrate::<Migrator>(&url).await.unwrap();
    let database = Database::open::<Migrator>(&url, Pool::default()).await.unwrap();
    (database.clone(), SqlStore::new(database))
}
