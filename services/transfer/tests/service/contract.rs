//! What every implementation of the store must do, on every engine.

mod acts;
mod commits;
mod memory;
mod rivals;
mod rules;
mod twins;

use std::{num::NonZeroU16, time::Duration};

use clock::Timestamp;
use id::{PacketId, Partition, TransferId, UserId};
use paging::Page;
use testkit::Engine;
use transfer::{
    domain::{CaseEvent, CaseKind, CaseState, Failure, LoggedClaim, Order, State, Verdict},
    store::{Attempt, FundEnd, FundStart, ListKey, Of, Store, Stretch},
};
use uuid::Uuid;

use crate::engine::store;

const PARTITIONS: NonZeroU16 = NonZeroU16::new(4).unwrap();

fn at(seconds: i64) -> Timestamp {
    clock::from_micros(seconds * 1_000_000)
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn packet(n: u8) -> PacketId {
    PacketId::new(7, &[n; 10])
}

fn attempt(n: u128, until: i64) -> Attempt {
    Attempt {
        id: Uuid::from_u128(n),
        until: at(until),
    }
}

fn begun_anew(draft: &Order) -> FundStart {
    FundStart::Begun {
        order: draft.clone(),
        doubt: None,
    }
}

fn page(after: Option<ListKey>) -> Page<ListKey> {
    Page { size: 2, after }
}

fn partition(index: u32) -> Partition {
    Partition::new(index, PARTITIONS).unwrap()
}

/// Runs everything a store must do on an empty one.
async fn contract(store: &dyn Store) {
    store.prepare(PARTITIONS).await.unwrap();
    store.prepare(PARTITIONS).await.unwrap();
    store.prepare(NonZeroU16::MIN).await.unwrap_err();
    funds(store).await;
    refunds(store).await;
    leases(store).await;
    settles(store).await;
    cases(store).await;
}

async fn funds(store: &dyn Store) {
    let draft = Order::fund(packet(1), user("a"), 10, at(1));
    let begun = store.begin_fund(&draft, attempt(1, 10), at(1)).await.unwrap();
    assert_eq!(begun, begun_anew(&draft));
    let held = store.begin_fund(&draft, attempt(2, 20), at(9)).await.unwrap();
    assert_eq!(held, FundStart::Held(at(10)));
    let other = Order::fund(packet(1), user("a"), 11, at(1));
    let known = store.begin_fund(&other, attempt(2, 20), at(9)).await.unwrap();
    assert_eq!(known, FundStart::Known(draft.clone()));

    // The window is over; whoever had it may no longer refuse.
    let begun = store.begin_fund(&draft, attempt(2, 20), at(10)).await.unwrap();
    assert_eq!(begun, begun_anew(&draft));
    let refused = FundEnd::Refused(Verdict::InsufficientFunds, 3);
    let late = store.end_fund(draft.id, attempt(1, 10), refused, at(11)).await.unwrap();
    assert_eq!(late.state, State::Pending);
    // Undecided closes the window.
    store
        .end_fund(draft.id, attempt(2, 20), FundEnd::Undecided(None), at(12))
        .await
        .unwrap();
    let begun = store.begin_fund(&draft, attempt(3, 30), at(12)).await.unwrap();
    assert!(matches!(begun, FundStart::Begun { .. }));
    // One that takes over may not close the window of the other.
    let doubtful = |until| FundStart::Begun {
        order: draft.clone(),
        doubt: Some(at(until)),
    };
    let over = store.take_over_fund(&draft, attempt(4, 20), at(12)).await.unwrap();
    assert_eq!(over, doubtful(30));
    let late = store.end_fund(draft.id, attempt(3, 30), refused, at(12)).await.unwrap();
    assert_eq!(late.state, State::Pending);
    let held = store.begin_fund(&draft, attempt(5, 60), at(29)).await.unwrap();
    assert_eq!(held, FundStart::Held(at(30)));
    store
        .end_fund(draft.id, attempt(4, 20), FundEnd::Undecided(Some(at(30))), at(12))
        .await
        .unwrap();
    let held = store.begin_fund(&draft, attempt(5, 60), at(29)).await.unwrap();
    assert_eq!(held, FundStart::Held(at(30)));
    // It stays open for the longer of both, and a repeat of the same taking over has it no easier.
    for _ in 0..2 {
        let over = store.take_over_fund(&draft, attempt(6, 40), at(12)).await.unwrap();
        assert!(matches!(over, FundStart::Begun { doubt: Some(until), .. } if until >= at(30)));
    }
    let held = store.begin_fund(&draft, attempt(5, 60), at(39)).await.unwrap();
    assert_eq!(held, FundStart::Held(at(40)));
    let over = store.take_over_fund(&draft, attempt(7, 60), at(40)).await.unwrap();
    assert_eq!(over, begun_anew(&draft));
    // That the ledger has it always counts.
    let posted = store
        .end_fund(draft.id, attempt(1, 10), FundEnd::Funded, at(13))
        .await
        .unwrap();
    assert_eq!((posted.state, posted.updated), (State::Posted, at(13)));
    let after = store.end_fund(draft.id, attempt(7, 60), refused, at(14)).await.unwrap();
    assert_eq!(after, posted);
    let known = store.begin_fund(&draft, attempt(4, 40), at(15)).await.unwrap();
    assert_eq!(known, FundStart::Known(posted.clone()));
    let known = store.take_over_fund(&draft, attempt(4, 40), at(15)).await.unwrap();
    assert_eq!(known, FundStart::Known(posted.clone()));
    assert_eq!(store.order(draft.id).await.unwrap(), Some(posted.clone()));

    let poor = Order::fund(packet(2), user("a"), 10, at(2));
    store.begin_fund(&poor, attempt(5, 50), at(2)).await.unwrap();
    let rejected = store.end_fund(poor.id, attempt(5, 50), refused, at(3)).await.unwrap();
    assert_eq!((rejected.state, rejected.balance_fen), (State::Rejected, 3));
    assert_eq!(rejected.failure, Some(Failure::Refused(Verdict::InsufficientFunds)));
    let still = store
        .end_fund(poor.id, attempt(5, 50), FundEnd::Funded, at(4))
        .await
        .unwrap();
    assert_eq!(still, rejected);

    let others = store.others(None, 4, 9).await.unwrap().orders;
    assert!(others.contains(&posted) && others.contains(&rejected), "{others:?}");
}

async fn refunds(store: &dyn Store) {
    let draft = Order::refund(packet(1), user("a"), 4, at(20));
    assert_eq!(store.begin_refund(&draft).await.unwrap(), draft);
    let other = Order::refund(packet(1), user("a"), 5, at(21));
    assert_eq!(store.begin_refund(&other).await.unwrap(), draft);
    let (suspended, words) = draft
        .clone()
        .concluded(transfer::domain::Delivery::Suspended(Verdict::CreditFrozen), at(22));
    let opening = words.map(|words| CaseEvent::opened(at(22), words));
    for _ in 0..2 {
        let stored = store.conclude(&suspended, opening.clone()).await.unwrap();
        assert_eq!(stored, suspended);
    }
    let (posted, _) = draft.concluded(transfer::domain::Delivery::Paid, at(23));
    assert_eq!(
        store.conclude(&posted, None).await.unwrap(),
        suspended,
        "not PENDING any more"
    );
    assert_eq!(
        store.left_escrow(&[packet(1), packet(2)]).await.unwrap(),
        [(packet(1), 4)].into()
    );
    assert_eq!(store.open_case_count().await.unwrap(), 1);
}

async fn leases(store: &dyn Store) {
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let held = async |owner, now| {
        let cursors = store.lease(owner, at(now), at(now + 10)).await.unwrap();
        cursors.keys().map(|partition| partition.index()).collect::<Vec<_>>()
    };
    assert_eq!(held(one, 0).await, [0, 1, 2, 3]);
    assert!(held(two, 1).await.is_empty());
    assert_eq!(held(one, 2).await, [0, 1]);
    assert_eq!(held(two, 3).await, [2, 3]);
    assert_eq!(held(two, 12).await, [2, 3], "the first has until 12");
    assert_eq!(held(two, 13).await, [0, 1, 2, 3]);
    assert!(held(one, 14).await.is_empty());
    store.retire(two).await.unwrap();
    assert_eq!(held(one, 14).await, [0, 1, 2, 3]);
    store.retire(one).await.unwrap();
}

fn settled(seq: i64, share_no: u32) -> Order {
    let claim = LoggedClaim {
        partition: partition(0),
        seq,
        packet_id: packet(1).to_string(),
        share_no,
        user_id: "b".to_owned(),
        amount_fen: 2,
        at: Some(at(seq)),
        damage: None,
    };
    let order = Order::for_claim(&claim, at(30 + seq));
    order.concluded(transfer::domain::Delivery::Paid, at(30 + seq)).0
}

async fn settles(store: &dyn Store) {
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    store.lease(one, at(100), at(110)).await.unwrap();
    let stretch = |from_seq, to_seq| Stretch {
        partition: partition(0),
        from_seq,
        to_seq,
        orders: (from_seq + 1..=to_seq)
            .map(|seq| (settled(seq, u32::try_from(seq).unwrap()), None))
            .collect(),
    };
    let elsewhere = Stretch {
        partition: partition(1),
        from_seq: 0,
        to_seq: 5,
        orders: Vec::new(),
    };
    assert_eq!(store.settle(one, &[stretch(0, 2), elsewhere]).await.unwrap(), []);
    // The fence: from elsewhere, or by somebody else.
    assert_eq!(store.settle(one, &[stretch(3, 4)]).await.unwrap(), [partition(0)]);
    assert_eq!(store.settle(two, &[stretch(2, 3)]).await.unwrap(), [partition(0)]);
    // A cursor never goes back, and a stretch leads on.
    for back in [stretch(2, 2), stretch(2, 1)] {
        let settling = store.settle(one, &[back]).await;
        assert!(matches!(settling, Err(sql::Error::Inconsistent(_))), "{settling:?}");
    }
    // Once more, as after a lost answer: it is done, and done once.
    assert_eq!(store.settle(one, &[stretch(0, 2)]).await.unwrap(), []);
    assert_eq!(store.settle(one, &[stretch(2, 3)]).await.unwrap(), []);
    assert_eq!(
        store.settle(one, &[stretch(0, 2)]).await.unwrap(),
        [partition(0)],
        "long past"
    );
    let cursors = store.cursors().await.unwrap();
    assert_eq!((cursors[&partition(0)], cursors[&partition(1)]), (3, 5));
    assert_eq!(
        store.lease(one, at(101), at(111)).await.unwrap(),
        cursors,
        "the lease survives settling"
    );
    let orders = store.settled(partition(0), 1, 3, 9).await.unwrap();
    assert_eq!(orders, [settled(2, 2), settled(3, 3)]);
    assert_eq!(store.left_escrow(&[packet(1)]).await.unwrap(), [(packet(1), 10)].into());

    // An order that is there stays as it is.
    let mut again = stretch(3, 4);
    again.orders = vec![(settled(4, 3), None)];
    assert_eq!(store.settle(one, &[again]).await.unwrap(), []);
    assert_eq!(store.order(settled(3, 3).id).await.unwrap(), Some(settled(3, 3)));
    lists(store).await;
    store.retire(one).await.unwrap();
}

async fn lists(store: &dyn Store) {
    let of = Of::Packet(packet(1));
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let wanted = page(after);
        let orders = store.list(&of, &wanted).await.unwrap();
        let (orders, token) = wanted.cut(orders, ListKey::of);
        after = orders.last().map(ListKey::of);
        seen.extend(orders.iter().map(|order| order.created));
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [at(1), at(20), at(31), at(32), at(33)]);
    assert_eq!(store.list(&Of::User(user("b")), &page(None)).await.unwrap().len(), 3);
    assert_eq!(store.list(&Of::User(user("z")), &page(None)).await.unwrap(), []);
}

