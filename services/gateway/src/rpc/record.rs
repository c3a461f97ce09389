//! `RecordService`: what the caller sent and received.

use proto::{
    gateway::v1::{
        GetYearSummaryRequest, GetYearSummaryResponse, ListReceivedRequest, ListReceivedResponse, ListSentRequest,
        ListSentResponse, record_service_server::RecordService,
    },
    grab::v1::SummarizeUserRequest,
};
use tonic::{Request, Response, Status};

use super::take;
use crate::{peer::Peers, view};

/// See the module.
#[derive(Clone, Debug)]
pub struct Records {
    peers: Peers,
}

impl Records {
    /// The service over `peers`.
    pub fn new(peers: Peers) -> Self {
        Self { peers }
    }
}

#[tonic::async_trait]
impl RecordService for Records {
    async fn list_sent(&self, request: Request<ListSentRequest>) -> Result<Response<ListSentResponse>, Status> {
        let (caller, page) = take(request)?;
        Ok(Response::new(view::sent(&self.peers, &caller.user_id, page).await?))
    }

    async fn list_received(
        &self,
        request: Request<ListReceivedRequest>,
    ) -> Result<Response<ListReceivedResponse>, Status> {
        let (caller, page) = take(request)?;
        Ok(Response::new(view::received(&self.peers, &caller.user_id, page).await?))
    }

    async fn get_year_summary(
        &self,
        request: Request<GetYearSummaryRequest>,
    ) -> Result<Response<GetYearSummaryResponse>, Status> {
        let (caller, wanted) = take(request)?;
        let received = self
            .peers
            .grab
            .summary(SummarizeUserRequest {
                user_id: caller.user_id.into(),
                year: wanted.year,
            })
            .await?;
        Ok(Response::new(GetYearSummaryResponse {
            received: Some(received),
        }))
    }
}
