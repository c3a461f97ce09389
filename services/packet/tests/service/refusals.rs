//! Everything that is refused: code, reason, fields; and nothing changed.

use proto::{
    packet::v1::{BatchGetPacketsRequest, CreatePacketRequest, ListPacketsRequest, Packet, list_packets_request::Of},
    terms::v1::Audience,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::app::{World, group, now, request, user};

fn fields(status: &Status) -> Vec<String> {
    let violations = status
        .get_details_bad_request()
        .map(|bad| bad.field_violations)
        .unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

fn assert_invalid<T: std::fmt::Debug>(answer: Result<T, Status>, expected: &[&str], what: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status:?}");
    assert_eq!(status::reason(&status), "INVALID_FIELDS", "{what}");
    assert_eq!(fields(&status), expected, "{what}");
}

fn at(seconds: i64, nanos: i32) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds, nanos }
}

fn lasting(seconds: i64, nanos: i32) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos }
}

/// The hour at which every test begins, 2026-02-16T12:00:00Z.
const NOON: i64 = 1_771_243_200;
const DAY: i64 = 86_400;

/// What is wrong, and the fields that are told.
type Wrong = (&'static [&'static str], fn(&mut CreatePacketRequest));

const WRONG: &[Wrong] = &[
    (&["request_id"], |r| r.request_id.clear()),
    (&["request_id"], |r| r.request_id = "a".repeat(65)),
    (&["sender_id"], |r| r.sender_id = "a b".into()),
    (&["kind"], |r| r.kind = 5),
    (&["kind"], |r| r.kind = -1),
    (&["total_fen"], |r| r.total_fen = 4),
    (&["total_fen"], |r| r.total_fen = 0),
    (&["total_fen"], |r| r.total_fen = i64::MIN),
    (&["total_fen"], |r| r.total_fen = 100_001),
    (&["total_fen"], |r| r.total_fen = i64::MAX),
    (&["share_count"], |r| r.share_count = 0),
    (&["share_count"], |r| r.share_count = 101),
    (&["share_count"], |r| r.share_count = u32::MAX),
    (&["share_count"], |r| {
        (r.share_count, r.audience) = (2, Some(user("bob")));
    }),
    (&["share_cap_fen"], |r| r.share_cap_fen = -1),
    (&["share_cap_fen"], |r| r.share_cap_fen = 19),
    (&["share_cap_fen"], |r| r.share_cap_fen = 20_001),
    (&["share_cap_fen"], |r| r.share_cap_fen = i64::MAX),
    (&["share_cap_fen"], |r| (r.kind, r.share_cap_fen) = (4, 19)),
    (&["audience"], |r| r.audience = None),
    (&["audience"], |r| r.audience = Some(Audience { who: None })),
    (&["audience.group_id"], |r| r.audience = Some(group(""))),
    (&["audience.user_id"], |r| {
        (r.share_count, r.audience) = (1, Some(user("b/b")));
    }),
    (&["passphrase"], |r| r.passphrase = "字".repeat(33)),
    (&["passphrase"], |r| r.passphrase = "a\tb".into()),
    (&["start_time"], |r| r.start_time = Some(at(NOON + 30 * DAY, 1_000))),
    (&["start_time"], |r| r.start_time = Some(at(0, -1))),
    (&["start_time"], |r| r.start_time = Some(at(i64::MAX, 0))),
    (&["lifetime"], |r| r.lifetime = Some(lasting(0, 0))),
    (&["lifetime"], |r| r.lifetime = Some(lasting(0, 999_999_999))),
    (&["lifetime"], |r| r.lifetime = Some(lasting(-1, 0))),
    (&["lifetime"], |r| r.lifetime = Some(lasting(1, -1))),
    (&["lifetime"], |r| r.lifetime = Some(lasting(1, 1_000_000_000))),
    (&["lifetime"], |r| r.lifetime = Some(lasting(7 * DAY, 1_000))),
    (&["lifetime"], |r| r.lifetime = Some(lasting(i64::MAX, 0))),
    (&["greeting"], |r| r.greeting = "字".repeat(101)),
    (&["greeting"], |r| r.greeting = "a\n".into()),
    (&["cover"], |r| r.cover = "a".repeat(65)),
    (&["cover"], |r| r.cover = "../x".into()),
    // All at once: what is malformed first, then what breaks the limits.
    (
        &[
            "request_id",
            "sender_id",
            "kind",
            "audience",
            "passphrase",
            "greeting",
            "cover",
            "total_fen",
            "share_count",
            "share_cap_fen",
            "start_time",
            "lifetime",
        ],
        |r| {
            *r = CreatePacketRequest {
                kind: 9,
                share_cap_fen: -1,
                passphrase: "\0".to_owned(),
                start_time: Some(at(NOON + 31 * DAY, 0)),
                lifetime: Some(lasting(0, 1)),
                greeting: "\0".to_owned(),
                cover: "\0".to_owned(),
                ..CreatePacketRequest::default()
            }
        },
    ),
];

