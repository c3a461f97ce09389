//! Questions over the wire, and everything that is refused.

use crate::world::{World, ask, claims, close, grab, open, snatch, terms, try_grab, try_open, voucher};
use id::PacketId;
use proto::{
    grab::v1::{
        BatchGetProgressRequest, BatchGrabRequest, BatchOpenRequest, ListClaimsRequest, ListUserClaimsRequest,
        OpenRequest, PreloadRequest, SummarizeUserRequest, TailClaimsRequest, WatchPacketRequest,
        grab_response::Outcome, open_response,
    },
    terms::v1::{Audience, Kind, Terms},
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

fn nobody() -> String {
    PacketId::new(1, &[0xee; 10]).to_string()
}

fn fields(refused: &Status) -> Vec<String> {
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    let request = refused.get_details_bad_request().unwrap();
    request
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect()
}

#[tokio::test]
async fn a_user_sees_claims_newest_first_and_sums_by_year() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let (mut newest, mut sum, mut luckiest) = (Vec::new(), 0, 0);
    for n in 0..5 {
        let packet_id = &world.packet(client, 2).await;
        snatch(client, packet_id, "alice").await;
        if n != 2 {
            snatch(client, packet_id, "bob").await;
        }
        let listed = claims(client, packet_id).await.0;
        let hers = listed.into_iter().find(|claim| claim.user_id == "alice").unwrap();
        (sum, luckiest) = (sum + hers.amount_fen, luckiest + i64::from(hers.luckiest));
        newest.insert(0, hers);
    }
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListUserClaimsRequest {
            user_id: "alice".to_owned(),
            page_size: 2,
            page_token,
        };
        let response = client.clone().list_user_claims(request).await.unwrap().into_inner();
        assert!(response.claims.len() <= 2);
        found.extend(response.claims);
        page_token = response.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, newest);
    assert!(!newest[2].luckiest, "that packet is not complete");

    let summarize = async |user_id: &str, year| {
        let user_id = user_id.to_owned();
        client
            .clone()
            .summarize_user(SummarizeUserRequest { user_id, year })
            .await
            .unwrap()
            .into_inner()
    };
    let year = newest[0].claim_time.map(|at| clock::from_proto(&at).unwrap()).unwrap();
    let shanghai = year.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)));
    let this = summarize("alice", shanghai.year().into()).await;
    assert_eq!(
        (this.claim_count, this.amount_fen, this.luckiest_count),
        (5, sum, luckiest)
    );
    for (user, year) in [
        ("alice", i32::from(shanghai.year()) - 1),
        ("nobody", shanghai.year().into()),
    ] {
        let other = summarize(user, year).await;
        assert_eq!((other.claim_count, other.amount_fen, other.luckiest_count), (0, 0, 0));
    }
}

#[tokio::test]
async fn progress_tells_the_seed_at_the_end_only() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let (open, full, closed) = (
        world.packet(client, 2).await,
        world.packet(client, 1).await,
        world.packet(client, 2).await,
    );
    snatch(client, &open, "alice").await;
    snatch(client, &full, "alice").await;
    close(client, &closed).await.unwrap();
    let packet_ids = vec![closed.clone(), nobody(), open.clone(), full.clone()];
    let response = client
        .clone()
        .batch_get_progress(BatchGetProgressRequest { packet_ids })
        .await
        .unwrap();
    let progress = response.into_inner().progress;
    let seen: Vec<_> = progress
        .iter()
        .map(|it| {
            (
                it.packet_id.as_str(),
                it.share_count,
                it.opened_count,
                it.closed,
                it.seed.len(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (closed.as_str(), 2, 0, true, 32),
            (open.as_str(), 2, 1, false, 0),
            (full.as_str(), 1, 1, false, 32)
        ]
    );
}

#[tokio::test]
async fn vouchers_are_refused_in_order_of_precedence() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let (packet_id, other) = (&world.packet(client, 2).await, &world.packet(client, 2).await);
    let good = voucher(client, packet_id, "alice").await;
    let altered: String = good.chars().rev().collect();
    for bad in ["x", altered.as_str(), &good[1..], &format!("{good}A")] {
        let refused = try_open(client, other, "bob", bad).await.unwrap_err();
        assert_eq!(status::reason(&refused), "VOUCHER_INVALID");
        assert_eq!(fields(&refused), ["voucher"]);
    }
    for (packet_id, user_id) in [(packet_id, "bob"), (other, "alice"), (&nobody(), "alice")] {
        let refused = try_open(client, packet_id, user_id, &good).await.unwrap_err();
        assert_eq!(
            (refused.code(), status::reason(&refused).as_str()),
            (Code::PermissionDenied, "VOUCHER_NOT_YOURS")
        );
    }
    open(client, packet_id, "alice", &good).await;
}

