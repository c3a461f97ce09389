//! Plants each violation in a story that is sound, and sees that it is found, and nothing else.

use super::{
    scene::{READ_US, START_FEN, World, claim, grab, order, packet, record, sent, sound, told},
    *,
};
use crate::chaos::{
    books::{OrderKind, OrderState, PacketState},
    history::{Asked, Heard, NoShare},
};

fn found(world: &World) -> Vec<Violation> {
    let story = Story {
        records: &world.records,
        start_fen: START_FEN,
        frozen: &world.frozen,
        read_us: READ_US,
    };
    check(&story, &world.books)
}

/// What is found once `harm` is done: the variants' names, each once.
fn after(harm: impl FnOnce(&mut World)) -> Vec<String> {
    let mut world = sound();
    harm(&mut world);
    let mut names: Vec<_> = found(&world)
        .iter()
        .map(|violation| {
            let told = format!("{violation:?}");
            told.split(['(', ' ']).next().unwrap_or_default().to_owned()
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn a_sound_story_is_sound() {
    assert_eq!(found(&sound()), []);
}

#[test]
fn an_open_that_is_not_there_is_found() {
    let shown = |share_no, amount_fen| {
        record(
            "dave",
            grab("lives"),
            Heard::Opened(told("dave", "lives", share_no, amount_fen)),
        )
    };
    assert_eq!(after(|world| world.records.push(shown(1, 2))), ["OpenLost"]);
    let listed = record(
        "dave",
        Asked::Look("received"),
        Heard::Seen(vec![told("dave", "lives", 1, 2)]),
    );
    assert_eq!(after(|world| world.records.push(listed)), ["OpenLost"]);
}

#[test]
fn another_amount_or_share_is_found() {
    let other = |share_no, amount_fen| {
        let told = told("bob", "ended", share_no, amount_fen);
        move |world: &mut World| world.records[2].heard = Heard::Opened(told)
    };
    assert_eq!(after(other(1, 31)), ["OpenDiffers"]);
    assert_eq!(after(other(0, 30)), ["OpenDiffers"]);
    let again = record("bob", grab("ended"), Heard::Opened(told("bob", "ended", 1, 31)));
    assert_eq!(after(|world| world.records.push(again)), ["OpenDiffers", "ToldTwice"]);
}

#[test]
fn a_lost_or_altered_or_doubled_send_is_found() {
    assert_eq!(after(|world| world.records.push(sent("gone", 5, 1))), ["SendLost"]);
    assert_eq!(after(|world| world.records[1] = sent("lives", 9, 3)), ["SendDiffers"]);
    assert_eq!(after(|world| world.records[1] = sent("lives", 8, 2)), ["SendDiffers"]);
    let rejected = |world: &mut World| {
        world
            .books
            .packets
            .insert("refused".to_owned(), packet(5, 1, PacketState::Rejected, 0, 0));
    };
    assert_eq!(after(rejected), [""; 0], "a send that was refused is not paid for");
    let acknowledged = |world: &mut World| {
        rejected(world);
        world.records.push(sent("refused", 5, 1));
    };
    assert_eq!(after(acknowledged), ["SendDiffers"]);
    let doubled = |world: &mut World| {
        world.records[1].asked = Asked::Send {
            request_id: "send-ended".to_owned(),
            total_fen: 9,
            share_count: 2,
        };
    };
    assert_eq!(after(doubled), ["SentTwice"]);
}

#[test]
fn a_final_answer_that_was_not_is_found() {
    let heard = |packet: &str, told| record("dave", grab(packet), Heard::NoShare(told));
    assert_eq!(
        after(|world| world.records.push(heard("lives", NoShare::Exhausted))),
        ["Misled"]
    );
    assert_eq!(
        after(|world| world.records.push(heard("lives", NoShare::Expired))),
        ["Misled"]
    );
    assert_eq!(
        after(|world| world.records.push(heard("lives", NoShare::AllHeld))),
        [""; 0]
    );
}

#[test]
fn a_share_or_a_person_twice_is_found() {
    let add = |claim: Claim| {
        move |world: &mut World| {
            let mut settle = order(
                OrderKind::Settle,
                &claim.user,
                &claim.packet_id,
                claim.share_no,
                claim.amount_fen,
            );
            settle.id.push_str(" again");
            world.books.orders.push(settle);
            world.books.claims.push(claim);
        }
    };
    let share = after(add(claim("dave", "lives", 0, 1, 3)));
    assert!(
        share.contains(&"ShareTwice".to_owned()) && !share.contains(&"PersonTwice".to_owned()),
        "{share:?}"
    );
    let person = after(add(claim("carol", "lives", 1, 1, 3)));
    assert!(
        person.contains(&"PersonTwice".to_owned()) && !person.contains(&"ShareTwice".to_owned()),
        "{person:?}"
    );
    for nothing in [claim("dave", "lives", 2, 1, 3), claim("dave", "gone", 0, 1, 3)] {
        let found = after(add(nothing));
        assert!(found.contains(&"ClaimOfNothing".to_owned()), "{found:?}");
    }
    let more = after(add(claim("dave", "lives", 1, 3, 3)));
    assert!(more.contains(&"Overdrawn".to_owned()), "{more:?}");
}

#[test]
fn a_gap_in_the_log_is_found() {
    assert_eq!(after(|world| world.books.claims[1].seq = 3), ["LogGap"]);
    assert_eq!(after(|world| world.books.claims[0].seq = 0), ["LogGap"]);
    assert_eq!(after(|world| world.books.claims.swap(0, 1)), ["LogGap"]);
}

#[test]
fn a_claim_that_is_not_paid_is_found() {
    let unpaid = |world: &mut World| {
        world.books.orders.remove(2);
        world.books.wallets.insert("bob".to_owned(), START_FEN);
        world.books.escrows.insert("ended".to_owned(), 30);
    };
    assert_eq!(after(unpaid), ["EscrowDiffers", "Unsettled", "WalletDiffers"]);
    assert_eq!(
        after(|world| world.books.orders[2].state = OrderState::Unmoved),
        ["Unsettled"]
    );
    assert_eq!(
        after(|world| world.books.cases[0].open = false),
        ["Unsettled"],
        "suspended and forgotten"
    );
    assert_eq!(after(|world| world.books.unsettled = 1), ["StillUnsettled"]);
}

#[test]
fn an_order_that_is_not_its_claims_is_found() {
    // What settles something else leaves its claim unsettled.
    let both = ["OrderDiffers", "Unsettled"];
    assert_eq!(after(|world| world.books.orders[2].amount_fen = 31), both);
    assert_eq!(after(|world| world.books.orders[2].share_no = 0), both);
    let twice = |world: &mut World| {
        let again = world.books.orders[2].clone();
        world.books.orders.push(again);
    };
    assert_eq!(after(twice), ["OrderDiffers"]);
    let of_nothing = order(OrderKind::Settle, "dave", "ended", 0, 1);
    assert_eq!(after(|world| world.books.orders.push(of_nothing)), ["OrderDiffers"]);
}

#[test]
fn a_packet_that_does_not_end_is_found() {
    let expired = |world: &mut World| {
        if let Some(packet) = world.books.packets.get_mut("lives") {
            packet.expire_us = READ_US;
        }
    };
    assert_eq!(after(expired), ["Unfinished"]);
    let closing = |world: &mut World| {
        if let Some(packet) = world.books.packets.get_mut("lives") {
            packet.state = PacketState::Closing;
        }
    };
    assert_eq!(after(closing), ["Unfinished"]);
}

#[test]
fn money_in_the_wrong_place_is_found() {
    let refund = |world: &mut World| {
        if let Some(packet) = world.books.packets.get_mut("ended") {
            packet.refunded_fen = 71;
        }
    };
    assert_eq!(after(refund), ["RefundDiffers", "WalletDiffers"]);
    let left = |packet: &'static str, fen| {
        move |world: &mut World| {
            world.books.escrows.insert(packet.to_owned(), fen);
        }
    };
    assert_eq!(after(left("ended", 1)), ["EscrowDiffers"]);
    assert_eq!(after(left("lives", 9)), ["EscrowDiffers"]);
    let wallet = |world: &mut World| {
        world.books.wallets.insert("bob".to_owned(), START_FEN + 60);
    };
    assert_eq!(after(wallet), ["WalletDiffers"], "paid twice");
}

#[test]
fn a_case_without_a_reason_is_found() {
    assert_eq!(after(|world| world.frozen.clear()), ["StrayCase"]);
}

#[test]
fn what_the_services_find_themselves_is_told() {
    assert_eq!(after(|world| world.books.ledger_sum_fen = -1), ["LedgerSum"]);
    assert_eq!(
        after(|world| world.books.ledger_faults.push("x".to_owned())),
        ["Ledger"]
    );
    assert_eq!(
        after(|world| world.books.differences.push("x".to_owned())),
        ["Difference"]
    );
}

#[test]
fn errors_are_explained_or_not() {
    let error = |code, reason: &str| {
        let asked = Asked::Send {
            request_id: "r".to_owned(),
            total_fen: 1,
            share_count: 1,
        };
        let heard = Heard::Error {
            code,
            reason: reason.to_owned(),
            message: String::new(),
        };
        record("carol", asked, heard)
    };
    let calm = Excuses::default();
    let faults = Excuses {
        faults: vec![(600_005, 600_007)],
        ..Excuses::default()
    };
    let door = Excuses {
        door: faults.faults.clone(),
        ..faults.clone()
    };
    let long_ago = Excuses {
        faults: vec![(-9_000_000, -8_000_000)],
        door: vec![(-9_000_000, -8_000_000)],
        frozen: vec![("carol".to_owned(), -9_000_000, -8_000_000)],
    };
    let frozen = Excuses {
        frozen: vec![("carol".to_owned(), 0, 600_001)],
        ..Excuses::default()
    };
    let other = Excuses {
        frozen: vec![("bob".to_owned(), 0, 600_001)],
        ..Excuses::default()
    };
    let explains = |excuses: &Excuses, code, reason| excuses.unexplained(&[error(code, reason)]).is_empty();
    for code in ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"] {
        assert!(explains(&faults, code, "") && !explains(&calm, code, "") && !explains(&long_ago, code, ""));
    }
    for code in ["UNKNOWN", "CANCELLED"] {
        assert!(explains(&door, code, "") && !explains(&faults, code, "") && !explains(&long_ago, code, ""));
    }
    for code in [
        "INTERNAL",
        "NOT_FOUND",
        "DATA_LOSS",
        "INVALID_ARGUMENT",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
    ] {
        assert!(!explains(&door, code, ""), "{code}");
    }
    let state = "FAILED_PRECONDITION";
    assert!(explains(&frozen, state, "ACCOUNT_FROZEN") && !explains(&other, state, "ACCOUNT_FROZEN"));
    assert!(!explains(&long_ago, state, "ACCOUNT_FROZEN") && !explains(&frozen, state, "INSUFFICIENT_FUNDS"));
    assert!(!explains(&door, state, "VOUCHER_LAPSED"), "a send has no voucher");
}
