//! Where the periodic run through the books stands, on SQL: one row.

use async_trait::async_trait;
use clock::{Timestamp, from_micros};
use sea_orm::{ActiveModelTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QuerySelect, sea_query::LockType};
use uuid::Uuid;

use super::{
    SqlStore,
    entity::runs::{Column, Entity, Model},
};
use crate::store::{Run, Runs};
use sql::{Error, Result, or_nothing, repeat};

/// The key of the one row.
pub const ONLY: i16 = 1;

#[async_trait]
impl Runs for SqlStore {
    async fn take_run(&self, owner: Uuid, due: Timestamp, now: Timestamp, until: Timestamp) -> Result<Option<Run>> {
        repeat(|| self.take_run_once(owner, due, now, until)).await
    }

    async fn keep_run(&self, owner: Uuid, run: &Run, until: Timestamp) -> Result<bool> {
        repeat(|| self.keep_run_once(owner, run, until)).await
    }
}

impl SqlStore {
    async fn take_run_once(
        &self,
        owner: Uuid,
        due: Timestamp,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Run>> {
        let transaction = self.database.begin().await?;
        let none = Model {
            only: ONLY,
            run_no: 0,
            begin_us: now.as_microsecond(),
            position: None,
            update_us: now.as_microsecond(),
            difference_count: 0,
            owner: None,
            hold_until_us: 0,
        };
        Entity::insert_many([none.into_active_model()])
            .on_conflict(or_nothing([Column::Only]))
            .exec_without_returning(transaction.as_ref())
            .await?;
        let row = locked(transaction.as_ref()).await?;
        let is_free = row.owner.is_none_or(|holder| holder == owner) || row.hold_until_us < now.as_microsecond();
        let is_due = row.position.is_some() || row.update_us <= due.as_microsecond();
        if !is_free || !is_due {
            transaction.commit().await?; // the row, where this was the first look
            return Ok(None);
        }
        let mut taken = row.clone();
        if row.position.is_none() {
            taken = Model {
                run_no: row.run_no.saturating_add(1),
                begin_us: now.as_microsecond(),
                position: Some(String::new()),
                update_us: now.as_microsecond(),
                difference_count: 0,
                ..row
            };
        }
        taken.owner = Some(owner);
        taken.hold_until_us = until.as_microsecond();
        store(transaction.as_ref(), taken.clone()).await?;
        transaction.commit().await?;
        Ok(Some(Run {
            run_no: taken.run_no,
            begun: from_micros(taken.begin_us),
            position: taken.position,
            updated: from_micros(taken.update_us),
            difference_count: taken.difference_count,
        }))
    }

    async fn keep_run_once(&self, owner: Uuid, run: &Run, until: Timestamp) -> Result<bool> {
        let transaction = self.database.begin().await?;
        let row = locked(transaction.as_ref()).await?;
        if row.owner != Some(owner) || row.run_no != run.run_no {
            return Ok(false);
        }
        let kept = Model {
            begin_us: run.begun.as_microsecond(),
            position: run.position.clone(),
            update_us: run.updated.as_microsecond(),
            difference_count: run.difference_count,
            hold_until_us: until.as_microsecond(),
            ..row
        };
        store(transaction.as_ref(), kept).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

async fn locked(transaction: &DatabaseTransaction) -> Result<Model> {
    let row = Entity::find_by_id(ONLY).lock(LockType::Update).one(transaction).await?;
    row.ok_or_else(|| Error::inconsistent("reconciliations is empty"))
}

async fn store(transaction: &DatabaseTransaction, row: Model) -> Result<()> {
    let mut row = row.into_active_model().reset_all();
    row.only = sea_orm::ActiveValue::Unchanged(ONLY);
    row.update_without_returning(transaction).await?;
    Ok(())
}
