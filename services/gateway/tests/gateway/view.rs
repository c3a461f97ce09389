//! Answers composed of several services' answers.

use proto::{
    account::v1::{self as account, Group, User},
    gateway::v1 as gateway,
    grab::v1::{self as grab, Claim, Progress},
    packet::v1::{self as packet, Packet, list_packets_request::Of},
    terms::v1::{Audience, Terms, audience::Who},
};
use tonic::{Code, Status};

use crate::{
    fake::Fake,
    mesh::{Mesh, by},
};

/// A packet of `sender` to the group `family`.
pub fn packet(packet_id: &str, sender: &str) -> Packet {
    Packet {
        terms: Some(Terms {
            packet_id: packet_id.into(),
            sender_id: sender.into(),
            audience: Some(Audience {
                who: Some(Who::GroupId("family".into())),
            }),
            ..Terms::default()
        }),
        ..Packet::default()
    }
}

pub fn claim(user: &str, sender: &str) -> Claim {
    Claim {
        user_id: user.into(),
        sender_id: sender.into(),
        ..Claim::default()
    }
}

pub fn progress(packet_id: &str, seed: &[u8]) -> Progress {
    Progress {
        packet_id: packet_id.into(),
        seed: seed.to_vec(),
        ..Progress::default()
    }
}

pub fn names(of: &[&str]) -> std::collections::HashMap<String, String> {
    of.iter()
        .map(|user| ((*user).to_owned(), format!("Name of {user}")))
        .collect()
}

/// Everyone but `stranger…` has a name; everyone but `outsider…` is in every group.
pub fn people(fake: &Fake) -> &Fake {
    fake.on(|request: &account::BatchGetUsersRequest| {
        assert!((1..=1000).contains(&request.user_ids.len()));
        let known = request.user_ids.iter().filter(|user| !user.starts_with("stranger"));
        let users = known.map(|user| User {
            user_id: user.clone(),
            display_name: format!("Name of {user}"),
            ..User::default()
        });
        Ok(account::BatchGetUsersResponse { users: users.collect() })
    })
    .on(|request: &account::CheckMembersRequest| {
        let members = request.user_ids.iter().filter(|user| !user.starts_with("outsider"));
        Ok(account::CheckMembersResponse {
            member_ids: members.cloned().collect(),
        })
    })
}

#[tokio::test]
async fn a_packet_with_all_that_belongs_to_it() {
    let mesh = Mesh::start().await;
    people(&mesh.fake)
        .on(|request: &packet::GetPacketRequest| {
            Ok(packet::GetPacketResponse {
                packet: Some(packet(&request.packet_id, "alice")),
            })
        })
        .on(|request: &grab::ListClaimsRequest| {
            Ok(grab::ListClaimsResponse {
                claims: ["bob", "alice", "stranger", "carol"]
                    .map(|user| claim(user, "alice"))
                    .to_vec(),
                next_page_token: "more".into(),
                progress: Some(progress(&request.packet_id, b"")),
            })
        });
    let request = gateway::GetPacketRequest { packet_id: "p".into() };
    let view = mesh
        .red_packet()
        .get_packet(by("bob", request))
        .await
        .unwrap()
        .into_inner();

    assert_eq!(view.packet, Some(packet("p", "alice")));
    assert_eq!(view.progress, Some(progress("p", b"")));
    let order: Vec<_> = view.claims.iter().map(|claim| claim.user_id.as_str()).collect();
    assert_eq!(order, ["bob", "alice", "stranger", "carol"]);
    assert_eq!(view.display_names, names(&["alice", "bob", "carol"]));

    let heard = mesh.fake.heard::<grab::ListClaimsRequest>();
    assert_eq!((heard[0].packet_id.as_str(), heard[0].page_size), ("p", 100));
    let heard = mesh.fake.heard::<account::BatchGetUsersRequest>();
    assert_eq!(heard.len(), 1, "one call for all names");
    assert_eq!(heard[0].user_ids, ["alice", "bob", "carol", "stranger"], "each once");
}

