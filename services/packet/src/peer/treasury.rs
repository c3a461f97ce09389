//! What packet asks the transfer service: money into escrow, and what is left back out.

use async_trait::async_trait;
use proto::transfer::v1::{FundPacketRequest, RefundPacketRequest, transfer_service_client::TransferServiceClient};
use runtime::Channel;
use tonic::{Code, Status};

use super::{Error, Result};
use crate::domain::{Rejection, Terms};

const PEER: &str = "transfer";
/// Where the transfer service tells the balance that fell short.
const BALANCE: &str = "balance_fen";
/// Longest reason that is kept; reasons are short names (AIP-193 allows 63 characters).
const MAX_REASON_LEN: usize = 64;

/// What became of funding. Final either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Funding {
    /// The packet's total is in its escrow.
    Funded,
    /// It is not and never will be.
    Refused(Rejection),
}

/// The money of packets. Both calls are idempotent by packet.
#[async_trait]
pub trait Treasury: Send + Sync + 'static {
    /// Sender → escrow, the packet's total.
    async fn fund(&self, terms: &Terms) -> Result<Funding>;

    /// Escrow → sender, `refund_fen`; 0 moves nothing. When it returns, the money is with the sender or in a repair case.
    async fn refund(&self, terms: &Terms, refund_fen: i64) -> Result<()>;
}

/// [`Treasury`] over gRPC.
#[derive(Clone, Debug)]
pub struct TreasuryClient(TransferServiceClient<Channel>);

impl TreasuryClient {
    /// A client on a channel to the transfer service.
    pub fn new(channel: Channel) -> Self {
        Self(TransferServiceClient::new(channel))
    }
}

#[async_trait]
impl Treasury for TreasuryClient {
    async fn fund(&self, terms: &Terms) -> Result<Funding> {
        let request = FundPacketRequest {
            packet_id: terms.packet_id.to_string(),
            sender_id: terms.sender_id.clone().into(),
            amount_fen: terms.total_fen,
        };
        match self.0.clone().fund_packet(request).await {
            Ok(_) => Ok(Funding::Funded),
            Err(status) => rejection(&status)
                .map(Funding::Refused)
                .ok_or_else(|| Error::new(PEER, &status)),
        }
    }

    async fn refund(&self, terms: &Terms, refund_fen: i64) -> Result<()> {
        let request = RefundPacketRequest {
            packet_id: terms.packet_id.to_string(),
            sender_id: terms.sender_id.clone().into(),
            amount_fen: refund_fen,
        };
        match self.0.clone().refund_packet(request).await {
            Ok(_) => Ok(()),
            Err(status) => Err(Error::new(PEER, &status)),
        }
    }
}

/// A verdict, if the status is one: `FAILED_PRECONDITION` with a reason. Anything else may yet turn out well, and a packet
/// is never given up on a guess.
fn rejection(status: &Status) -> Option<Rejection> {
    let reason = status::reason(status);
    let verdict = status.code() == Code::FailedPrecondition && (1..=MAX_REASON_LEN).contains(&reason.len());
    verdict.then(|| Rejection {
        reason,
        balance_fen: status::metadata(status, BALANCE).and_then(|text| text.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_precondition_with_a_reason_is_a_verdict() {
        let short = status::precondition(
            "INSUFFICIENT_FUNDS",
            "alice",
            "short",
            [("balance_fen", "12".to_owned())],
        );
        let expected = Rejection {
            reason: "INSUFFICIENT_FUNDS".to_owned(),
            balance_fen: Some(12),
        };
        assert_eq!(rejection(&short), Some(expected));
        let frozen = status::precondition("ACCOUNT_FROZEN", "alice", "frozen", []);
        assert_eq!(rejection(&frozen).unwrap().balance_fen, None);
        for status in [
            Status::failed_precondition("from a proxy"),
            status::not_found("account", "alice"),
            status::internal("oh"),
            status::unavailable("x", "y", std::time::Duration::ZERO),
        ] {
            assert_eq!(rejection(&status), None, "{status:?}");
        }
    }
}
