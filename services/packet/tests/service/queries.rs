//! Reading, over one database and over two.

use proto::packet::v1::{
    BatchGetPacketsRequest, CreatePacketRequest, ListPacketsRequest, Packet, list_packets_request::Of,
};

use crate::app::{App, World, group, id_of, request};

async fn pages(app: &App, of: Of, page_size: i32) -> Vec<Vec<String>> {
    let (mut token, mut pages) = (String::new(), Vec::new());
    loop {
        let request = ListPacketsRequest {
            of: Some(of.clone()),
            page_size,
            page_token: token,
        };
        let page = app.client.clone().list_packets(request).await.unwrap().into_inner();
        pages.push(page.packets.iter().map(id_of).collect());
        token = page.next_page_token;
        if token.is_empty() {
            return pages;
        }
    }
}

#[tokio::test]
async fn lists_are_newest_first_and_paged() {
    lists(World::new().await).await;
    lists(World::sharded().await).await;
}

async fn lists(world: World) {
    let app = world.start().await;
    let (mut sent, mut to_group) = (Vec::new(), Vec::new());
    for number in 0..5 {
        let audience = if number % 2 == 0 {
            Some(group("friends"))
        } else {
            request("").audience
        };
        let packet = app
            .create(CreatePacketRequest {
                audience,
                ..request(&format!("r{number}"))
            })
            .await
            .unwrap();
        sent.insert(0, id_of(&packet));
        if number % 2 == 0 {
            to_group.insert(0, id_of(&packet));
        }
        world.clock.advance(std::time::Duration::from_millis(1)); // ids sort by the millisecond
    }
    let by = |user: &str| Of::SenderId(user.to_owned());
    let to = |group: &str| Of::GroupId(group.to_owned());
    assert_eq!(pages(&app, by("alice"), 0).await, [sent.clone()]);
    assert_eq!(pages(&app, by("alice"), 2).await, [&sent[..2], &sent[2..4], &sent[4..]]);
    assert_eq!(pages(&app, by("alice"), 5).await, [sent]);
    assert_eq!(pages(&app, to("friends"), 2).await, [&to_group[..2], &to_group[2..]]);
    for nobody in [by("bob"), to("others"), to("alice")] {
        assert_eq!(pages(&app, nobody, 2).await, [Vec::<String>::new()]);
    }
}

#[tokio::test]
async fn a_batch_keeps_the_order_asked_for() {
    batches(World::new().await).await;
    batches(World::sharded().await).await;
}

async fn batches(world: World) {
    let app = world.start().await;
    let mut packets: Vec<Packet> = Vec::new();
    for number in 0..3 {
        packets.push(app.create(request(&format!("r{number}"))).await.unwrap());
    }
    let unknown = "0192d3c4-5b6a-7c8d-9e0f-112233445566".to_owned();
    let packet_ids = vec![
        id_of(&packets[2]),
        unknown,
        id_of(&packets[0]),
        id_of(&packets[1]),
        id_of(&packets[0]),
    ];
    let found = app
        .client
        .clone()
        .batch_get_packets(BatchGetPacketsRequest { packet_ids })
        .await
        .unwrap();
    let expected = [2, 0, 1, 0].map(|at: usize| packets[at].clone());
    assert_eq!(found.into_inner().packets, expected);
    assert_eq!(app.get(&id_of(&packets[1])).await.unwrap(), packets[1]);
}
