//! Where the periodic run through the books stands.

use async_trait::async_trait;
use clock::Timestamp;
use sql::Result;
use uuid::Uuid;

use super::{
    MemoryStore,
    tables::{RunRow, Tables},
};
use crate::store::{Run, Runs};

#[async_trait]
impl Runs for MemoryStore {
    async fn take_run(&self, owner: Uuid, due: Timestamp, now: Timestamp, until: Timestamp) -> Result<Option<Run>> {
        let take = |tables: &mut Tables| {
            let row = tables.run_mut().get_or_insert_with(|| RunRow {
                run: Run {
                    run_no: 0,
                    begun: now,
                    position: None,
                    updated: now,
                    difference_count: 0,
                },
                owner: None,
                until: Timestamp::UNIX_EPOCH,
            });
            let is_free = row.owner.is_none_or(|holder| holder == owner) || row.until < now;
            if !is_free || (row.run.position.is_none() && row.run.updated > due) {
                return Ok(None);
            }
            if row.run.position.is_none() {
                row.run = Run {
                    run_no: row.run.run_no.saturating_add(1),
                    begun: now,
                    position: Some(String::new()),
                    updated: now,
                    difference_count: 0,
                };
            }
            (row.owner, row.until) = (Some(owner), until);
            Ok(Some(row.run.clone()))
        };
        self.link.write("runs.take_run", take).await
    }

    async fn keep_run(&self, owner: Uuid, run: &Run, until: Timestamp) -> Result<bool> {
        let keep = |tables: &mut Tables| {
            let held = tables.run_mut().as_mut();
            let held = held.filter(|row| row.owner == Some(owner) && row.run.run_no == run.run_no);
            let is_held = held.is_some();
            if let Some(row) = held {
                (row.run, row.until) = (run.clone(), until);
            }
            Ok(is_held)
        };
        self.link.write("runs.keep_run", keep).await
    }
}
