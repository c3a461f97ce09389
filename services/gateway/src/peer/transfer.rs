//! The transfer service: transfer orders, repair cases, reconciliation.

use proto::transfer::v1::{
    GetRepairCaseRequest, ListRepairCasesRequest, ListRepairCasesResponse, ListTransfersRequest, ListTransfersResponse,
    ReconcileRequest, ReconcileResponse, RepairCase, ResolveRepairCaseRequest, ResolveRepairCaseResponse,
    RetryRepairCaseRequest, RetryRepairCaseResponse, transfer_service_client::TransferServiceClient,
};
use runtime::{Channel, client::MAX_MESSAGE_BYTES};
use tonic::Status;

use super::answer;

/// Its name in errors.
const PEER: &str = "transfer";

/// The transfer service.
#[derive(Clone, Debug)]
pub struct Transfers {
    transfers: TransferServiceClient<Channel>,
}

impl Transfers {
    /// The transfer service behind `channel`.
    pub fn new(channel: Channel) -> Self {
        Self {
            transfers: TransferServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
        }
    }

    /// Transfer orders, oldest first.
    pub async fn list(&self, request: ListTransfersRequest) -> Result<ListTransfersResponse, Status> {
        answer(PEER, self.transfers.clone().list_transfers(request)).await
    }

    /// Repair cases, oldest first.
    pub async fn cases(&self, request: ListRepairCasesRequest) -> Result<ListRepairCasesResponse, Status> {
        answer(PEER, self.transfers.clone().list_repair_cases(request)).await
    }

    /// One repair case.
    pub async fn case(&self, request: GetRepairCaseRequest) -> Result<Option<RepairCase>, Status> {
        Ok(answer(PEER, self.transfers.clone().get_repair_case(request))
            .await?
            .case)
    }

    /// Tries a case once more.
    pub async fn retry(&self, request: RetryRepairCaseRequest) -> Result<RetryRepairCaseResponse, Status> {
        answer(PEER, self.transfers.clone().retry_repair_case(request)).await
    }

    /// Ends a case by decision.
    pub async fn resolve(&self, request: ResolveRepairCaseRequest) -> Result<ResolveRepairCaseResponse, Status> {
        answer(PEER, self.transfers.clone().resolve_repair_case(request)).await
    }

    /// Holds a slice of the books against each other.
    pub async fn reconcile(&self, request: ReconcileRequest) -> Result<ReconcileResponse, Status> {
        answer(PEER, self.transfers.clone().reconcile(request)).await
    }
}
