//! Groups.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use id::{GroupId, UserId};
use proto::gateway::v1::{
    AddMembersRequest, CreateGroupRequest, GetGroupRequest, ListGroupPacketsRequest, RemoveMembersRequest,
};

use super::{done, pages};
use crate::{
    client::Client,
    failure::Failure,
    show::{group, packet::Packets},
};

/// Most members on one page, and in one request (gateway.proto).
const MEMBERS_MAX: i32 = 1_000;
/// Most packets on one page (gateway.proto).
const PACKETS_MAX: i32 = 100;

/// Groups that the caller looks after or is in.
#[derive(Debug, Subcommand)]
pub enum Group {
    /// Create a group; you own it and are in it
    #[command(after_help = "Example: hongbao group create friends bob carol --as alice --name 朋友们")]
    Create {
        /// Which group: 1 to 64 of A-Z a-z 0-9 _ -
        group: GroupId,
        /// Further members
        #[arg(value_name = "USER")]
        members: Vec<UserId>,
        /// What others see; the group's id if not given
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
    },
    /// Add members to a group you own
    #[command(after_help = "Example: hongbao group add friends dave --as alice")]
    Add(Change),
    /// Remove members from a group you own
    #[command(after_help = "Example: hongbao group remove friends dave --as alice")]
    Remove(Change),
    /// Show a group you are in, with its members
    #[command(after_help = "Example: hongbao group show friends --as bob")]
    Show {
        /// Which group
        group: GroupId,
    },
    /// List the packets sent to a group you are in, newest first
    #[command(after_help = "Example: hongbao group packets friends --as bob")]
    Packets(GroupPackets),
}

/// Who comes or goes.
#[derive(Debug, Args)]
pub struct Change {
    /// Which group
    pub group: GroupId,
    /// Whom
    #[arg(value_name = "USER", required = true)]
    pub users: Vec<UserId>,
}

impl Change {
    fn parts(self) -> (String, Vec<String>) {
        (self.group.into(), self.users.into_iter().map(String::from).collect())
    }
}

/// The packets sent to a group.
#[derive(Debug, Args)]
pub struct GroupPackets {
    /// Which group
    pub group: GroupId,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

impl GroupPackets {
    async fn run(&self, client: &Client) -> Result<Packets, Failure> {
        let groups = client.groups()?;
        let (packets, more) = pages(self.limit, PACKETS_MAX, async |page_size, page_token| {
            let request = ListGroupPacketsRequest {
                group_id: self.group.to_string(),
                page_size,
                page_token,
            };
            let page = client.ask(groups.clone().list_group_packets(request)).await?;
            Ok((page.packets, page.next_page_token))
        })
        .await?;
        Ok(Packets {
            packets: packets.into_iter().map(Into::into).collect(),
            more,
        })
    }
}

impl Group {
    pub(super) async fn run(self, client: &Client, json: bool) -> Result<ExitCode, Failure> {
        let mut groups = client.groups()?;
        let group = match self {
            Self::Create { group, members, name } => create(client, &group, &name, &members).await?,
            Self::Add(change) => {
                let (group_id, user_ids) = change.parts();
                let call = groups.add_members(AddMembersRequest { group_id, user_ids });
                group::Group::of(client.ask(call).await?.group)
            }
            Self::Remove(change) => {
                let (group_id, user_ids) = change.parts();
                let call = groups.remove_members(RemoveMembersRequest { group_id, user_ids });
                group::Group::of(client.ask(call).await?.group)
            }
            Self::Show { group } => show(client, &group).await?,
            Self::Packets(list) => return done(&list.run(client).await?, json),
        };
        done(&group, json)
    }
}

/// Creates a group owned by the caller; an empty name means the group's id.
pub async fn create(client: &Client, group: &GroupId, name: &str, members: &[UserId]) -> Result<group::Group, Failure> {
    let request = CreateGroupRequest {
        group_id: group.to_string(),
        display_name: name.to_owned(),
        member_ids: members.iter().map(ToString::to_string).collect(),
    };
    let response = client.ask(client.groups()?.create_group(request)).await?;
    Ok(group::Group::of(response.group))
}

/// A group with all its members.
async fn show(client: &Client, group: &GroupId) -> Result<group::Group, Failure> {
    let groups = client.groups()?;
    let mut head = None;
    let (members, _) = pages(usize::MAX, MEMBERS_MAX, async |page_size, page_token| {
        let request = GetGroupRequest {
            group_id: group.to_string(),
            page_size,
            page_token,
        };
        let page = client.ask(groups.clone().get_group(request)).await?;
        head = page.group;
        Ok((page.members, page.next_page_token))
    })
    .await?;
    Ok(group::Group::of(head).with_members(members))
}
