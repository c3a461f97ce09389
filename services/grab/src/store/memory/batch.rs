//! A write transaction on some partitions.

use std::collections::HashMap;

use async_trait::async_trait;
use disk::Link;
use id::PacketId;
use sql::Result;
use tokio::sync::OwnedMutexGuard;

use super::tables::{self, Row, Tables};
use crate::{
    domain::claim::{Claim, Head, Tally},
    store::{Batch, Changes, Missed},
};

pub struct MemoryBatch {
    link: Link<Tables>,
    heads: Vec<Head>,
    /// Held until the end.
    locks: Vec<OwnedMutexGuard<()>>,
}

impl MemoryBatch {
    pub fn new(link: Link<Tables>, heads: Vec<Head>, locks: Vec<OwnedMutexGuard<()>>) -> Self {
        Self { link, heads, locks }
    }
}

#[async_trait]
impl Batch for MemoryBatch {
    fn heads(&self) -> &[Head] {
        &self.heads
    }

    async fn log(&self, missed: &[Missed]) -> Result<Vec<Claim>> {
        let look = |tables: &Tables| {
            let rows = missed
                .iter()
                .flat_map(|missed| tables.behind(missed.partition, missed.after_seq));
            let mut claims: Vec<Claim> = left_in(rows).collect();
            claims.sort_by_key(|claim| (claim.partition, claim.seq));
            Ok(claims)
        };
        self.link.read("batch.log", look).await
    }

    async fn tallies(&self, packet_ids: &[PacketId]) -> Result<HashMap<PacketId, Tally>> {
        let look = |tables: &Tables| {
            let known = packet_ids
                .iter()
                .filter_map(|packet_id| Some((*packet_id, tables.tally(*packet_id)?)));
            Ok(known.collect())
        };
        self.link.read("batch.tallies", look).await
    }

    async fn claims(&self, packet_ids: &[PacketId]) -> Result<Vec<Claim>> {
        let look = |tables: &Tables| {
            let rows = tables.rows().filter(|row| packet_ids.contains(&row.claim.packet_id));
            Ok(left_in(rows).collect())
        };
        self.link.read("batch.claims", look).await
    }

    async fn commit(self: Box<Self>, changes: Changes) -> Result<()> {
        let Self { link, locks, .. } = *self;
        let commit = move |tables: &mut Tables| {
            let committed = tables.apply(changes);
            drop(locks); // with the commit, and not with its answer
            committed
        };
        link.write_once("batch.commit", commit).await
    }
}

/// What can be read.
fn left_in<'a>(rows: impl Iterator<Item = &'a Row>) -> impl Iterator<Item = Claim> {
    rows.filter_map(|row| {
        tables::readable(row)
            .inspect_err(|fault| tracing::error!(%fault, "a row is left out"))
            .ok()
    })
}
