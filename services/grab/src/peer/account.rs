//! The directory as the account service has it.

use async_trait::async_trait;
use id::{GroupId, UserId};
use proto::account::v1::{
    BatchGetUsersRequest, CheckMembersRequest, account_service_client::AccountServiceClient,
    group_service_client::GroupServiceClient,
};
use runtime::{Channel, client::MAX_MESSAGE_BYTES};
use tonic::{Code, Status};

use super::directory::{Directory, DirectoryError};

/// A client of the account service.
#[derive(Clone, Debug)]
pub struct Account {
    users: AccountServiceClient<Channel>,
    groups: GroupServiceClient<Channel>,
}

impl Account {
    /// The account service behind `channel`.
    pub fn new(channel: Channel) -> Self {
        Self {
            users: AccountServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES),
            groups: GroupServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
        }
    }
}

fn fault(status: &Status) -> DirectoryError {
    DirectoryError(format!("account: {:?}: {}", status.code(), status.message()))
}

#[async_trait]
impl Directory for Account {
    async fn membership(&self, group_id: &GroupId, user_id: &UserId) -> Result<Option<bool>, DirectoryError> {
        let request = CheckMembersRequest {
            group_id: group_id.to_string(),
            user_ids: vec![user_id.to_string()],
        };
        match self.groups.clone().check_members(request).await {
            Ok(response) => {
                let mut members = response.get_ref().member_ids.iter();
                Ok(Some(members.any(|member| member == user_id.as_str())))
            }
            Err(status) if status.code() == Code::NotFound => Ok(None), // there is no such group
            Err(status) => Err(fault(&status)),
        }
    }

    async fn name(&self, user_id: &UserId) -> Result<Option<String>, DirectoryError> {
        let request = BatchGetUsersRequest {
            user_ids: vec![user_id.to_string()],
        };
        let response = self.users.clone().batch_get_users(request).await;
        let users = response.map_err(|status| fault(&status))?.into_inner().users;
        let user = users.into_iter().find(|user| user.user_id == user_id.as_str());
        Ok(user.map(|user| user.display_name))
    }
}
