//! What packet asks the grab service: to know a packet before it is ACTIVE, and to end it.

use async_trait::async_trait;
use id::PacketId;
use proto::grab::v1::{ClosePacketRequest, PreloadRequest, grab_service_client::GrabServiceClient};
use runtime::Channel;

use super::{Error, Result};
use crate::{
    domain::{Closed, Packet},
    wire,
};

const PEER: &str = "grab";

/// The gate in front of a packet's shares. Both calls are idempotent by packet.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Hands over terms and secrets, so that the first grab already meets a warm gate (预热).
    async fn preload(&self, packet: &Packet) -> Result<()>;

    /// Ends the packet: no claim can follow, and the sums are final (CLOSE-1).
    async fn close(&self, packet: PacketId) -> Result<Closed>;
}

/// [`Gate`] over gRPC.
#[derive(Clone, Debug)]
pub struct GateClient(GrabServiceClient<Channel>);

impl GateClient {
    /// A client on a channel to the grab service.
    pub fn new(channel: Channel) -> Self {
        Self(GrabServiceClient::new(channel))
    }
}

#[async_trait]
impl Gate for GateClient {
    async fn preload(&self, packet: &Packet) -> Result<()> {
        let digest = packet.passphrase.as_ref();
        let request = PreloadRequest {
            terms: Some(wire::terms(packet)),
            seed: packet.seed.as_bytes().to_vec(),
            passphrase_digest: digest.map(|digest| digest.as_bytes().to_vec()).unwrap_or_default(),
        };
        match self.0.clone().preload(request).await {
            Ok(_) => Ok(()),
            Err(status) => Err(Error::new(PEER, &status)),
        }
    }

    async fn close(&self, packet: PacketId) -> Result<Closed> {
        let request = ClosePacketRequest {
            packet_id: packet.to_string(),
        };
        let response = match self.0.clone().close_packet(request).await {
            Ok(response) => response.into_inner(),
            Err(status) => return Err(Error::new(PEER, &status)),
        };
        let close_time = response.close_time.as_ref().and_then(clock::from_proto);
        Ok(Closed {
            opened_count: response.opened_count,
            opened_fen: response.opened_fen,
            close_time: close_time.ok_or_else(|| Error::broken(PEER, "a close without its time"))?,
        })
    }
}
