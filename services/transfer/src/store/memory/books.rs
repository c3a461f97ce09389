//! What reconciliation reads.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Bound,
};

use async_trait::async_trait;
use id::{PacketId, Partition, TransferId};
use sql::Result;

use super::{MemoryStore, count, tables::Tables};
use crate::{
    domain::{CaseState, Kind, Order, State},
    store::{Books, Others},
};

#[async_trait]
impl Books for MemoryStore {
    async fn cursors(&self) -> Result<BTreeMap<Partition, i64>> {
        let look = |tables: &Tables| {
            let cursors = tables.cursors().iter();
            Ok(cursors
                .map(|(partition, cursor)| (*partition, cursor.after_seq))
                .collect())
        };
        self.link.read("books.cursors", look).await
    }

    async fn settled(&self, partition: Partition, after_seq: i64, to_seq: i64, limit: u64) -> Result<Vec<Order>> {
        let look = |tables: &Tables| {
            let mut of_log: Vec<(i64, &Order)> = tables
                .orders()
                .values()
                .filter_map(|row| Some((row.order.claim?, &row.order)))
                .filter(|(claim, _)| claim.partition == partition && claim.seq > after_seq && claim.seq <= to_seq)
                .map(|(claim, order)| (claim.seq, order))
                .collect();
            of_log.sort_by_key(|(seq, _)| *seq);
            let orders = of_log.into_iter().take(count(limit));
            Ok(orders.map(|(_, order)| order.clone()).collect())
        };
        self.link.read("books.settled", look).await
    }

    async fn others(&self, after: Option<TransferId>, partitions: usize, span: u64) -> Result<Others> {
        let look = |tables: &Tables| {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let behind = tables
                .orders()
                .range((from, Bound::Unbounded))
                .map(|(_, row)| &row.order);
            let looked_at: Vec<&Order> = behind.take(count(span)).collect();
            let is_stray = |order: &Order| match order.claim {
                None => true,
                Some(claim) => usize::from(claim.partition.index()) >= partitions,
            };
            let wanted = |order: &&&Order| match order.kind {
                Kind::Fund | Kind::Refund => true,
                Kind::Settle => is_stray(order),
                Kind::Finding => false,
            };
            Ok(Others {
                to: looked_at
                    .last()
                    .filter(|_| looked_at.len() == count(span))
                    .map(|order| order.id),
                orders: looked_at.iter().filter(wanted).map(|order| (*order).clone()).collect(),
            })
        };
        self.link.read("books.others", look).await
    }

    async fn last_settled(&self, partition: Partition) -> Result<Option<i64>> {
        let look = |tables: &Tables| {
            let claims = tables.orders().values().filter_map(|row| row.order.claim);
            let of_log = claims.filter(|claim| claim.partition == partition);
            Ok(of_log.map(|claim| claim.seq).max())
        };
        self.link.read("books.last_settled", look).await
    }

    async fn left_escrow(&self, packets: &[PacketId]) -> Result<HashMap<PacketId, i64>> {
        let look = |tables: &Tables| {
            let mut left = HashMap::new();
            let orders = tables.orders().values().map(|row| &row.order);
            for order in orders.filter(|order| {
                matches!(order.kind, Kind::Settle | Kind::Refund) && State::LEFT_ESCROW.contains(&order.state)
            }) {
                if let Some(packet) = order.packet.filter(|packet| packets.contains(packet)) {
                    *left.entry(packet).or_insert(0) += order.amount_fen; // the total of a packet fits 64 bits
                }
            }
            Ok(left)
        };
        self.link.read("books.left_escrow", look).await
    }

    async fn stored(&self, orders: &[TransferId]) -> Result<HashSet<TransferId>> {
        let look = |tables: &Tables| {
            let is_stored = |id: &&TransferId| tables.orders().contains_key(*id);
            Ok(orders.iter().filter(is_stored).copied().collect())
        };
        self.link.read("books.stored", look).await
    }

    async fn with_case(&self, orders: &[TransferId]) -> Result<HashSet<TransferId>> {
        let look = |tables: &Tables| {
            let has_case = |id: &&TransferId| tables.cases().contains_key(*id);
            Ok(orders.iter().filter(has_case).copied().collect())
        };
        self.link.read("books.with_case", look).await
    }

    async fn open_case_count(&self) -> Result<i64> {
        let look = |tables: &Tables| {
            let open = tables.cases().values().filter(|case| case.state == CaseState::Open);
            Ok(i64::try_from(open.count()).unwrap_or(i64::MAX))
        };
        self.link.read("books.open_case_count", look).await
    }
}
