//! The RPCs: parse, call, render.

#[doc(hidden)]
pub mod convert;
mod error;
mod render;

use std::sync::Arc;

use clock::SharedClock;
use id::UserId;
use proto::account::v1::{
    AddMembersRequest, AddMembersResponse, BatchGetAccountsRequest, BatchGetAccountsResponse, BatchGetTransfersRequest,
    BatchGetTransfersResponse, BatchGetUsersRequest, BatchGetUsersResponse, CheckMembersRequest, CheckMembersResponse,
    CreateGroupRequest, CreateGroupResponse, DepositRequest, DepositResponse, FreezeAccountRequest,
    FreezeAccountResponse, GetAccountRequest, GetAccountResponse, GetGroupRequest, GetGroupResponse,
    ListEntriesRequest, ListEntriesResponse, ListMembersRequest, ListMembersResponse, OpenAccountRequest,
    OpenAccountResponse, PostTransfersRequest, PostTransfersResponse, RemoveMembersRequest, RemoveMembersResponse,
    UnfreezeAccountRequest, UnfreezeAccountResponse, VerifyLedgerRequest, VerifyLedgerResponse,
    account_service_server::AccountService, group_service_server::GroupService,
};
use tonic::{Request, Response, Status};

use crate::{
    metrics::Postings,
    notice::Notice,
    ops::{
        create_group::create_group,
        deposit::deposit,
        freeze::set_frozen,
        in_order,
        members::{add_members, check_members, get_group, list_members, remove_members},
        post_transfers::post_transfers,
        read_account::{get_account, list_entries},
        verify_ledger::verify_ledger,
    },
    store::{Accounts, Audit, Chain, Groups, Ledger},
};
use error::{refuse, unanswered};

type Answer<T> = Result<Response<T>, Status>;

/// Users, accounts and the ledger.
pub struct AccountRpc {
    /// Users and their accounts.
    pub accounts: Arc<dyn Accounts>,
    /// What is counted of postings.
    pub postings: Postings,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// What a verification of it reads.
    pub audit: Arc<dyn Audit>,
    /// The chain of seals.
    pub chain: Arc<dyn Chain>,
    /// The hour.
    pub clock: SharedClock,
}

/// Groups and who is in them.
pub struct GroupRpc {
    /// Users.
    pub accounts: Arc<dyn Accounts>,
    /// Groups.
    pub groups: Arc<dyn Groups>,
    /// Who hears that somebody left.
    pub notice: Arc<dyn Notice>,
    /// The hour.
    pub clock: SharedClock,
}

#[tonic::async_trait]
impl AccountService for AccountRpc {
    async fn open_account(&self, request: Request<OpenAccountRequest>) -> Answer<OpenAccountResponse> {
        let (user, display_name) = convert::open_account(request.into_inner())?;
        let opened = self.accounts.open(&user, &display_name, self.clock.now()).await;
        let (user, account) = opened.map_err(unanswered)?;
        Ok(Response::new(OpenAccountResponse {
            user: Some(render::user(user)),
            account: Some(render::account(&account)),
        }))
    }

    async fn get_account(&self, request: Request<GetAccountRequest>) -> Answer<GetAccountResponse> {
        let reference = convert::get_account(&request.into_inner())?;
        let account = get_account(&*self.accounts, reference).await.map_err(refuse)?;
        Ok(Response::new(GetAccountResponse {
            account: Some(render::account(&account)),
        }))
    }

    async fn batch_get_accounts(&self, request: Request<BatchGetAccountsRequest>) -> Answer<BatchGetAccountsResponse> {
        let references = convert::batch_get_accounts(&request.into_inner())?;
        let found = self.accounts.accounts(&references).await.map_err(unanswered)?;
        let accounts = in_order(&references, found, |account| account.reference.clone());
        Ok(Response::new(BatchGetAccountsResponse {
            accounts: accounts.iter().map(render::account).collect(),
        }))
    }

    async fn batch_get_users(&self, request: Request<BatchGetUsersRequest>) -> Answer<BatchGetUsersResponse> {
        let ids = convert::batch_get_users(&request.into_inner())?;
        let found = self.accounts.users(&ids).await.map_err(unanswered)?;
        let users = in_order(&ids, found, |user| user.id.clone());
        Ok(Response::new(BatchGetUsersResponse {
            users: users.into_iter().map(render::user).collect(),
        }))
    }

    async fn list_entries(&self, request: Request<ListEntriesRequest>) -> Answer<ListEntriesResponse> {
        let (reference, page) = convert::list_entries(&request.into_inner())?;
        let listed = list_entries(&*self.accounts, &*self.ledger, reference, &page).await;
        let (entries, next_page_token) = listed.map_err(refuse)?;
        Ok(Response::new(ListEntriesResponse {
            entries: entries.iter().map(render::entry).collect(),
            next_page_token,
        }))
    }

    async fn deposit(&self, request: Request<DepositRequest>) -> Answer<DepositResponse> {
        let (request, user, amount) = convert::deposit(&request.into_inner())?;
        let deposited = deposit(&*self.ledger, &*self.accounts, &*self.clock, &request, &user, amount).await;
        Ok(Response::new(DepositResponse {
            account: Some(render::account(&deposited.map_err(refuse)?)),
        }))
    }

