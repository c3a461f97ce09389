//! Preload (预热): a packet's promise is stored and its gate warmed, before the packet becomes active.

use std::sync::Arc;

use super::{Error, Race};
use crate::{domain::terms::Promise, store::Stored};

impl Race {
    /// Stores a promise and warms the gate. Safe to repeat and to stop anywhere.
    pub async fn preload(&self, promise: Promise) -> Result<(), Error> {
        let packet = Arc::new(self.packets.make(promise)?);
        if self.promises.keep(packet.promise(), packet.partition()).await? == Stored::Other {
            return Err(Error::OtherPromise(packet.id()));
        }
        self.packets.put(packet.clone()).await;
        Ok(self.gate.warm(packet).await?)
    }
}
