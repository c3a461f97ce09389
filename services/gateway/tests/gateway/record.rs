//! What the caller sent and received, composed.

use proto::{
    account::v1 as account,
    gateway::v1 as gateway,
    grab::v1 as grab,
    packet::v1::{self as packet, list_packets_request::Of},
};

use crate::{
    mesh::{Mesh, by},
    view::{claim, names, packet, people, progress},
};

#[tokio::test]
async fn sent_packets_with_their_progress() {
    let mesh = Mesh::start().await;
    mesh.fake
        .on(|request: &packet::ListPacketsRequest| {
            let packets = match request.page_token.as_str() {
                "" => vec![packet("p1", "alice"), packet("rejected", "alice")],
                _ => Vec::new(),
            };
            Ok(packet::ListPacketsResponse {
                packets,
                next_page_token: "more".into(),
            })
        })
        .on(|_: &grab::BatchGetProgressRequest| {
            Ok(grab::BatchGetProgressResponse {
                progress: vec![progress("p1", b"")],
            })
        });
    let mut record = mesh.record();
    let request = gateway::ListSentRequest {
        page_size: 2,
        page_token: String::new(),
    };
    let page = record.list_sent(by("alice", request)).await.unwrap().into_inner();
    assert_eq!(page.packets, [packet("p1", "alice"), packet("rejected", "alice")]);
    assert_eq!(page.progress, [progress("p1", b"")]);
    assert_eq!(page.next_page_token, "more");

    let request = gateway::ListSentRequest {
        page_size: 2,
        page_token: "last".into(),
    };
    let page = record.list_sent(by("alice", request)).await.unwrap().into_inner();
    assert!(page.packets.is_empty() && page.progress.is_empty());

    let expected = ["", "last"].map(|token| packet::ListPacketsRequest {
        of: Some(Of::SenderId("alice".into())),
        page_size: 2,
        page_token: token.into(),
    });
    assert_eq!(mesh.fake.heard::<packet::ListPacketsRequest>(), expected);
    let heard = mesh.fake.heard::<grab::BatchGetProgressRequest>();
    assert_eq!(heard.len(), 1, "nothing is asked about an empty page");
    assert_eq!(heard[0].packet_ids, ["p1", "rejected"]);
}

#[tokio::test]
async fn received_shares_with_the_names_of_the_senders() {
    let mesh = Mesh::start().await;
    people(&mesh.fake).on(|request: &grab::ListUserClaimsRequest| {
        let claims = match request.page_token.as_str() {
            "" => vec![claim("bob", "alice"), claim("bob", "carol"), claim("bob", "alice")],
            _ => Vec::new(),
        };
        Ok(grab::ListUserClaimsResponse {
            claims,
            next_page_token: "more".into(),
        })
    });
    let mut record = mesh.record();
    for (token, claims, senders) in [("", 3, &["alice", "carol"][..]), ("last", 0, &[])] {
        let request = gateway::ListReceivedRequest {
            page_size: 9,
            page_token: token.into(),
        };
        let page = record.list_received(by("bob", request)).await.unwrap().into_inner();
        assert_eq!(page.claims.len(), claims);
        assert_eq!(page.display_names, names(senders));
        assert_eq!(page.next_page_token, "more");
    }
    let heard = mesh.fake.heard::<grab::ListUserClaimsRequest>();
    let expected = ["", "last"].map(|token| grab::ListUserClaimsRequest {
        user_id: "bob".into(),
        page_size: 9,
        page_token: token.into(),
    });
    assert_eq!(heard, expected);
    assert_eq!(mesh.fake.heard::<account::BatchGetUsersRequest>().len(), 1);
}
