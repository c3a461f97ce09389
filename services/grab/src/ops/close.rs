//! Close: no claim can follow.

use id::PacketId;

use super::{Error, Race};
use crate::domain::claim::Closing;

impl Race {
    /// Ends a packet in its partition's commit order: every claim is before the close or refused (CLOSE-1). Repeating it
    /// gives the first answer.
    pub async fn close(&self, packet_id: PacketId) -> Result<Closing, Error> {
        let packet = self.packets.get(packet_id).await?;
        Ok(self.writer.close(&packet).await?)
    }
}
