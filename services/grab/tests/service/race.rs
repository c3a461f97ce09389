//! The race over the wire: who gets which share, under every kind of pressure.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::world::{
    World, ask, audience, batch, claims, close, grab, open, promise, snatch, terms, try_grab, try_open, voucher,
};
use futures::future::join_all;
use proto::{
    grab::v1::{BatchOpenRequest, OpenRequest, batch_grab_result, grab_response::Outcome, open_response},
    terms::v1::{Kind, audience::Who},
};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_users_race_for_a_hundred_shares() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let packet_id = &world.packet(client, 100).await;
    let runs = (0..1_000).map(|n| async move {
        let user_id = format!("u{n}");
        match grab(client, packet_id, &user_id).await {
            Outcome::Granted(granted) => Some(open(client, packet_id, &user_id, &granted.voucher).await),
            Outcome::AllHeld(_) | Outcome::Exhausted(_) => None,
            other => panic!("{other:?}"),
        }
    });
    let won: Vec<_> = join_all(runs).await.into_iter().flatten().collect();
    assert_eq!(won.len(), 100);
    let (listed, progress) = claims(client, packet_id).await;
    assert_eq!(listed.len(), 100);
    assert_eq!(
        listed.iter().map(|claim| claim.amount_fen).sum::<i64>(),
        10_000,
        "to the fen"
    );
    assert_eq!(
        listed.iter().map(|claim| claim.share_no).collect::<BTreeSet<_>>().len(),
        100
    );
    assert_eq!(
        (progress.opened_count, progress.opened_fen, progress.closed),
        (100, 10_000, false)
    );
    // The seed is told now, and gives every amount again (SEED-1, CLAIM-2).
    let seed = split::Seed::from_bytes(progress.seed.try_into().unwrap());
    let amounts = split::split(split::Kind::DoubleMean, &seed, 10_000, 100, None).unwrap();
    assert!(
        listed
            .iter()
            .all(|claim| claim.amount_fen == amounts[claim.share_no as usize])
    );
    assert_eq!(listed.iter().filter(|claim| claim.luckiest).count(), 1);
    assert!(matches!(grab(client, packet_id, "late").await, Outcome::Exhausted(_)));
    assert!(
        matches!(grab(client, packet_id, &listed[7].user_id).await, Outcome::AlreadyOpened(claim) if claim == listed[7])
    );
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_in_fifty_places_has_one_claim() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let packet_id = &world.packet(client, 100).await;
    let outcomes = join_all((0..50).map(|n| async move {
        if n % 2 == 0 {
            match snatch(client, packet_id, "alice").await {
                Outcome::Opened(claim) | Outcome::AlreadyOpened(claim) => claim,
                other => panic!("{other:?}"),
            }
        } else {
            match grab(client, packet_id, "alice").await {
                Outcome::Granted(granted) => open(client, packet_id, "alice", &granted.voucher).await,
                Outcome::AlreadyOpened(claim) => claim,
                other => panic!("{other:?}"),
            }
        }
    }))
    .await;
    assert!(outcomes.iter().all(|claim| *claim == outcomes[0]), "{outcomes:?}");
    assert_eq!(claims(client, packet_id).await.0, outcomes[..1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_before_or_after_each_open_and_never_between() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let round = |number: u8| {
        let world = &world;
        async move {
            let packet_id = &world.preload(client, promise(number, 6)).await;
            let vouchers =
                join_all((0..6).map(|n| async move { voucher(client, packet_id, &format!("u{n}")).await })).await;
            let opens = join_all(vouchers.iter().enumerate().map(|(n, voucher)| async move {
                match try_open(client, packet_id, &format!("u{n}"), voucher).await.unwrap() {
                    open_response::Outcome::Opened(claim) => Some(claim),
                    open_response::Outcome::Expired(_) => None,
                    open_response::Outcome::Exhausted(_) => panic!("six shares for six users"),
                }
            }));
            // Some closes come early, some late.
            let closing = async {
                for _ in 0..number % 5 {
                    tokio::task::yield_now().await;
                }
                close(client, packet_id).await.unwrap()
            };
            let (opened, closing) = tokio::join!(opens, closing);
            let opened: Vec<_> = opened.into_iter().flatten().collect();
            let sum: i64 = opened.iter().map(|claim| claim.amount_fen).sum();
            assert_eq!(
                (closing.opened_count as usize, closing.opened_fen),
                (opened.len(), sum),
                "CLOSE-1"
            );
            assert_eq!(close(client, packet_id).await.unwrap(), closing, "the first answer");
            let (listed, progress) = claims(client, packet_id).await;
            assert_eq!(listed.len(), opened.len());
            assert!(progress.closed && progress.seed == [number; 32]);
            assert!(matches!(grab(client, packet_id, "late").await, Outcome::Expired(_)));
            // Who opened before the close is told so still.
            for claim in opened {
                let again = snatch(client, packet_id, &claim.user_id).await;
                assert!(matches!(again, Outcome::AlreadyOpened(again) if again.seq == claim.seq));
            }
            closing.opened_count
        }
    };
    let mut counts = BTreeSet::new();
    for numbers in (0..200).collect::<Vec<u8>>().chunks(20) {
        counts.extend(join_all(numbers.iter().map(|number| round(*number))).await);
    }
    assert!(counts.len() > 1, "every round came out the same: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_claims_and_answers() {
    let world = World::new().await;
    let first = world.start().await;
    let packet_id = &world.packet(&first.client, 3).await;
    let alice = voucher(&first.client, packet_id, "alice").await;
    let bob = voucher(&first.client, packet_id, "bob").await;
    let claim = open(&first.client, packet_id, "alice", &alice).await;
    first.stop().await;

    let second = world.start().await;
    let client = &second.client;
    assert_eq!(open(client, packet_id, "alice", &alice).await, claim);
    assert!(matches!(grab(client, packet_id, "alice").await, Outcome::AlreadyOpened(again) if again == claim));
    // The gate forgot that a share is bob's; his voucher is good all the same.
    open(client, packet_id, "carol", &voucher(client, packet_id, "carol").await).await;
    open(client, packet_id, "bob", &bob).await;
    assert!(matches!(grab(client, packet_id, "dave").await, Outcome::Exhausted(_)));
    assert_eq!(claims(client, packet_id).await.1.opened_fen, 300);
    let closing = close(client, packet_id).await.unwrap();
    second.stop().await;
    let third = world.start().await;
    assert_eq!(close(&third.client, packet_id).await.unwrap(), closing);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_on_one_store_stay_right() {
    let world = World::new().await;
    let instances = [world.start().await, world.start().await];
    let packet_ids = &join_all((0..3).map(|_| world.packet(&instances[0].client, 40))).await;
    // Both gates give out the same shares; SQL decides.
    let clients = &[instances[0].client.clone(), instances[1].client.clone()];
    let runs = (0..600).map(|n| async move {
        let (client, packet_id, user_id) = (&clients[n % 2], &packet_ids[n % 3], format!("u{}", n / 7));
        loop {
            match snatch(client, packet_id, &user_id).await {
                Outcome::Opened(claim) | Outcome::AlreadyOpened(claim) => return Some(claim),
                Outcome::Exhausted(_) => return None,
                Outcome::AllHeld(_) => tokio::task::yield_now().await,
                other => panic!("{other:?}"),
            }
        }
    });
    let told: BTreeSet<_> = join_all(runs)
        .await
        .into_iter()
        .flatten()
        .map(|claim| (claim.packet_id, claim.user_id, claim.share_no, claim.amount_fen))
        .collect();
    assert_eq!(told.len(), 120, "each share went to one user, whoever tells it");
    for packet_id in packet_ids {
        for client in clients {
            let (listed, progress) = claims(client, packet_id).await;
            assert_eq!((listed.len(), progress.opened_fen), (40, 4_000));
            assert_eq!(listed.iter().filter(|claim| claim.luckiest).count(), 1);
        }
    }
}

#[tokio::test]
async fn answers_follow_the_contract() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;

    let mut early = world.promise(1);
    let start_time = clock::to_proto(clock::after(clock::Timestamp::now(), Duration::from_mins(10)));
    terms(&mut early).start_time = Some(start_time);
    let early = world.preload(client, early).await;
    assert!(matches!(grab(client, &early, "u1").await, Outcome::NotStarted(it) if it.start_time == Some(start_time)));

    let mut late = world.promise(1);
    terms(&mut late).start_time = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
    terms(&mut late).expire_time = Some(prost_types::Timestamp { seconds: 2, nanos: 0 });
    let late = world.preload(client, late).await;
    assert!(matches!(grab(client, &late, "u1").await, Outcome::Expired(_)));

    let mut group = world.promise(1);
    terms(&mut group).audience = Some(audience(Who::GroupId("g1".to_owned())));
    let group = world.preload(client, group).await;
    assert!(matches!(
        grab(client, &group, "stranger").await,
        Outcome::NotInAudience(_)
    ));
    assert!(matches!(snatch(client, &group, "m1").await, Outcome::Opened(_)));
    assert!(
        matches!(grab(client, &group, "stranger").await, Outcome::NotInAudience(_)),
        "before exhausted"
    );
    assert!(matches!(grab(client, &group, "m2").await, Outcome::Exhausted(_)));

    let mut nowhere = world.promise(1);
    terms(&mut nowhere).audience = Some(audience(Who::GroupId("nowhere".to_owned())));
    let nowhere = world.preload(client, nowhere).await;
    assert!(matches!(grab(client, &nowhere, "m1").await, Outcome::NotInAudience(_)));

    let mut exclusive = world.promise(1);
    terms(&mut exclusive).audience = Some(audience(Who::UserId("only".to_owned())));
    let exclusive = world.preload(client, exclusive).await;
    assert!(matches!(
        grab(client, &exclusive, "other").await,
        Outcome::NotInAudience(_)
    ));
    assert!(matches!(snatch(client, &exclusive, "only").await, Outcome::Opened(_)));

    let mut guarded = world.promise(1);
    let digest = passphrase::PassphraseDigest::new("芝麻开门", &[3; passphrase::SALT_LEN]);
    guarded.passphrase_digest = digest.as_bytes().to_vec();
    terms(&mut guarded).has_passphrase = true;
    let guarded = world.preload(client, guarded).await;
    for (words, missing) in [("", true), ("芝麻", false)] {
        let mut request = ask(&guarded, "u1");
        words.clone_into(&mut request.passphrase);
        assert!(
            matches!(try_grab(client, request).await.unwrap(), Outcome::WrongPassphrase(it) if it.missing == missing)
        );
    }
    let mut request = ask(&guarded, "u1");
    "芝麻开门".clone_into(&mut request.passphrase);
    let granted = try_grab(client, request).await.unwrap();
    assert_eq!(
        grab(client, &guarded, "u1").await,
        granted,
        "what a user has needs no words"
    );
    let mut request = ask(&guarded, "u2");
    "芝麻开门".clone_into(&mut request.passphrase);
    let held = try_grab(client, request).await.unwrap();
    assert!(matches!(held, Outcome::AllHeld(it) if it.retry_delay.unwrap().seconds <= 2));
}

#[tokio::test]
async fn what_a_user_has_is_told_while_the_directory_is_away() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let packet_id = &world.packet(client, 3).await;
    world.account.away.store(true, Ordering::Relaxed);
    let refused = try_grab(client, ask(packet_id, "alice")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    world.account.away.store(false, Ordering::Relaxed);
    let granted = testkit::eventually("the directory is back", async || {
        try_grab(client, ask(packet_id, "alice")).await.ok()
    })
    .await;
    assert!(matches!(granted, Outcome::Granted(_)));
    instance.stop().await;

    let instance = world.start().await;
    let claim = snatch(&instance.client, packet_id, "bob").await;
    instance.stop().await;
    world.account.away.store(true, Ordering::Relaxed);
    let instance = world.start().await;
    let again = grab(&instance.client, packet_id, "bob").await;
    assert!(matches!((claim, again), (Outcome::Opened(a), Outcome::AlreadyOpened(b)) if a == b));
}

#[tokio::test]
async fn a_batch_gives_each_its_own_outcome() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let packet_id = world.packet(client, 900).await;
    let mut request = batch(&packet_id, (0..1_000).map(|n| format!("u{n}")));
    request.requests[5].packet_id = "no id".to_owned();
    request.requests[6].packet_id = uuid_of_nothing();
    request.requests[7].user_id = "ghost".to_owned();
    request.requests[8].user_id = "u9".to_owned();
    let results = client.clone().batch_grab(request).await.unwrap().into_inner().results;
    let (mut opened, mut errors, mut twice) = (0, Vec::new(), 0);
    for result in results {
        match result.result.unwrap() {
            batch_grab_result::Result::Response(response) => match response.outcome.unwrap() {
                Outcome::Opened(_) => opened += 1,
                Outcome::AlreadyOpened(_) => twice += 1,
                Outcome::Exhausted(_) | Outcome::AllHeld(_) => {}
                other => panic!("{other:?}"),
            },
            batch_grab_result::Result::Error(error) => errors.push(Code::from(error.code)),
        }
    }
    assert_eq!((opened, twice), (900, 1));
    assert_eq!(errors, [Code::InvalidArgument, Code::NotFound, Code::NotFound]);

    let packet_id = &world.packet(client, 2).await;
    let voucher = voucher(client, packet_id, "alice").await;
    let open = |user_id: &str| OpenRequest {
        packet_id: packet_id.clone(),
        user_id: user_id.to_owned(),
        voucher: voucher.clone(),
    };
    let requests = vec![open("alice"), open("bob"), open("not a name")];
    let results = client
        .clone()
        .batch_open(BatchOpenRequest { requests })
        .await
        .unwrap()
        .into_inner()
        .results;
    let codes: Vec<_> = results
        .into_iter()
        .map(|result| match result.result.unwrap() {
            proto::grab::v1::batch_open_result::Result::Response(_) => Code::Ok,
            proto::grab::v1::batch_open_result::Result::Error(error) => Code::from(error.code),
        })
        .collect();
    assert_eq!(codes, [Code::Ok, Code::PermissionDenied, Code::InvalidArgument]);
}

fn uuid_of_nothing() -> String {
    id::PacketId::new(1, &[0xee; 10]).to_string()
}

#[tokio::test]
async fn a_preload_is_repeated_but_never_changed() {
    let world = World::new().await;
    let instance = world.start().await;
    let client = &instance.client;
    let promise = world.promise(5);
    let packet_id = terms(&mut promise.clone()).packet_id.clone();
    let unknown = try_grab(client, ask(&packet_id, "u1")).await.unwrap_err();
    assert_eq!(
        (unknown.code(), status::reason(&unknown).as_str()),
        (Code::NotFound, "PACKET_NOT_FOUND")
    );
    for _ in 0..2 {
        world.preload(client, promise.clone()).await;
    }
    assert!(
        matches!(grab(client, &packet_id, "u1").await, Outcome::Granted(_)),
        "known at once"
    );
    let changes: [fn(&mut proto::grab::v1::PreloadRequest); 4] = [
        |promise| promise.seed = vec![0; 32],
        |promise| terms(promise).greeting = "别的".to_owned(),
        |promise| terms(promise).kind = Kind::Equal.into(),
        |promise| terms(promise).total_fen += 1,
    ];
    for change in changes {
        let mut other = promise.clone();
        change(&mut other);
        let refused = client.clone().preload(other).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists);
        assert_eq!(status::reason(&refused), "PACKET_EXISTS");
    }
}

