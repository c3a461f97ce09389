//! Answers composed of several services' answers.
//!
//! What one call costs, in round trips one after the other (those in brackets at the same time):
//!
//! | view | round trips |
//! |---|---|
//! | [`wallet`] | (account: wallet, account: user) |
//! | [`packet`] | (packet: get, grab: claims) → (account: member? *, account: names *) |
//! | [`claims`] | (packet: terms *, grab: claims) → (account: member? *, account: names *) |
//! | [`watch`] | packet: terms * → account: member? * → grab: watch |
//! | [`sent`] | packet: list → grab: progress |
//! | [`received`] | grab: claims → account: names * |
//! | [`group`] | (account: member?, account: group, account: members) |
//! | [`group_packets`] | (account: member?, packet: list) → account: names * |
//!
//! What has a star is remembered, and asked for only now and then: see [`cache`].
//!
//! Where a caller turns out not to be allowed, what was fetched meanwhile is dropped unseen.

use id::UserId;
use proto::{
    account::v1::ListMembersRequest,
    gateway::v1::{
        GetGroupRequest, GetGroupResponse, GetPacketResponse, GetWalletResponse, ListClaimsRequest, ListClaimsResponse,
        ListGroupPacketsRequest, ListGroupPacketsResponse, ListReceivedRequest, ListReceivedResponse, ListSentRequest,
        ListSentResponse,
    },
    grab::{self, v1::Claim},
    packet::v1::{ListPacketsRequest, State, list_packets_request::Of},
    terms::v1::Terms,
};
use tonic::Status;

use crate::{
    audience,
    identity::Caller,
    peer::{Feed, Peers, terms},
};

/// How many claims [`packet`] shows; gateway.proto promises this number.
const FIRST_CLAIMS: i32 = 100;

/// A user's wallet with its owner.
pub async fn wallet(peers: &Peers, user: &UserId) -> Result<GetWalletResponse, Status> {
    let (account, user) = tokio::try_join!(peers.account.wallet(user), peers.account.user(user))?;
    Ok(GetWalletResponse {
        user,
        account: Some(account),
    })
}

/// A packet with its progress, its first claims and the names of all concerned.
pub async fn packet(peers: &Peers, caller: &Caller, packet_id: &str) -> Result<GetPacketResponse, Status> {
    let first = grab::v1::ListClaimsRequest {
        packet_id: packet_id.to_owned(),
        page_size: FIRST_CLAIMS,
        page_token: String::new(),
    };
    let (mut packet, page) = tokio::try_join!(peers.packet.get(packet_id), peers.grab.claims(first))?;
    let page = page.unwrap_or_default();

    let terms = terms(&packet)?;
    let concerned = user_ids(&page.claims).chain([&terms.sender_id]).cloned().collect();
    let ((), display_names) = tokio::try_join!(
        admit(peers, caller, packet.state(), terms),
        peers.account.display_names(concerned),
    )?;

    if packet.seed.is_empty()
        && let Some(progress) = &page.progress
    {
        // grab reveals the seed with the last share; packet learns of the end only when it closes (SEED-1).
        packet.seed.clone_from(&progress.seed);
    }
    Ok(GetPacketResponse {
        packet: Some(packet),
        progress: page.progress,
        claims: page.claims,
        display_names,
    })
}

/// A page of a packet's claims with the names of those who made them.
pub async fn claims(peers: &Peers, caller: &Caller, request: ListClaimsRequest) -> Result<ListClaimsResponse, Status> {
    let page = grab::v1::ListClaimsRequest {
        packet_id: request.packet_id.clone(),
        page_size: request.page_size,
        page_token: request.page_token,
    };
    let ((state, terms), page) = tokio::try_join!(peers.packet.terms(&request.packet_id), peers.grab.claims(page))?;
    let page = page.unwrap_or_default();

    let concerned = user_ids(&page.claims).cloned().collect();
    let ((), display_names) = tokio::try_join!(
        admit(peers, caller, state, &terms),
        peers.account.display_names(concerned),
    )?;
    Ok(ListClaimsResponse {
        claims: page.claims,
        display_names,
        next_page_token: page.next_page_token,
    })
}

/// The feed of a packet. `FAILED_PRECONDITION` (reason `PACKET_NOT_ACTIVE`) where nothing can happen to it yet, or ever.
pub async fn watch(peers: &Peers, caller: &Caller, packet_id: &str) -> Result<Feed, Status> {
    let (state, terms) = peers.packet.terms(packet_id).await?;
    admit(peers, caller, state, &terms).await?;
    peers.grab.watch(packet_id).await?.ok_or_else(|| {
        status::precondition(
            "PACKET_NOT_ACTIVE",
            packet_id,
            "the packet is not active yet, or was rejected",
            [],
        )
    })
}

