//! Cursors into the claim log.

use std::{collections::BTreeMap, num::NonZeroU16};

use async_trait::async_trait;
use clock::Timestamp;
use guard::Guard;
use id::Partition;
use sql::{Error, Result};
use uuid::Uuid;

use super::{
    MemoryStore,
    tables::{Cursor, Tables},
};
use crate::{
    domain::lease::{self, Lease, Shares},
    store::{Cursors, Stretch},
};

#[async_trait]
impl Cursors for MemoryStore {
    async fn prepare(&self, partitions: NonZeroU16) -> Result<()> {
        let prepare = |tables: &mut Tables| {
            for partition in Partition::all(partitions) {
                tables.cursors_mut().entry(partition).or_insert(Cursor {
                    after_seq: 0,
                    owner: None,
                    until: Timestamp::UNIX_EPOCH,
                });
            }
            let found = tables.cursors().len();
            if found == usize::from(partitions.get()) {
                return Ok(());
            }
            Err(Error::inconsistent(format!(
                "the store has {found} partitions where {partitions} are configured; their number never changes"
            )))
        };
        self.link.write("cursors.prepare", prepare).await
    }

    async fn lease(&self, owner: Uuid, now: Timestamp, until: Timestamp) -> Result<BTreeMap<Partition, i64>> {
        let lease = |tables: &mut Tables| Ok(lease(tables, owner, now, until));
        self.link.write("cursors.lease", lease).await
    }

    async fn retire(&self, owner: Uuid) -> Result<()> {
        let retire = |tables: &mut Tables| {
            for cursor in tables.cursors_mut().values_mut() {
                cursor.owner = cursor.owner.filter(|holder| *holder != owner);
            }
            tables.workers_mut().remove(&owner);
            Ok(())
        };
        self.link.write("cursors.retire", retire).await
    }

    async fn settle(&self, owner: Uuid, stretches: &[Stretch]) -> Result<Vec<Partition>> {
        let settle = |tables: &mut Tables| settle(tables, owner, stretches);
        self.link.write("cursors.settle", settle).await
    }
}

fn lease(tables: &mut Tables, owner: Uuid, now: Timestamp, until: Timestamp) -> BTreeMap<Partition, i64> {
    let workers = tables.workers_mut();
    workers.retain(|_, alive_until| *alive_until >= now);
    workers.insert(owner, until);
    let alive = workers.len();

    let leases: Vec<Lease> = tables
        .cursors()
        .iter()
        .map(|(partition, cursor)| Lease {
            partition: *partition,
            owner: cursor.owner,
            until: cursor.until,
        })
        .collect();
    let Shares { keep, release } = lease::share(&leases, owner, alive, now);
    let mut held = BTreeMap::new();
    for (partition, cursor) in tables.cursors_mut() {
        if release.contains(partition) {
            (cursor.owner, cursor.until) = (None, now);
        } else if keep.contains(partition) {
            (cursor.owner, cursor.until) = (Some(owner), until);
            held.insert(*partition, cursor.after_seq);
        }
    }
    held
}

fn settle(tables: &mut Tables, owner: Uuid, stretches: &[Stretch]) -> Result<Vec<Partition>> {
    stretches.iter().try_for_each(Stretch::leads_on)?;
    // The fence: only who holds the cursor where this work began may move it on.
    let (mut ours, mut lost) = (Vec::new(), Vec::new());
    for stretch in stretches {
        match tables.cursors().get(&stretch.partition) {
            Some(_) if !guard::stands(Guard::CursorFence) => ours.push(stretch),
            Some(cursor) if cursor.owner == Some(owner) && cursor.after_seq == stretch.from_seq => ours.push(stretch),
            // All of it was done before, and the answer was lost.
            Some(cursor) if cursor.owner == Some(owner) && cursor.after_seq == stretch.to_seq => {}
            _ => lost.push(stretch.partition),
        }
    }
    for stretch in ours {
        for (order, opening) in &stretch.orders {
            tables.add_order(order)?;
            if let Some(opening) = opening {
                tables.add_case(order.id, opening);
            }
        }
        if let Some(cursor) = tables.cursors_mut().get_mut(&stretch.partition) {
            cursor.after_seq = stretch.to_seq;
        }
    }
    Ok(lost)
}
