//! Two instances at the same rows at the same time.

use futures::future::join_all;
use transfer::{
    domain::{Action, CaseEvent, CaseState, Delivery, Order, State, Verdict},
    store::{ActEnd, ActStart, Cursors, FundEnd, FundStart, Store, Stretch},
};
use uuid::Uuid;

use super::{PARTITIONS, acts, at, attempt, begun_anew, packet, partition, settled, user};
use testkit::Engine;

use crate::engine::store;

const OWNERS: [Uuid; 2] = [Uuid::from_u128(1), Uuid::from_u128(2)];

/// Everything that two instances may do to each other. SQLite has one writer: there, they wait.
pub async fn exclude_each_other(engine: &Engine) {
    let ((_, one), (_, two)) = (store(engine, "rivals").await, store(engine, "rivals").await);
    let prepared = tokio::join!(one.prepare(PARTITIONS), two.prepare(PARTITIONS));
    prepared.0.unwrap();
    prepared.1.unwrap();
    of_one_store([&one, &two]).await;
    if engine.is_server() {
        a_lease_waits_for_nobody(engine).await;
    }
}

/// The same of two ways to one store that is prepared and empty.
pub async fn of_one_store(stores: [&dyn Store; 2]) {
    fundings(stores).await;
    refunds(stores).await;
    leases(stores).await;
    stretches(stores).await;
    acts(stores).await;
    requests(stores).await;
}

/// Of many tries at once one may post; whatever comes of it, all see the same.
async fn fundings(stores: [&dyn Store; 2]) {
    for n in 1..=20 {
        let draft = Order::fund(packet(n), user("a"), 10, at(1));
        let tries = (1..=6_u128).map(|number| {
            let store = stores[usize::from(number % 2 == 0)];
            let draft = &draft;
            async move {
                let begun = store.begin_fund(draft, attempt(number, 10), at(1)).await.unwrap();
                (number, begun)
            }
        });
        let begun = join_all(tries).await;
        let holders: Vec<u128> = begun
            .iter()
            .filter_map(|(number, begun)| matches!(begun, FundStart::Begun { .. }).then_some(*number))
            .collect();
        assert_eq!(holders.len(), 1, "{begun:?}");

        // The window is over: another begins and is funded, while the first one hears that it was refused.
        let (late, next) = (attempt(holders[0], 10), attempt(99, 30));
        assert_eq!(
            stores[0].begin_fund(&draft, next, at(20)).await.unwrap(),
            begun_anew(&draft)
        );
        let refused = FundEnd::Refused(Verdict::InsufficientFunds, 3);
        let (funded, refused) = tokio::join!(
            stores[0].end_fund(draft.id, next, FundEnd::Funded, at(21)),
            stores[1].end_fund(draft.id, late, refused, at(21)),
        );
        assert_eq!(funded.unwrap().state, State::Posted);
        assert_ne!(refused.unwrap().state, State::Rejected);
        let order = stores[1].order(draft.id).await.unwrap().unwrap();
        assert_eq!(order.state, State::Posted);
    }
}

/// The first draft counts, and the first conclusion.
async fn refunds(stores: [&dyn Store; 2]) {
    for n in 1..=20 {
        let drafts = [3, 4].map(|fen| Order::refund(packet(n), user("a"), fen, at(30)));
        let (first, second) = tokio::join!(stores[0].begin_refund(&drafts[0]), stores[1].begin_refund(&drafts[1]));
        let order = first.unwrap();
        assert_eq!(second.unwrap(), order);
        let (paid, _) = order.clone().concluded(Delivery::Paid, at(31));
        let (suspended, words) = order.concluded(Delivery::Suspended(Verdict::CreditFrozen), at(31));
        let opening = words.map(|words| CaseEvent::opened(at(31), words));
        let (first, second) = tokio::join!(stores[0].conclude(&paid, None), stores[1].conclude(&suspended, opening));
        let order = first.unwrap();
        assert_eq!(second.unwrap(), order);
        let case = stores[0].case(order.id).await.unwrap();
        assert_eq!(case.is_some(), order.state == State::Suspended, "{order:?}");
    }
}

