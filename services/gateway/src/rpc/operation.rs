//! `OperationService`: for operators. The guard in front of it lets nobody else in.

use proto::{
    account,
    gateway::v1::{
        DepositRequest, DepositResponse, FreezeAccountRequest, FreezeAccountResponse, GetRepairCaseRequest,
        GetRepairCaseResponse, ListRepairCasesRequest, ListRepairCasesResponse, ListTransfersRequest,
        ListTransfersResponse, OpenAccountRequest, OpenAccountResponse, ReconcileRequest, ReconcileResponse,
        ResolveRepairCaseRequest, ResolveRepairCaseResponse, RetryRepairCaseRequest, RetryRepairCaseResponse,
        UnfreezeAccountRequest, UnfreezeAccountResponse, VerifyLedgerRequest, VerifyLedgerResponse,
        operation_service_server::OperationService, resolve_repair_case_request as asked,
    },
    transfer::v1::{self as transfer, list_transfers_request::Of, resolve_repair_case_request as passed},
};
use tonic::{Request, Response, Status};

use super::take;
use crate::{identity::Caller, peer::Peers};

/// See the module.
#[derive(Clone, Debug)]
pub struct Operations {
    peers: Peers,
}

impl Operations {
    /// The service over `peers`.
    pub fn new(peers: Peers) -> Self {
        Self { peers }
    }
}

/// Leaves in the log who asked for what: account keeps the reason of a freeze, but not whose it was.
fn note(operator: &Caller, act: &'static str, subject: &str) {
    tracing::info!(operator = operator.user_id.as_str(), act, subject, "operation");
}

#[tonic::async_trait]
impl OperationService for Operations {
    async fn open_account(
        &self,
        request: Request<OpenAccountRequest>,
    ) -> Result<Response<OpenAccountResponse>, Status> {
        let (operator, wanted) = take(request)?;
        note(&operator, "open account", &wanted.user_id);
        let opened = self
            .peers
            .account
            .open(account::v1::OpenAccountRequest {
                user_id: wanted.user_id,
                display_name: wanted.display_name,
            })
            .await?;
        Ok(Response::new(OpenAccountResponse {
            user: opened.user,
            account: opened.account,
        }))
    }

    async fn deposit(&self, request: Request<DepositRequest>) -> Result<Response<DepositResponse>, Status> {
        let (operator, wanted) = take(request)?;
        note(&operator, "deposit", &wanted.user_id);
        let account = self
            .peers
            .account
            .deposit(account::v1::DepositRequest {
                request_id: wanted.request_id,
                user_id: wanted.user_id,
                amount_fen: wanted.amount_fen,
            })
            .await?;
        Ok(Response::new(DepositResponse { account }))
    }

    async fn freeze_account(
        &self,
        request: Request<FreezeAccountRequest>,
    ) -> Result<Response<FreezeAccountResponse>, Status> {
        let (operator, wanted) = take(request)?;
        note(&operator, "freeze account", &wanted.user_id);
        let account = self
            .peers
            .account
            .freeze(account::v1::FreezeAccountRequest {
                user_id: wanted.user_id,
                reason: wanted.reason,
            })
            .await?;
        Ok(Response::new(FreezeAccountResponse { account }))
    }

    async fn unfreeze_account(
        &self,
        request: Request<UnfreezeAccountRequest>,
    ) -> Result<Response<UnfreezeAccountResponse>, Status> {
        let (operator, wanted) = take(request)?;
        note(&operator, "unfreeze account", &wanted.user_id);
        let account = self
            .peers
            .account
            .unfreeze(account::v1::UnfreezeAccountRequest {
                user_id: wanted.user_id,
                reason: wanted.reason,
            })
            .await?;
        Ok(Response::new(UnfreezeAccountResponse { account }))
    }

    async fn list_repair_cases(
        &self,
        request: Request<ListRepairCasesRequest>,
    ) -> Result<Response<ListRepairCasesResponse>, Status> {
        let (_, wanted) = take(request)?;
        let page = self
            .peers
            .transfer
            .cases(transfer::ListRepairCasesRequest {
                state: wanted.state,
                page_size: wanted.page_size,
                page_token: wanted.page_token,
            })
            .await?;
        Ok(Response::new(ListRepairCasesResponse {
            cases: page.cases,
            next_page_token: page.next_page_token,
        }))
    }

