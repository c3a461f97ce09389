//! The feed of a packet.

use std::time::Duration;

use futures::{StreamExt, stream};
use proto::{
    gateway::v1::{WatchPacketRequest, WatchPacketResponse},
    grab::v1::{self as grab, Claim, Progress, watch_packet_response::Event},
    packet::v1 as packet,
};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use crate::{
    mesh::{Mesh, by},
    view,
};

type Item = Result<grab::WatchPacketResponse, Status>;

fn claim(share_no: u32) -> grab::WatchPacketResponse {
    grab::WatchPacketResponse {
        event: Some(Event::Claim(Claim {
            share_no,
            ..Claim::default()
        })),
    }
}

fn ended() -> grab::WatchPacketResponse {
    grab::WatchPacketResponse {
        event: Some(Event::Ended(Progress {
            opened_count: 2,
            ..Progress::default()
        })),
    }
}

/// A gateway where every packet's feed says `items`, and then ends or stays open.
async fn mesh(items: Vec<Item>, stays_open: bool) -> Mesh {
    let mesh = Mesh::start().await;
    view::people(&mesh.fake)
        .on(|request: &packet::GetPacketRequest| {
            Ok(packet::GetPacketResponse {
                packet: Some(view::packet(&request.packet_id, "alice")),
            })
        })
        .on(move |_: &grab::WatchPacketRequest| {
            let items = stream::iter(items.clone());
            Ok(if stays_open {
                items.chain(stream::pending()).boxed()
            } else {
                items.boxed()
            })
        });
    mesh
}

async fn watch(mesh: &Mesh) -> Streaming<WatchPacketResponse> {
    let request = WatchPacketRequest { packet_id: "p".into() };
    mesh.red_packet()
        .watch_packet(by("bob", request))
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test]
async fn who_watches_beyond_the_limit_is_refused_until_somebody_leaves() {
    let mesh = mesh(vec![Ok(claim(1))], true).await;
    let mut feeds = Vec::new();
    for _ in 0..3 {
        let mut feed = watch(&mesh).await;
        feed.message().await.unwrap();
        feeds.push(feed);
    }
    let ask = async || {
        let request = WatchPacketRequest { packet_id: "p".into() };
        mesh.red_packet().watch_packet(by("bob", request)).await
    };
    let refused = ask().await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(status::reason(&refused), "TOO_MANY_STREAMS");
    assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
    feeds.pop();
    testkit::eventually("a place", async || ask().await.ok()).await;
}

#[tokio::test]
async fn events_arrive_in_order_until_the_end() {
    let mesh = mesh(vec![Ok(claim(4)), Ok(claim(2)), Ok(ended())], false).await;
    let mut feed = watch(&mesh).await;
    for expected in [claim(4), claim(2), ended()] {
        assert_eq!(feed.message().await.unwrap().unwrap().event, Some(expected));
    }
    assert_eq!(feed.message().await.unwrap(), None);
    let expected = grab::WatchPacketRequest { packet_id: "p".into() };
    assert_eq!(mesh.fake.heard::<grab::WatchPacketRequest>(), [expected]);
}

#[tokio::test]
async fn an_open_feed_ends_with_the_gateway() {
    let mesh = mesh(vec![Ok(claim(0))], true).await;
    let mut feed = watch(&mesh).await;
    assert!(feed.message().await.unwrap().is_some());
    mesh.process.begin_stop();
    let farewell = tokio::time::timeout(Duration::from_secs(20), feed.message()).await;
    let farewell = farewell.expect("the feed outlives the gateway").unwrap_err();
    assert_eq!(farewell.code(), Code::Unavailable);
    assert!(farewell.get_details_retry_info().is_some());
    assert!(
        mesh.process.stop(Duration::from_secs(20)).await,
        "the stop did not wait for the feed"
    );
}

#[tokio::test]
async fn an_error_in_a_feed_is_judged_like_any_other() {
    let cases = [
        (
            status::precondition("GONE", "p", "said by grab", []),
            Code::FailedPrecondition,
            "said by grab",
        ),
        (
            Status::unknown("secret"),
            Code::Unavailable,
            "the grab service is not available just now",
        ),
    ];
    for (said, code, message) in cases {
        let mesh = mesh(vec![Ok(claim(0)), Err(said)], false).await;
        let mut feed = watch(&mesh).await;
        assert!(feed.message().await.unwrap().is_some());
        let heard = feed.message().await.unwrap_err();
        assert_eq!((heard.code(), heard.message()), (code, message));
    }
}

#[tokio::test]
async fn a_packet_that_grab_does_not_know_has_no_feed() {
    let mesh = mesh(Vec::new(), false).await;
    mesh.fake.on(
        |_: &grab::WatchPacketRequest| -> Result<stream::BoxStream<'static, Item>, Status> {
            Err(status::not_found("packet", "p"))
        },
    );
    let request = WatchPacketRequest { packet_id: "p".into() };
    let refused = mesh.red_packet().watch_packet(by("bob", request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(status::reason(&refused), "PACKET_NOT_ACTIVE");
}