/// No partition is held twice, and both come to their share.
async fn leases(stores: [&dyn Store; 2]) {
    for now in 0..30 {
        if now < 15 {
            // Everything is free again, for both at once.
            let (first, second) = tokio::join!(stores[0].retire(OWNERS[0]), stores[1].retire(OWNERS[1]));
            first.unwrap();
            second.unwrap();
        }
        let (first, second) = tokio::join!(
            stores[0].lease(OWNERS[0], at(now), at(now + 10)),
            stores[1].lease(OWNERS[1], at(now), at(now + 10)),
        );
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(
            first.keys().all(|partition| !second.contains_key(partition)),
            "at {now}"
        );
        if now > 17 {
            assert_eq!((first.len(), second.len()), (2, 2), "at {now}");
        }
    }
    for (store, owner) in stores.into_iter().zip(OWNERS) {
        store.retire(owner).await.unwrap();
    }
}

/// The cursor moves once for each stretch, whoever brings it; leases change hands meanwhile.
async fn stretches(stores: [&dyn Store; 2]) {
    let mut from_seq = 0;
    for round in 0..20 {
        let now = 100 + 20 * round;
        let holder = usize::from(round % 2 == 1);
        stores[holder]
            .lease(OWNERS[holder], at(now), at(now + 10))
            .await
            .unwrap();
        let stretch = |owner: usize| Stretch {
            partition: partition(0),
            from_seq,
            to_seq: from_seq + 1,
            orders: vec![(
                settled(from_seq + 1, u32::try_from(from_seq + 1).unwrap()),
                (owner == 1).then(|| CaseEvent::opened(at(now), "by the second")),
            )],
        };
        let stretches = [[stretch(0)], [stretch(1)]];
        // The other one takes over at the same time, because the lease has run out by its clock.
        let other = 1 - holder;
        let (first, second, taken) = tokio::join!(
            stores[0].settle(OWNERS[0], &stretches[0]),
            stores[1].settle(OWNERS[1], &stretches[1]),
            stores[other].lease(OWNERS[other], at(now + 11), at(now + 12)),
        );
        let lost = [first.unwrap(), second.unwrap()].map(|lost| lost == [partition(0)]);
        let cursor = stores[0].cursors().await.unwrap()[&partition(0)];
        // Who took over may find its own work done by the one before.
        let settled_by: Vec<usize> = (0..2).filter(|owner| !lost[*owner]).collect();
        assert_eq!(cursor, from_seq + i64::from(!settled_by.is_empty()), "round {round}");
        // Who took over goes on where the cursor is, or a moment before.
        let taken = taken.unwrap()[&partition(0)];
        assert!(taken == cursor || taken == from_seq, "round {round}: {taken}");
        let id = settled(from_seq + 1, u32::try_from(from_seq + 1).unwrap()).id;
        assert_eq!(stores[1].order(id).await.unwrap().is_some(), !settled_by.is_empty());
        let has_case = stores[1].case(id).await.unwrap().is_some();
        assert!(
            settled_by == [0, 1] || has_case == (settled_by == [1]),
            "round {round}: the case of who settled it"
        );
        // Whatever came of it, who took over brings it to its end.
        let lost = stores[other].settle(OWNERS[other], &stretches[other]).await.unwrap();
        assert_eq!(lost, [], "round {round}");
        from_seq += 1;
        assert_eq!(
            stores[0].cursors().await.unwrap()[&partition(0)],
            from_seq,
            "round {round}"
        );
        stores[other].retire(OWNERS[other]).await.unwrap();
        stores[holder].retire(OWNERS[holder]).await.unwrap();
    }
}

