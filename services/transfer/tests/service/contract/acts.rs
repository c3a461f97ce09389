//! Operators' acts on repair cases.

use id::TransferId;
use transfer::{
    domain::{Act, Action, CaseEvent, CaseState, Decision, Order, Outcome, Payee, RecordedAct, State},
    store::{ActEnd, ActStart, Store},
};

use super::{at, attempt, user};

/// `request` to send the money of `case` to `name`.
pub fn act(request: &str, case: TransferId, name: &str) -> Act {
    Act {
        request: request.parse().unwrap(),
        case,
        operator: user("olga"),
        decision: Decision::Redirect,
        payee: Payee::Wallet(user(name)),
        reason: "why".to_owned(),
        at: at(50),
    }
}

pub fn told(act: &Act, seconds: i64, action: Action, words: &str) -> CaseEvent {
    CaseEvent::by_system(at(seconds), action, words).within(&act.request)
}

#[expect(clippy::option_option, reason = "whether it began, and until when there is a doubt")]
fn begun(start: &ActStart) -> Option<Option<clock::Timestamp>> {
    match start {
        ActStart::Begun { doubt, .. } => Some(*doubt),
        _ => None,
    }
}

fn outcome(recorded: RecordedAct) -> (Option<Outcome>, clock::Timestamp) {
    (recorded.outcome, recorded.updated)
}

async fn actions(store: &dyn Store, case: TransferId) -> Vec<Action> {
    let case = store.case(case).await.unwrap().unwrap();
    case.events.iter().map(|event| event.action).collect()
}

/// Everything on the open case `id`, whose order is SUSPENDED. Returns the order as it is in the end.
pub async fn are_recorded(store: &dyn Store, id: TransferId) -> Order {
    let unknown = act("r0", TransferId::repair(id), "c");
    let start = store.begin_act(&unknown, attempt(1, 70), at(50), false).await.unwrap();
    assert_eq!(start, ActStart::NotFound);

    refused(store, id).await;
    delayed(store, id).await;

    // The third finds the money gone to somebody else, and that is what the case says.
    let third = act("r3", id, "c");
    let start = store.begin_act(&third, attempt(9, 200), at(150), false).await.unwrap();
    let ActStart::Begun { order, doubt: None } = start else {
        panic!("{start:?}");
    };
    assert_eq!(order.state, State::Suspended);
    let end = ActEnd::Paid(Payee::Wallet(user("d")));
    for seconds in [152, 153] {
        let event = told(&third, seconds, Action::Resolved, "paid to d");
        let recorded = store
            .end_act(&third, attempt(9, 200), end.clone(), event)
            .await
            .unwrap();
        let late = Outcome::Late(Payee::Wallet(user("d")));
        assert_eq!(outcome(recorded), (Some(late), at(152)), "what is known never changes");
    }
    let case = store.case(id).await.unwrap().unwrap();
    let order = case.order.clone().unwrap();
    assert_eq!(
        (case.state, order.state, order.updated),
        (CaseState::Resolved, State::Repaired, at(152))
    );
    assert_eq!(order.paid_to, Some(Payee::Wallet(user("d"))));
    assert_eq!(case.events[6].request, Some(third.request.clone()));
    assert_eq!(case.events.len(), 8);
    let start = store
        .begin_act(&act("r4", id, "c"), attempt(10, 300), at(250), false)
        .await
        .unwrap();
    assert_eq!(start, ActStart::Resolved);
    let start = store.begin_act(&third, attempt(11, 300), at(250), true).await.unwrap();
    assert!(matches!(start, ActStart::Known(_)), "{start:?}");
    assert_eq!(store.open_case_count().await.unwrap(), 0);
    order
}

/// An act that the ledger refuses leaves the case open; its answer stands for ever.
async fn refused(store: &dyn Store, id: TransferId) {
    let first = act("r1", id, "c");
    let start = store.begin_act(&first, attempt(1, 70), at(50), false).await.unwrap();
    assert_eq!(begun(&start), Some(None));
    let again = store.begin_act(&first, attempt(2, 70), at(51), false).await.unwrap();
    assert_eq!(again, ActStart::Held(first.clone(), at(70)), "the same again");
    let other = act("r2", id, "e");
    let held = store.begin_act(&other, attempt(2, 70), at(51), false).await.unwrap();
    assert_eq!(held, ActStart::Held(first.clone(), at(70)), "one act a case");
    let held = store.begin_act(&other, attempt(2, 70), at(51), true).await.unwrap();
    assert_eq!(
        held,
        ActStart::Held(first.clone(), at(70)),
        "nobody takes over somebody else's place"
    );
    assert_eq!(store.unfinished_acts(at(69), 9).await.unwrap(), []);
    assert_eq!(
        store.unfinished_acts(at(70), 9).await.unwrap(),
        std::slice::from_ref(&first)
    );

    // Somebody takes over while the first try may still take effect; then only they may say that it was refused.
    let over = store.begin_act(&first, attempt(2, 65), at(52), true).await.unwrap();
    assert_eq!(begun(&over), Some(Some(at(70))));
    let held = store.begin_act(&first, attempt(3, 90), at(69), false).await.unwrap();
    assert_eq!(
        held,
        ActStart::Held(first.clone(), at(70)),
        "it is open until both are past"
    );
    let no = told(&first, 53, Action::Refused, "no");
    let refused = ActEnd::Refused("CREDIT_FROZEN".to_owned());
    let late = store
        .end_act(&first, attempt(1, 70), refused.clone(), no.clone())
        .await
        .unwrap();
    assert_eq!(late.outcome, None);
    assert_eq!(actions(store, id).await, [Action::Opened, Action::Redirected]);
    let recorded = store
        .end_act(&first, attempt(2, 65), refused.clone(), no)
        .await
        .unwrap();
    assert_eq!(
        outcome(recorded),
        (Some(Outcome::Refused("CREDIT_FROZEN".to_owned())), at(53))
    );
    for over in [false, true] {
        let start = store.begin_act(&first, attempt(3, 90), at(60), over).await.unwrap();
        assert!(
            matches!(start, ActStart::Known(RecordedAct { outcome: Some(_), .. })),
            "{start:?}"
        );
    }
    // Its request is used for ever, with these facts.
    let known = store
        .begin_act(&act("r1", id, "d"), attempt(3, 90), at(60), false)
        .await
        .unwrap();
    assert!(matches!(known, ActStart::Known(known) if known.act == first));
    assert_eq!(store.unfinished_acts(at(1_000), 9).await.unwrap(), []);
}

