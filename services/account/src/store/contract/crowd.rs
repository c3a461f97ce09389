//! Two instances on one database of a server, each with connections of its own, at the same rows at the same time.

use std::{collections::HashMap, sync::Arc};

use futures::future::join_all;
use id::{AccountId, TransferId};
use money::Fen;

use super::{at, deposit, fund, open, packet, settle, user, verdicts, verified, wallet};
use crate::{
    domain::{
        account::AccountRef,
        ledger::Verdict::{self, AlreadyPosted, InsufficientFunds, Posted},
        people::Group,
        transfer::{Reason, Transfer},
    },
    store::{Accounts, Audit, Chain, Groups, Ledger},
};

const TASKS: u128 = 16;
const BATCHES: u128 = 6;
const ITEMS: u128 = 20;
const USERS: u128 = 6;
const START_FEN: i64 = 500;

/// Everything that two instances may do to each other over one database.
pub async fn of_two_instances<S: Accounts + Ledger + Audit + Chain + Groups + 'static>(stores: &[Arc<S>; 2]) {
    overlapping_batches(stores).await;
    the_last_money(stores).await;
    accounts_opened_at_once(stores).await;
    people(stores).await;
    let audit = verified(stores[0].as_ref()).await;
    assert_eq!((audit.balance_sum, audit.differences), (0, vec![]));
}

/// The transfers of one batch. Numbers spread by a fixed mix, so that accounts, amounts and directions overlap between
/// tasks; every third id is another task's too, with the same payload, because it follows from the id alone.
fn batch(task: u128, batch: u128) -> Vec<Transfer> {
    let item = |item: u128| {
        let task = if item.is_multiple_of(3) { TASKS } else { task };
        let id = 1 + item + ITEMS * (batch + BATCHES * task);
        let mixed = id.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835) >> 64;
        // Some of these accounts are opened by whoever credits them first.
        let packet = packet([7, 100 + u64::try_from(batch).unwrap()][usize::from(mixed.is_multiple_of(7))]);
        let (escrow, suspense) = (AccountRef::Escrow(packet), AccountRef::Suspense(user("u1")));
        let wallet = wallet(&format!("u{}", (mixed >> 8) % USERS));
        let (reason, debit, credit) = match (mixed >> 20) % 4 {
            0 => (Reason::Fund, wallet, escrow),
            1 => (Reason::Settle, escrow, wallet),
            2 => (Reason::Suspense, escrow, suspense),
            _ => (Reason::Repair, suspense, wallet),
        };
        Transfer {
            id: TransferId::from(uuid::Uuid::from_u128(id)),
            debit,
            credit,
            amount: Fen::new(i64::try_from(mixed % 120).unwrap() + 1),
            reason,
            packet: Some(packet),
        }
    };
    (0..ITEMS).map(item).collect()
}

/// Every transfer counts once, whoever posts it how often; what the verdicts say is what is there.
async fn overlapping_batches<S: Accounts + Ledger + 'static>(stores: &[Arc<S>; 2]) {
    for n in 0..USERS {
        let name = format!("u{n}");
        open(stores[0].as_ref(), &[&name]).await;
        let start = verdicts(stores[1].as_ref(), [deposit(&name, "start", START_FEN)]).await;
        assert_eq!(start, [Posted]);
    }
    let tasks = (0..TASKS).map(|task| {
        let store = stores[usize::try_from(task % 2).unwrap()].clone();
        tokio::spawn(async move {
            let mut told = Vec::new();
            for number in 0..BATCHES {
                let transfers = batch(task, number);
                let verdicts = verdicts(store.as_ref(), transfers.clone()).await;
                told.extend(transfers.into_iter().zip(verdicts));
            }
            told
        })
    });
    let told: Vec<_> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();

    let mut seen: HashMap<Verdict, u32> = HashMap::new();
    let mut times_posted: HashMap<TransferId, u32> = HashMap::new();
    let mut moved: HashMap<AccountId, i64> = HashMap::new();
    for (transfer, verdict) in &told {
        *seen.entry(*verdict).or_default() += 1;
        if *verdict == Posted {
            *times_posted.entry(transfer.id).or_default() += 1;
            *moved.entry(transfer.debit.id()).or_default() -= transfer.amount.get();
            *moved.entry(transfer.credit.id()).or_default() += transfer.amount.get();
        }
    }
    assert!(times_posted.values().all(|times| *times == 1), "posted once each");
    assert!(
        told.iter()
            .all(|(transfer, verdict)| *verdict != AlreadyPosted || times_posted.contains_key(&transfer.id)),
        "somebody posted what was there already"
    );
    for verdict in [Posted, AlreadyPosted, InsufficientFunds] {
        assert!(
            seen.get(&verdict).is_some_and(|times| *times > 20),
            "{verdict:?} in {seen:?}"
        );
    }
    for n in 0..USERS {
        let wallet = wallet(&format!("u{n}"));
        let moved = moved.get(&wallet.id()).copied().unwrap_or_default();
        let there = stores[0].accounts(&[wallet]).await.unwrap()[0].balance.get();
        assert_eq!(there, START_FEN + moved, "u{n}");
    }
}

