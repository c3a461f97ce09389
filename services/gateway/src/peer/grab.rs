//! The grab service: grabs, opens, claims.

use futures::{StreamExt, stream::BoxStream};
use proto::grab::v1::{
    BatchGetProgressRequest, GrabRequest, GrabResponse, ListClaimsRequest, ListClaimsResponse, ListUserClaimsRequest,
    ListUserClaimsResponse, OpenRequest, OpenResponse, Progress, SummarizeUserRequest, SummarizeUserResponse,
    WatchPacketRequest, WatchPacketResponse, grab_service_client::GrabServiceClient,
};
use runtime::{Channel, client::MAX_MESSAGE_BYTES};
use tonic::{Code, Status};

use super::{answer, error::pass_on};

/// Its name in errors.
const PEER: &str = "grab";

/// One event of a packet's feed.
pub type Event = WatchPacketResponse;
/// A packet's feed: its claims as they are made. An error ends it.
pub type Feed = BoxStream<'static, Result<Event, Status>>;

/// The grab service.
#[derive(Clone, Debug)]
pub struct Grabs {
    grabs: GrabServiceClient<Channel>,
}

impl Grabs {
    /// The grab service behind `channel`.
    pub fn new(channel: Channel) -> Self {
        Self {
            grabs: GrabServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
        }
    }

    /// Asks for a share (抢).
    pub async fn grab(&self, request: GrabRequest) -> Result<GrabResponse, Status> {
        answer(PEER, self.grabs.clone().grab(request)).await
    }

    /// Redeems a voucher (拆).
    pub async fn open(&self, request: OpenRequest) -> Result<OpenResponse, Status> {
        answer(PEER, self.grabs.clone().open(request)).await
    }

    /// A page of a packet's claims with its progress; `None` where grab does not know the packet, because it is not
    /// ACTIVE yet or was REJECTED.
    pub async fn claims(&self, request: ListClaimsRequest) -> Result<Option<ListClaimsResponse>, Status> {
        known(answer(PEER, self.grabs.clone().list_claims(request)).await)
    }

    /// Progress of many packets with one call (at most 100), none for an empty list. Unknown packets are left out.
    pub async fn progress(&self, packet_ids: Vec<String>) -> Result<Vec<Progress>, Status> {
        if packet_ids.is_empty() {
            return Ok(Vec::new());
        }
        let request = BatchGetProgressRequest { packet_ids };
        Ok(answer(PEER, self.grabs.clone().batch_get_progress(request))
            .await?
            .progress)
    }

    /// The claims of one user, newest first.
    pub async fn claims_of(&self, request: ListUserClaimsRequest) -> Result<ListUserClaimsResponse, Status> {
        answer(PEER, self.grabs.clone().list_user_claims(request)).await
    }

    /// What one user received in one year.
    pub async fn summary(&self, request: SummarizeUserRequest) -> Result<SummarizeUserResponse, Status> {
        answer(PEER, self.grabs.clone().summarize_user(request)).await
    }

    /// The feed of one packet; `None` where grab does not know it, as for [`Grabs::claims`].
    pub async fn watch(&self, packet_id: &str) -> Result<Option<Feed>, Status> {
        let request = WatchPacketRequest {
            packet_id: packet_id.to_owned(),
        };
        let feed = known(answer(PEER, self.grabs.clone().watch_packet(request)).await)?;
        Ok(feed.map(|feed| feed.map(|event| event.map_err(|status| pass_on(PEER, &status))).boxed()))
    }
}

/// A packet unknown to grab is an expected answer to those who know it from packet.
fn known<T>(answer: Result<T, Status>) -> Result<Option<T>, Status> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(status),
    }
}
