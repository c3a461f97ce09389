//! Cursors into the claim log on SQL.

use std::{collections::BTreeMap, num::NonZeroU16};

use async_trait::async_trait;
use clock::Timestamp;
use id::Partition;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, LockType, OnConflict},
};
use uuid::Uuid;

use super::{
    SqlStore, cases,
    entity::{
        cursors::{Column, Entity, Model},
        orders, workers,
    },
    row::partition,
};
use crate::{
    domain::lease::{self, Lease, Shares},
    store::{Cursors, Stretch},
};
use sql::{Error, Result, or_nothing};

fn number(partition: Partition) -> i32 {
    i32::from(partition.index())
}

#[async_trait]
impl Cursors for SqlStore {
    async fn prepare(&self, partitions: NonZeroU16) -> Result<()> {
        self.database.repeat(|| self.prepare_once(partitions)).await
    }

    async fn lease(&self, owner: Uuid, now: Timestamp, until: Timestamp) -> Result<BTreeMap<Partition, i64>> {
        self.database.repeat(|| self.lease_once(owner, now, until)).await
    }

    async fn retire(&self, owner: Uuid) -> Result<()> {
        self.database.repeat(|| self.retire_once(owner)).await
    }

    async fn settle(&self, owner: Uuid, stretches: &[Stretch]) -> Result<Vec<Partition>> {
        self.database.repeat(|| self.settle_once(owner, stretches)).await
    }
}

impl SqlStore {
    async fn prepare_once(&self, partitions: NonZeroU16) -> Result<()> {
        let rows = Partition::all(partitions).map(|partition| {
            Model {
                partition_no: number(partition),
                after_seq: 0,
                lease_owner: None,
                lease_until_us: 0,
            }
            .into_active_model()
        });
        let transaction = self.database.begin().await?;
        Entity::insert_many(rows)
            .on_conflict(or_nothing([Column::PartitionNo]))
            .exec_without_returning(transaction.as_ref())
            .await?;
        let found = Entity::find().count(transaction.as_ref()).await?;
        if found != u64::from(partitions.get()) {
            return Err(Error::inconsistent(format!(
                "the store has {found} partitions where {partitions} are configured; their number never changes"
            )));
        }
        transaction.commit().await
    }

    /// Looks at all cursors without waiting for anybody, locks those that are to be renewed or to change hands, and decides
    /// again on what it has locked: so no lease waits for what another instance is settling, or died of settling.
    async fn lease_once(&self, owner: Uuid, now: Timestamp, until: Timestamp) -> Result<BTreeMap<Partition, i64>> {
        let transaction = self.database.begin().await?;
        let alive = greet(transaction.as_ref(), owner, now, until).await?;
        let seen = Entity::find()
            .order_by_asc(Column::PartitionNo)
            .all(transaction.as_ref())
            .await?;
        let seen: Vec<Lease> = seen.iter().map(lease).collect::<Result<_>>()?;
        let Shares { keep, release } = lease::share(&seen, owner, alive, now);

        let mut held = BTreeMap::new();
        let mut let_go = Vec::new();
        for row in lock(transaction.as_ref(), keep.iter().chain(&release)).await? {
            let lease = lease(&row)?;
            if release.contains(&lease.partition) {
                let_go.extend(lease.is_of(owner).then_some(lease.partition));
            } else if lease.is_of(owner) || lease.is_free(now) {
                held.insert(lease.partition, row.after_seq);
            }
        }
        hand(transaction.as_ref(), let_go, None, now).await?;
        hand(transaction.as_ref(), held.keys().copied(), Some(owner), until).await?;
        transaction.commit().await?;
        Ok(held)
    }

    async fn retire_once(&self, owner: Uuid) -> Result<()> {
        let transaction = self.database.begin().await?;
        Entity::update_many()
            .col_expr(Column::LeaseOwner, Expr::value(None::<Uuid>))
            .filter(Column::LeaseOwner.eq(owner))
            .exec(transaction.as_ref())
            .await?;
        workers::Entity::delete_by_id(owner).exec(transaction.as_ref()).await?;
        transaction.commit().await
    }