/// Each stage's questions are under way at the same time: all of them arrive while none is answered.
#[tokio::test]
async fn a_view_asks_all_it_can_at_once() {
    let ask = |mesh: &Mesh| {
        let mut client = mesh.red_packet();
        let request = by("bob", gateway::GetPacketRequest { packet_id: "p".into() });
        tokio::spawn(async move { client.get_packet(request).await })
    };

    let mesh = Mesh::start().await;
    mesh.fake
        .hang::<packet::GetPacketRequest, packet::GetPacketResponse>()
        .hang::<grab::ListClaimsRequest, grab::ListClaimsResponse>();
    let asked = ask(&mesh);
    testkit::eventually("the packet and its claims", async || {
        (mesh.fake.count() == 2).then_some(())
    })
    .await;
    asked.abort();

    let mesh = Mesh::start().await;
    mesh.fake
        .on(|request: &packet::GetPacketRequest| {
            Ok(packet::GetPacketResponse {
                packet: Some(packet(&request.packet_id, "alice")),
            })
        })
        .on(|_: &grab::ListClaimsRequest| Ok(grab::ListClaimsResponse::default()))
        .hang::<account::CheckMembersRequest, account::CheckMembersResponse>()
        .hang::<account::BatchGetUsersRequest, account::BatchGetUsersResponse>();
    let asked = ask(&mesh);
    testkit::eventually("membership and names", async || (mesh.fake.count() == 4).then_some(())).await;
    asked.abort();
}

#[tokio::test]
async fn the_seed_is_shown_as_soon_as_grab_reveals_it() {
    let mesh = Mesh::start().await;
    people(&mesh.fake)
        .on(|request: &packet::GetPacketRequest| {
            let mut packet = packet(&request.packet_id, "alice");
            if request.packet_id == "completed" {
                packet.seed = b"from packet".to_vec();
            }
            Ok(packet::GetPacketResponse { packet: Some(packet) })
        })
        .on(|request: &grab::ListClaimsRequest| {
            let seed: &[u8] = if request.packet_id == "live" { b"" } else { b"from grab" };
            Ok(grab::ListClaimsResponse {
                progress: Some(progress(&request.packet_id, seed)),
                ..grab::ListClaimsResponse::default()
            })
        });
    for (packet_id, seed) in [("live", ""), ("exhausted", "from grab"), ("completed", "from packet")] {
        let request = gateway::GetPacketRequest {
            packet_id: packet_id.into(),
        };
        let view = mesh.red_packet().get_packet(by("alice", request)).await.unwrap();
        let shown = view.into_inner().packet.unwrap().seed;
        assert_eq!(shown, seed.as_bytes(), "{packet_id}");
    }
}

