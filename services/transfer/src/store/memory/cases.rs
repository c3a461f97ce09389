//! Repair cases.

use std::collections::BTreeMap;

use async_trait::async_trait;
use clock::Timestamp;
use id::TransferId;
use paging::Page;
use sql::Result;

use super::{
    MemoryStore, acts, count,
    tables::{CaseRow, Tables},
};
use crate::{
    domain::{Act, Case, CaseEvent, CaseKind, CaseState, Order, RecordedAct},
    store::{ActEnd, ActStart, Attempt, Cases, ListKey},
};

#[async_trait]
impl Cases for MemoryStore {
    async fn case(&self, id: TransferId) -> Result<Option<Case>> {
        let look = |tables: &Tables| {
            let row = tables.cases().get(&id);
            Ok(row.map(|row| tables.complete(id, row)))
        };
        self.link.read("cases.case", look).await
    }

    async fn cases(&self, state: Option<CaseState>, page: &Page<ListKey>) -> Result<Vec<Case>> {
        let look = |tables: &Tables| {
            let key = |id: TransferId, row: &CaseRow| ListKey {
                created: row.created,
                id,
            };
            let mut found: Vec<(ListKey, &CaseRow)> = tables
                .cases()
                .iter()
                .filter(|(_, row)| state.is_none_or(|state| row.state == state))
                .map(|(id, row)| (key(*id, row), row))
                .filter(|(key, _)| page.after.is_none_or(|after| *key > after))
                .collect();
            found.sort_by_key(|(key, _)| *key);
            let found = found.into_iter().take(count(page.fetch()));
            Ok(found.map(|(key, row)| tables.complete(key.id, row)).collect())
        };
        self.link.read("cases.cases", look).await
    }

    async fn open_cases(&self) -> Result<BTreeMap<CaseKind, (u64, Timestamp)>> {
        let look = |tables: &Tables| {
            let mut open = BTreeMap::new();
            let rows = tables.cases().iter().filter(|(_, row)| row.state == CaseState::Open);
            for (id, row) in rows {
                let (count, since) = open.entry(tables.complete(*id, row).kind()).or_insert((0, row.created));
                *count += 1;
                *since = row.created.min(*since);
            }
            Ok(open)
        };
        self.link.read("cases.open_cases", look).await
    }

    async fn begin_act(&self, act: &Act, attempt: Attempt, now: Timestamp, over: bool) -> Result<ActStart> {
        let begin = |tables: &mut Tables| acts::begin(tables, act, attempt, now, over);
        self.link.write("cases.begin_act", begin).await
    }

    async fn end_act(&self, act: &Act, attempt: Attempt, end: ActEnd, event: CaseEvent) -> Result<RecordedAct> {
        let end = |tables: &mut Tables| acts::end(tables, act, attempt, &end, &event);
        self.link.write("cases.end_act", end).await
    }

    async fn unfinished_acts(&self, now: Timestamp, limit: u64) -> Result<Vec<Act>> {
        let look = |tables: &Tables| Ok(acts::unfinished(tables, now, count(limit)));
        self.link.read("cases.unfinished_acts", look).await
    }

    async fn open_case(&self, order: &Order, opening: CaseEvent) -> Result<()> {
        let open = |tables: &mut Tables| {
            tables.add_order(order)?;
            tables.add_case(order.id, &opening);
            Ok(())
        };
        self.link.write("cases.open_case", open).await
    }
}
