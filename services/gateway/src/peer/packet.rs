//! The packet service: packet orders.

use std::{sync::Arc, time::Duration};

use cache::{Cache, Kind, Shared};
use id::PacketId;
use prost::Message;
use proto::{
    packet::v1::{
        CreatePacketRequest, GetPacketRequest, ListPacketsRequest, ListPacketsResponse, Packet, State,
        packet_service_client::PacketServiceClient,
    },
    terms::v1::Terms,
};
use runtime::{Channel, client::MAX_MESSAGE_BYTES};
use tonic::{Code, Status};

use super::{answer, promised};

/// Its name in errors.
const PEER: &str = "packet";

/// Terms of packets that are or were ACTIVE, which never change; nothing for an id that no packet has.
#[derive(Clone, Copy, Debug)]
struct KnownTerms;

impl Kind for KnownTerms {
    const NAME: &'static str = "terms";
    const LASTING: (Duration, Duration) = (Duration::from_mins(10), Duration::from_mins(5));
    /// Packet chooses its ids and tells them when the packet is there: nobody asks too early for an id that will be.
    const PASSING: Duration = Duration::from_secs(5);
    /// Some 600 bytes each.
    const CAPACITY: u64 = 100_000;
    type Key = PacketId;
    type Value = Arc<Terms>;

    fn name(packet: &PacketId) -> String {
        packet.to_string()
    }

    fn encode(terms: &Arc<Terms>) -> Vec<u8> {
        terms.encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Arc<Terms>> {
        Terms::decode(bytes).ok().map(Arc::new)
    }
}

/// Why there are no terms to remember.
enum Unknown {
    /// The packet was never ACTIVE, and may become so.
    NeverActive(Box<Packet>),
    /// The packet service did not say.
    Unsaid(Status),
}

/// The packet service.
#[derive(Clone, Debug)]
pub struct Packets {
    packets: PacketServiceClient<Channel>,
    known: Cache<KnownTerms>,
}

impl Packets {
    /// The packet service behind `channel`; what is remembered of it is shared through `shared`.
    pub fn new(channel: Channel, shared: Option<&Shared>) -> Self {
        Self {
            packets: PacketServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
            known: Cache::new(shared.cloned()),
        }
    }

    /// Sends a packet. The same request id gives the first answer (ID-1).
    pub async fn create(&self, request: CreatePacketRequest) -> Result<Option<Packet>, Status> {
        Ok(answer(PEER, self.packets.clone().create_packet(request)).await?.packet)
    }

    /// One packet as it is now. `NOT_FOUND` for an unknown id, which is remembered.
    pub async fn get(&self, packet_id: &str) -> Result<Packet, Status> {
        let Ok(id) = packet_id.parse::<PacketId>() else {
            return self.ask(packet_id).await;
        };
        if let Some(None) = self.known.peek(&id).await {
            return Err(status::not_found("packet", packet_id));
        }
        let asked = self.ask(packet_id).await;
        match &asked {
            Ok(packet) if was_active(packet) => {
                let terms = terms(packet)?.clone();
                self.known.learn(&id, Some(Arc::new(terms))).await;
            }
            Err(status) if status.code() == Code::NotFound => self.known.learn(&id, None).await,
            _ => {}
        }
        asked
    }

    /// The terms of a packet, and a state that is not newer: of whatever has been ACTIVE it is that. Asks nobody for a packet
    /// that it has seen ACTIVE.
    pub async fn terms(&self, packet_id: &str) -> Result<(State, Arc<Terms>), Status> {
        let of = |packet: &Packet| Ok((packet.state(), Arc::new(terms(packet)?.clone())));
        let Ok(id) = packet_id.parse::<PacketId>() else {
            return of(&self.ask(packet_id).await?);
        };
        let ask = async {
            match self.ask(packet_id).await {
                Ok(packet) if was_active(&packet) => {
                    let terms = terms(&packet).map_err(Unknown::Unsaid)?;
                    Ok(Some(Arc::new(terms.clone())))
                }
                Ok(packet) => Err(Unknown::NeverActive(Box::new(packet))),
                Err(status) if status.code() == Code::NotFound => Ok(None),
                Err(status) => Err(Unknown::Unsaid(status)),
            }
        };
        match self.known.get(&id, ask).await {
            Ok(Some(terms)) => Ok((State::Active, terms)),
            Ok(None) => Err(status::not_found("packet", packet_id)),
            Err(unknown) => match &*unknown {
                Unknown::NeverActive(packet) => of(packet),
                Unknown::Unsaid(status) => Err(status.clone()),
            },
        }
    }

    async fn ask(&self, packet_id: &str) -> Result<Packet, Status> {
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

fn was_active(packet: &Packet) -> bool {
    !matches!(packet.state(), State::Unspecified | State::Funding | State::Rejected)
}

/// The terms of a packet, which every packet has.
pub fn terms(packet: &Packet) -> Result<&Terms, Status> {
    promised(PEER, "terms", packet.terms.as_ref())
}