    async fn post_transfers(&self, request: Request<PostTransfersRequest>) -> Answer<PostTransfersResponse> {
        let request = request.into_inner();
        let items = convert::post_transfers(&request)?;
        let postings = post_transfers(&*self.ledger, &*self.clock, &items)
            .await
            .map_err(refuse)?;
        self.postings.count(&postings);
        let ids = request.transfers.into_iter().map(|transfer| transfer.transfer_id);
        Ok(Response::new(PostTransfersResponse {
            results: ids
                .zip(postings)
                .map(|(id, posting)| render::posting(id, posting))
                .collect(),
        }))
    }

    async fn batch_get_transfers(
        &self,
        request: Request<BatchGetTransfersRequest>,
    ) -> Answer<BatchGetTransfersResponse> {
        let ids = convert::batch_get_transfers(&request.into_inner())?;
        let found = self.ledger.transfers(&ids).await.map_err(unanswered)?;
        let transfers = in_order(&ids, found, |posted| posted.transfer.id);
        Ok(Response::new(BatchGetTransfersResponse {
            transfers: transfers.iter().map(render::posted_transfer).collect(),
        }))
    }

    async fn freeze_account(&self, request: Request<FreezeAccountRequest>) -> Answer<FreezeAccountResponse> {
        let FreezeAccountRequest { user_id, reason } = request.into_inner();
        let user = convert::freeze(&user_id, &reason)?;
        let frozen = set_frozen(&*self.accounts, &*self.clock, &user, true, &reason).await;
        Ok(Response::new(FreezeAccountResponse {
            account: Some(render::account(&frozen.map_err(refuse)?)),
        }))
    }

    async fn unfreeze_account(&self, request: Request<UnfreezeAccountRequest>) -> Answer<UnfreezeAccountResponse> {
        let UnfreezeAccountRequest { user_id, reason } = request.into_inner();
        let user = convert::freeze(&user_id, &reason)?;
        let thawed = set_frozen(&*self.accounts, &*self.clock, &user, false, &reason).await;
        Ok(Response::new(UnfreezeAccountResponse {
            account: Some(render::account(&thawed.map_err(refuse)?)),
        }))
    }

    async fn verify_ledger(&self, request: Request<VerifyLedgerRequest>) -> Answer<VerifyLedgerResponse> {
        let (from, rows, known) = convert::verify_ledger(&request.into_inner())?;
        let slice = verify_ledger(&*self.audit, &*self.chain, from, rows, known).await;
        Ok(Response::new(render::verified(&slice.map_err(refuse)?)))
    }
}

#[tonic::async_trait]
impl GroupService for GroupRpc {
    async fn create_group(&self, request: Request<CreateGroupRequest>) -> Answer<CreateGroupResponse> {
        let new = convert::create_group(request.into_inner())?;
        let group = create_group(&*self.groups, &*self.accounts, &*self.clock, new).await;
        Ok(Response::new(CreateGroupResponse {
            group: Some(render::group(group.map_err(refuse)?)),
        }))
    }

    async fn get_group(&self, request: Request<GetGroupRequest>) -> Answer<GetGroupResponse> {
        let id = convert::get_group(&request.into_inner())?;
        let group = get_group(&*self.groups, &id).await.map_err(refuse)?;
        Ok(Response::new(GetGroupResponse {
            group: Some(render::group(group)),
        }))
    }

    async fn add_members(&self, request: Request<AddMembersRequest>) -> Answer<AddMembersResponse> {
        let AddMembersRequest { group_id, user_ids } = request.into_inner();
        let (id, users) = convert::members(&group_id, &user_ids)?;
        let group = add_members(&*self.groups, &*self.accounts, &*self.clock, &id, &users).await;
        Ok(Response::new(AddMembersResponse {
            group: Some(render::group(group.map_err(refuse)?)),
        }))
    }

    async fn remove_members(&self, request: Request<RemoveMembersRequest>) -> Answer<RemoveMembersResponse> {
        let RemoveMembersRequest { group_id, user_ids } = request.into_inner();
        let (id, users) = convert::members(&group_id, &user_ids)?;
        let group = remove_members(&*self.groups, &*self.notice, &id, &users)
            .await
            .map_err(refuse)?;
        Ok(Response::new(RemoveMembersResponse {
            group: Some(render::group(group)),
        }))
    }

    async fn check_members(&self, request: Request<CheckMembersRequest>) -> Answer<CheckMembersResponse> {
        let CheckMembersRequest { group_id, user_ids } = request.into_inner();
        let (id, users) = convert::members(&group_id, &user_ids)?;
        let members = check_members(&*self.groups, &id, &users).await.map_err(refuse)?;
        Ok(Response::new(CheckMembersResponse {
            member_ids: members.into_iter().map(UserId::into).collect(),
        }))
    }

    async fn list_members(&self, request: Request<ListMembersRequest>) -> Answer<ListMembersResponse> {
        let (id, page) = convert::list_members(&request.into_inner())?;
        let (members, next_page_token) = list_members(&*self.groups, &id, &page).await.map_err(refuse)?;
        Ok(Response::new(ListMembersResponse {
            members: members.into_iter().map(render::user).collect(),
            next_page_token,
        }))
    }
}
