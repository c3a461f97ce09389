//! The peers' servers. Only what the packet service calls is there.

use std::{future::Future, pin::Pin};

use proto::{account::v1 as account, grab::v1 as grab, transfer::v1 as transfer};
use tonic::{Request, Response, Status, async_trait};

use super::{Books, Peers};

/// Methods that are never called, as `async_trait` would write them.
macro_rules! never_called {
    ($($method:ident: $package:ident::$request:ident => $response:ty;)*) => {$(
        fn $method<'life0, 'async_trait>(
            &'life0 self,
            _: Request<$package::$request>,
        ) -> Pin<Box<dyn Future<Output = Result<Response<$response>, Status>> + Send + 'async_trait>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async { Err(Status::unimplemented(stringify!($method))) })
        }
    )*};
}

#[async_trait]
impl account::account_service_server::AccountService for Peers {
    async fn get_account(
        &self,
        request: Request<account::GetAccountRequest>,
    ) -> Result<Response<account::GetAccountResponse>, Status> {
        let user = request.into_inner().r#ref.unwrap().owner;
        self.call("get_account", |books| {
            let balance_fen = *books
                .wallets
                .get(&user)
                .ok_or_else(|| status::not_found("account", &user))?;
            let account = account::Account {
                balance_fen,
                frozen: books.frozen.contains(&user),
                ..account::Account::default()
            };
            Ok(account::GetAccountResponse { account: Some(account) })
        })
        .await
    }

    async fn batch_get_users(
        &self,
        request: Request<account::BatchGetUsersRequest>,
    ) -> Result<Response<account::BatchGetUsersResponse>, Status> {
        self.call("batch_get_users", |books| {
            let known = request
                .into_inner()
                .user_ids
                .into_iter()
                .filter(|id| books.wallets.contains_key(id));
            let users = known
                .map(|user_id| account::User {
                    user_id,
                    ..account::User::default()
                })
                .collect();
            Ok(account::BatchGetUsersResponse { users })
        })
        .await
    }

    never_called! {
        open_account: account::OpenAccountRequest => account::OpenAccountResponse;
        batch_get_accounts: account::BatchGetAccountsRequest => account::BatchGetAccountsResponse;
        list_entries: account::ListEntriesRequest => account::ListEntriesResponse;
        deposit: account::DepositRequest => account::DepositResponse;
        post_transfers: account::PostTransfersRequest => account::PostTransfersResponse;
        batch_get_transfers: account::BatchGetTransfersRequest => account::BatchGetTransfersResponse;
        freeze_account: account::FreezeAccountRequest => account::FreezeAccountResponse;
        unfreeze_account: account::UnfreezeAccountRequest => account::UnfreezeAccountResponse;
        verify_ledger: account::VerifyLedgerRequest => account::VerifyLedgerResponse;
    }
}

#[async_trait]
impl account::group_service_server::GroupService for Peers {
    async fn check_members(
        &self,
        request: Request<account::CheckMembersRequest>,
    ) -> Result<Response<account::CheckMembersResponse>, Status> {
        let account::CheckMembersRequest { group_id, mut user_ids } = request.into_inner();
        self.call("check_members", |books| {
            let members = books
                .groups
                .get(&group_id)
                .ok_or_else(|| status::not_found("group", &group_id))?;
            user_ids.retain(|user| members.contains(user));
            Ok(account::CheckMembersResponse { member_ids: user_ids })
        })
        .await
    }

    never_called! {
        create_group: account::CreateGroupRequest => account::CreateGroupResponse;
        get_group: account::GetGroupRequest => account::GetGroupResponse;
        add_members: account::AddMembersRequest => account::AddMembersResponse;
        remove_members: account::RemoveMembersRequest => account::RemoveMembersResponse;
        list_members: account::ListMembersRequest => account::ListMembersResponse;
    }
}

#[async_trait]
impl transfer::transfer_service_server::TransferService for Peers {
    async fn fund_packet(
        &self,
        request: Request<transfer::FundPacketRequest>,
    ) -> Result<Response<transfer::FundPacketResponse>, Status> {
        let request = request.into_inner();
        let packet_id = request.packet_id.clone();
        self.call_about(&packet_id, "fund", |books| fund(books, request)).await
    }

    async fn refund_packet(
        &self,
        request: Request<transfer::RefundPacketRequest>,
    ) -> Result<Response<transfer::RefundPacketResponse>, Status> {
        let transfer::RefundPacketRequest {
            packet_id,
            sender_id,
            amount_fen,
        } = request.into_inner();
        self.call_about(&packet_id, "refund", |books| {
            if !books.closed.contains_key(&packet_id) {
                return Err(Status::failed_precondition("CLOSE-1"));
            }
            let told = (sender_id, amount_fen);
            if *books.refunded.entry(packet_id.clone()).or_insert_with(|| told.clone()) != told {
                return Err(Status::already_exists("MONEY-3"));
            }
            Ok(transfer::RefundPacketResponse::default())
        })
        .await
    }

