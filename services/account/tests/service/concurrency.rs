//! Many callers at once: every transfer counts once, and no fen comes or goes.

use std::{collections::HashMap, sync::Arc};

use futures::future::join_all;
use proto::account::v1::{AccountKind, PostVerdict, Transfer};

use crate::mesh::{Mesh, PACKET, escrow, reference, transfer, wallet};

const TASKS: u128 = 50;
const BATCHES: u128 = 4;
const ITEMS: u128 = 25;
const USERS: u128 = 8;

/// The transfers of one task. Numbers spread by a fixed mix, so that accounts and amounts overlap between tasks; every
/// third id is another task's too, with the same payload, because it follows from the id alone.
fn batch(task: u128, batch: u128) -> Vec<Transfer> {
    (0..ITEMS)
        .map(|item| {
            let shared = item % 3 == 0;
            let id = 1 + item + ITEMS * (batch + BATCHES * if shared { TASKS } else { task });
            let mixed = id.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835) >> 64;
            let amount = i64::try_from(mixed % 120).unwrap() + 1;
            let wallet = wallet(&format!("u{}", (mixed >> 20) % USERS));
            let suspense = || reference(AccountKind::Suspense, "u1");
            let (debit, credit) = match (mixed >> 8) % 8 {
                0..=2 => (wallet, escrow(PACKET)),
                3..=5 => (escrow(PACKET), wallet),
                6 => (escrow(PACKET), suspense()),
                _ => (suspense(), wallet),
            };
            transfer(id, debit, credit, amount)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overlapping_transfers_count_once_and_sum_to_zero() {
    overlap([Mesh::start().await].into()).await;
}

/// Tasks post to instances on one store, in turn.
pub async fn overlap(instances: Vec<Mesh>) {
    let instances: Vec<Arc<Mesh>> = instances.into_iter().map(Arc::new).collect();
    let mesh = instances[0].clone();
    let users: Vec<String> = (0..USERS).map(|n| format!("u{n}")).collect();
    mesh.open(&users.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for user in &users {
        mesh.deposit(user, "start", 400).await.unwrap();
    }

    let tasks = (0..TASKS).zip(instances.iter().cycle()).map(|(task, mesh)| {
        let mesh = mesh.clone();
        tokio::spawn(async move {
            let mut told = Vec::new();
            for number in 0..BATCHES {
                let transfers = batch(task, number);
                let verdicts = mesh.post(transfers.clone()).await;
                // Deposits of the same request from all tasks at once, among the batches.
                mesh.deposit("u0", &format!("d{number}"), 10).await.unwrap();
                told.extend(transfers.into_iter().zip(verdicts));
            }
            told
        })
    });
    let told: Vec<_> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();

    let mut times_posted: HashMap<&str, u32> = HashMap::new();
    let mut moved: HashMap<String, i64> = HashMap::new();
    let mut seen: HashMap<PostVerdict, u32> = HashMap::new();
    for (transfer, (verdict, _)) in &told {
        *seen.entry(*verdict).or_default() += 1;
        if *verdict == PostVerdict::Posted {
            *times_posted.entry(&transfer.transfer_id).or_default() += 1;
            let (debit, credit) = (transfer.debit.as_ref().unwrap(), transfer.credit.as_ref().unwrap());
            *moved.entry(format!("{debit:?}")).or_default() -= transfer.amount_fen;
            *moved.entry(format!("{credit:?}")).or_default() += transfer.amount_fen;
        }
    }
    assert!(times_posted.values().all(|times| *times == 1), "posted once each");
    for verdict in [
        PostVerdict::Posted,
        PostVerdict::AlreadyPosted,
        PostVerdict::InsufficientFunds,
    ] {
        assert!(
            seen.get(&verdict).is_some_and(|times| *times > 50),
            "{verdict:?} in {seen:?}"
        );
    }
    assert_eq!(seen.get(&PostVerdict::IdReused), None);

    for user in &users {
        let deposited = 400 + if user == "u0" { 40 } else { 0 };
        let moved = moved.get(&format!("{:?}", wallet(user))).copied().unwrap_or_default();
        assert_eq!(
            mesh.balance(wallet(user)).await,
            deposited + moved,
            "{user}: what the verdicts say is what is there"
        );
    }
    mesh.verify().await;
}
