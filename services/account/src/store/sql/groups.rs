//! Groups and who is in them.

use std::collections::BTreeSet;

use ::sql::{Error, Result};
use async_trait::async_trait;
use clock::Timestamp;
use id::{GroupId, UserId};
use paging::Page;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, Order, Query},
};

use super::{
    SqlStore,
    entity::{group, group_member, user},
    row,
};
use crate::{
    domain::people::{Group, User},
    store::Groups,
};

#[async_trait]
impl Groups for SqlStore {
    async fn create(&self, group: &Group, members: &[UserId]) -> Result<Group> {
        self.database.repeat(|| self.try_create(group, members)).await
    }

    async fn group(&self, group: &GroupId) -> Result<Option<Group>> {
        read(self.database.read(), group).await
    }

    async fn add_members(&self, group: &GroupId, users: &[UserId], now: Timestamp) -> Result<()> {
        self.database.repeat(|| self.try_add_members(group, users, now)).await
    }

    async fn remove_members(&self, group: &GroupId, users: &[UserId]) -> Result<()> {
        self.database.repeat(|| self.try_remove_members(group, users)).await
    }

    async fn check_members(&self, group: &GroupId, users: &[UserId]) -> Result<Vec<UserId>> {
        let ids: Vec<String> = group_member::Entity::find()
            .select_only()
            .column(group_member::Column::UserId)
            .filter(group_member::Column::GroupId.eq(group.as_str()))
            .filter(group_member::Column::UserId.is_in(users.iter().map(UserId::as_str)))
            .into_tuple()
            .all(self.database.read())
            .await?;
        ids.iter().map(|id| row::name("group_members.user_id", id)).collect()
    }

    async fn members(&self, group: &GroupId, page: &Page<UserId>) -> Result<Vec<User>> {
        let read = self.database.read();
        let statement = read.get_database_backend().build(&members_query(group, page));
        let rows = user::Model::find_by_statement(statement).all(read).await?;
        rows.into_iter().map(row::user).collect()
    }
}

impl SqlStore {
    async fn try_create(&self, group: &Group, members: &[UserId]) -> Result<Group> {
        let tx = self.database.begin().await?;
        if let Some(existing) = read(tx.as_ref(), &group.id).await? {
            return Ok(existing);
        }
        group::Entity::insert(group::ActiveModel {
            group_id: Set(group.id.to_string()),
            display_name: Set(group.display_name.clone()),
            owner_id: Set(group.owner.to_string()),
            create_us: Set(group.create_time.as_microsecond()),
        })
        .exec_without_returning(tx.as_ref())
        .await?;
        insert_members(tx.as_ref(), &group.id, members, group.create_time).await?;
        let created = read(tx.as_ref(), &group.id).await?;
        tx.commit().await?;
        created.ok_or_else(|| Error::inconsistent(format!("group {} vanished while it was created", group.id)))
    }

    async fn try_add_members(&self, group: &GroupId, users: &[UserId], now: Timestamp) -> Result<()> {
        let tx = self.database.begin().await?;
        insert_members(tx.as_ref(), group, users, now).await?;
        tx.commit().await
    }

    async fn try_remove_members(&self, group: &GroupId, users: &[UserId]) -> Result<()> {
        let tx = self.database.begin().await?;
        group_member::Entity::delete_many()
            .filter(group_member::Column::GroupId.eq(group.as_str()))
            .filter(group_member::Column::UserId.is_in(users.iter().map(UserId::as_str)))
            .exec(tx.as_ref())
            .await?;
        tx.commit().await
    }
}

async fn read(connection: &impl ConnectionTrait, id: &GroupId) -> Result<Option<Group>> {
    let Some(found) = group::Entity::find_by_id(id.as_str()).one(connection).await? else {
        return Ok(None);
    };
    let member_count = group_member::Entity::find()
        .filter(group_member::Column::GroupId.eq(id.as_str()))
        .count(connection)
        .await?;
    row::group(found, member_count).map(Some)
}

/// Writes them in the order of their ids, so that two that add the same users do not wait for each other in a circle.
async fn insert_members(
    connection: &impl ConnectionTrait,
    group: &GroupId,
    users: &[UserId],
    now: Timestamp,
) -> Result<()> {
    let users: BTreeSet<&str> = users.iter().map(UserId::as_str).collect();
    group_member::Entity::insert_many(users.into_iter().map(|user| group_member::ActiveModel {
        group_id: Set(group.to_string()),
        user_id: Set(user.to_string()),
        create_us: Set(now.as_microsecond()),
    }))
    .on_conflict_do_nothing_on([group_member::Column::GroupId, group_member::Column::UserId])
    .exec_without_returning(connection)
    .await?;
    Ok(())
}

fn members_query(group: &GroupId, page: &Page<UserId>) -> sea_orm::sea_query::SelectStatement {
    let member = |column| Expr::col((group_member::Entity, column));
    let mut query = Query::select();
    query
        .columns([
            (user::Entity, user::Column::UserId),
            (user::Entity, user::Column::DisplayName),
            (user::Entity, user::Column::CreateUs),
        ])
        .from(group_member::Entity)
        .inner_join(
            user::Entity,
            Expr::col((user::Entity, user::Column::UserId)).eq(member(group_member::Column::UserId)),
        )
        .and_where(member(group_member::Column::GroupId).eq(group.as_str()))
        .order_by((group_member::Entity, group_member::Column::UserId), Order::Asc)
        .limit(page.fetch());
    if let Some(after) = &page.after {
        query.and_where(member(group_member::Column::UserId).gt(after.as_str()));
    }
    query
}
