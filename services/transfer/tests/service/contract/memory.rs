//! The contract on the store in memory.

use std::sync::Arc;

use disk::{Calm, Fate, Told};
use guard::Guard;
use sql::Error;
use transfer::{
    domain::{CaseEvent, CaseState, Order, State, Verdict},
    ops::isolate::record_apart,
    store::{Cases, Cursors, FundEnd, FundStart, Orders, Stretch, memory::MemoryDisk},
};
use uuid::Uuid;

use super::{PARTITIONS, at, attempt, commits, contract, packet, partition, rivals, settled, user};

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract(&MemoryDisk::default().store(Arc::new(Calm))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rivals_in_memory_exclude_each_other() {
    let disk = MemoryDisk::default();
    let (one, two) = (disk.store(Arc::new(Calm)), disk.store(Arc::new(Calm)));
    one.prepare(PARTITIONS).await.unwrap();
    rivals::of_one_store([&one, &two]).await;
}

#[tokio::test(start_paused = true)]
async fn lost_answers_are_found() {
    for (way, fate) in [("back", Fate::AnswerLost), ("there", Fate::CommitLost)] {
        let weather = Arc::new(Told::default());
        let store = MemoryDisk::default().store(weather.clone());
        commits::each_write_finds_its_answer(&store, way, || weather.next_write(fate)).await;
        assert!(weather.is_over(), "{way}");
    }
}

/// Then it is known that nothing happened, and the same stretch may be settled again.
#[tokio::test(start_paused = true)]
async fn a_cut_before_the_commit_changes_nothing() {
    let (disk, weather) = (MemoryDisk::default(), Arc::new(Told::default()));
    let store = disk.store(weather.clone());
    store.prepare(PARTITIONS).await.unwrap();
    let owner = Uuid::from_u128(1);
    store.lease(owner, at(100), at(110)).await.unwrap();
    let stretches = [Stretch {
        partition: partition(0),
        from_seq: 0,
        to_seq: 1,
        orders: vec![(settled(1, 1), Some(CaseEvent::opened(at(1), "why")))],
    }];
    for fate in [Fate::Cut, Fate::Full] {
        weather.next_write(fate);
        store.settle(owner, &stretches).await.unwrap_err();
        // Nor does it say anything of whose fault it is.
        weather.next_write(fate);
        record_apart(&store, owner, stretches.to_vec(), at(2))
            .await
            .unwrap_err();
        let snapshot = disk.snapshot();
        assert!(snapshot.orders().is_empty() && snapshot.cases().is_empty(), "{fate:?}");
        assert_eq!(snapshot.cursors()[&partition(0)].after_seq, 0, "{fate:?}");
    }
    assert_eq!(store.settle(owner, &stretches).await.unwrap(), []);

    // What is stored is seen in the raw, and outlives who stored it.
    drop(store);
    let snapshot = disk.snapshot();
    let order = settled(1, 1);
    assert_eq!(snapshot.orders()[&order.id].order, order);
    let case = &snapshot.cases()[&order.id];
    assert_eq!((case.state, case.events.len()), (CaseState::Open, 1));
    let cursor = snapshot.cursors()[&partition(0)];
    assert_eq!(
        (cursor.after_seq, cursor.owner, cursor.until),
        (1, Some(owner), at(110))
    );
    assert_eq!(snapshot.workers()[&owner], at(110));
    assert_eq!(snapshot.acts().len(), 0);
}

/// What the schema refuses is refused here too.
#[tokio::test]
async fn keys_and_checks_are_enforced() {
    let (disk, opening) = (MemoryDisk::default(), || CaseEvent::opened(at(1), "why"));
    let store = disk.store(Arc::new(Calm));
    store.open_case(&settled(1, 1), opening()).await.unwrap();

    // Only what a person must look at (STUCK) may have an amount that no ledger takes; only a FUND may be REJECTED.
    let worthless = |state| Order {
        amount_fen: 0,
        state,
        ..settled(9, 9)
    };
    let rejected = Order {
        state: State::Rejected,
        ..settled(9, 9)
    };
    for order in [worthless(State::Posted), rejected] {
        let refused = store.open_case(&order, opening()).await;
        assert!(matches!(refused, Err(Error::Driver(_))), "{refused:?}");
    }
    let fund = Order::fund(packet(1), user("a"), 0, at(1));
    let refused = store.begin_fund(&fund, attempt(1, 10), at(1)).await;
    assert!(matches!(refused, Err(Error::Driver(_))), "{refused:?}");
    // A claim has one order (CLAIM-3).
    let twin = settled(1, 2);
    let refused = store.open_case(&twin, opening()).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert_eq!(disk.snapshot().orders().len(), 1);
    assert_eq!(disk.snapshot().cases().len(), 1);
    store.open_case(&worthless(State::Stuck), opening()).await.unwrap();
}

/// Each fence keeps out whom it is there for, and nobody once it is taken away; so the simulation can take away one at a time.
#[test]
fn a_fence_that_is_taken_away_keeps_nobody_out() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for guard in [Guard::CursorFence, Guard::RefusalLasts] {
        let passed = || match guard {
            Guard::CursorFence => runtime.block_on(a_stranger_settles()),
            _ => runtime.block_on(a_second_try_begins_and_refuses()),
        };
        assert!(!passed(), "{guard:?}");
        assert!(guard::without(&[guard], passed), "{guard:?} is away");
        let others: Vec<Guard> = Guard::ALL.into_iter().filter(|other| *other != guard).collect();
        assert!(!guard::without(&others, passed), "{guard:?} alone");
    }
}

async fn a_stranger_settles() -> bool {
    let disk = MemoryDisk::default();
    let store = disk.store(Arc::new(Calm));
    store.prepare(PARTITIONS).await.unwrap();
    store.lease(Uuid::from_u128(1), at(100), at(110)).await.unwrap();
    let stretch = Stretch {
        partition: partition(0),
        from_seq: 7,
        to_seq: 8,
        orders: vec![(settled(8, 8), None)],
    };
    let lost = store.settle(Uuid::from_u128(2), &[stretch]).await.unwrap();
    lost.is_empty() && disk.snapshot().cursors()[&partition(0)].after_seq == 8
}

async fn a_second_try_begins_and_refuses() -> bool {
    let store = MemoryDisk::default().store(Arc::new(Calm));
    let draft = Order::fund(packet(1), user("a"), 10, at(1));
    store.begin_fund(&draft, attempt(1, 10), at(1)).await.unwrap();
    let begun = store.begin_fund(&draft, attempt(2, 20), at(2)).await.unwrap();
    let end = FundEnd::Refused(Verdict::InsufficientFunds, 3);
    let order = store.end_fund(draft.id, attempt(3, 30), end, at(3)).await.unwrap();
    matches!(begun, FundStart::Begun { doubt: None, .. }) && order.state == State::Rejected
}