#[tokio::test]
async fn a_lapsed_voucher_gives_its_share_back_but_not_its_claim() {
    let mut world = World::new().await;
    "1s".clone_into(&mut world.settings.voucher_ttl);
    "0s".clone_into(&mut world.settings.lapse_grace);
    let instance = world.start().await;
    let packet_id = &world.packet(&instance.client, 2).await;
    let opened = voucher(&instance.client, packet_id, "early").await;
    let claim = open(&instance.client, packet_id, "early", &opened).await;
    let lapsing = voucher(&instance.client, packet_id, "slow").await;
    let next = testkit::eventually("the share comes back", async || {
        match grab(&instance.client, packet_id, "next").await {
            Outcome::Granted(granted) => Some(granted.voucher),
            Outcome::AllHeld(_) => None,
            other => panic!("{other:?}"),
        }
    })
    .await;
    let refused = try_open(&instance.client, packet_id, "slow", &lapsing)
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), status::reason(&refused).as_str()),
        (Code::FailedPrecondition, "VOUCHER_LAPSED")
    );
    open(&instance.client, packet_id, "next", &next).await;
    instance.stop().await;

    // Nobody remembers the claim but SQL; the voucher has lapsed; it is told all the same.
    let instance = world.start().await;
    assert_eq!(
        open(&instance.client, packet_id, "early", &opened).await.share_no,
        claim.share_no
    );
    let refused = try_open(&instance.client, packet_id, "slow", &lapsing)
        .await
        .unwrap_err();
    assert_eq!(status::reason(&refused), "VOUCHER_LAPSED");
}

#[tokio::test]
async fn a_voucher_granted_in_time_opens_after_the_hour() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let mut promise = world.promise(1);
    let soon = clock::after(clock::Timestamp::now(), std::time::Duration::from_secs(1));
    terms(&mut promise).expire_time = Some(clock::to_proto(soon));
    let packet_id = &world.preload(client, promise).await;
    let good = voucher(client, packet_id, "alice").await;
    testkit::eventually("the packet expires", async || {
        matches!(grab(client, packet_id, "bob").await, Outcome::Expired(_)).then_some(())
    })
    .await;
    assert!(
        matches!(grab(client, packet_id, "alice").await, Outcome::Granted(_)),
        "hers from before"
    );
    open(client, packet_id, "alice", &good).await;
    let closing = close(client, packet_id).await.unwrap();
    assert_eq!(closing.opened_count, 1);
    let bob = try_open(client, packet_id, "alice", &good).await.unwrap();
    assert!(matches!(bob, open_response::Outcome::Opened(_)));
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let world = World::new().await;
    let instance = world.start().await;
    let mut client = instance.client.clone();
    let packet_id = world.packet(&client, 1).await;
    let list = ListClaimsRequest {
        packet_id: nobody(),
        ..Default::default()
    };
    let watch = WatchPacketRequest { packet_id: nobody() };
    for refused in [
        try_grab(&client, ask(&nobody(), "alice")).await.unwrap_err(),
        client.list_claims(list).await.unwrap_err(),
        client.watch_packet(watch).await.unwrap_err(),
        close(&client, &nobody()).await.unwrap_err(),
    ] {
        assert_eq!(
            (refused.code(), status::reason(&refused).as_str()),
            (Code::NotFound, "PACKET_NOT_FOUND")
        );
    }
    let refused = try_grab(&client, ask(&packet_id, "ghost")).await.unwrap_err();
    assert_eq!(
        (refused.code(), status::reason(&refused).as_str()),
        (Code::NotFound, "USER_NOT_FOUND")
    );
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let world = World::new().await;
    let instance = world.start().await;
    let mut client = instance.client.clone();

    let mut bad = ask("x", "a b");
    bad.passphrase = "字".repeat(33);
    let refused = try_grab(&client, bad).await.unwrap_err();
    assert_eq!(fields(&refused), ["packet_id", "user_id", "passphrase"]);
    let refused = try_open(&client, "x", "", "").await.unwrap_err();
    assert_eq!(fields(&refused), ["packet_id", "user_id", "voucher"]);
    assert_eq!(fields(&close(&client, "x").await.unwrap_err()), ["packet_id"]);

    for count in [0, 1_001] {
        let requests = vec![ask("x", "y"); count];
        let refused = client.batch_grab(BatchGrabRequest { requests }).await.unwrap_err();
        assert_eq!(fields(&refused), ["requests"]);
        let requests = vec![OpenRequest::default(); count];
        let refused = client.batch_open(BatchOpenRequest { requests }).await.unwrap_err();
        assert_eq!(fields(&refused), ["requests"]);
    }
    for count in [0, 101] {
        let packet_ids = vec![nobody(); count];
        let refused = client
            .batch_get_progress(BatchGetProgressRequest { packet_ids })
            .await
            .unwrap_err();
        assert_eq!(fields(&refused), ["packet_ids"]);
    }
    let packet_ids = vec![nobody(), "x".to_owned()];
    let refused = client
        .batch_get_progress(BatchGetProgressRequest { packet_ids })
        .await
        .unwrap_err();
    assert_eq!(fields(&refused), ["packet_ids[1]"]);

    for (page_size, page_token) in [(-1, "!"), (1_001, "YQ")] {
        let request = ListClaimsRequest {
            packet_id: String::new(),
            page_size,
            page_token: page_token.to_owned(),
        };
        let refused = client.list_claims(request).await.unwrap_err();
        assert_eq!(fields(&refused), ["packet_id", "page_size", "page_token"]);
        let request = ListUserClaimsRequest {
            user_id: String::new(),
            page_size,
            page_token: page_token.to_owned(),
        };
        let refused = client.list_user_claims(request).await.unwrap_err();
        assert_eq!(fields(&refused), ["user_id", "page_size", "page_token"]);
    }
    for year in [1_999, 10_000, i32::MIN] {
        let user_id = String::new();
        let refused = client
            .summarize_user(SummarizeUserRequest { user_id, year })
            .await
            .unwrap_err();
        assert_eq!(fields(&refused), ["user_id", "year"]);
    }
    let request = TailClaimsRequest {
        partition: 64,
        after_seq: -1,
        follow: true,
        max_batch: 1_001,
        partition_count: 64,
    };
    let refused = client.tail_claims(request).await.unwrap_err();
    assert_eq!(fields(&refused), ["partition", "after_seq", "max_batch"]);
    let refused = client.watch_packet(WatchPacketRequest::default()).await.unwrap_err();
    assert_eq!(fields(&refused), ["packet_id"]);
}

