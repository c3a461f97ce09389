//! Creating a group with its first members.

use clock::Clock;
use id::{GroupId, UserId};

use super::{Result, require_users};
use crate::{
    domain::{people::Group, refusal::Refusal},
    store::{Accounts, Groups},
};

/// What a new group is to be.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// Its id.
    pub id: GroupId,
    /// What others see.
    pub display_name: String,
    /// Who creates it; becomes a member.
    pub owner: UserId,
    /// Further members.
    pub members: Vec<UserId>,
}

/// Creates the group. Repeating it with the same owner and name returns the group as it is.
pub async fn create_group(
    groups: &dyn Groups,
    accounts: &dyn Accounts,
    clock: &dyn Clock,
    new: NewGroup,
) -> Result<Group> {
    let mut members = new.members;
    members.insert(0, new.owner.clone());
    require_users(accounts, &members).await?;
    let group = Group {
        id: new.id,
        display_name: new.display_name,
        owner: new.owner,
        member_count: 0, // the store counts
        create_time: clock.now(),
    };
    let stored = groups.create(&group, &members).await?;
    if stored.owner != group.owner || stored.display_name != group.display_name {
        return Err(Refusal::GroupIdTaken(group.id).into());
    }
    Ok(stored)
}