#[tokio::test]
async fn a_packet_that_grab_does_not_know_has_no_progress() {
    let mesh = Mesh::start().await;
    people(&mesh.fake)
        .on(|request: &packet::GetPacketRequest| {
            Ok(packet::GetPacketResponse {
                packet: Some(packet(&request.packet_id, "alice")),
            })
        })
        .on(
            |request: &grab::ListClaimsRequest| -> Result<grab::ListClaimsResponse, Status> {
                Err(status::not_found("packet", &request.packet_id))
            },
        );
    let mut client = mesh.red_packet();
    let request = gateway::GetPacketRequest { packet_id: "p".into() };
    let view = client.get_packet(by("alice", request)).await.unwrap().into_inner();
    assert_eq!(view.packet, Some(packet("p", "alice")));
    assert_eq!((view.progress, view.claims.len()), (None, 0));
    assert_eq!(view.display_names, names(&["alice"]));

    let request = gateway::ListClaimsRequest {
        packet_id: "p".into(),
        ..gateway::ListClaimsRequest::default()
    };
    let page = client.list_claims(by("alice", request)).await.unwrap().into_inner();
    assert_eq!(page, gateway::ListClaimsResponse::default());

    // A packet that packet does not know is another matter.
    mesh.fake.on(
        |request: &packet::GetPacketRequest| -> Result<packet::GetPacketResponse, Status> {
            Err(status::not_found("packet", &request.packet_id))
        },
    );
    let request = gateway::GetPacketRequest { packet_id: "p".into() };
    let refused = client.get_packet(by("alice", request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(status::reason(&refused), "PACKET_NOT_FOUND");
}

#[tokio::test]
async fn claims_with_the_names_of_those_who_made_them() {
    let mesh = Mesh::start().await;
    people(&mesh.fake)
        .on(|request: &packet::GetPacketRequest| {
            Ok(packet::GetPacketResponse {
                packet: Some(packet(&request.packet_id, "alice")),
            })
        })
        .on(|_: &grab::ListClaimsRequest| {
            Ok(grab::ListClaimsResponse {
                claims: (0..1000).map(|n| claim(&format!("user-{n}"), "alice")).collect(),
                next_page_token: "more".into(),
                progress: None,
            })
        });
    let request = gateway::ListClaimsRequest {
        packet_id: "p".into(),
        page_size: 1000,
        page_token: "token".into(),
    };
    let page = mesh
        .red_packet()
        .list_claims(by("bob", request))
        .await
        .unwrap()
        .into_inner();
    // A full page has as many people as account takes at once; the sender, who is not asked for, would be one too many.
    assert_eq!((page.claims.len(), page.display_names.len()), (1000, 1000));
    assert_eq!(page.next_page_token, "more");
    let expected = grab::ListClaimsRequest {
        packet_id: "p".into(),
        page_size: 1000,
        page_token: "token".into(),
    };
    assert_eq!(mesh.fake.heard::<grab::ListClaimsRequest>(), [expected]);
}

#[tokio::test]
async fn a_group_is_shown_to_its_members() {
    let mesh = Mesh::start().await;
    let family = Group {
        group_id: "family".into(),
        owner_id: "outsider-owner".into(),
        ..Group::default()
    };
    let members = vec![User {
        user_id: "alice".into(),
        ..User::default()
    }];
    let (group, listed) = (Some(family.clone()), members.clone());
    people(&mesh.fake)
        .on(move |_: &account::GetGroupRequest| Ok(account::GetGroupResponse { group: group.clone() }))
        .on(move |_: &account::ListMembersRequest| {
            Ok(account::ListMembersResponse {
                members: listed.clone(),
                next_page_token: "more".into(),
            })
        });
    let request = gateway::GetGroupRequest {
        group_id: "family".into(),
        page_size: 3,
        page_token: "token".into(),
    };
    let view = mesh
        .group()
        .get_group(by("bob", request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((view.group, view.members), (Some(family), members));
    assert_eq!(view.next_page_token, "more");
    let expected = account::ListMembersRequest {
        group_id: "family".into(),
        page_size: 3,
        page_token: "token".into(),
    };
    assert_eq!(mesh.fake.heard::<account::ListMembersRequest>(), [expected]);
    let expected = account::CheckMembersRequest {
        group_id: "family".into(),
        user_ids: vec!["bob".into()],
    };
    assert_eq!(mesh.fake.heard::<account::CheckMembersRequest>(), [expected]);

    for user in ["outsider", "outsider-owner"] {
        let refused = mesh.group().get_group(by(user, request.clone())).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert_eq!(status::reason(&refused), "NOT_GROUP_MEMBER");
    }
}

#[tokio::test]
async fn a_groups_packets_are_shown_to_its_members() {
    let mesh = Mesh::start().await;
    people(&mesh.fake).on(|_: &packet::ListPacketsRequest| {
        Ok(packet::ListPacketsResponse {
            packets: vec![packet("p2", "alice"), packet("p1", "carol")],
            next_page_token: "more".into(),
        })
    });
    let request = gateway::ListGroupPacketsRequest {
        group_id: "family".into(),
        page_size: 4,
        page_token: "token".into(),
    };
    let view = mesh
        .group()
        .list_group_packets(by("bob", request.clone()))
        .await
        .unwrap();
    let view = view.into_inner();
    assert_eq!(view.packets, [packet("p2", "alice"), packet("p1", "carol")]);
    assert_eq!(view.display_names, names(&["alice", "carol"]));
    assert_eq!(view.next_page_token, "more");
    let expected = packet::ListPacketsRequest {
        of: Some(Of::GroupId("family".into())),
        page_size: 4,
        page_token: "token".into(),
    };
    assert_eq!(mesh.fake.heard::<packet::ListPacketsRequest>(), [expected]);

    let refused = mesh
        .group()
        .list_group_packets(by("outsider", request))
        .await
        .unwrap_err();
    assert_eq!(status::reason(&refused), "NOT_GROUP_MEMBER");
}
