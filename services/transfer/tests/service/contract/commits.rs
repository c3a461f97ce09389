//! Commits whose answer is lost on its way back, commits that are lost on their way there, and connections that are cut
//! before.

use sea_orm::ConnectionTrait;
use testkit::engines::Proxy;
use transfer::{
    domain::{Action, CaseEvent, CaseState, Delivery, Order, Outcome, Payee, State, Verdict},
    store::{ActEnd, ActStart, Books, Cursors, FundEnd, Orders, Store, Stretch},
};
use uuid::Uuid;

use super::{PARTITIONS, acts, at, attempt, begun_anew, packet, partition, settled, user};
use testkit::Engine;

use crate::engine::open;

/// Every write, with its commit lost each way.
pub async fn lost_answers_are_found(engine: &Engine) {
    let ways: [(_, fn(&Proxy)); 2] = [("back", Proxy::swallow_commit), ("there", Proxy::lose_commit)];
    for (way, lose) in ways {
        let Some(proxy) = engine.proxy().await else {
            return;
        };
        let url = engine.database(&format!("lost_{way}")).await;
        let (_, store) = open(&proxy.url(&url)).await;
        let mut count = 0;
        let lose = || {
            lose(&proxy);
            count += 1;
        };
        each_write_finds_its_answer(&store, way, lose).await;
        assert_eq!(proxy.commits_lost(), count, "{way}");
    }
}

/// It has its one effect, and its caller an answer, although `lose` loses the next commit.
pub async fn each_write_finds_its_answer(store: &dyn Store, way: &str, mut lose: impl FnMut()) {
    lose();
    store.prepare(PARTITIONS).await.unwrap();

    let draft = Order::fund(packet(1), user("a"), 10, at(1));
    lose();
    let begun = store.begin_fund(&draft, attempt(1, 10), at(1)).await.unwrap();
    assert_eq!(begun, begun_anew(&draft), "{way}: its own try is not somebody else's");
    lose();
    let refused = FundEnd::Refused(Verdict::InsufficientFunds, 3);
    let rejected = store.end_fund(draft.id, attempt(1, 10), refused, at(2)).await.unwrap();
    assert_eq!((rejected.state, rejected.balance_fen), (State::Rejected, 3), "{way}");

    let draft = Order::refund(packet(1), user("a"), 4, at(20));
    lose();
    assert_eq!(store.begin_refund(&draft).await.unwrap(), draft, "{way}");
    let (suspended, words) = draft.concluded(Delivery::Suspended(Verdict::CreditFrozen), at(22));
    let opening = words.map(|words| CaseEvent::opened(at(22), words));
    lose();
    assert_eq!(store.conclude(&suspended, opening).await.unwrap(), suspended, "{way}");

    let owner = Uuid::from_u128(1);
    lose();
    assert_eq!(store.lease(owner, at(100), at(110)).await.unwrap().len(), 4, "{way}");
    let stretch = |from_seq: i64| Stretch {
        partition: partition(0),
        from_seq,
        to_seq: from_seq + 1,
        orders: vec![(
            settled(from_seq + 1, u32::try_from(from_seq + 1).unwrap()),
            Some(CaseEvent::opened(at(31), "why")),
        )],
    };
    for from_seq in 0..2 {
        lose();
        let others = store.settle(owner, &[stretch(from_seq)]).await.unwrap();
        assert_eq!(others, [], "{way}: settled, not somebody else's");
        assert_eq!(store.cursors().await.unwrap()[&partition(0)], from_seq + 1, "{way}");
    }

    let id = settled(1, 1).id;
    let act = acts::act("r1", id, "c");
    lose();
    let start = store.begin_act(&act, attempt(1, 70), at(50), false).await.unwrap();
    assert!(
        matches!(start, ActStart::Begun { doubt: None, .. }),
        "{way}: its own try is not somebody else's"
    );
    let delayed = acts::told(&act, 51, Action::Delayed, "away");
    lose();
    store
        .end_act(&act, attempt(1, 70), ActEnd::Undecided(None), delayed)
        .await
        .unwrap();
    lose();
    let start = store.begin_act(&act, attempt(2, 90), at(60), false).await.unwrap();
    assert!(matches!(start, ActStart::Begun { doubt: None, .. }), "{way}");
    let found = acts::told(&act, 61, Action::Found, "in suspense");
    lose();
    store
        .end_act(&act, attempt(2, 90), ActEnd::InSuspense, found)
        .await
        .unwrap();
    let done = acts::told(&act, 62, Action::Resolved, "paid");
    lose();
    let paid = ActEnd::Paid(Payee::Wallet(user("c")));
    let recorded = store.end_act(&act, attempt(2, 90), paid, done).await.unwrap();
    assert_eq!(recorded.outcome, Some(Outcome::Done), "{way}");
    let case = store.case(id).await.unwrap().unwrap();
    assert_eq!((case.state, case.events.len()), (CaseState::Resolved, 5), "{way}");

    let found = settled(9, 9);
    lose();
    store.open_case(&found, CaseEvent::opened(at(60), "why")).await.unwrap();
    assert_eq!(store.case(found.id).await.unwrap().unwrap().events.len(), 1, "{way}");
    lose();
    store.retire(owner).await.unwrap();
}

/// Then it is known that nothing happened, and the same stretch may be settled again.
pub async fn a_cut_before_the_commit_changes_nothing(engine: &Engine) {
    let Some(proxy) = engine.proxy().await else {
        return;
    };
    let url = engine.database("cut").await;
    let ((straight, _), (_, store)) = (open(&url).await, open(&proxy.url(&url)).await);
    store.prepare(PARTITIONS).await.unwrap();
    let owner = Uuid::from_u128(1);
    store.lease(owner, at(100), at(110)).await.unwrap();

    let holder = straight.begin().await.unwrap();
    let hold = "SELECT after_seq FROM cursors FOR UPDATE";
    holder.as_ref().execute_unprepared(hold).await.unwrap();
    let stretches = [Stretch {
        partition: partition(0),
        from_seq: 0,
        to_seq: 1,
        orders: vec![(settled(1, 1), None)],
    }];
    let cut = async {
        testkit::eventually("settling waits", async || {
            (engine.waiting("cut").await > 0).then_some(())
        })
        .await;
        proxy.cut();
    };
    let (settling, ()) = tokio::join!(store.settle(owner, &stretches), cut);
    assert!(matches!(settling, Err(sql::Error::Driver(_))), "{settling:?}");
    holder.rollback().await.unwrap();
    let cursors = testkit::eventually("the store answers", async || store.cursors().await.ok()).await;
    assert_eq!(cursors[&partition(0)], 0);
    assert_eq!(store.order(settled(1, 1).id).await.unwrap(), None);

    let settling = async || store.settle(owner, &stretches).await.ok();
    assert_eq!(testkit::eventually("the store answers", settling).await, []);
    assert_eq!(store.order(settled(1, 1).id).await.unwrap(), Some(settled(1, 1)));
}
