//! One stand-in for all four services: it answers what a test scripted and remembers what it was asked.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, Mutex},
};

use futures::{FutureExt, future::BoxFuture, stream::BoxStream};
use proto::{
    account::v1 as account, account::v1::account_service_server::AccountService,
    account::v1::group_service_server::GroupService, grab::v1 as grab, grab::v1::grab_service_server::GrabService,
    packet::v1 as packet, packet::v1::packet_service_server::PacketService, transfer::v1 as transfer,
    transfer::v1::transfer_service_server::TransferService,
};
use tonic::{Request, Response, Status};

type Answer<Q, A> = Box<dyn Fn(&Q) -> BoxFuture<'static, Result<A, Status>> + Send + Sync>;

/// Requests are told apart by their type, which is unique in the system. Clones share script and memory.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    answers: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    heard: Vec<Box<dyn Any + Send>>,
    timeouts: Vec<Option<String>>,
}

impl Fake {
    /// Answers every request of type `Q`.
    pub fn on<Q: 'static, A: Send + 'static>(
        &self,
        answer: impl Fn(&Q) -> Result<A, Status> + Send + Sync + 'static,
    ) -> &Self {
        self.script::<Q, A>(Box::new(move |request| std::future::ready(answer(request)).boxed()))
    }

    /// Never answers requests of type `Q`.
    pub fn hang<Q: 'static, A: Send + 'static>(&self) -> &Self {
        self.script::<Q, A>(Box::new(|_| std::future::pending().boxed()))
    }

    fn script<Q: 'static, A: Send + 'static>(&self, answer: Answer<Q, A>) -> &Self {
        let answer: Arc<dyn Any + Send + Sync> = Arc::new(answer);
        self.0.lock().unwrap().answers.insert(TypeId::of::<Q>(), answer);
        self
    }

    /// All requests of type `Q` so far, in order.
    pub fn heard<Q: Clone + 'static>(&self) -> Vec<Q> {
        let state = self.0.lock().unwrap();
        state.heard.iter().filter_map(|q| q.downcast_ref().cloned()).collect()
    }

    /// How many requests of any type came so far.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().heard.len()
    }

    /// `grpc-timeout` of every request so far, in order.
    pub fn timeouts(&self) -> Vec<Option<String>> {
        self.0.lock().unwrap().timeouts.clone()
    }

    async fn answer<Q, A>(&self, request: Request<Q>) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        let timeout = request.metadata().get("grpc-timeout");
        let timeout = timeout.map(|value| value.to_str().unwrap().to_owned());
        let question = request.into_inner();
        let answer = {
            let mut state = self.0.lock().unwrap();
            let scripted = state.answers.get(&TypeId::of::<Q>()).cloned();
            let answer = scripted.map(|any| any.downcast::<Answer<Q, A>>().expect("scripted with the right answer"));
            let answer = answer.map(|answer| answer(&question));
            state.heard.push(Box::new(question));
            state.timeouts.push(timeout);
            answer
        };
        match answer {
            Some(answer) => answer.await.map(Response::new),
            None => Err(Status::unimplemented(std::any::type_name::<Q>())),
        }
    }
}

macro_rules! serves {
    ($service:ident { $([type $stream:ident = $item:ty])* $($method:ident: $request:ty => $response:ty,)* }) => {
        #[tonic::async_trait]
        impl $service for Fake {
            $(type $stream = BoxStream<'static, Result<$item, Status>>;)*
            $(async fn $method(&self, request: Request<$request>) -> Result<Response<$response>, Status> {
                self.answer(request).await
            })*
        }
    };
}

serves!(AccountService {
    open_account: account::OpenAccountRequest => account::OpenAccountResponse,
    get_account: account::GetAccountRequest => account::GetAccountResponse,
    batch_get_accounts: account::BatchGetAccountsRequest => account::BatchGetAccountsResponse,
    batch_get_users: account::BatchGetUsersRequest => account::BatchGetUsersResponse,
    list_entries: account::ListEntriesRequest => account::ListEntriesResponse,
    deposit: account::DepositRequest => account::DepositResponse,
    post_transfers: account::PostTransfersRequest => account::PostTransfersResponse,
    batch_get_transfers: account::BatchGetTransfersRequest => account::BatchGetTransfersResponse,
    freeze_account: account::FreezeAccountRequest => account::FreezeAccountResponse,
    unfreeze_account: account::UnfreezeAccountRequest => account::UnfreezeAccountResponse,
    verify_ledger: account::VerifyLedgerRequest => account::VerifyLedgerResponse,
});

serves!(GroupService {
    create_group: account::CreateGroupRequest => account::CreateGroupResponse,
    get_group: account::GetGroupRequest => account::GetGroupResponse,
    add_members: account::AddMembersRequest => account::AddMembersResponse,
    remove_members: account::RemoveMembersRequest => account::RemoveMembersResponse,
    check_members: account::CheckMembersRequest => account::CheckMembersResponse,
    list_members: account::ListMembersRequest => account::ListMembersResponse,
});

serves!(PacketService {
    create_packet: packet::CreatePacketRequest => packet::CreatePacketResponse,
    get_packet: packet::GetPacketRequest => packet::GetPacketResponse,
    batch_get_packets: packet::BatchGetPacketsRequest => packet::BatchGetPacketsResponse,
    list_packets: packet::ListPacketsRequest => packet::ListPacketsResponse,
});

serves!(GrabService {
    [type WatchPacketStream = grab::WatchPacketResponse]
    [type TailClaimsStream = grab::TailClaimsResponse]
    grab: grab::GrabRequest => grab::GrabResponse,
    open: grab::OpenRequest => grab::OpenResponse,
    batch_grab: grab::BatchGrabRequest => grab::BatchGrabResponse,
    batch_open: grab::BatchOpenRequest => grab::BatchOpenResponse,
    list_claims: grab::ListClaimsRequest => grab::ListClaimsResponse,
    batch_get_progress: grab::BatchGetProgressRequest => grab::BatchGetProgressResponse,
    list_user_claims: grab::ListUserClaimsRequest => grab::ListUserClaimsResponse,
    summarize_user: grab::SummarizeUserRequest => grab::SummarizeUserResponse,
    watch_packet: grab::WatchPacketRequest => Self::WatchPacketStream,
    tail_claims: grab::TailClaimsRequest => Self::TailClaimsStream,
    preload: grab::PreloadRequest => grab::PreloadResponse,
    close_packet: grab::ClosePacketRequest => grab::ClosePacketResponse,
});

serves!(TransferService {
    fund_packet: transfer::FundPacketRequest => transfer::FundPacketResponse,
    refund_packet: transfer::RefundPacketRequest => transfer::RefundPacketResponse,
    get_transfer: transfer::GetTransferRequest => transfer::GetTransferResponse,
    list_transfers: transfer::ListTransfersRequest => transfer::ListTransfersResponse,
    list_repair_cases: transfer::ListRepairCasesRequest => transfer::ListRepairCasesResponse,
    get_repair_case: transfer::GetRepairCaseRequest => transfer::GetRepairCaseResponse,
    retry_repair_case: transfer::RetryRepairCaseRequest => transfer::RetryRepairCaseResponse,
    resolve_repair_case: transfer::ResolveRepairCaseRequest => transfer::ResolveRepairCaseResponse,
    reconcile: transfer::ReconcileRequest => transfer::ReconcileResponse,
});