    async fn settle_once(&self, owner: Uuid, stretches: &[Stretch]) -> Result<Vec<Partition>> {
        stretches.iter().try_for_each(Stretch::leads_on)?;
        let transaction = self.database.begin().await?;
        let rows = lock(transaction.as_ref(), stretches.iter().map(|stretch| &stretch.partition)).await?;
        let held: BTreeMap<i32, Model> = rows.into_iter().map(|row| (row.partition_no, row)).collect();
        // The fence: only who holds the cursor where this work began may move it on.
        let (mut ours, mut lost) = (Vec::new(), Vec::new());
        for stretch in stretches {
            match held.get(&number(stretch.partition)) {
                Some(row) if row.lease_owner == Some(owner) && row.after_seq == stretch.from_seq => ours.push(stretch),
                // All of it was done before, and the answer was lost.
                Some(row) if row.lease_owner == Some(owner) && row.after_seq == stretch.to_seq => {}
                _ => lost.push(stretch.partition),
            }
        }
        record(transaction.as_ref(), &ours).await?;
        let moved: Vec<_> = ours
            .iter()
            .filter_map(|stretch| {
                let row = held.get(&number(stretch.partition))?.clone();
                let after_seq = stretch.to_seq;
                Some(Model { after_seq, ..row }.into_active_model())
            })
            .collect();
        if !moved.is_empty() {
            let mut conflict = OnConflict::column(Column::PartitionNo);
            Entity::insert_many(moved)
                .on_conflict(conflict.update_column(Column::AfterSeq).to_owned())
                .exec_without_returning(transaction.as_ref())
                .await?;
        }
        transaction.commit().await?;
        Ok(lost)
    }
}

fn lease(row: &Model) -> Result<Lease> {
    Ok(Lease {
        partition: partition(row.partition_no)?,
        owner: row.lease_owner,
        until: clock::from_micros(row.lease_until_us),
    })
}

/// The cursors of `partitions`, locked in their order, so that two never wait for each other in a circle.
async fn lock(transaction: &DatabaseTransaction, partitions: impl Iterator<Item = &Partition>) -> Result<Vec<Model>> {
    let query = Entity::find()
        .filter(Column::PartitionNo.is_in(partitions.copied().map(number)))
        .order_by_asc(Column::PartitionNo)
        .lock(LockType::Update);
    Ok(query.all(transaction).await?)
}

/// Forgets who is no more, says that `owner` is alive until `until`; returns how many are. Nobody's row is touched who is
/// alive: who stands still there would let all others wait.
async fn greet(transaction: &DatabaseTransaction, owner: Uuid, now: Timestamp, until: Timestamp) -> Result<usize> {
    let gone = workers::Column::AliveUntilUs.lt(now.as_microsecond());
    let no_more = workers::Entity::find()
        .filter(gone.clone())
        .order_by_asc(workers::Column::WorkerId);
    for worker in no_more.all(transaction).await? {
        let by_key = workers::Entity::delete_by_id(worker.worker_id);
        by_key.filter(gone.clone()).exec(transaction).await?;
    }
    let me = workers::Model {
        worker_id: owner,
        alive_until_us: until.as_microsecond(),
    };
    let mut conflict = OnConflict::column(workers::Column::WorkerId);
    workers::Entity::insert_many([me.into_active_model()])
        .on_conflict(conflict.update_column(workers::Column::AliveUntilUs).to_owned())
        .exec_without_returning(transaction)
        .await?;
    let alive = workers::Entity::find().count(transaction).await?;
    Ok(usize::try_from(alive).unwrap_or(usize::MAX))
}

/// Gives partitions to `owner`, or to nobody.
async fn hand(
    transaction: &DatabaseTransaction,
    partitions: impl IntoIterator<Item = Partition>,
    owner: Option<Uuid>,
    until: Timestamp,
) -> Result<()> {
    let numbers: Vec<i32> = partitions.into_iter().map(number).collect();
    if numbers.is_empty() {
        return Ok(());
    }
    Entity::update_many()
        .col_expr(Column::LeaseOwner, Expr::value(owner))
        .col_expr(Column::LeaseUntilUs, Expr::value(until.as_microsecond()))
        .filter(Column::PartitionNo.is_in(numbers))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Inserts the orders and cases of `stretches`. What is there stays as it is.
async fn record(transaction: &DatabaseTransaction, stretches: &[&Stretch]) -> Result<()> {
    let settled = || stretches.iter().flat_map(|stretch| &stretch.orders);
    let rows: Vec<_> = settled()
        .map(|(order, _)| orders::Model::from(order).into_active_model())
        .collect();
    for chunk in rows.chunks(super::CHUNK_ROWS) {
        orders::Entity::insert_many(chunk.to_vec())
            .on_conflict(or_nothing([orders::Column::TransferId]))
            .exec_without_returning(transaction)
            .await?;
    }
    let openings: Vec<_> = settled()
        .filter_map(|(order, opening)| Some((order.id, opening.clone()?)))
        .collect();
    cases::open(transaction, &openings).await
}
