//! Who hears that somebody left a group.
//!
//! Nobody hears of who joined: that somebody is no member is nowhere remembered for more than two seconds, while telling
//! would make everything invalid that is known of the group, of which there is much just when many join.

use async_trait::async_trait;
use cache::{Shared, directory::group_scope};
use id::GroupId;

/// Those who remember who is in which group.
#[async_trait]
pub trait Notice: Send + Sync {
    /// To be called after a removal was committed or may have been. Never fails: who could not be told forgets by itself,
    /// within [`cache::directory::MEMBER_TTL_MAX`]; so it is, too, where this process ends between the commit and this.
    async fn members_left(&self, group: &GroupId);
}

/// Nobody hears: there is no Redis.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

#[async_trait]
impl Notice for Nobody {
    async fn members_left(&self, _: &GroupId) {}
}

/// The caches of all services that use this Redis.
#[async_trait]
impl Notice for Shared {
    async fn members_left(&self, group: &GroupId) {
        if let Err(fault) = self.changed(&group_scope(group)).await {
            // That Redis is away is told once, by the cache itself.
            tracing::debug!(%group, %fault, "caches are not told that somebody left the group");
        }
    }
}
