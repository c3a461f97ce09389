//! The RPCs: parse → call → render.

#[doc(hidden)]
pub mod convert;
mod error;

use clock::SharedClock;
use proto::packet::v1::{
    BatchGetPacketsRequest, BatchGetPacketsResponse, CreatePacketRequest, CreatePacketResponse, GetPacketRequest,
    GetPacketResponse, ListPacketsRequest, ListPacketsResponse, packet_service_server::PacketService,
};
use tonic::{Request, Response, Status, async_trait};

use crate::{
    domain::Limits,
    ops::{query::Query, send::Send},
};

/// `hongbao.packet.v1.PacketService`.
pub struct Rpc {
    /// Sends.
    pub send: Send,
    /// Reads.
    pub query: Query,
    /// What an order may ask for.
    pub limits: Limits,
    /// The hour.
    pub clock: SharedClock,
}

#[async_trait]
impl PacketService for Rpc {
    async fn create_packet(
        &self,
        request: Request<CreatePacketRequest>,
    ) -> Result<Response<CreatePacketResponse>, Status> {
        let order = convert::order(request.into_inner(), &self.limits, self.clock.now())?;
        let packet = self.send.send(&order).await.map_err(error::status)?;
        Ok(Response::new(CreatePacketResponse {
            packet: Some(convert::packet(&packet)),
        }))
    }

    async fn get_packet(&self, request: Request<GetPacketRequest>) -> Result<Response<GetPacketResponse>, Status> {
        let id = convert::packet_id(&request.into_inner())?;
        let packet = self.query.get(id).await.map_err(error::status)?;
        Ok(Response::new(GetPacketResponse {
            packet: Some(convert::packet(&packet)),
        }))
    }

    async fn batch_get_packets(
        &self,
        request: Request<BatchGetPacketsRequest>,
    ) -> Result<Response<BatchGetPacketsResponse>, Status> {
        let ids = convert::packet_ids(&request.into_inner())?;
        let packets = self.query.batch(&ids).await.map_err(error::status)?;
        Ok(Response::new(BatchGetPacketsResponse {
            packets: packets.iter().map(convert::packet).collect(),
        }))
    }

    async fn list_packets(
        &self,
        request: Request<ListPacketsRequest>,
    ) -> Result<Response<ListPacketsResponse>, Status> {
        let (of, page) = convert::list(&request.into_inner())?;
        let (packets, next_page_token) = self.query.list(&of, &page).await.map_err(error::status)?;
        Ok(Response::new(ListPacketsResponse {
            packets: packets.iter().map(convert::packet).collect(),
            next_page_token,
        }))
    }
}
