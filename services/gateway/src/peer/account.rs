//! The account service: users, wallets, groups.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use cache::{
    Cache, Shared,
    directory::{Membership, Name},
};
use id::{GroupId, UserId};
use proto::account::v1::{
    Account, AccountKind, AccountRef, AddMembersRequest, BatchGetUsersRequest, CheckMembersRequest, CreateGroupRequest,
    DepositRequest, FreezeAccountRequest, GetAccountRequest, GetGroupRequest, Group, ListEntriesRequest,
    ListEntriesResponse, ListMembersRequest, ListMembersResponse, OpenAccountRequest, OpenAccountResponse,
    RemoveMembersRequest, UnfreezeAccountRequest, User, VerifyLedgerRequest, VerifyLedgerResponse,
    account_service_client::AccountServiceClient, group_service_client::GroupServiceClient,
};
use runtime::{Channel, client::MAX_MESSAGE_BYTES};
use tonic::{Code, Status};

use super::{answer, promised};

/// Its name in errors.
const PEER: &str = "account";

/// The account service.
#[derive(Clone, Debug)]
pub struct Accounts {
    users: AccountServiceClient<Channel>,
    groups: GroupServiceClient<Channel>,
    members: Cache<Membership>,
    names: Cache<Name>,
}

impl Accounts {
    /// The account service behind `channel`; what is remembered of it is shared through `shared`.
    pub fn new(channel: Channel, shared: Option<&Shared>) -> Self {
        Self {
            users: AccountServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES),
            groups: GroupServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
            members: Cache::new(shared.cloned()),
            names: Cache::new(shared.cloned()),
        }
    }

    /// The wallet of a user; `NOT_FOUND` if it was never opened.
    pub async fn wallet(&self, user: &UserId) -> Result<Account, Status> {
        let request = GetAccountRequest {
            r#ref: Some(wallet(user)),
        };
        let response = answer(PEER, self.users.clone().get_account(request)).await?;
        promised(PEER, "account", response.account)
    }

    /// Holds a slice of the ledger against itself.
    pub async fn verify_ledger(&self, request: VerifyLedgerRequest) -> Result<VerifyLedgerResponse, Status> {
        answer(PEER, self.users.clone().verify_ledger(request)).await
    }

    /// Entries of a user's wallet, newest first.
    pub async fn wallet_entries(
        &self,
        user: &UserId,
        page_size: i32,
        page_token: String,
    ) -> Result<ListEntriesResponse, Status> {
        let request = ListEntriesRequest {
            r#ref: Some(wallet(user)),
            page_size,
            page_token,
        };
        answer(PEER, self.users.clone().list_entries(request)).await
    }

    /// A user, or `None` if there is none of that name.
    pub async fn user(&self, user: &UserId) -> Result<Option<User>, Status> {
        Ok(self.users_of(vec![user.to_string()]).await?.pop())
    }

    /// Display names by user id, with one call at most however many (at most 1,000), since names are remembered. Unknown
    /// users are left out.
    pub async fn display_names(&self, user_ids: BTreeSet<String>) -> Result<HashMap<String, String>, Status> {
        let user_ids = user_ids.iter().filter_map(|user_id| user_id.parse().ok()).collect();
        let names = self.names.get_many(user_ids, |unknown| self.names_of(unknown)).await?;
        Ok(names
            .into_iter()
            .map(|(user_id, name)| (user_id.into(), name))
            .collect())
    }

    async fn names_of(&self, user_ids: Vec<UserId>) -> Result<HashMap<UserId, String>, Status> {
        let users = self.users_of(user_ids.into_iter().map(String::from).collect()).await?;
        let named = |user: User| Some((user.user_id.parse().ok()?, user.display_name));
        Ok(users.into_iter().filter_map(named).collect())
    }

    async fn users_of(&self, user_ids: Vec<String>) -> Result<Vec<User>, Status> {
        let request = BatchGetUsersRequest { user_ids };
        Ok(answer(PEER, self.users.clone().batch_get_users(request)).await?.users)
    }

    /// Opens a user's wallet; repeating it returns it as it is.
    pub async fn open(&self, request: OpenAccountRequest) -> Result<OpenAccountResponse, Status> {
        answer(PEER, self.users.clone().open_account(request)).await
    }

    /// Money from the world outside; the wallet after it. The same request id gives the first answer (ID-1).
    pub async fn deposit(&self, request: DepositRequest) -> Result<Option<Account>, Status> {
        Ok(answer(PEER, self.users.clone().deposit(request)).await?.account)
    }

    /// Freezes a wallet; the wallet after it.
    pub async fn freeze(&self, request: FreezeAccountRequest) -> Result<Option<Account>, Status> {
        Ok(answer(PEER, self.users.clone().freeze_account(request)).await?.account)
    }

    /// Unfreezes a wallet; the wallet after it.
    pub async fn unfreeze(&self, request: UnfreezeAccountRequest) -> Result<Option<Account>, Status> {
        Ok(answer(PEER, self.users.clone().unfreeze_account(request))
            .await?
            .account)
    }

    /// Creates a group; repeating it returns it as it is.
    pub async fn create_group(&self, request: CreateGroupRequest) -> Result<Option<Group>, Status> {
        Ok(answer(PEER, self.groups.clone().create_group(request)).await?.group)
    }

    /// One group.
    pub async fn group(&self, group_id: &str) -> Result<Group, Status> {
        let request = GetGroupRequest {
            group_id: group_id.to_owned(),
        };
        let response = answer(PEER, self.groups.clone().get_group(request)).await?;
        promised(PEER, "group", response.group)
    }

    /// Adds members; the group after it.
    pub async fn add_members(&self, request: AddMembersRequest) -> Result<Option<Group>, Status> {
        Ok(answer(PEER, self.groups.clone().add_members(request)).await?.group)
    }

    /// Removes members; the group after it.
    pub async fn remove_members(&self, request: RemoveMembersRequest) -> Result<Option<Group>, Status> {
        Ok(answer(PEER, self.groups.clone().remove_members(request)).await?.group)
    }

    /// Whether a user is in a group; `NOT_FOUND` if there is no such group.
    pub async fn is_member(&self, group_id: &str, user: &UserId) -> Result<bool, Status> {
        let request = CheckMembersRequest {
            group_id: group_id.to_owned(),
            user_ids: vec![user.to_string()],
        };
        let response = answer(PEER, self.groups.clone().check_members(request)).await?;
        Ok(response.member_ids.iter().any(|member| member == user.as_str()))
    }

    /// [`Accounts::is_member`] as it was a moment ago: who was removed may pass for a member for as long as
    /// [`cache::directory::MEMBER_TTL_MAX`], or little more than a second with Redis.
    pub async fn was_member(&self, group_id: &str, user: &UserId) -> Result<bool, Status> {
        let Ok(group) = group_id.parse::<GroupId>() else {
            return self.is_member(group_id, user).await;
        };
        let ask = async {
            match self.is_member(group_id, user).await {
                Ok(is_member) => Ok(Some(is_member)),
                Err(status) if status.code() == Code::NotFound => Ok(None),
                Err(status) => Err(status),
            }
        };
        let answer = self.members.get(&(group, user.clone()), ask).await;
        answer
            .map_err(Arc::unwrap_or_clone)?
            .ok_or_else(|| status::not_found("group", group_id))
    }

    /// The members of a group in order of `user_id`.
    pub async fn members(&self, request: ListMembersRequest) -> Result<ListMembersResponse, Status> {
        answer(PEER, self.groups.clone().list_members(request)).await
    }
}

fn wallet(user: &UserId) -> AccountRef {
    AccountRef {
        kind: AccountKind::Wallet.into(),
        owner: user.to_string(),
    }
}
