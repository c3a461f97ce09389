//! Every RPC that one service answers: it arrives there with the caller's identity, and the answer comes back whole.

use proto::{
    account::v1::{self as account, Account, AccountKind, AccountRef, Entry, Group, User},
    gateway::v1 as gateway,
    grab::v1::{self as grab, Claim, Exhausted, grab_response, open_response},
    packet::v1::{self as packet, Packet},
    terms::v1::{Anyone, Audience, Terms, audience::Who},
};

use crate::mesh::{Mesh, by, by_operator};

/// A text of its own for every field, so that no two can be mixed up.
pub fn text(name: &str) -> String {
    format!("the-{name}")
}

fn wallet_of(owner: &str) -> AccountRef {
    AccountRef {
        kind: AccountKind::Wallet.into(),
        owner: owner.to_owned(),
    }
}

pub fn account(balance_fen: i64) -> Account {
    Account {
        balance_fen,
        ..Account::default()
    }
}

fn group(owner_id: &str, member_count: i64) -> Group {
    Group {
        owner_id: owner_id.to_owned(),
        member_count,
        ..Group::default()
    }
}

#[tokio::test]
async fn wallet() {
    let mesh = Mesh::start().await;
    let alice = User {
        user_id: "alice".into(),
        display_name: "Alice".into(),
        ..User::default()
    };
    let users = vec![alice.clone()];
    mesh.fake
        .on(|_: &account::GetAccountRequest| {
            Ok(account::GetAccountResponse {
                account: Some(account(7)),
            })
        })
        .on(move |_: &account::BatchGetUsersRequest| Ok(account::BatchGetUsersResponse { users: users.clone() }))
        .on(|_: &account::ListEntriesRequest| {
            Ok(account::ListEntriesResponse {
                entries: vec![Entry {
                    entry_no: 3,
                    ..Entry::default()
                }],
                next_page_token: text("next"),
            })
        });

    let answer = mesh
        .wallet()
        .get_wallet(by("alice", gateway::GetWalletRequest {}))
        .await;
    let answer = answer.unwrap().into_inner();
    assert_eq!((answer.user, answer.account), (Some(alice), Some(account(7))));
    let heard = mesh.fake.heard::<account::GetAccountRequest>();
    assert_eq!(
        heard,
        [account::GetAccountRequest {
            r#ref: Some(wallet_of("alice"))
        }]
    );
    let heard = mesh.fake.heard::<account::BatchGetUsersRequest>();
    assert_eq!(heard[0].user_ids, ["alice"]);

    let request = gateway::ListEntriesRequest {
        page_size: 5,
        page_token: text("token"),
    };
    let answer = mesh
        .wallet()
        .list_entries(by("bob", request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((answer.entries[0].entry_no, answer.next_page_token), (3, text("next")));
    let heard = mesh.fake.heard::<account::ListEntriesRequest>();
    let expected = account::ListEntriesRequest {
        r#ref: Some(wallet_of("bob")),
        page_size: 5,
        page_token: text("token"),
    };
    assert_eq!(heard, [expected]);
}

#[tokio::test]
async fn send() {
    let mesh = Mesh::start().await;
    mesh.fake.on(|_: &packet::CreatePacketRequest| {
        Ok(packet::CreatePacketResponse {
            packet: Some(Packet {
                opened_count: 4,
                ..Packet::default()
            }),
        })
    });
    let audience = Some(Audience {
        who: Some(Who::Anyone(Anyone {})),
    });
    let start_time = Some(prost_types::Timestamp { seconds: 1, nanos: 2 });
    let lifetime = Some(prost_types::Duration { seconds: 3, nanos: 4 });
    let request = gateway::SendPacketRequest {
        request_id: text("request"),
        kind: 2,
        total_fen: 100,
        share_count: 10,
        share_cap_fen: 50,
        audience: audience.clone(),
        passphrase: text("passphrase"),
        start_time,
        lifetime,
        greeting: text("greeting"),
        cover: text("cover"),
    };
    let answer = mesh.red_packet().send_packet(by("alice", request)).await.unwrap();
    assert_eq!(answer.into_inner().packet.unwrap().opened_count, 4);
    let expected = packet::CreatePacketRequest {
        request_id: text("request"),
        sender_id: "alice".into(),
        kind: 2,
        total_fen: 100,
        share_count: 10,
        share_cap_fen: 50,
        audience,
        passphrase: text("passphrase"),
        start_time,
        lifetime,
        greeting: text("greeting"),
        cover: text("cover"),
    };
    assert_eq!(mesh.fake.heard::<packet::CreatePacketRequest>(), [expected]);
}

#[tokio::test]
async fn grab_and_open() {
    let mesh = Mesh::start().await;
    let exhausted = grab::GrabResponse {
        outcome: Some(grab_response::Outcome::Exhausted(Exhausted {})),
    };
    let opened = grab::OpenResponse {
        outcome: Some(open_response::Outcome::Opened(Claim {
            amount_fen: 88,
            ..Claim::default()
        })),
    };
    let (first, second) = (exhausted.clone(), opened.clone());
    mesh.fake
        .on(move |_: &grab::GrabRequest| Ok(first.clone()))
        .on(move |_: &grab::OpenRequest| Ok(second.clone()));

    let request = gateway::GrabPacketRequest {
        packet_id: text("packet"),
        passphrase: text("passphrase"),
        open: true,
    };
    let answer = mesh.red_packet().grab_packet(by("bob", request)).await.unwrap();
    assert_eq!(answer.into_inner().outcome, Some(exhausted));
    let expected = grab::GrabRequest {
        packet_id: text("packet"),
        user_id: "bob".into(),
        passphrase: text("passphrase"),
        open: true,
    };
    assert_eq!(mesh.fake.heard::<grab::GrabRequest>(), [expected]);

    let request = gateway::OpenPacketRequest {
        packet_id: text("packet"),
        voucher: text("voucher"),
    };
    let answer = mesh.red_packet().open_packet(by("carol", request)).await.unwrap();
    assert_eq!(answer.into_inner().outcome, Some(opened));
    let expected = grab::OpenRequest {
        packet_id: text("packet"),
        user_id: "carol".into(),
        voucher: text("voucher"),
    };
    assert_eq!(mesh.fake.heard::<grab::OpenRequest>(), [expected]);
}

#[tokio::test]
async fn year_summary() {
    let mesh = Mesh::start().await;
    let sums = grab::SummarizeUserResponse {
        claim_count: 1,
        amount_fen: 2,
        luckiest_count: 3,
    };
    mesh.fake.on(move |_: &grab::SummarizeUserRequest| Ok(sums));
    let request = gateway::GetYearSummaryRequest { year: 2026 };
    let answer = mesh.record().get_year_summary(by("alice", request)).await.unwrap();
    assert_eq!(answer.into_inner().received, Some(sums));
    let expected = grab::SummarizeUserRequest {
        user_id: "alice".into(),
        year: 2026,
    };
    assert_eq!(mesh.fake.heard::<grab::SummarizeUserRequest>(), [expected]);
}

#[tokio::test]
async fn groups_change_by_their_owner() {
    let mesh = Mesh::start().await;
    mesh.fake
        .on(|_: &account::GetGroupRequest| {
            Ok(account::GetGroupResponse {
                group: Some(group("alice", 1)),
            })
        })
        .on(|_: &account::CreateGroupRequest| {
            Ok(account::CreateGroupResponse {
                group: Some(group("alice", 2)),
            })
        })
        .on(|_: &account::AddMembersRequest| {
            Ok(account::AddMembersResponse {
                group: Some(group("alice", 3)),
            })
        })
        .on(|_: &account::RemoveMembersRequest| {
            Ok(account::RemoveMembersResponse {
                group: Some(group("alice", 4)),
            })
        });

    let request = gateway::CreateGroupRequest {
        group_id: text("group"),
        display_name: text("name"),
        member_ids: vec!["bob".into()],
    };
    let answer = mesh.group().create_group(by("alice", request)).await.unwrap();
    assert_eq!(answer.into_inner().group, Some(group("alice", 2)));
    let expected = account::CreateGroupRequest {
        group_id: text("group"),
        display_name: text("name"),
        owner_id: "alice".into(),
        member_ids: vec!["bob".into()],
    };
    assert_eq!(mesh.fake.heard::<account::CreateGroupRequest>(), [expected]);

    let add = gateway::AddMembersRequest {
        group_id: text("group"),
        user_ids: vec!["carol".into()],
    };
    let remove = gateway::RemoveMembersRequest {
        group_id: text("group"),
        user_ids: vec!["dave".into()],
    };
    for refused in [
        mesh.group().add_members(by("bob", add.clone())).await.unwrap_err(),
        mesh.group()
            .remove_members(by("bob", remove.clone()))
            .await
            .unwrap_err(),
        mesh.group()
            .add_members(by_operator("olga", add.clone()))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(refused.code(), tonic::Code::PermissionDenied);
        assert_eq!(status::reason(&refused), "NOT_GROUP_OWNER");
    }
    assert!(mesh.fake.heard::<account::AddMembersRequest>().is_empty());
    assert!(mesh.fake.heard::<account::RemoveMembersRequest>().is_empty());

    let answer = mesh.group().add_members(by("alice", add)).await.unwrap();
    assert_eq!(answer.into_inner().group, Some(group("alice", 3)));
    let answer = mesh.group().remove_members(by("alice", remove)).await.unwrap();
    assert_eq!(answer.into_inner().group, Some(group("alice", 4)));
    let heard = mesh.fake.heard::<account::AddMembersRequest>();
    assert_eq!(
        (heard[0].group_id.as_str(), &heard[0].user_ids),
        ("the-group", &vec!["carol".to_owned()])
    );
    let heard = mesh.fake.heard::<account::RemoveMembersRequest>();
    assert_eq!(
        (heard[0].group_id.as_str(), &heard[0].user_ids),
        ("the-group", &vec!["dave".to_owned()])
    );
}

/// Terms are not the gateway's to check: what is wrong with them is said by packet, under the same field names.
#[tokio::test]
async fn the_gateway_leaves_validation_to_the_services() {
    let mesh = Mesh::start().await;
    mesh.fake.on(|_: &packet::CreatePacketRequest| {
        let mut violations = status::Violations::default();
        violations.add("total_fen", "must be above zero");
        violations.finish()?;
        Ok(packet::CreatePacketResponse {
            packet: Some(Packet {
                terms: Some(Terms::default()),
                ..Packet::default()
            }),
        })
    });
    let request = gateway::SendPacketRequest {
        total_fen: -1,
        kind: 99,
        ..gateway::SendPacketRequest::default()
    };
    let refused = mesh.red_packet().send_packet(by("alice", request)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert_eq!(refused.message(), "total_fen: must be above zero");
    assert_eq!(status::reason(&refused), "INVALID_FIELDS");
}
