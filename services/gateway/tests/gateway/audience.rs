//! Who may look at a packet, asked through every RPC that shows one.

use futures::{StreamExt, stream};
use proto::{
    account::v1::CheckMembersRequest,
    gateway::v1::{GetPacketRequest, ListClaimsRequest, WatchPacketRequest},
    grab::v1 as grab,
    packet::v1 as packet,
    terms::v1::{Anyone, Audience, audience::Who},
};
use tonic::{Code, Request, Status};

use crate::{
    mesh::{Mesh, by, by_operator},
    view,
};

/// The packet's id says who its audience is.
fn packets(mesh: &Mesh) {
    view::people(&mesh.fake)
        .on(|request: &packet::GetPacketRequest| {
            let mut packet = view::packet(&request.packet_id, "alice");
            let who = match request.packet_id.as_str() {
                "group" => Who::GroupId("family".into()),
                "exclusive" => Who::UserId("bob".into()),
                _ => Who::Anyone(Anyone {}),
            };
            packet.terms.as_mut().unwrap().audience = Some(Audience { who: Some(who) });
            if request.packet_id == "rejected" {
                packet.set_state(packet::State::Rejected);
            }
            Ok(packet::GetPacketResponse { packet: Some(packet) })
        })
        .on(|_: &grab::ListClaimsRequest| Ok(grab::ListClaimsResponse::default()))
        .on(|_: &grab::WatchPacketRequest| Ok(stream::empty::<Result<grab::WatchPacketResponse, Status>>().boxed()));
}

/// What `GetPacket`, `ListClaims` and `WatchPacket` say to the same caller.
async fn look<T>(mesh: &Mesh, packet_id: &str, request: impl Fn() -> Request<T>) -> [Result<(), Status>; 3] {
    let metadata = || request().metadata().clone();
    let packet_id = packet_id.to_owned();
    let mut get = Request::new(GetPacketRequest {
        packet_id: packet_id.clone(),
    });
    let mut list = Request::new(ListClaimsRequest {
        packet_id: packet_id.clone(),
        ..ListClaimsRequest::default()
    });
    let mut watch = Request::new(WatchPacketRequest { packet_id });
    *get.metadata_mut() = metadata();
    *list.metadata_mut() = metadata();
    *watch.metadata_mut() = metadata();
    let mut client = mesh.red_packet();
    [
        client.get_packet(get).await.map(drop),
        client.list_claims(list).await.map(drop),
        client.watch_packet(watch).await.map(drop),
    ]
}

#[tokio::test]
async fn the_audience_may_look_and_nobody_else() {
    let mesh = Mesh::start().await;
    packets(&mesh);
    let cases = [
        ("group", "alice", true),
        ("group", "member", true),
        ("group", "outsider", false),
        ("exclusive", "alice", true),
        ("exclusive", "bob", true),
        ("exclusive", "carol", false),
        ("anyone", "alice", true),
        ("anyone", "outsider", true),
    ];
    for (packet_id, user, inside) in cases {
        for answer in look(&mesh, packet_id, || by(user, ())).await {
            let Err(refused) = answer else {
                assert!(inside, "{user} saw {packet_id}");
                continue;
            };
            assert!(!inside, "{user} did not see {packet_id}: {refused:?}");
            assert_eq!(refused.code(), Code::PermissionDenied);
            assert_eq!(status::reason(&refused), "NOT_IN_AUDIENCE");
        }
    }
    for packet_id in ["group", "exclusive", "anyone"] {
        for answer in look(&mesh, packet_id, || by_operator("outsider", ())).await {
            answer.unwrap();
        }
    }
    // Only where it depends on a group is account asked, and not by each of three RPCs: a no is remembered for a moment.
    let asked = mesh.fake.heard::<CheckMembersRequest>().len();
    assert!((2..6).contains(&asked), "{asked}");
    // Nobody who may not look is connected to the feed: 6 of the 8 callers, and 3 times the operator.
    assert_eq!(mesh.fake.heard::<grab::WatchPacketRequest>().len(), 9);
}

#[tokio::test]
async fn a_packet_that_could_not_be_paid_is_not_told_to_others() {
    let mesh = Mesh::start().await;
    packets(&mesh);
    for answer in look(&mesh, "rejected", || by("bob", ())).await {
        let refused = answer.unwrap_err();
        assert_eq!(
            (refused.code(), status::reason(&refused).as_str()),
            (Code::NotFound, "PACKET_NOT_FOUND")
        );
    }
    for answer in look(&mesh, "rejected", || by("alice", ())).await {
        answer.unwrap();
    }
    for answer in look(&mesh, "rejected", || by_operator("ops", ())).await {
        answer.unwrap();
    }
}
