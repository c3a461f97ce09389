//! The claim log, kept by the grab service.

use std::num::NonZeroU16;

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use id::Partition;
use proto::grab::v1 as wire;
use runtime::Channel;
use wire::grab_service_client::GrabServiceClient;

use super::PeerError;
use crate::domain::{Damage, LoggedClaim};

const PEER: &str = "grab";
/// Streams on one connection. HTTP/2 servers commonly allow 100 to 200 at a time, and calls need room beside the feeds.
const STREAMS_PER_CONNECTION: u16 = 90;
/// Most claims in one message: a settle batch.
const BATCH: i32 = 500;

/// The reason with which grab refuses a position that its log has not come to.
const BEYOND_END: &str = "SEQ_BEYOND_END";

/// A stretch of the log as it comes, message by message.
pub type Claims = BoxStream<'static, Result<Vec<LoggedClaim>, PeerError>>;

/// All claims of a partition in commit order (LOG-1).
#[async_trait]
pub trait ClaimLog: Send + Sync {
    /// The claims of `partition` behind `after_seq`. With `follow` the stream waits at the end of the log for more and ends
    /// only when the way to it is lost; without, it ends there.
    async fn tail(&self, partition: Partition, after_seq: i64, follow: bool) -> Result<Claims, PeerError>;

    /// Whether the log of `partition` has come to `seq`.
    async fn reaches(&self, partition: Partition, seq: i64) -> Result<bool, PeerError>;
}

/// The claim log over gRPC. It has as many connections as its feeds need.
#[derive(Clone, Debug)]
pub struct GrabLog {
    clients: Vec<GrabServiceClient<Channel>>,
    partitions: NonZeroU16,
}

impl GrabLog {
    /// The log of `partitions` partitions over connections that `channel` makes.
    pub fn new(channel: impl Fn() -> Channel, partitions: NonZeroU16) -> Self {
        let connections = partitions.get().div_ceil(STREAMS_PER_CONNECTION);
        let client = || GrabServiceClient::new(channel()).max_decoding_message_size(runtime::client::MAX_MESSAGE_BYTES);
        Self {
            clients: (0..connections).map(|_| client()).collect(),
            partitions,
        }
    }
}

#[async_trait]
impl ClaimLog for GrabLog {
    async fn tail(&self, partition: Partition, after_seq: i64, follow: bool) -> Result<Claims, PeerError> {
        let failed = |status: tonic::Status| PeerError::from_status(PEER, &status);
        let stream = self.open(partition, after_seq, follow).await.map_err(failed)?;
        let batches = stream.map(move |message| {
            let message = message.map_err(failed)?;
            Ok(stretch(partition, message))
        });
        Ok(batches.boxed())
    }

    async fn reaches(&self, partition: Partition, seq: i64) -> Result<bool, PeerError> {
        match self.open(partition, seq, false).await {
            Ok(_) => Ok(true),
            Err(status) if status::reason(&status) == BEYOND_END => Ok(false),
            Err(status) => Err(PeerError::from_status(PEER, &status)),
        }
    }
}

impl GrabLog {
    async fn open(
        &self,
        partition: Partition,
        after_seq: i64,
        follow: bool,
    ) -> Result<tonic::Streaming<wire::TailClaimsResponse>, tonic::Status> {
        let request = wire::TailClaimsRequest {
            partition: u32::from(partition.index()),
            after_seq,
            follow,
            max_batch: BATCH,
            partition_count: u32::from(self.partitions.get()),
        };
        let mut client = self.clients[usize::from(partition.index()) % self.clients.len()].clone();
        Ok(client.tail_claims(request).await?.into_inner())
    }
}

/// A message's positions in the order of the log.
fn stretch(partition: Partition, message: wire::TailClaimsResponse) -> Vec<LoggedClaim> {
    let claims = message.claims.into_iter().map(|claim| from_wire(partition, claim));
    let mut stretch: Vec<LoggedClaim> = claims.collect();
    if !message.unreadable.is_empty() {
        stretch.extend(message.unreadable.into_iter().map(|unreadable| {
            let damage = Damage {
                missing: unreadable.missing,
                facts: unreadable.facts,
            };
            LoggedClaim::damaged(partition, unreadable.seq, damage)
        }));
        stretch.sort_by_key(|claim| claim.seq);
    }
    stretch
}

fn from_wire(partition: Partition, claim: wire::Claim) -> LoggedClaim {
    LoggedClaim {
        partition,
        seq: claim.seq,
        packet_id: claim.packet_id,
        share_no: claim.share_no,
        user_id: claim.user_id,
        amount_fen: claim.amount_fen,
        at: claim.claim_time.as_ref().and_then(clock::from_proto),
        damage: None,
    }
}