    never_called! {
        get_transfer: transfer::GetTransferRequest => transfer::GetTransferResponse;
        list_transfers: transfer::ListTransfersRequest => transfer::ListTransfersResponse;
        list_repair_cases: transfer::ListRepairCasesRequest => transfer::ListRepairCasesResponse;
        get_repair_case: transfer::GetRepairCaseRequest => transfer::GetRepairCaseResponse;
        retry_repair_case: transfer::RetryRepairCaseRequest => transfer::RetryRepairCaseResponse;
        resolve_repair_case: transfer::ResolveRepairCaseRequest => transfer::ResolveRepairCaseResponse;
        reconcile: transfer::ReconcileRequest => transfer::ReconcileResponse;
    }
}

fn fund(books: &mut Books, request: transfer::FundPacketRequest) -> Result<transfer::FundPacketResponse, Status> {
    let transfer::FundPacketRequest {
        packet_id,
        sender_id,
        amount_fen,
    } = request;
    let told = (sender_id.clone(), amount_fen);
    if let Some(first) = books.funded.get(&packet_id) {
        let verdict = (*first == told).then(transfer::FundPacketResponse::default);
        return verdict.ok_or_else(|| Status::already_exists("MONEY-3"));
    }
    let balance_fen = *books.wallets.get(&sender_id).unwrap_or(&0);
    let verdict = if books.frozen.contains(&sender_id) {
        Some("ACCOUNT_FROZEN")
    } else if balance_fen < amount_fen {
        Some("INSUFFICIENT_FUNDS")
    } else {
        None
    };
    let first = books.refused.get(&packet_id).cloned();
    if let Some((reason, balance_fen)) = first.or_else(|| verdict.map(|reason| (reason.to_owned(), balance_fen))) {
        books.refused.insert(packet_id, (reason.clone(), balance_fen));
        let metadata = [("balance_fen", balance_fen.to_string())];
        return Err(status::precondition(&reason, sender_id, "refused", metadata));
    }
    books.wallets.insert(sender_id, balance_fen - amount_fen);
    books.funded.insert(packet_id, told);
    Ok(transfer::FundPacketResponse::default())
}

#[async_trait]
impl grab::grab_service_server::GrabService for Peers {
    type WatchPacketStream = tokio_stream::Empty<Result<grab::WatchPacketResponse, Status>>;
    type TailClaimsStream = tokio_stream::Empty<Result<grab::TailClaimsResponse, Status>>;

    async fn preload(&self, request: Request<grab::PreloadRequest>) -> Result<Response<grab::PreloadResponse>, Status> {
        let told = request.into_inner();
        let packet_id = told.terms.as_ref().unwrap().packet_id.clone();
        self.call_about(&packet_id, "preload", |books| {
            if !books.funded.contains_key(&packet_id) {
                return Err(Status::internal("preloaded without money"));
            }
            if *books.preloaded.entry(packet_id.clone()).or_insert_with(|| told.clone()) != told {
                return Err(Status::already_exists("another packet under the same id"));
            }
            Ok(grab::PreloadResponse {})
        })
        .await
    }

    async fn close_packet(
        &self,
        request: Request<grab::ClosePacketRequest>,
    ) -> Result<Response<grab::ClosePacketResponse>, Status> {
        let id = request.into_inner().packet_id;
        let close_time = Some(clock::to_proto(self.clock.now()));
        self.call_about(&id, "close", |books| {
            if !books.preloaded.contains_key(&id) {
                return Err(status::not_found("packet", &id));
            }
            let opened = books.opened.get(&id).copied().unwrap_or_default();
            let (opened_count, opened_fen) = *books.closed.entry(id.clone()).or_insert(opened);
            Ok(grab::ClosePacketResponse {
                opened_count,
                opened_fen,
                close_time,
            })
        })
        .await
    }

    never_called! {
        grab: grab::GrabRequest => grab::GrabResponse;
        open: grab::OpenRequest => grab::OpenResponse;
        batch_grab: grab::BatchGrabRequest => grab::BatchGrabResponse;
        batch_open: grab::BatchOpenRequest => grab::BatchOpenResponse;
        list_claims: grab::ListClaimsRequest => grab::ListClaimsResponse;
        batch_get_progress: grab::BatchGetProgressRequest => grab::BatchGetProgressResponse;
        list_user_claims: grab::ListUserClaimsRequest => grab::ListUserClaimsResponse;
        summarize_user: grab::SummarizeUserRequest => grab::SummarizeUserResponse;
        watch_packet: grab::WatchPacketRequest => Self::WatchPacketStream;
        tail_claims: grab::TailClaimsRequest => Self::TailClaimsStream;
    }
}
