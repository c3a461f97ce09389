//! The packet service: packet orders.

use proto::{
    packet::v1::{
        CreatePacketRequest, GetPacketRequest, ListPacketsRequest, ListPacketsResponse, Packet,
        packet_service_client::PacketServiceClient,
    },
    terms::v1::Terms,
};
use runtime::{Channel, client::MAX_MESSAGE_BYTES};
use tonic::Status;

use super::{answer, promised};

/// Its name in errors.
const PEER: &str = "packet";

/// The packet service.
#[derive(Clone, Debug)]
pub struct Packets {
    packets: PacketServiceClient<Channel>,
}

impl Packets {
    /// The packet service behind `channel`.
    pub fn new(channel: Channel) -> Self {
        Self {
            packets: PacketServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
        }
    }

    /// Sends a packet. The same request id gives the first answer (ID-1).
    pub async fn create(&self, request: CreatePacketRequest) -> Result<Option<Packet>, Status> {
        Ok(answer(PEER, self.packets.clone().create_packet(request)).await?.packet)
    }

    /// One packet.
    pub async fn get(&self, packet_id: &str) -> Result<Packet, Status> {
        let request = GetPacketRequest {
            packet_id: packet_id.to_owned(),
        };
        let response = answer(PEER, self.packets.clone().get_packet(request)).await?;
        promised(PEER, "packet", response.packet)
    }

    /// Packets of one sender or one group, newest first.
    pub async fn list(&self, request: ListPacketsRequest) -> Result<ListPacketsResponse, Status> {
        answer(PEER, self.packets.clone().list_packets(request)).await
    }
}

/// The terms of a packet, which every packet has.
pub fn terms(packet: &Packet) -> Result<&Terms, Status> {
    promised(PEER, "terms", packet.terms.as_ref())
}
