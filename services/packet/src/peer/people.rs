//! What packet asks the account service: who exists, who is frozen, who is in which group.

use async_trait::async_trait;
use id::{GroupId, UserId};
use proto::account::v1::{
    AccountKind, AccountRef, BatchGetUsersRequest, CheckMembersRequest, GetAccountRequest,
    account_service_client::AccountServiceClient, group_service_client::GroupServiceClient,
};
use runtime::Channel;
use tonic::Code;

use super::{Error, Result};

const PEER: &str = "account";

/// A user's wallet, as far as sending is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Whether it is kept from taking part in transfers.
    pub frozen: bool,
}

/// Users, groups and wallets. Reads only.
#[async_trait]
pub trait People: Send + Sync + 'static {
    /// The user's wallet; `None` for an unknown user.
    async fn wallet(&self, user: &UserId) -> Result<Option<Wallet>>;

    /// Whether the user is in the group; `None` for an unknown group.
    async fn is_member(&self, group: &GroupId, user: &UserId) -> Result<Option<bool>>;

    /// Whether the user is known.
    async fn exists(&self, user: &UserId) -> Result<bool>;
}

/// [`People`] over gRPC.
#[derive(Clone, Debug)]
pub struct PeopleClient {
    accounts: AccountServiceClient<Channel>,
    groups: GroupServiceClient<Channel>,
}

impl PeopleClient {
    /// A client on a channel to the account service.
    pub fn new(channel: Channel) -> Self {
        Self {
            accounts: AccountServiceClient::new(channel.clone()),
            groups: GroupServiceClient::new(channel),
        }
    }
}

#[async_trait]
impl People for PeopleClient {
    async fn wallet(&self, user: &UserId) -> Result<Option<Wallet>> {
        let request = GetAccountRequest {
            r#ref: Some(AccountRef {
                kind: AccountKind::Wallet.into(),
                owner: user.clone().into(),
            }),
        };
        match self.accounts.clone().get_account(request).await {
            Ok(response) => match response.into_inner().account {
                Some(account) => Ok(Some(Wallet { frozen: account.frozen })),
                None => Err(Error::broken(PEER, "an account without an account")),
            },
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(Error::new(PEER, &status)),
        }
    }

    async fn is_member(&self, group: &GroupId, user: &UserId) -> Result<Option<bool>> {
        let request = CheckMembersRequest {
            group_id: group.clone().into(),
            user_ids: vec![user.clone().into()],
        };
        match self.groups.clone().check_members(request).await {
            Ok(response) => Ok(Some(!response.into_inner().member_ids.is_empty())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(Error::new(PEER, &status)),
        }
    }

    async fn exists(&self, user: &UserId) -> Result<bool> {
        let request = BatchGetUsersRequest {
            user_ids: vec![user.clone().into()],
        };
        match self.accounts.clone().batch_get_users(request).await {
            Ok(response) => Ok(!response.into_inner().users.is_empty()),
            Err(status) => Err(Error::new(PEER, &status)),
        }
    }
}
