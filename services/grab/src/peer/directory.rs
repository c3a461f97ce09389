//! Who exists and who belongs to which group.

use async_trait::async_trait;
use id::{GroupId, UserId};

/// The directory of users and groups.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Whether a user is a member of a group; `None` if there is no such group.
    async fn membership(&self, group_id: &GroupId, user_id: &UserId) -> Result<Option<bool>, DirectoryError>;

    /// A user's display name; `None` if there is no such user.
    async fn name(&self, user_id: &UserId) -> Result<Option<String>, DirectoryError>;

    /// Whether a user is a member of a group. `false` if either does not exist.
    async fn is_member(&self, group_id: &GroupId, user_id: &UserId) -> Result<bool, DirectoryError> {
        Ok(self.membership(group_id, user_id).await? == Some(true))
    }

    /// Whether there is such a user.
    async fn user_exists(&self, user_id: &UserId) -> Result<bool, DirectoryError> {
        Ok(self.name(user_id).await?.is_some())
    }
}

/// The directory cannot say just now. Repeating the question may help.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the directory: {0}")]
pub struct DirectoryError(pub String);
