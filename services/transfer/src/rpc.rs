//! The service on the wire: per RPC parse, call, render.

#[doc(hidden)]
pub mod convert;
mod error;

use proto::transfer::v1 as wire;
use tonic::{Request, Response, Status};

use crate::{
    ops::{
        self, Ports,
        fund::Fund,
        reconcile::reconcile,
        refund::refund,
        repair::{Repairs, Wish},
    },
    store::ListKey,
};
use error::to_status;

/// The service over its use cases.
pub struct TransferRpc {
    ports: Ports,
    fund: Fund,
    repairs: Repairs,
}

impl TransferRpc {
    /// The service over `ports`.
    pub fn new(ports: Ports, fund: Fund, repairs: Repairs) -> Self {
        Self { ports, fund, repairs }
    }

    async fn act(&self, wish: Wish) -> Result<(Option<wire::RepairCase>, Option<wire::ActOutcome>), Status> {
        let (case, recorded) = self.repairs.act(&wish).await.map_err(to_status)?;
        Ok((Some(convert::case(&case)), convert::outcome(&recorded)))
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl wire::transfer_service_server::TransferService for TransferRpc {
    async fn fund_packet(&self, request: Request<wire::FundPacketRequest>) -> Answer<wire::FundPacketResponse> {
        let (packet, sender, amount_fen) = convert::fund(&request.into_inner())?;
        let order = self.fund.fund(packet, sender, amount_fen).await.map_err(to_status)?;
        let order = Some(convert::order(&order));
        Ok(Response::new(wire::FundPacketResponse { order }))
    }

    async fn refund_packet(&self, request: Request<wire::RefundPacketRequest>) -> Answer<wire::RefundPacketResponse> {
        let (packet, sender, amount_fen) = convert::refund(&request.into_inner())?;
        let order = refund(&self.ports, packet, sender, amount_fen)
            .await
            .map_err(to_status)?;
        let order = order.as_ref().map(convert::order);
        Ok(Response::new(wire::RefundPacketResponse { order }))
    }

    async fn get_transfer(&self, request: Request<wire::GetTransferRequest>) -> Answer<wire::GetTransferResponse> {
        let id = convert::transfer_id("transfer_id", &request.into_inner().transfer_id)?;
        let order = self.ports.store.order(id).await.map_err(error::of_store)?;
        let order = order.ok_or_else(|| to_status(ops::Error::NoTransfer(id)))?;
        let order = Some(convert::order(&order));
        Ok(Response::new(wire::GetTransferResponse { order }))
    }

    async fn list_transfers(
        &self,
        request: Request<wire::ListTransfersRequest>,
    ) -> Answer<wire::ListTransfersResponse> {
        let (of, page) = convert::list(request.into_inner())?;
        let orders = self.ports.store.list(&of, &page).await.map_err(error::of_store)?;
        let (orders, next_page_token) = page.cut(orders, ListKey::of);
        let orders = orders.iter().map(convert::order).collect();
        Ok(Response::new(wire::ListTransfersResponse {
            orders,
            next_page_token,
        }))
    }

    async fn list_repair_cases(
        &self,
        request: Request<wire::ListRepairCasesRequest>,
    ) -> Answer<wire::ListRepairCasesResponse> {
        let (state, page) = convert::list_cases(&request.into_inner())?;
        let cases = self.ports.store.cases(state, &page).await.map_err(error::of_store)?;
        let (cases, next_page_token) = page.cut(cases, |case| ListKey {
            created: case.created,
            id: case.id,
        });
        let cases = cases.iter().map(convert::case).collect();
        Ok(Response::new(wire::ListRepairCasesResponse { cases, next_page_token }))
    }

    async fn get_repair_case(
        &self,
        request: Request<wire::GetRepairCaseRequest>,
    ) -> Answer<wire::GetRepairCaseResponse> {
        let id = convert::transfer_id("case_id", &request.into_inner().case_id)?;
        let case = self.ports.store.case(id).await.map_err(error::of_store)?;
        let case = case.ok_or_else(|| to_status(ops::Error::NoCase(id)))?;
        let case = Some(convert::case(&case));
        Ok(Response::new(wire::GetRepairCaseResponse { case }))
    }

    async fn retry_repair_case(
        &self,
        request: Request<wire::RetryRepairCaseRequest>,
    ) -> Answer<wire::RetryRepairCaseResponse> {
        let (case, outcome) = self.act(convert::retry(request.into_inner())?).await?;
        Ok(Response::new(wire::RetryRepairCaseResponse { case, outcome }))
    }

    async fn resolve_repair_case(
        &self,
        request: Request<wire::ResolveRepairCaseRequest>,
    ) -> Answer<wire::ResolveRepairCaseResponse> {
        let (case, outcome) = self.act(convert::resolve(request.into_inner())?).await?;
        Ok(Response::new(wire::ResolveRepairCaseResponse { case, outcome }))
    }

    async fn reconcile(&self, request: Request<wire::ReconcileRequest>) -> Answer<wire::ReconcileResponse> {
        let (from, rows) = convert::reconcile(&request.into_inner())?;
        let report = reconcile(&self.ports, from, rows).await.map_err(to_status)?;
        Ok(Response::new(convert::report(&report)))
    }
}
