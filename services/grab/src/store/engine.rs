//! Stores on an engine, for tests.

use std::sync::atomic::{AtomicU8, Ordering};

use id::Partition;
use sql::{Pool, Url};
use testkit::Engine;

use super::sql::SqlStore;

static NEXT_DATABASE: AtomicU8 = AtomicU8::new(0);

/// URL of a new, empty database.
pub async fn database(engine: &Engine) -> String {
    let name = format!("grab_{}", NEXT_DATABASE.fetch_add(1, Ordering::Relaxed));
    engine.database(&name).await
}

/// A store over so many new databases.
pub async fn store(engine: &Engine, shards: usize) -> SqlStore {
    let mut urls = Vec::new();
    for _ in 0..shards {
        urls.push(database(engine).await.parse().unwrap());
    }
    open(&urls, Pool::default()).await
}

/// A store over these databases, migrated.
pub async fn open(urls: &[Url], pool: Pool) -> SqlStore {
    Box::pin(SqlStore::migrate(urls)).await.unwrap();
    let opening = SqlStore::open(urls, pool, Partition::DEFAULT_COUNT);
    Box::pin(opening).await.unwrap()
}
