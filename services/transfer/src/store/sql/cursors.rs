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
    domain::lease::{self, Lease},
    store::{Cursors, Stretch},
};
use sql::{Error, Result};

fn number(partition: Partition) -> i32 {
    i32::from(partition.index())
}

#[async_trait]
impl Cursors for SqlStore {
    async fn prepare(&self, partitions: NonZeroU16) -> Result<()> {
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
            .on_conflict(OnConflict::new().do_nothing().to_owned())
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

    async fn lease(&self, owner: Uuid, now: Timestamp, until: Timestamp) -> Result<BTreeMap<Partition, i64>> {
        let transaction = self.database.begin().await?;
        let alive = greet(transaction.as_ref(), owner, now, until).await?;
        let rows = Entity::find()
            .order_by_asc(Column::PartitionNo)
            .lock(LockType::Update)
            .all(transaction.as_ref())
            .await?;
        let leases: Vec<Lease> = rows
            .iter()
            .map(|row| {
                Ok(Lease {
                    partition: partition(row.partition_no)?,
                    owner: row.lease_owner,
                    until: clock::from_micros(row.lease_until_us),
                })
            })
            .collect::<Result<_>>()?;
        let shares = lease::share(&leases, owner, alive, now);
        hand(transaction.as_ref(), &shares.release, None, now).await?;
        hand(transaction.as_ref(), &shares.keep, Some(owner), until).await?;
        transaction.commit().await?;

        let cursors = leases
            .iter()
            .zip(&rows)
            .map(|(lease, row)| (lease.partition, row.after_seq));
        Ok(cursors
            .filter(|(partition, _)| shares.keep.contains(partition))
            .collect())
    }

    async fn retire(&self, owner: Uuid) -> Result<()> {
        let transaction = self.database.begin().await?;
        Entity::update_many()
            .col_expr(Column::LeaseOwner, Expr::value(None::<Uuid>))
            .filter(Column::LeaseOwner.eq(owner))
            .exec(transaction.as_ref())
            .await?;
        workers::Entity::delete_by_id(owner).exec(transaction.as_ref()).await?;
        transaction.commit().await
    }

    async fn settle(&self, owner: Uuid, stretches: &[Stretch]) -> Result<Vec<Partition>> {
        let transaction = self.database.begin().await?;
        let numbers = stretches.iter().map(|stretch| number(stretch.partition));
        let rows = Entity::find()
            .filter(Column::PartitionNo.is_in(numbers))
            .order_by_asc(Column::PartitionNo)
            .lock(LockType::Update)
            .all(transaction.as_ref())
            .await?;
        let held: BTreeMap<i32, Model> = rows.into_iter().map(|row| (row.partition_no, row)).collect();
        // The fence: only who holds the cursor where this work began may move it on.
        let (ours, lost): (Vec<_>, Vec<_>) = stretches.iter().partition(|stretch| {
            held.get(&number(stretch.partition))
                .is_some_and(|row| row.lease_owner == Some(owner) && row.after_seq == stretch.from_seq)
        });
        record(transaction.as_ref(), &ours).await?;
        let moved = ours.iter().filter_map(|stretch| {
            let row = held.get(&number(stretch.partition))?.clone();
            let after_seq = stretch.to_seq;
            Some(Model { after_seq, ..row }.into_active_model())
        });
        let moved: Vec<_> = moved.collect();
        if !moved.is_empty() {
            let mut conflict = OnConflict::column(Column::PartitionNo);
            Entity::insert_many(moved)
                .on_conflict(conflict.update_column(Column::AfterSeq).to_owned())
                .exec_without_returning(transaction.as_ref())
                .await?;
        }
        transaction.commit().await?;
        Ok(lost.into_iter().map(|stretch| stretch.partition).collect())
    }
}

/// Says that `owner` is alive until `until`, forgets who is no more; returns how many are.
async fn greet(transaction: &DatabaseTransaction, owner: Uuid, now: Timestamp, until: Timestamp) -> Result<usize> {
    let me = workers::Model {
        worker_id: owner,
        alive_until_us: until.as_microsecond(),
    };
    let mut conflict = OnConflict::column(workers::Column::WorkerId);
    workers::Entity::insert_many([me.into_active_model()])
        .on_conflict(conflict.update_column(workers::Column::AliveUntilUs).to_owned())
        .exec_without_returning(transaction)
        .await?;
    workers::Entity::delete_many()
        .filter(workers::Column::AliveUntilUs.lt(now.as_microsecond()))
        .exec(transaction)
        .await?;
    let alive = workers::Entity::find().count(transaction).await?;
    Ok(usize::try_from(alive).unwrap_or(usize::MAX))
}

/// Gives partitions to `owner`, or to nobody.
async fn hand(
    transaction: &DatabaseTransaction,
    partitions: &[Partition],
    owner: Option<Uuid>,
    until: Timestamp,
) -> Result<()> {
    if partitions.is_empty() {
        return Ok(());
    }
    Entity::update_many()
        .col_expr(Column::LeaseOwner, Expr::value(owner))
        .col_expr(Column::LeaseUntilUs, Expr::value(until.as_microsecond()))
        .filter(Column::PartitionNo.is_in(partitions.iter().copied().map(number)))
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
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(transaction)
            .await?;
    }
    let openings: Vec<_> = settled()
        .filter_map(|(order, opening)| Some((order.id, opening.clone()?)))
        .collect();
    cases::open(transaction, &openings).await
}
