//! Groups and who is in them.

use proto::account::v1 as account;
use serde::Serialize;

use super::{
    View, rows,
    value::{Time, person},
};

/// A group, and its members where they were asked for.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Group {
    pub group_id: String,
    pub display_name: String,
    pub owner_id: String,
    pub member_count: i64,
    pub create_time: Option<Time>,
    /// In order of user id; `None` where they were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
}

/// Someone in a group.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Member {
    pub user_id: String,
    pub display_name: String,
}

impl Group {
    /// The group as the gateway tells it, without members.
    pub fn of(group: Option<account::Group>) -> Self {
        let group = group.unwrap_or_default();
        Self {
            group_id: group.group_id,
            display_name: group.display_name,
            owner_id: group.owner_id,
            member_count: group.member_count,
            create_time: Time::from_proto(group.create_time.as_ref()),
            members: None,
        }
    }

    /// The group with these members.
    #[must_use]
    pub fn with_members(self, members: Vec<account::User>) -> Self {
        let members = members.into_iter().map(|user| Member {
            user_id: user.user_id,
            display_name: user.display_name,
        });
        Self {
            members: Some(members.collect()),
            ..self
        }
    }
}

impl View for Group {
    fn human(&self) -> String {
        let head = format!(
            "group {}, owned by {}, {} members",
            person(&self.display_name, &self.group_id),
            self.owner_id,
            self.member_count
        );
        let Some(members) = &self.members else {
            return head;
        };
        let members = members
            .iter()
            .map(|member| [member.user_id.clone(), member.display_name.clone()]);
        format!("{head}\n{}", rows(["user", "name"], members, "no members"))
    }
}