#[tokio::test]
async fn malformed_orders() {
    let world = World::new().await;
    let app = world.start().await;
    assert_eq!(now(&world).seconds, NOON);
    let before = world.peers.books().clone();
    for (expected, change) in WRONG {
        let mut asked = request("r1");
        change(&mut asked);
        let what = format!("{asked:?}");
        assert_invalid(app.create(asked).await, expected, &what);
    }
    assert_eq!(*world.peers.books(), before);
    assert_eq!(app.sent_by("alice").await, []);
    // The name was not used up.
    app.create(request("r1")).await.unwrap();
}

#[tokio::test]
async fn the_largest_and_smallest_that_pass() {
    let world = World::new().await;
    let app = world.start().await;
    world.peers.books().wallets.insert("alice".to_owned(), 10_000_000);
    let fine = [
        CreatePacketRequest {
            total_fen: 1,
            share_count: 1,
            ..request("a")
        },
        CreatePacketRequest {
            total_fen: 2_000_000,
            share_count: 100,
            ..request(&"b".repeat(64))
        },
        CreatePacketRequest {
            share_cap_fen: 20,
            ..request("c")
        },
        CreatePacketRequest {
            passphrase: "字".repeat(32),
            greeting: "字".repeat(100),
            ..request("d")
        },
        CreatePacketRequest {
            start_time: Some(at(NOON + 30 * DAY, 0)),
            lifetime: Some(lasting(7 * DAY, 0)),
            ..request("e")
        },
        CreatePacketRequest {
            cover: "c".repeat(64),
            lifetime: Some(lasting(1, 0)),
            ..request("f")
        },
    ];
    for asked in fine {
        app.create(asked).await.unwrap();
    }
}

/// Each row breaks its own rule and all those below it: the first one is told.
#[tokio::test]
async fn people_in_order_of_precedence() {
    let world = World::new().await;
    let app = world.start().await;
    world.peers.books().frozen.insert("bob".to_owned());
    let before = {
        let mut books = world.peers.books();
        books.wallets.insert("cleo".to_owned(), 5);
        books.clone()
    };
    let from = |sender: &str, audience| CreatePacketRequest {
        sender_id: sender.to_owned(),
        audience: Some(audience),
        share_count: 1,
        ..request("r1")
    };
    let table = [
        (Code::NotFound, "USER_NOT_FOUND", from("nobody", group("nowhere"))),
        (
            Code::FailedPrecondition,
            "ACCOUNT_FROZEN",
            from("bob", group("nowhere")),
        ),
        (Code::NotFound, "GROUP_NOT_FOUND", from("cleo", group("nowhere"))),
        (Code::PermissionDenied, "NOT_A_MEMBER", from("cleo", group("others"))),
        (Code::NotFound, "USER_NOT_FOUND", from("cleo", user("nobody"))),
    ];
    for (code, reason, asked) in table {
        let status = app.create(asked).await.unwrap_err();
        assert_eq!((status.code(), status::reason(&status).as_str()), (code, reason));
    }
    let mut after = world.peers.books().clone();
    after.calls = before.calls.clone();
    assert_eq!(after, before);
    for user in ["alice", "bob", "cleo", "nobody"] {
        assert_eq!(app.sent_by(user).await, []);
    }
    // The name was not used up, and last comes the balance.
    let status = app.create(from("cleo", user("bob"))).await.unwrap_err();
    assert_eq!(status::reason(&status), "INSUFFICIENT_FUNDS");
}

#[tokio::test]
async fn malformed_questions() {
    let world = World::new().await;
    let app = world.start().await;
    for id in ["", "x", "0192d3c45b6a7c8d9e0f112233445566"] {
        assert_invalid(app.get(id).await, &["packet_id"], id);
    }
    let missing = app.get("0192d3c4-5b6a-7c8d-9e0f-112233445566").await.unwrap_err();
    assert_eq!(
        (missing.code(), status::reason(&missing).as_str()),
        (Code::NotFound, "PACKET_NOT_FOUND")
    );

    let fine = "0192d3c4-5b6a-7c8d-9e0f-112233445566";
    let batches: [(&[&str], Vec<&str>); 3] = [
        (&["packet_ids"], vec![]),
        (&["packet_ids"], vec![fine; 101]),
        (&["packet_ids[1]", "packet_ids[3]"], vec![fine, "x", fine, ""]),
    ];
    for (expected, ids) in batches {
        let packet_ids = ids.into_iter().map(str::to_owned).collect();
        let answer = app
            .client
            .clone()
            .batch_get_packets(BatchGetPacketsRequest { packet_ids })
            .await;
        assert_invalid(answer, expected, "batch");
    }

    let alice = || Some(Of::SenderId("alice".to_owned()));
    let lists: [(&[&str], Option<Of>, i32, &str); 6] = [
        (&["of"], None, 0, ""),
        (&["sender_id"], Some(Of::SenderId(String::new())), 0, ""),
        (&["group_id"], Some(Of::GroupId("a b".to_owned())), 0, ""),
        (&["page_size"], alice(), 101, ""),
        (&["page_size"], alice(), -1, ""),
        (&["of", "page_size", "page_token"], None, 101, "?"),
    ];
    for (expected, of, page_size, token) in lists {
        let request = ListPacketsRequest {
            of,
            page_size,
            page_token: token.to_owned(),
        };
        let answer: Result<Vec<Packet>, _> = app
            .client
            .clone()
            .list_packets(request)
            .await
            .map(|response| response.into_inner().packets);
        assert_invalid(answer, expected, "list");
    }
}
