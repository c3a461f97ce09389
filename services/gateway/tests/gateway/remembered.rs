//! What is asked once: terms, names, members, and ids that nobody has. What is asked each time: whatever changes.

use futures::{StreamExt, stream};
use proto::{
    account::v1::{BatchGetUsersRequest, CheckMembersRequest},
    gateway::v1::{GetPacketRequest, ListClaimsRequest, WatchPacketRequest},
    grab::v1 as grab,
    packet::v1::{self as packet, State},
};
use tonic::{Code, Status};

use crate::{
    mesh::{Mesh, by},
    view,
};

const PACKET: &str = "0192d3c4-5b6a-7c8d-9e0f-112233445566";
const NOBODYS: &str = "0192d3c4-5b6a-7c8d-9e0f-000000000000";

/// Packet knows one packet, in this state; these have claimed.
fn one_packet(mesh: &Mesh, state: State, claimers: &'static [&'static str]) {
    view::people(&mesh.fake)
        .on(move |request: &packet::GetPacketRequest| {
            if request.packet_id != PACKET {
                return Err(status::not_found("packet", &request.packet_id));
            }
            let mut packet = view::packet(PACKET, "alice");
            packet.set_state(state);
            Ok(packet::GetPacketResponse { packet: Some(packet) })
        })
        .on(move |_: &grab::ListClaimsRequest| {
            Ok(grab::ListClaimsResponse {
                claims: claimers.iter().map(|user| view::claim(user, "alice")).collect(),
                ..grab::ListClaimsResponse::default()
            })
        })
        .on(|_: &grab::WatchPacketRequest| Ok(stream::empty::<Result<grab::WatchPacketResponse, Status>>().boxed()));
}

async fn get(mesh: &Mesh, user: &str, packet_id: &str) -> Result<(), Code> {
    let packet_id = packet_id.to_owned();
    let answer = mesh
        .red_packet()
        .get_packet(by(user, GetPacketRequest { packet_id }))
        .await;
    answer.map(drop).map_err(|status| status.code())
}

async fn list(mesh: &Mesh, user: &str, packet_id: &str) -> Result<(), Code> {
    let request = ListClaimsRequest {
        packet_id: packet_id.to_owned(),
        ..ListClaimsRequest::default()
    };
    let answer = mesh.red_packet().list_claims(by(user, request)).await;
    answer.map(drop).map_err(|status| status.code())
}

async fn watch(mesh: &Mesh, user: &str, packet_id: &str) -> Result<(), Code> {
    let packet_id = packet_id.to_owned();
    let answer = mesh
        .red_packet()
        .watch_packet(by(user, WatchPacketRequest { packet_id }))
        .await;
    answer.map(drop).map_err(|status| status.code())
}

fn asked<Q: Clone + 'static>(mesh: &Mesh) -> usize {
    mesh.fake.heard::<Q>().len()
}

#[tokio::test]
async fn terms_names_and_members_are_asked_for_once() {
    let mesh = Mesh::start().await;
    one_packet(&mesh, State::Active, &["bob", "carol"]);
    for _ in 0..3 {
        list(&mesh, "bob", PACKET).await.unwrap();
        watch(&mesh, "bob", PACKET).await.unwrap();
    }
    assert_eq!(asked::<packet::GetPacketRequest>(&mesh), 1);
    assert_eq!(asked::<CheckMembersRequest>(&mesh), 1);
    assert_eq!(asked::<BatchGetUsersRequest>(&mesh), 1);

    // The state of a packet changes, and so do its claims; of names, only new ones are asked for.
    one_packet(&mesh, State::Active, &["bob", "carol", "dave"]);
    for _ in 0..2 {
        get(&mesh, "bob", PACKET).await.unwrap();
    }
    assert_eq!(asked::<packet::GetPacketRequest>(&mesh), 3);
    assert_eq!(asked::<grab::ListClaimsRequest>(&mesh), 5);
    let names = mesh.fake.heard::<BatchGetUsersRequest>();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0].user_ids, ["bob", "carol"]);
    assert_eq!(
        names[1].user_ids,
        ["alice", "dave"],
        "the sender is shown by GetPacket only"
    );
}

#[tokio::test]
async fn an_id_that_nobody_has_is_asked_for_once() {
    let mesh = Mesh::start().await;
    one_packet(&mesh, State::Active, &[]);
    for _ in 0..3 {
        assert_eq!(get(&mesh, "bob", NOBODYS).await, Err(Code::NotFound));
        assert_eq!(list(&mesh, "bob", NOBODYS).await, Err(Code::NotFound));
        assert_eq!(watch(&mesh, "bob", NOBODYS).await, Err(Code::NotFound));
    }
    assert_eq!(asked::<packet::GetPacketRequest>(&mesh), 1);
}

#[tokio::test]
async fn a_packet_that_is_not_active_yet_is_looked_at_again() {
    let mesh = Mesh::start().await;
    one_packet(&mesh, State::Funding, &[]);
    for look in 1..3 {
        list(&mesh, "alice", PACKET).await.unwrap();
        assert_eq!(list(&mesh, "bob", PACKET).await, Err(Code::NotFound));
        assert_eq!(get(&mesh, "bob", PACKET).await, Err(Code::NotFound));
        assert_eq!(asked::<packet::GetPacketRequest>(&mesh), 3 * look);
    }
    one_packet(&mesh, State::Active, &[]);
    list(&mesh, "bob", PACKET).await.unwrap();
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let mesh = Mesh::start().await;
    one_packet(&mesh, State::Active, &[]);
    mesh.fake
        .on(|_: &packet::GetPacketRequest| -> Result<packet::GetPacketResponse, Status> { Err(Status::unknown("?")) });
    for ask in 1..3 {
        assert_eq!(list(&mesh, "bob", PACKET).await, Err(Code::Unavailable));
        assert_eq!(asked::<packet::GetPacketRequest>(&mesh), ask);
    }
    one_packet(&mesh, State::Active, &[]);
    list(&mesh, "bob", PACKET).await.unwrap();
}
