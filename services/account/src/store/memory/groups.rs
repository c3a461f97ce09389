//! Groups and who is in them.

use ::sql::Result;
use async_trait::async_trait;
use clock::Timestamp;
use id::{GroupId, UserId};
use paging::Page;

use super::{MemoryStore, tables::Tables};
use crate::{
    domain::people::{Group, User},
    store::Groups,
};

#[async_trait]
impl Groups for MemoryStore {
    async fn create(&self, group: &Group, members: &[UserId]) -> Result<Group> {
        self.link
            .write("groups.create", |tables| {
                if !tables.groups.contains_key(&group.id) {
                    tables.groups.insert(group.id.clone(), group.clone());
                    tables.insert_members(&group.id, members)?;
                }
                Ok(tables.group(&group.id).unwrap_or_else(|| group.clone()))
            })
            .await
    }

    async fn group(&self, group: &GroupId) -> Result<Option<Group>> {
        self.link.read("groups.group", |tables| Ok(tables.group(group))).await
    }

    async fn add_members(&self, group: &GroupId, users: &[UserId], _: Timestamp) -> Result<()> {
        self.link
            .write("groups.add_members", |tables| tables.insert_members(group, users))
            .await
    }

    async fn remove_members(&self, group: &GroupId, users: &[UserId]) -> Result<()> {
        self.link
            .write("groups.remove_members", |tables| {
                for user in users {
                    tables.members.remove(&(group.clone(), user.clone()));
                }
                Ok(())
            })
            .await
    }

    async fn check_members(&self, group: &GroupId, users: &[UserId]) -> Result<Vec<UserId>> {
        self.link
            .read("groups.check_members", |tables| {
                let is_member = |user: &&UserId| tables.members.contains(&(group.clone(), (*user).clone()));
                Ok(users.iter().filter(is_member).cloned().collect())
            })
            .await
    }

    async fn members(&self, group: &GroupId, page: &Page<UserId>) -> Result<Vec<User>> {
        self.link
            .read("groups.members", |tables| {
                let members = tables.members_of(group, page.after.as_ref());
                let page = members.take(usize::try_from(page.fetch()).unwrap_or(usize::MAX));
                Ok(page.filter_map(|user| tables.users.get(user)).cloned().collect())
            })
            .await
    }
}

impl Tables {
    fn group(&self, id: &GroupId) -> Option<Group> {
        let found = self.groups.get(id)?;
        Some(Group {
            member_count: i64::try_from(self.members_of(id, None).count()).unwrap_or(i64::MAX),
            ..found.clone()
        })
    }

    fn insert_members(&mut self, group: &GroupId, users: &[UserId]) -> Result<()> {
        disk::reference(self.groups.contains_key(group), "group_members.group_id")?;
        for user in users {
            disk::reference(self.users.contains_key(user), "group_members.user_id")?;
            self.members.insert((group.clone(), user.clone()));
        }
        Ok(())
    }

    /// The members behind `after`, in order of id.
    fn members_of(&self, group: &GroupId, after: Option<&UserId>) -> impl Iterator<Item = &UserId> {
        let members = self.members.iter().filter(move |(of, _)| of == group);
        members
            .map(|(_, user)| user)
            .filter(move |user| after.is_none_or(|after| *user > after))
    }
}