async fn cases(store: &dyn Store) {
    let order = acts::are_recorded(store, TransferId::refund(packet(1))).await;

    // Opening: a case for an order that is there, for one that is not, and for one that has a case.
    let lost = settled(9, 9);
    let opening = || CaseEvent::opened(at(60), "why").with_detail("what was read");
    for order in [&settled(2, 2), &lost, &order, &lost] {
        store.open_case(order, opening()).await.unwrap();
    }
    assert_eq!(store.case(lost.id).await.unwrap().unwrap().events, [opening()]);
    assert_eq!(store.order(lost.id).await.unwrap(), Some(lost));
    let all = store.cases(None, &Page { size: 9, after: None }).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.is_sorted_by_key(|case| (case.created, case.id)));
    let open = store.cases(Some(CaseState::Open), &page(None)).await.unwrap();
    assert_eq!(open.len(), 2);
    let after = ListKey {
        created: open[0].created,
        id: open[0].id,
    };
    let rest = store.cases(Some(CaseState::Open), &page(Some(after))).await.unwrap();
    assert_eq!(rest, open[1..]);
    acts::on_other_cases(store, [settled(2, 2).id, settled(9, 9).id]).await;

    // Of one kind, for whatever reason: as old as the oldest of them.
    for (seq, wallet, opened) in [(20, Verdict::CreditFrozen, 900), (21, Verdict::CreditNotFound, 800)] {
        let stuck = Order {
            state: State::Stuck,
            failure: Some(Failure::Refused(wallet)),
            ..settled(seq, 20)
        };
        let id = TransferId::unpayable(partition(0), seq);
        let opening = CaseEvent::opened(at(opened), "why");
        store.open_case(&Order { id, ..stuck }, opening).await.unwrap();
    }
    assert_eq!(store.open_cases().await.unwrap()[&CaseKind::Undelivered], (2, at(800)));
}

/// Everything on one engine, which is started once.
async fn everything(engine: Engine) {
    let work = async {
        let (_, store) = store(&engine, "contract").await;
        contract(&store).await;
        rules::are_enforced(&engine).await;
        rivals::exclude_each_other(&engine).await;
        commits::lost_answers_are_found(&engine).await;
        commits::a_cut_before_the_commit_changes_nothing(&engine).await;
    };
    tokio::time::timeout(Duration::from_mins(1), work).await.unwrap();
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    everything(Engine::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_contract() {
    everything(Engine::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_keeps_the_contract() {
    everything(Engine::mariadb().await).await;
}
