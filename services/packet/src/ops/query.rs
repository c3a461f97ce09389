//! Reading packets.

use std::{collections::HashMap, sync::Arc};

use id::PacketId;
use paging::Page;

use super::Error;
use crate::{
    domain::Packet,
    store::{Of, Packets},
};

/// Reads packets.
pub struct Query {
    /// The packets.
    pub packets: Arc<dyn Packets>,
}

impl Query {
    /// One packet.
    pub async fn get(&self, id: PacketId) -> Result<Packet, Error> {
        self.packets.get(&[id]).await?.pop().ok_or(Error::PacketNotFound(id))
    }

    /// Those of `ids` that exist, in that order.
    pub async fn batch(&self, ids: &[PacketId]) -> Result<Vec<Packet>, Error> {
        let found = self.packets.get(ids).await?;
        let by_id: HashMap<PacketId, Packet> = found.into_iter().map(|packet| (packet.id(), packet)).collect();
        Ok(ids.iter().filter_map(|id| by_id.get(id).cloned()).collect())
    }

    /// A page, newest first, and the token of the next.
    pub async fn list(&self, of: &Of, page: &Page<PacketId>) -> Result<(Vec<Packet>, String), Error> {
        Ok(page.cut(self.packets.list(of, page).await?, Packet::id))
    }
}