    async fn get_repair_case(
        &self,
        request: Request<GetRepairCaseRequest>,
    ) -> Result<Response<GetRepairCaseResponse>, Status> {
        let (_, wanted) = take(request)?;
        let case_id = wanted.case_id;
        let case = self
            .peers
            .transfer
            .case(transfer::GetRepairCaseRequest { case_id })
            .await?;
        Ok(Response::new(GetRepairCaseResponse { case }))
    }

    async fn retry_repair_case(
        &self,
        request: Request<RetryRepairCaseRequest>,
    ) -> Result<Response<RetryRepairCaseResponse>, Status> {
        let (operator, wanted) = take(request)?;
        note(&operator, "retry repair case", &wanted.case_id);
        let answer = self
            .peers
            .transfer
            .retry(transfer::RetryRepairCaseRequest {
                case_id: wanted.case_id,
                operator_id: operator.user_id.into(),
                reason: wanted.reason,
                request_id: wanted.request_id,
            })
            .await?;
        Ok(Response::new(RetryRepairCaseResponse {
            case: answer.case,
            outcome: answer.outcome,
        }))
    }

    async fn resolve_repair_case(
        &self,
        request: Request<ResolveRepairCaseRequest>,
    ) -> Result<Response<ResolveRepairCaseResponse>, Status> {
        let (operator, wanted) = take(request)?;
        note(&operator, "resolve repair case", &wanted.case_id);
        let answer = self
            .peers
            .transfer
            .resolve(transfer::ResolveRepairCaseRequest {
                case_id: wanted.case_id,
                operator_id: operator.user_id.into(),
                reason: wanted.reason,
                request_id: wanted.request_id,
                to: wanted.to.map(|to| match to {
                    asked::To::RedirectUserId(user) => passed::To::RedirectUserId(user),
                    asked::To::ReturnToSender(back) => passed::To::ReturnToSender(back),
                    asked::To::WriteOff(off) => passed::To::WriteOff(off),
                }),
            })
            .await?;
        Ok(Response::new(ResolveRepairCaseResponse {
            case: answer.case,
            outcome: answer.outcome,
        }))
    }

    async fn list_transfers(
        &self,
        request: Request<ListTransfersRequest>,
    ) -> Result<Response<ListTransfersResponse>, Status> {
        let (_, wanted) = take(request)?;
        let page = self
            .peers
            .transfer
            .list(transfer::ListTransfersRequest {
                of: Some(Of::PacketId(wanted.packet_id)),
                page_size: wanted.page_size,
                page_token: wanted.page_token,
            })
            .await?;
        Ok(Response::new(ListTransfersResponse {
            orders: page.orders,
            next_page_token: page.next_page_token,
        }))
    }

    async fn reconcile(&self, request: Request<ReconcileRequest>) -> Result<Response<ReconcileResponse>, Status> {
        let (operator, wanted) = take(request)?;
        if wanted.page_token.is_empty() {
            note(&operator, "reconcile", "");
        }
        let slice = transfer::ReconcileRequest {
            page_size: wanted.page_size,
            page_token: wanted.page_token,
        };
        let result = self.peers.transfer.reconcile(slice).await?;
        Ok(Response::new(ReconcileResponse { result: Some(result) }))
    }

    async fn verify_ledger(
        &self,
        request: Request<VerifyLedgerRequest>,
    ) -> Result<Response<VerifyLedgerResponse>, Status> {
        let (operator, wanted) = take(request)?;
        if wanted.page_token.is_empty() {
            note(&operator, "verify ledger", "");
        }
        let slice = account::v1::VerifyLedgerRequest {
            page_size: wanted.page_size,
            page_token: wanted.page_token,
            known_head: wanted.known_head,
        };
        let result = self.peers.account.verify_ledger(slice).await?;
        Ok(Response::new(VerifyLedgerResponse { result: Some(result) }))
    }
}
