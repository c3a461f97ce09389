//! `RedPacketService`: send, grab, open, look.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use futures::{StreamExt, future, stream, stream::BoxStream};
use proto::{
    gateway::v1::{
        GetPacketRequest, GetPacketResponse, GrabPacketRequest, GrabPacketResponse, ListClaimsRequest,
        ListClaimsResponse, OpenPacketRequest, OpenPacketResponse, SendPacketRequest, SendPacketResponse,
        WatchPacketRequest, WatchPacketResponse, red_packet_service_server::RedPacketService,
    },
    grab::v1::{GrabRequest, OpenRequest},
    packet::v1::CreatePacketRequest,
};
use runtime::Process;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::take;
use crate::{
    peer::{Feed, Peers, RETRY_DELAY},
    view,
};

/// When it is worth asking for a feed again: others end when their packets do.
const WATCH_RETRY_DELAY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Clone, Debug)]
pub struct RedPackets {
    peers: Peers,
    process: Process,
    watchers: Arc<Semaphore>,
}

impl RedPackets {
    /// The service over `peers`; its feeds, at most `max_watchers` at once, end when `process` stops.
    pub fn new(peers: Peers, process: Process, max_watchers: NonZeroU16) -> Self {
        Self {
            peers,
            process,
            watchers: Arc::new(Semaphore::new(max_watchers.get().into())),
        }
    }
}

#[tonic::async_trait]
impl RedPacketService for RedPackets {
    async fn send_packet(&self, request: Request<SendPacketRequest>) -> Result<Response<SendPacketResponse>, Status> {
        let (caller, wanted) = take(request)?;
        let packet = self
            .peers
            .packet
            .create(CreatePacketRequest {
                request_id: wanted.request_id,
                sender_id: caller.user_id.into(),
                kind: wanted.kind,
                total_fen: wanted.total_fen,
                share_count: wanted.share_count,
                share_cap_fen: wanted.share_cap_fen,
                audience: wanted.audience,
                passphrase: wanted.passphrase,
                start_time: wanted.start_time,
                lifetime: wanted.lifetime,
                greeting: wanted.greeting,
                cover: wanted.cover,
            })
            .await?;
        Ok(Response::new(SendPacketResponse { packet }))
    }

    async fn grab_packet(&self, request: Request<GrabPacketRequest>) -> Result<Response<GrabPacketResponse>, Status> {
        let (caller, wanted) = take(request)?;
        let outcome = self
            .peers
            .grab
            .grab(GrabRequest {
                packet_id: wanted.packet_id,
                user_id: caller.user_id.into(),
                passphrase: wanted.passphrase,
                open: wanted.open,
            })
            .await?;
        Ok(Response::new(GrabPacketResponse { outcome: Some(outcome) }))
    }

    async fn open_packet(&self, request: Request<OpenPacketRequest>) -> Result<Response<OpenPacketResponse>, Status> {
        let (caller, wanted) = take(request)?;
        let outcome = self
            .peers
            .grab
            .open(OpenRequest {
                packet_id: wanted.packet_id,
                user_id: caller.user_id.into(),
                voucher: wanted.voucher,
            })
            .await?;
        Ok(Response::new(OpenPacketResponse { outcome: Some(outcome) }))
    }

    async fn get_packet(&self, request: Request<GetPacketRequest>) -> Result<Response<GetPacketResponse>, Status> {
        let (caller, wanted) = take(request)?;
        let view = view::packet(&self.peers, &caller, &wanted.packet_id).await?;
        Ok(Response::new(view))
    }

    async fn list_claims(&self, request: Request<ListClaimsRequest>) -> Result<Response<ListClaimsResponse>, Status> {
        let (caller, wanted) = take(request)?;
        Ok(Response::new(view::claims(&self.peers, &caller, wanted).await?))
    }

    type WatchPacketStream = BoxStream<'static, Result<WatchPacketResponse, Status>>;

    async fn watch_packet(
        &self,
        request: Request<WatchPacketRequest>,
    ) -> Result<Response<Self::WatchPacketStream>, Status> {
        let (caller, wanted) = take(request)?;
        let place = self.watchers.clone().try_acquire_owned().map_err(|_| {
            status::exhausted(
                "TOO_MANY_STREAMS",
                "too many watch packets here just now: try again later, or list the claims",
                WATCH_RETRY_DELAY,
            )
        })?;
        let feed = view::watch(&self.peers, &caller, &wanted.packet_id).await?;
        let events = until_stop(feed, self.process.clone()).map(move |event| {
            let _held = &place; // as long as the feed is open
            event.map(|event| WatchPacketResponse { event: Some(event) })
        });
        Ok(Response::new(events.boxed()))
    }
}

/// `feed`, ended when `process` stops: a stop waits for open streams, and a feed may last for days. It ends with
/// UNAVAILABLE then, so that its reader knows that there is more to come elsewhere.
fn until_stop(feed: Feed, process: Process) -> Feed {
    let stopping = process.clone();
    let farewell = stream::once(async move {
        process
            .is_stopping()
            .then(|| Err(status::unavailable("the feed", "the gateway is stopping", RETRY_DELAY)))
    })
    .filter_map(future::ready);
    feed.take_until(Box::pin(async move { stopping.stopping().await }))
        .chain(farewell)
        .boxed()
}