#[tokio::test]
async fn the_number_of_partitions_never_changes() {
    let mut world = World::new().await;
    world.start().await.stop().await;
    world.settings.partitions = "32".to_owned();
    let refused = world.try_start().await.err().unwrap().to_string();
    assert!(refused.contains("64 partitions"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_loses_no_answer() {
    let world = World::new().await;
    let instance = Arc::new(world.start().await);
    let packet_id = world.packet(&instance.client, 600).await;
    let runs: Vec<_> = (0..600)
        .map(|n| {
            let (mut client, packet_id) = (instance.client.clone(), packet_id.clone());
            tokio::spawn(async move {
                let mut request = ask(&packet_id, &format!("u{n}"));
                request.open = true;
                match client.grab(request).await.ok()?.into_inner().outcome? {
                    Outcome::Opened(claim) => Some(claim.share_no),
                    other => panic!("{other:?}"),
                }
            })
        })
        .collect();
    testkit::eventually("some are in", async || {
        (claims(&instance.client, &packet_id).await.1.opened_count > 50).then_some(())
    })
    .await;
    instance.begin_stop();
    let told: BTreeSet<u32> = join_all(runs).await.into_iter().filter_map(Result::unwrap).collect();
    Arc::into_inner(instance).unwrap().stop().await;
    let again = world.start().await;
    let kept: BTreeSet<u32> = claims(&again.client, &packet_id)
        .await
        .0
        .iter()
        .map(|claim| claim.share_no)
        .collect();
    assert!(told.is_subset(&kept), "an amount was shown that is not there (CLAIM-3)");
}