/// What spoils a promise, and the fields that are named for it.
type Case = (fn(&mut PreloadRequest), &'static [&'static str]);

#[tokio::test]
async fn every_bad_promise_is_refused() {
    let world = World::new().await;
    let instance = world.start().await;
    let mut client = instance.client.clone();
    let good = world.promise(5);
    let table: [Case; 17] = [
        (|promise| promise.seed.truncate(31), &["seed"]),
        (|promise| promise.terms = None, &["terms"]),
        (
            |promise| promise.passphrase_digest = vec![0; 47],
            &["passphrase_digest", "terms.has_passphrase"],
        ),
        (
            |promise| promise.passphrase_digest = vec![0; 48],
            &["terms.has_passphrase"],
        ),
        (
            |promise| terms(promise).has_passphrase = true,
            &["terms.has_passphrase"],
        ),
        (|promise| terms(promise).packet_id.clear(), &["terms.packet_id"]),
        (|promise| terms(promise).sender_id.clear(), &["terms.sender_id"]),
        (
            |promise| terms(promise).kind = Kind::Unspecified.into(),
            &["terms.kind"],
        ),
        (|promise| terms(promise).kind = 9, &["terms.kind"]),
        (|promise| terms(promise).share_count = 0, &["terms.share_count"]),
        (|promise| terms(promise).total_fen = 4, &["terms.total_fen"]),
        (|promise| terms(promise).share_cap_fen = 99, &["terms.share_cap_fen"]),
        (
            |promise| terms(promise).audience = Some(Audience { who: None }),
            &["terms.audience"],
        ),
        (|promise| terms(promise).start_time = None, &["terms.start_time"]),
        (
            |promise| terms(promise).expire_time = terms(promise).start_time,
            &["terms.expire_time"],
        ),
        (
            |promise| terms(promise).greeting = "字".repeat(101),
            &["terms.greeting"],
        ),
        (
            |promise| {
                *terms(promise) = Terms::default();
                promise.seed.clear();
            },
            &[
                "seed",
                "terms.packet_id",
                "terms.sender_id",
                "terms.kind",
                "terms.share_count",
                "terms.audience",
                "terms.start_time",
                "terms.expire_time",
            ],
        ),
    ];
    for (spoil, wrong) in table {
        let mut promise = good.clone();
        spoil(&mut promise);
        assert_eq!(fields(&client.preload(promise).await.unwrap_err()), wrong);
    }
    client.preload(good).await.unwrap();
}