/// Both post the transfer that takes the last money of an account: it is done, and neither is told that it could not be.
async fn the_last_money(stores: &[Arc<impl Accounts + Ledger>; 2]) {
    open(stores[0].as_ref(), &["rich", "poor"]).await;
    verdicts(stores[0].as_ref(), [deposit("rich", "r", 100_000)]).await;
    for n in 0..60 {
        let packet = packet(10_000 + n);
        assert_eq!(verdicts(stores[0].as_ref(), [fund("rich", packet, 10)]).await, [Posted]);
        let last = || [settle(packet, 0, "poor", 4), settle(packet, 1, "poor", 6)];
        let answers = join_all((0..6_usize).map(|caller| verdicts(stores[caller % 2].as_ref(), last()))).await;
        let posted = answers.iter().filter(|verdicts| **verdicts == [Posted; 2]).count();
        let found = answers
            .iter()
            .filter(|verdicts| **verdicts == [AlreadyPosted; 2])
            .count();
        assert_eq!((posted, found), (1, 5), "{answers:?}");
    }
}

/// Both post a batch that opens accounts and goes on from there.
async fn accounts_opened_at_once(stores: &[Arc<impl Ledger>; 2]) {
    for n in 0..60 {
        let (first, second) = (packet(20_000 + 2 * n), packet(20_001 + 2 * n));
        // Whoever comes second knows neither escrow when it looks for what to lock.
        let batch = |caller: usize| {
            let own = settle(second, u32::try_from(caller).unwrap(), "poor", 1);
            let mut batch = vec![
                fund("rich", first, 10),
                fund("rich", second, 9),
                settle(first, 0, "poor", 10),
            ];
            if caller.is_multiple_of(3) {
                batch.swap(0, 1);
            }
            batch.push(own);
            batch
        };
        let answers = join_all((0..6_usize).map(|caller| verdicts(stores[caller % 2].as_ref(), batch(caller)))).await;
        let posted = answers.iter().filter(|verdicts| verdicts[..3] == [Posted; 3]).count();
        let found = answers
            .iter()
            .filter(|verdicts| verdicts[..3] == [AlreadyPosted; 3])
            .count();
        assert_eq!((posted, found), (1, 5), "{answers:?}");
        assert!(answers.iter().all(|verdicts| verdicts[3] == Posted), "{answers:?}");
    }
}

/// Users, acts and groups: who comes second finds what the first one did.
async fn people(stores: &[Arc<impl Accounts + Groups>; 2]) {
    let names: Vec<String> = (0..12).map(|n| format!("m{n}")).collect();
    for name in &names {
        let opened = join_all((0..4_usize).map(|caller| {
            let store = &stores[caller % 2];
            async move { store.open(&user(name), name, at(1)).await.unwrap() }
        }))
        .await;
        assert!(opened.windows(2).all(|pair| pair[0] == pair[1]), "{opened:?}");
    }
    let frozen = join_all((0..4_usize).map(|caller| {
        let store = &stores[caller % 2];
        async move { store.set_frozen(&user("m0"), true, "crowd", at(2)).await.unwrap() }
    }))
    .await;
    assert!(frozen.iter().all(|wallet| wallet.as_ref().unwrap().frozen));

    let members: Vec<_> = names.iter().map(|name| user(name)).collect();
    let created = join_all((0..4_usize).map(|caller| {
        let (store, members) = (&stores[caller % 2], &members);
        async move {
            let owner = members[caller].clone();
            let group = Group {
                id: "crowd".parse().unwrap(),
                display_name: "Crowd".to_owned(),
                owner: owner.clone(),
                member_count: 0,
                create_time: at(3),
            };
            store.create(&group, &[owner]).await.unwrap()
        }
    }))
    .await;
    assert!(created.windows(2).all(|pair| pair[0] == pair[1]), "{created:?}");
    let group = &created[0].id;
    join_all((0..6_usize).map(|caller| {
        let (store, mut members) = (&stores[caller % 2], members.clone());
        async move {
            members.rotate_left(caller * 2);
            store.add_members(group, &members, at(4)).await.unwrap();
        }
    }))
    .await;
    assert_eq!(stores[0].group(group).await.unwrap().unwrap().member_count, 12);
}