/// One case, two operators: one act is on record at a time, and one of them resolves it.
async fn acts(stores: [&dyn Store; 2]) {
    let order = settled(500, 500);
    let opening = CaseEvent::opened(at(60), "why");
    let (first, second) = tokio::join!(
        stores[0].open_case(&order, opening.clone()),
        stores[1].open_case(&order, opening)
    );
    first.unwrap();
    second.unwrap();
    for n in 0..10 {
        let wanted = ["b", "c"].map(|name| acts::act(&format!("{name}-{n}"), order.id, name));
        let tries = [attempt(2 * n, 120), attempt(2 * n + 1, 120)];
        let (first, second) = tokio::join!(
            stores[0].begin_act(&wanted[0], tries[0], at(100), false),
            stores[1].begin_act(&wanted[1], tries[1], at(100), false)
        );
        let starts = [first.unwrap(), second.unwrap()];
        let winner = starts
            .iter()
            .position(|start| matches!(start, ActStart::Begun { .. }))
            .unwrap();
        let act = &wanted[winner];
        assert_eq!(starts[1 - winner], ActStart::Held(act.clone(), at(120)), "{n}");
        // Two try the same act: what they say differs, and one of it counts.
        let refused = ActEnd::Refused("CREDIT_FROZEN".to_owned());
        let (paid, refused) = tokio::join!(
            async {
                if n < 9 {
                    return stores[0].unfinished_acts(at(200), 9).await.map(|_| ());
                }
                let paid = ActEnd::Paid(act.payee.clone());
                let done = acts::told(act, 130, Action::Resolved, "paid");
                stores[0].end_act(act, attempt(99, 1), paid, done).await.map(|_| ())
            },
            stores[1].end_act(act, tries[winner], refused, acts::told(act, 130, Action::Refused, "no")),
        );
        paid.unwrap();
        assert!(refused.unwrap().outcome.is_some());
    }
    let case = stores[0].case(order.id).await.unwrap().unwrap();
    assert_eq!(case.state, CaseState::Resolved);
    assert_eq!(case.order.unwrap().state, State::Repaired);
    assert!(case.events.len() == 21 || case.events.len() == 22, "{:?}", case.events);
}

/// One request for two cases at once: it is on record for one of them.
async fn requests(stores: [&dyn Store; 2]) {
    for n in 0..20 {
        let orders = [600 + n, 700 + n].map(|n| settled(n, u32::try_from(n).unwrap()));
        for order in &orders {
            let opening = CaseEvent::opened(at(60), "why");
            stores[0].open_case(order, opening).await.unwrap();
        }
        let wanted = [&orders[0], &orders[1]].map(|order| acts::act(&format!("both-{n}"), order.id, "c"));
        let (first, second) = tokio::join!(
            stores[0].begin_act(&wanted[0], attempt(1, 120), at(100), false),
            stores[1].begin_act(&wanted[1], attempt(2, 120), at(100), false)
        );
        let starts = [first.unwrap(), second.unwrap()];
        let winner = starts
            .iter()
            .position(|start| matches!(start, ActStart::Begun { .. }))
            .unwrap();
        let lost = &starts[1 - winner];
        assert!(
            matches!(lost, ActStart::Known(known) if known.act == wanted[winner]),
            "{lost:?}"
        );
    }
}

/// A worker that stands still while it settles keeps its own partitions, and nobody's lease.
async fn a_lease_waits_for_nobody(engine: &Engine) {
    use sea_orm::ConnectionTrait;
    let (database, store) = store(engine, "rivals").await;
    for now in 1_000..1_003 {
        for owner in OWNERS {
            store.lease(owner, at(now), at(now + 10)).await.unwrap();
        }
    }
    let standing = database.begin().await.unwrap();
    let hold = "SELECT after_seq FROM cursors WHERE partition_no = 3 FOR UPDATE";
    standing.as_ref().execute_unprepared(hold).await.unwrap();
    let holder = store.lease(OWNERS[1], at(1_003), at(1_013));
    let waits = tokio::time::timeout(std::time::Duration::from_millis(100), holder).await;
    assert!(waits.is_err(), "the second holds what stands still");
    let other = store.lease(OWNERS[0], at(1_003), at(1_013));
    let renewed = tokio::time::timeout(std::time::Duration::from_secs(1), other).await;
    assert_eq!(renewed.expect("the first waits for nobody").unwrap().len(), 2);
    standing.rollback().await.unwrap();
}
