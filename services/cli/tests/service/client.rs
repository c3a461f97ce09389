//! The client commands against a mesh, as a program would use them: `--json`, exit codes, one line of error.

use std::process::Stdio;

use crate::world::World;
use serde_json::Value;

const START_FEN: i64 = 100_000;

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap_or_else(|| panic!("{name} in {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_from_send_to_the_books() {
    let world = World::start().await;
    let packet = world.send("100.00 --shares 3 --to-group friends --greeting 恭喜发财");

    let grabbed = world.json("bob", &format!("grab {packet}"));
    assert_eq!(grabbed["outcome"], "granted");
    let voucher = grabbed["voucher"].as_str().unwrap();
    assert_eq!(
        world.json("bob", &format!("grab {packet}"))["voucher"],
        voucher,
        "one voucher a user"
    );
    let opened = world.json("bob", &format!("open {packet} {voucher}"));
    assert_eq!(opened["outcome"], "opened");
    let bobs_fen = opened["claim"]["amount_fen"].as_i64().unwrap();
    let again = world.json("bob", &format!("grab {packet} --open"));
    assert_eq!(
        (&again["outcome"], &again["claim"]["amount_fen"]),
        (&"already_opened".into(), &bobs_fen.into())
    );

    let carols_fen = world.grab("carol", &packet);
    let shown = world.json("alice", &format!("show {packet}"));
    assert_eq!(shown["progress"]["opened_count"], 2);
    assert_eq!(shown["progress"]["opened_fen"], bobs_fen + carols_fen);
    assert_eq!(shown["packet"]["seed"], "", "the seed is secret");
    assert!(
        list(&shown, "claims").iter().all(|claim| claim["luckiest"] == false),
        "{shown}"
    );
    let secret = world.refused("bob", &format!("verify {packet}"), 1);
    assert!(secret.contains("still secret"), "{secret}");

    let opened = world.json("dave", &format!("open {packet}"));
    assert_eq!(opened["outcome"], "opened", "an open without a voucher grabs: {opened}");
    let daves_fen = opened["claim"]["amount_fen"].as_i64().unwrap();
    assert_eq!(bobs_fen + carols_fen + daves_fen, 10_000);
    assert_eq!(world.json("alice", &format!("grab {packet}"))["outcome"], "exhausted");

    let shown = world.json("alice", &format!("show {packet} --all"));
    let claims = list(&shown, "claims");
    let best = [bobs_fen, carols_fen, daves_fen].into_iter().max().unwrap();
    let luckiest: Vec<_> = claims.iter().filter(|claim| claim["luckiest"] == true).collect();
    assert_eq!((luckiest.len(), &luckiest[0]["amount_fen"]), (1, &best.into()));
    assert_eq!(claims[0]["display_name"], "小波");
    let human = world.text("alice", &format!("show {packet}"));
    assert!(
        human.contains("小波 (bob)") && human.contains("手气最佳") && human.contains("恭喜发财"),
        "{human}"
    );

    let verdict = world.json("bob", &format!("verify {packet}"));
    assert_eq!(
        (&verdict["verified"], list(&verdict, "shares").len()),
        (&true.into(), 3)
    );
    let wrong = "00".repeat(32);
    let (code, said, _) = world.run("bob", &format!("verify {packet} --commitment {wrong}"));
    assert!(code == Some(1) && said.contains("NOT verified"), "{said}");

    world
        .until("bob", "wallet", |wallet| {
            wallet["account"]["balance_fen"] == START_FEN + bobs_fen
        })
        .await;
    let wallet = world.json("bob", "wallet");
    let entry = &list(&wallet, "entries")[0];
    assert_eq!(
        (&entry["reason"], &entry["delta_fen"]),
        (&"SETTLE".into(), &bobs_fen.into())
    );
    assert_eq!(entry["packet_id"], packet);

    world
        .until("", "reconcile", |books| books["unsettled_count"] == 0)
        .await;
    let books = world.json("", "reconcile");
    assert_eq!((&books["packet_count"], &books["claim_count"]), (&1.into(), &3.into()));
    assert!(world.text("", "reconcile").ends_with("\nreconciled: 0 differences\n"));
    let orders = world.json("", &format!("transfers {packet}"));
    assert_eq!(
        list(&orders, "orders").len(),
        4,
        "one fund, three settlements: {orders}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_tell_what_was_sent_and_received() {
    let world = World::start().await;
    let packets: Vec<_> = (0..3)
        .map(|_| world.send("3.00 --shares 3 --to-group friends --kind equal"))
        .collect();
    for packet in &packets {
        assert_eq!(world.grab("bob", packet), 100);
    }
    let sent = world.json("alice", "records sent --limit 2");
    let ids: Vec<_> = list(&sent, "packets")
        .iter()
        .map(|sent| sent["packet_id"].as_str().unwrap())
        .collect();
    assert_eq!((ids, &sent["more"]), (vec![&*packets[2], &*packets[1]], &true.into()));
    assert_eq!(sent["packets"][0]["progress"]["opened_count"], 1);

    let received = world.json("bob", "records received");
    assert_eq!((list(&received, "claims").len(), &received["more"]), (3, &false.into()));
    assert_eq!(received["claims"][0]["sender_name"], "阿丽丝");
    assert_eq!(received["claims"][0]["packet_id"], packets[2].as_str());

    let year = world.json("bob", "records year");
    assert_eq!((&year["claim_count"], &year["amount_fen"]), (&3.into(), &300.into()));
    assert!(world.text("alice", "records sent").contains("1 of 3 opened, 1.00 yuan"));
    assert!(world.text("bob", "records received").contains("阿丽丝 (alice)"));
    assert_eq!(world.text("carol", "records received"), "you have opened no shares\n");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_gives_the_first_answer() {
    let world = World::start().await;
    let line = "5.00 --to-anyone --request-id mine";
    assert_eq!(world.send(line), world.send(line));
    let other = world.refused("alice", "send 6.00 --to-anyone --request-id mine", 1);
    assert!(other.contains("ALREADY_EXISTS"), "{other}");

    let first = world.json("", "deposit bob 10.00 --request-id gift");
    let second = world.json("", "deposit bob 10.00 --request-id gift");
    assert_eq!(first["account"]["balance_fen"], START_FEN + 1_000);
    assert_eq!(second["account"]["balance_fen"], START_FEN + 1_000);
    let third = world.json("", "deposit bob 10.00");
    assert_eq!(third["account"]["balance_fen"], START_FEN + 2_000);
    assert_eq!(third["request_id"].as_str().unwrap().len(), 36, "a new one is printed");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_one_line_with_code_and_reason() {
    let world = World::start().await;
    let nowhere = "show 019a0f3c-5e7b-7c1d-8a2b-3c4d5e6f7081";
    for (user, line, code, parts) in [
        (
            "alice",
            "send 1500.00 --shares 10 --to-group friends",
            1,
            &["FAILED_PRECONDITION", "INSUFFICIENT_FUNDS"][..],
        ),
        (
            "alice",
            "send 0.01 --shares 2 --to-anyone --cover !",
            1,
            &["INVALID_ARGUMENT", "total_fen", "cover"],
        ),
        ("alice", nowhere, 1, &["NOT_FOUND", "PACKET_NOT_FOUND"]),
        ("bob", "group add friends bob", 1, &["PERMISSION_DENIED"]),
        ("", "wallet", 2, &["--as"]),
    ] {
        let told = world.refused(user, line, code);
        for part in parts {
            assert!(told.contains(part), "{line}: {part:?} in {told:?}");
        }
    }
    let unreachable = world.refused("bob", "wallet --gateway http://127.0.0.1:1", 1);
    assert!(
        unreachable.contains("UNAVAILABLE: cannot reach the gateway at http://127.0.0.1:1: "),
        "{unreachable}"
    );
    let wrong = world.refused("bob", "wallet --gateway 127.0.0.1:1", 2);
    assert!(wrong.contains("--gateway"), "{wrong}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_of_a_grab_are_answers() {
    let world = World::start().await;
    let told = |user: &str, line: String| world.json(user, &line)["outcome"].as_str().unwrap().to_owned();
    let exclusive = world.send("1.00 --to-user bob");
    assert_eq!(told("carol", format!("grab {exclusive}")), "not_in_audience");
    let secret = world.send("1.00 --to-anyone --passphrase 新年快乐");
    assert_eq!(world.json("carol", &format!("grab {secret}"))["missing"], true);
    assert_eq!(
        world.json("carol", &format!("grab {secret} --passphrase 快乐"))["missing"],
        false
    );
    assert_eq!(told("carol", format!("grab {secret} --passphrase 新年快乐")), "granted");
    assert_eq!(told("dave", format!("grab {secret} --passphrase 新年快乐")), "all_held");
    let later = world.send("1.00 --to-anyone --start +1h");
    assert_eq!(told("bob", format!("grab {later}")), "not_started");

    let brief = world.send("10.00 --shares 2 --to-anyone --lifetime 1s");
    let opened_fen = world.grab("bob", &brief);
    let ended = world
        .until("alice", &format!("show {brief}"), |shown| {
            shown["packet"]["state"] == "COMPLETED"
        })
        .await;
    assert_eq!(ended["packet"]["refunded_fen"], 1_000 - opened_fen);
    assert_eq!(told("carol", format!("grab {brief}")), "expired");
    assert_eq!(world.json("bob", &format!("verify {brief}"))["verified"], true);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_packet_tells_its_claims_and_its_end() {
    let world = World::start().await;
    let packet = world.send("2.00 --shares 2 --to-group friends");
    let first = world.grab("bob", &packet);
    let watch = world
        .command("alice", &format!("watch {packet} --json"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let second = world.grab("carol", &packet);
    let output = watch.wait_with_output().unwrap();
    assert!(output.status.success());
    let events: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(events.len(), 3, "{events:?}");
    assert_eq!(events[0]["claim"]["amount_fen"], first);
    assert_eq!(events[1]["claim"]["amount_fen"], second);
    assert_eq!(events[2]["ended"]["opened_count"], 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_looked_after() {
    let world = World::start().await;
    world.json("", "user open eve --name 夏娃");
    assert_eq!(world.json("bob", "group create team carol")["member_count"], 2);
    assert_eq!(world.json("bob", "group add team dave eve")["member_count"], 4);
    assert_eq!(world.json("bob", "group remove team carol")["member_count"], 3);
    let shown = world.json("eve", "group show team");
    let members: Vec<_> = list(&shown, "members")
        .iter()
        .map(|member| member["user_id"].as_str().unwrap())
        .collect();
    assert_eq!(
        (members, &shown["owner_id"]),
        (vec!["bob", "dave", "eve"], &"bob".into())
    );
    assert!(world.text("eve", "group show team").contains("夏娃"));

    let packet = world.send("1.00 --to-group friends");
    let packets = world.json("dave", "group packets friends");
    assert_eq!(packets["packets"][0]["packet_id"], packet);
    assert!(
        world
            .refused("eve", "group packets friends", 1)
            .contains("PERMISSION_DENIED")
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_settled_is_repaired_by_decision() {
    let world = World::start().await;
    let packet = world.send("6.00 --shares 2 --to-group friends --kind equal");
    let frozen = world.json("", "user freeze bob --reason lost-phone");
    assert_eq!(frozen["frozen"], true);
    assert_eq!((world.grab("bob", &packet), world.grab("carol", &packet)), (300, 300));
    let open = world
        .until("", "repair list", |found| !list(found, "cases").is_empty())
        .await;
    let case = &open["cases"][0];
    assert_eq!(
        (&case["order"]["user_id"], &case["order"]["amount_fen"]),
        (&"bob".into(), &300.into())
    );
    let case = case["case_id"].as_str().unwrap();
    assert!(world.text("", "repair list").contains(case));
    assert!(world.text("", "reconcile").contains("open repair cases 1"));

    assert_eq!(open["cases"][0]["kind"], "UNDELIVERED");
    let retry = format!("repair retry {case} --reason try --request-id first");
    for _ in 0..2 {
        let retried = world.json("olga", &retry);
        assert_eq!(retried["case"]["state"], "OPEN", "bob is still frozen");
        assert_eq!(retried["outcome"]["result"], "REFUSED");
        assert_eq!(retried["outcome"]["verdict"], "CREDIT_FROZEN");
    }
    let other = format!("repair return {case} --reason try --request-id first");
    assert!(world.refused("olga", &other, 1).contains("REQUEST_ID_REUSED"));
    let resolved = world.json("olga", &format!("repair redirect {case} dave --reason gone"));
    assert_eq!(resolved["outcome"]["result"], "DONE");
    let resolved = world.json("", &format!("repair show {case}"));
    assert_eq!(
        (&resolved["state"], &resolved["order"]["paid_to_user_id"]),
        (&"RESOLVED".into(), &"dave".into())
    );
    let by_olga = list(&resolved, "events")
        .iter()
        .filter(|event| event["actor"] == "olga");
    let actions: Vec<_> = by_olga.map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["RETRIED", "REDIRECTED"], "{resolved}");
    let late = world.refused("olga", &format!("repair write-off {case} --reason late"), 1);
    assert!(
        late.contains("CASE_RESOLVED") && late.contains("paid to dave"),
        "{late}"
    );
    assert_eq!(world.json("dave", "wallet")["account"]["balance_fen"], START_FEN + 300);
    assert_eq!(list(&world.json("", "repair list --state resolved"), "cases").len(), 1);

    assert_eq!(world.json("", "user unfreeze bob --reason found")["frozen"], false);
    world
        .until("", "reconcile", |books| books["unsettled_count"] == 0)
        .await;
    assert!(world.text("", "reconcile").ends_with("reconciled: 0 differences\n"));
    world.stop().await;
}
