//! The ports over SQL. Entities never leave this module.
//!
//! One store over one or more databases ([`::sql::Shards`]). A packet's row is in the database of its
//! partition; a sender's requests and days are in the database that the sender's name falls into, so that a transaction
//! never needs two. Nothing here is an upsert: each engine counts and hides something else by it. A row is inserted
//! plainly, and who finds that someone was faster reads what they wrote.

mod agenda;
mod entity;
mod migration;
mod packets;
mod requests;
mod rows;

use std::num::NonZeroU16;

use ::sql::{ConnectError, Database, Pool, Result, Shards, Url};
use id::{PacketId, UserId};

pub use agenda::SqlAgenda;
use migration::Migrator;

/// Requests and packets, in the databases of a list. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqlStore {
    shards: Shards,
}

impl SqlStore {
    /// Opens the databases as [`Shards::open`] does.
    pub async fn open(urls: &[Url], pool: Pool, partitions: NonZeroU16) -> std::result::Result<Self, ConnectError> {
        let shards = Shards::open::<Migrator>(urls, pool, partitions).await?;
        Ok(Self { shards })
    }

    /// Brings the schemas up to date.
    pub async fn migrate(urls: &[Url]) -> std::result::Result<(), ConnectError> {
        Shards::migrate::<Migrator>(urls).await
    }

    /// What is due, for each database by itself.
    pub fn agendas(&self) -> Vec<SqlAgenda> {
        self.shards.iter().cloned().map(SqlAgenda::new).collect()
    }

    /// Whether all databases answer and can be written to.
    pub async fn ping(&self) -> Result<()> {
        self.shards.ping().await
    }

    /// Closes all connections, after which every call fails.
    pub async fn close(self) {
        self.shards.close().await;
    }

    /// The number of the database that a packet's row is in.
    fn shard_no(&self, packet: PacketId) -> usize {
        self.shards.shard_no(packet.partition(self.shards.partitions()))
    }

    /// The database that a packet's row is in.
    fn of_packet(&self, packet: PacketId) -> &Database {
        self.shards.of(packet.partition(self.shards.partitions()))
    }

    /// The database that a sender's requests and days are in.
    fn of_sender(&self, sender: &UserId) -> &Database {
        self.shards.of_key(sender.as_str())
    }
}

#[cfg(test)]
pub(crate) mod tests;
