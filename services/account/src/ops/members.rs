//! Groups as they are, and who is in them.

use clock::Clock;
use id::{GroupId, UserId};
use paging::Page;

use super::{Result, in_order, require_users};
use crate::{
    domain::{
        people::{Group, User},
        refusal::Refusal,
    },
    notice::Notice,
    store::{Accounts, Groups},
};

/// The group, or the refusal that there is none. Groups are never removed, so that the answer cannot age.
pub async fn get_group(groups: &dyn Groups, id: &GroupId) -> Result<Group> {
    let found = groups.group(id).await?;
    found.ok_or_else(|| Refusal::UnknownGroup(id.clone()).into())
}

/// Adds users and returns the group after it. Either all are known and in it afterwards, or nothing changes.
pub async fn add_members(
    groups: &dyn Groups,
    accounts: &dyn Accounts,
    clock: &dyn Clock,
    id: &GroupId,
    users: &[UserId],
) -> Result<Group> {
    get_group(groups, id).await?;
    require_users(accounts, users).await?;
    groups.add_members(id, users, clock.now()).await?;
    get_group(groups, id).await
}

/// Removes users and returns the group after it. Elsewhere they may pass for members a little longer: see [`Notice`].
pub async fn remove_members(groups: &dyn Groups, notice: &dyn Notice, id: &GroupId, users: &[UserId]) -> Result<Group> {
    get_group(groups, id).await?;
    let removed = groups.remove_members(id, users).await;
    notice.members_left(id).await; // also where it is not known whether it was committed
    removed?;
    get_group(groups, id).await
}

/// Those of the users who are members, in the order asked for.
pub async fn check_members(groups: &dyn Groups, id: &GroupId, users: &[UserId]) -> Result<Vec<UserId>> {
    let members = groups.check_members(id, users).await?;
    if members.is_empty() {
        get_group(groups, id).await?;
    }
    Ok(in_order(users, members, Clone::clone))
}

/// One page of the members in order of id, and the token of the next.
pub async fn list_members(groups: &dyn Groups, id: &GroupId, page: &Page<UserId>) -> Result<(Vec<User>, String)> {
    let members = groups.members(id, page).await?;
    if members.is_empty() {
        get_group(groups, id).await?;
    }
    Ok(page.cut(members, |user| user.id.clone()))
}