/// An act that gets no answer goes on, and says so once. Money that is found elsewhere is noted on the way.
async fn delayed(store: &dyn Store, id: TransferId) {
    use Action::{Delayed, Opened, Redirected, Refused};
    let second = act("r2", id, "e");
    for (n, now) in [(4, 80), (5, 101)] {
        let start = store
            .begin_act(&second, attempt(n, now + 20), at(now), false)
            .await
            .unwrap();
        assert_eq!(begun(&start), Some(None), "{now}");
        let event = told(&second, now + 1, Delayed, "away");
        let end = ActEnd::Undecided(Some(at(now + 15)));
        let recorded = store.end_act(&second, attempt(n, now + 20), end, event).await.unwrap();
        assert_eq!(recorded.outcome, None);
        assert_eq!(store.unfinished_acts(at(now + 14), 9).await.unwrap(), []);
        assert_eq!(
            store.unfinished_acts(at(now + 15), 9).await.unwrap(),
            std::slice::from_ref(&second)
        );
    }
    assert_eq!(store.unfinished_acts(at(1_000), 0).await.unwrap(), []);
    let start = store.begin_act(&second, attempt(6, 140), at(120), false).await.unwrap();
    assert_eq!(begun(&start), Some(None));
    let gone = told(&second, 121, Action::Refused, "no");
    let refused = ActEnd::Refused("ID_REUSED".to_owned());
    store.end_act(&second, attempt(6, 140), refused, gone).await.unwrap();
    assert_eq!(
        actions(store, id).await,
        [Opened, Redirected, Refused, Redirected, Delayed, Refused]
    );
    let case = store.case(id).await.unwrap().unwrap();
    let order = case.order.unwrap();
    assert_eq!(
        (case.state, order.state, order.updated),
        (CaseState::Open, State::Suspended, at(22))
    );
}

/// The rest, on two open cases: of a POSTED order, and of one that was lost.
pub async fn on_other_cases(store: &dyn Store, [posted, lost]: [TransferId; 2]) {
    // A request is known whatever case it is for.
    let reused = store
        .begin_act(&act("r1", posted, "c"), attempt(20, 400), at(350), false)
        .await
        .unwrap();
    assert!(matches!(reused, ActStart::Known(known) if known.act.case != posted));

    // Where nothing can be moved the case is closed, and the order stays as it is.
    let close = Act {
        decision: Decision::WriteOff,
        payee: Payee::WriteOff,
        ..act("r5", posted, "c")
    };
    store.begin_act(&close, attempt(20, 400), at(350), false).await.unwrap();
    let event = told(&close, 351, Action::Resolved, "nothing to move");
    let closed = store
        .end_act(&close, attempt(20, 400), ActEnd::Closed, event)
        .await
        .unwrap();
    assert_eq!(closed.outcome, Some(Outcome::Done));
    let case = store.case(posted).await.unwrap().unwrap();
    let order = case.order.unwrap();
    assert_eq!(
        (case.state, order.state, order.paid_to),
        (CaseState::Resolved, State::Posted, None)
    );

    // That money moved counts whoever says it, also after a refusal; the first answer stands.
    let off = Act {
        decision: Decision::WriteOff,
        payee: Payee::WriteOff,
        ..act("r6", lost, "c")
    };
    store.begin_act(&off, attempt(21, 400), at(350), false).await.unwrap();
    let no = ActEnd::Refused("DEBIT_FROZEN".to_owned());
    store
        .end_act(&off, attempt(21, 400), no, told(&off, 351, Action::Refused, "no"))
        .await
        .unwrap();
    let waits = act("r7", lost, "d");
    store.begin_act(&waits, attempt(22, 400), at(351), false).await.unwrap();
    let paid = told(&off, 352, Action::Resolved, "written off");
    let recorded = store
        .end_act(&off, attempt(99, 1), ActEnd::Paid(Payee::WriteOff), paid)
        .await
        .unwrap();
    assert_eq!(recorded.outcome, Some(Outcome::Refused("DEBIT_FROZEN".to_owned())));
    let case = store.case(lost).await.unwrap().unwrap();
    let order = case.order.unwrap();
    assert_eq!((case.state, order.state), (CaseState::Resolved, State::Repaired));
    assert_eq!(order.paid_to, Some(Payee::WriteOff));
    assert_eq!(store.order(lost).await.unwrap(), Some(order));

    // Who waits for a turn at a case that is resolved hears so, and is not tried for ever.
    let start = store.begin_act(&waits, attempt(23, 500), at(450), false).await.unwrap();
    let ActStart::Known(recorded) = start else {
        panic!("{start:?}");
    };
    assert_eq!(outcome(recorded), (Some(Outcome::Late(Payee::WriteOff)), at(352)));
    assert_eq!(store.unfinished_acts(at(1_000), 9).await.unwrap(), []);
}