/// Packets a user sent, with their progress.
pub async fn sent(peers: &Peers, user: &UserId, request: ListSentRequest) -> Result<ListSentResponse, Status> {
    let page = peers
        .packet
        .list(ListPacketsRequest {
            of: Some(Of::SenderId(user.to_string())),
            page_size: request.page_size,
            page_token: request.page_token,
        })
        .await?;
    let packet_ids = page
        .packets
        .iter()
        .map(|packet| Ok(terms(packet)?.packet_id.clone()))
        .collect::<Result<_, Status>>()?;
    Ok(ListSentResponse {
        progress: peers.grab.progress(packet_ids).await?,
        packets: page.packets,
        next_page_token: page.next_page_token,
    })
}

/// Shares a user opened, with the names of those who sent them.
pub async fn received(
    peers: &Peers,
    user: &UserId,
    request: ListReceivedRequest,
) -> Result<ListReceivedResponse, Status> {
    let page = peers
        .grab
        .claims_of(grab::v1::ListUserClaimsRequest {
            user_id: user.to_string(),
            page_size: request.page_size,
            page_token: request.page_token,
        })
        .await?;
    let senders = page.claims.iter().map(|claim| claim.sender_id.clone()).collect();
    Ok(ListReceivedResponse {
        display_names: peers.account.display_names(senders).await?,
        claims: page.claims,
        next_page_token: page.next_page_token,
    })
}

/// A group with its members, for those in it.
pub async fn group(peers: &Peers, user: &UserId, request: GetGroupRequest) -> Result<GetGroupResponse, Status> {
    let page = ListMembersRequest {
        group_id: request.group_id.clone(),
        page_size: request.page_size,
        page_token: request.page_token,
    };
    let (is_member, group, page) = tokio::try_join!(
        peers.account.is_member(&request.group_id, user),
        peers.account.group(&request.group_id),
        peers.account.members(page),
    )?;
    if !is_member {
        return Err(not_a_member());
    }
    Ok(GetGroupResponse {
        group: Some(group),
        members: page.members,
        next_page_token: page.next_page_token,
    })
}

/// Packets sent to a group, with the names of their senders, for those in it. A page may hold fewer than asked for: those
/// that the caller is not told of are left out.
pub async fn group_packets(
    peers: &Peers,
    caller: &Caller,
    request: ListGroupPacketsRequest,
) -> Result<ListGroupPacketsResponse, Status> {
    let page = ListPacketsRequest {
        of: Some(Of::GroupId(request.group_id.clone())),
        page_size: request.page_size,
        page_token: request.page_token,
    };
    let (is_member, mut page) = tokio::try_join!(
        peers.account.is_member(&request.group_id, &caller.user_id),
        peers.packet.list(page),
    )?;
    if !is_member {
        return Err(not_a_member());
    }
    page.packets
        .retain(|packet| terms(packet).is_ok_and(|terms| audience::is_told(caller, packet.state(), terms)));
    let senders = page
        .packets
        .iter()
        .map(|packet| Ok(terms(packet)?.sender_id.clone()))
        .collect::<Result<_, Status>>()?;
    Ok(ListGroupPacketsResponse {
        display_names: peers.account.display_names(senders).await?,
        packets: page.packets,
        next_page_token: page.next_page_token,
    })
}

/// Lets through who owns a group; `PERMISSION_DENIED` (reason `NOT_GROUP_OWNER`) for all others.
pub async fn owns_group(peers: &Peers, user: &UserId, group_id: &str) -> Result<(), Status> {
    if peers.account.group(group_id).await?.owner_id == user.as_str() {
        return Ok(());
    }
    Err(status::permission_denied(
        "NOT_GROUP_OWNER",
        "only the owner of the group may do this",
    ))
}

/// Lets `caller` look at the packet of these terms in this state: `NOT_FOUND` where it is not told of it,
/// `PERMISSION_DENIED` where it is for others.
async fn admit(peers: &Peers, caller: &Caller, state: State, terms: &Terms) -> Result<(), Status> {
    if !audience::is_told(caller, state, terms) {
        return Err(status::not_found("packet", &terms.packet_id));
    }
    audience::admit(&peers.account, caller, terms).await
}

fn not_a_member() -> Status {
    status::permission_denied("NOT_GROUP_MEMBER", "only members of the group may see this")
}

fn user_ids(claims: &[Claim]) -> impl Iterator<Item = &String> {
    claims.iter().map(|claim| &claim.user_id)
}
