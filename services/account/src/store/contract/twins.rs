//! The store in memory against the one in SQL: whatever is posted, both say and have the same.

use std::sync::Arc;

use id::TransferId;
use money::Fen;
use paging::Page;
use proptest::prelude::*;
use testkit::Engine;
use tokio::runtime::Runtime;

use super::{at, engine::Home, open, packet, user, wallet};
use crate::{
    domain::{
        account::AccountRef,
        ledger::{Item, Malformed},
        transfer::{Reason, Transfer},
    },
    store::{Accounts, Ledger, contract::memory, memory::MemoryStore, sql::SqlStore},
};

const CASES: u32 = 24;
/// Who has a wallet; `nobody` has none.
const OPENED: [&str; 2] = ["ann", "ben"];

/// Every account that a case may name.
fn accounts() -> Vec<AccountRef> {
    let mut accounts = vec![
        AccountRef::External,
        AccountRef::Escrow(packet(1)),
        AccountRef::Escrow(packet(2)),
        AccountRef::Suspense(user("ann")),
        wallet("nobody"),
    ];
    accounts.extend(OPENED.map(wallet));
    accounts
}

#[derive(Clone, Debug)]
enum Step {
    Post(Vec<Item>),
    Freeze(usize, bool),
}

fn item() -> impl Strategy<Value = Item> {
    let accounts = prop::sample::select(accounts());
    // Half of them are between accounts that go together, so that money moves.
    let sensible = (0..5_u8, prop::sample::select(OPENED.to_vec()), 1..=2_u64).prop_map(|(way, who, number)| {
        let (wallet, escrow) = (wallet(who), AccountRef::Escrow(packet(number)));
        let suspense = AccountRef::Suspense(user("ann"));
        let (debit, credit, reason) = match way {
            0 => (AccountRef::External, wallet, Reason::Deposit),
            1 => (wallet, escrow, Reason::Fund),
            2 => (escrow, wallet, Reason::Settle),
            3 => (escrow, suspense, Reason::Suspense),
            _ => (suspense, wallet, Reason::Repair),
        };
        (debit, credit, reason, (way > 0).then(|| packet(number)))
    });
    let any = (
        accounts.clone(),
        accounts,
        prop::sample::select(Reason::ALL.to_vec()),
        prop::option::of((1..=2_u64).prop_map(packet)),
    );
    let amounts = prop_oneof![8 => 1..200_i64, 1 => -1..=0_i64, 1 => Just(i64::MAX)];
    // Few ids, so that many come again, with the same payload and with others.
    let transfer = (0..40_u128, prop_oneof![sensible, any], amounts).prop_map(|(id, way, amount)| {
        let (debit, credit, reason, packet) = way;
        Transfer {
            id: TransferId::from(uuid::Uuid::from_u128(id)),
            debit,
            credit,
            amount: Fen::new(amount),
            reason,
            packet,
        }
    });
    prop_oneof![20 => transfer.prop_map(Ok), 1 => Just(Err(Malformed::Id)), 1 => Just(Err(Malformed::Field))]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop::collection::vec(item(), 1..12).prop_map(Step::Post),
        1 => (0..OPENED.len(), any::<bool>()).prop_map(|(who, frozen)| Step::Freeze(who, frozen)),
    ];
    prop::collection::vec(step, 1..10)
}

async fn told_the_same(steps: Vec<Step>, sql: &SqlStore, memory: &MemoryStore) -> Result<(), TestCaseError> {
    open(sql, &OPENED).await;
    open(memory, &OPENED).await;
    for (number, step) in (10..).zip(steps) {
        match step {
            Step::Post(items) => {
                let told = sql.post(&items, at(number)).await.unwrap();
                prop_assert_eq!(&told, &memory.post(&items, at(number)).await.unwrap(), "{:?}", items);
            }
            Step::Freeze(who, frozen) => {
                let who = user(OPENED[who]);
                let told = sql.set_frozen(&who, frozen, "why", at(number)).await.unwrap();
                prop_assert_eq!(told, memory.set_frozen(&who, frozen, "why", at(number)).await.unwrap());
            }
        }
    }
    let all = Page {
        size: 1_000,
        after: None,
    };
    for account in accounts() {
        let one = std::slice::from_ref(&account);
        prop_assert_eq!(sql.accounts(one).await.unwrap(), memory.accounts(one).await.unwrap());
        let entries = sql.entries(&account, &all).await.unwrap();
        prop_assert_eq!(entries, memory.entries(&account, &all).await.unwrap(), "{}", account);
    }
    for id in (0..40).map(|id| TransferId::from(uuid::Uuid::from_u128(id))) {
        let posted = sql.transfers(&[id]).await.unwrap();
        prop_assert_eq!(posted, memory.transfers(&[id]).await.unwrap(), "{}", id);
    }
    Ok(())
}

#[test]
fn memory_and_sqlite_are_told_apart_by_nothing() {
    let runtime = Runtime::new().unwrap();
    let home = Home(Engine::sqlite());
    let case = std::cell::Cell::new(0);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    };
    proptest!(config, |(steps in steps())| {
        case.set(case.get() + 1);
        runtime.block_on(async {
            let (_, sql) = home.store(&format!("twin{}", case.get())).await;
            let (memory, _): (Arc<MemoryStore>, _) = memory(&disk::Disk::default());
            told_the_same(steps, &sql, &memory).await
        })?;
    });
}
