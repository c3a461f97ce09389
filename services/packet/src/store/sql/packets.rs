//! [`Packets`] over SQL.

use ::sql::{Database, Error, Result};
use async_trait::async_trait;
use clock::Timestamp;
use futures::future::try_join_all;
use id::PacketId;
use paging::Page;
use sea_orm::{ActiveModelBehavior, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{SqlStore, entity::packets, rows};
use crate::{
    domain::{Due, Packet, State},
    store::{Of, Packets},
};

#[async_trait]
impl Packets for SqlStore {
    async fn insert(&self, packet: &Packet, due: Timestamp) -> Result<Packet> {
        let (database, row) = (self.of_packet(packet.id()), rows::packet_row(packet, due)?);
        let inserted = database.repeat(|| async {
            let transaction = database.begin().await?;
            let row = packets::Entity::insert(row.clone());
            match row
                .exec_without_returning(transaction.as_ref())
                .await
                .map_err(Error::from)
            {
                Ok(_) => transaction.commit().await.map(|()| true),
                Err(Error::Conflict(_)) => transaction.rollback().await.map(|()| false),
                Err(fault) => Err(fault),
            }
        });
        if inserted.await? {
            return Ok(packet.clone());
        }
        let first = packets::Entity::find_by_id(packet.id().as_uuid()).one(database.read());
        rows::packet(
            first
                .await?
                .ok_or_else(|| Error::inconsistent("a packet that is and is not there"))?,
        )
    }

    async fn get(&self, ids: &[PacketId]) -> Result<Vec<Packet>> {
        let mut by_shard = vec![Vec::new(); self.shards.iter().len()];
        for id in ids {
            by_shard[self.shard_no(*id)].push(id.as_uuid());
        }
        let asked = self.shards.iter().zip(by_shard).filter(|(_, ids)| !ids.is_empty());
        let found = asked.map(|(database, ids)| async move {
            let rows = packets::Entity::find().filter(packets::Column::PacketId.is_in(ids));
            Ok::<_, Error>(rows.all(database.read()).await?)
        });
        let found = try_join_all(found).await?;
        found.into_iter().flatten().map(rows::packet).collect()
    }

    async fn list(&self, of: &Of, page: &Page<PacketId>) -> Result<Vec<Packet>> {
        // Whatever the page is, no database has more of it than the whole page.
        let pages = self.shards.iter().map(|database| list_in(database, of, page));
        let mut rows = try_join_all(pages).await?.concat();
        rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.packet_id));
        rows.truncate(usize::try_from(page.fetch()).unwrap_or(usize::MAX));
        rows.into_iter().map(rows::packet).collect()
    }

    async fn change(&self, packet: &Packet, next: &State) -> Result<bool> {
        let mut row = packets::ActiveModel::new();
        rows::set_state(&mut row, next)?;
        row.attempts = Set(0);
        match packet.due(next) {
            Due::At(due) => row.due_us = Set(Some(due.as_microsecond())),
            Due::Unchanged => {}
            Due::Never => row.due_us = Set(None),
        }
        let mut update = packets::Entity::update_many()
            .set(row)
            .filter(packets::Column::PacketId.eq(packet.id().as_uuid()))
            .filter(packets::Column::State.eq(rows::phase_code(packet.state.phase())));
        if packet.state == State::Closing(None) {
            update = update.filter(packets::Column::CloseUs.is_null()); // the first sums stay (CLOSE-1)
        }
        let database = self.of_packet(packet.id());
        database
            .repeat(|| async {
                let transaction = database.begin().await?;
                let changed = update.clone().exec(transaction.as_ref()).await?.rows_affected;
                transaction.commit().await?;
                Ok(changed > 0)
            })
            .await
    }
}

/// A page of what one database holds.
async fn list_in(database: &Database, of: &Of, page: &Page<PacketId>) -> Result<Vec<packets::Model>> {
    let mut query = packets::Entity::find().filter(match of {
        Of::Sender(user) => packets::Column::SenderId.eq(user.as_str()),
        Of::Group(group) => packets::Column::GroupId.eq(group.as_str()),
    });
    if let Some(after) = page.after {
        query = query.filter(packets::Column::PacketId.lt(after.as_uuid()));
    }
    let rows = query.order_by_desc(packets::Column::PacketId).limit(page.fetch());
    Ok(rows.all(database.read()).await?)
}
