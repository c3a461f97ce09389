//! SQL and the store in memory are told the same, whatever it is, and must answer the same.

mod step;

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use clock::Timestamp;
use disk::Calm;
use id::{PacketId, TransferId};
use paging::Page;
use proptest::{prelude::*, test_runner::TestRunner};
use sql::{Error, Result};
use testkit::Engine;
use transfer::{
    domain::{Act, Action, CaseEvent, CaseState, Decision, Delivery, LoggedClaim, Order, Payee, State},
    store::{ActEnd, FundEnd, ListKey, Of, Store, Stretch, memory::MemoryDisk},
};
use uuid::Uuid;

use super::{PARTITIONS, at, attempt, partition, user};
use crate::engine::store;
use step::{PACKETS, Step, Subject, step};

/// Seconds between the beginnings of two stories: more than one takes.
const STORY: i64 = 10_000;

/// What was answered, in words that both stores have in common.
fn told<T: Debug>(answer: Result<T>) -> String {
    let fault = match answer {
        Ok(answer) => return format!("{answer:?}"),
        Err(fault) => fault,
    };
    let name = match fault {
        Error::Driver(_) => "driver",
        Error::Contended(_) => "contended",
        Error::Conflict(_) => "conflict",
        Error::OutcomeUnknown(_) => "unknown",
        Error::Unwritable(..) => "unwritable",
        Error::Inconsistent(_) => "inconsistent",
    };
    name.to_owned()
}

/// One story with packets and requests of its own.
struct Story {
    number: i64,
    packets: Vec<PacketId>,
}

impl Story {
    fn begin(number: i64) -> Self {
        let packet = |n: u8| {
            let mut random = [n; 10];
            random[..8].copy_from_slice(&number.to_be_bytes());
            PacketId::new(7, &random)
        };
        Self {
            number,
            packets: (0..PACKETS).map(packet).collect(),
        }
    }

    /// The hour of a story's second.
    fn at(&self, second: i64) -> Timestamp {
        at(self.number * STORY + second)
    }

    /// An instant that a step named without knowing its story.
    fn moved(&self, instant: Timestamp) -> Timestamp {
        self.at(instant.as_microsecond() / 1_000_000)
    }

    fn packet(&self, n: u8) -> PacketId {
        self.packets[usize::from(n)]
    }

    fn share(&self, packet: u8, share_no: u32, amount_fen: i64) -> Order {
        let claim = LoggedClaim {
            partition: partition(0),
            // Nobody's position: behind all that is settled.
            seq: self.number * STORY + i64::from(packet) * 100 + i64::from(share_no),
            packet_id: self.packet(packet).to_string(),
            share_no,
            user_id: "b".to_owned(),
            amount_fen,
            at: Some(self.at(0)),
            damage: None,
        };
        Order::for_claim(&claim, self.at(0))
            .concluded(Delivery::Paid, self.at(0))
            .0
    }

    fn subject(&self, packet: u8, of: Subject) -> Order {
        match of {
            Subject::Fund => Order::fund(self.packet(packet), user("a"), 10, self.at(0)),
            Subject::Refund => Order::refund(self.packet(packet), user("a"), 10, self.at(0)),
            Subject::Share(share_no) => self.share(packet, share_no, 5),
            Subject::Worthless => Order {
                amount_fen: 0,
                ..self.share(packet, 9, 5)
            },
        }
    }

    fn act(&self, packet: u8, of: Subject, request: u8, reason: u8) -> Act {
        Act {
            request: format!("r-{}-{request}", self.number).parse().unwrap(),
            case: self.subject(packet, of).id,
            operator: user("op"),
            decision: Decision::Retry,
            payee: Payee::Wallet(user("b")),
            reason: format!("why {reason}"),
            at: self.at(0),
        }
    }

    /// So many claims of a partition's log, each with what became of it.
    fn stretch(&self, index: u32, from_seq: i64, claims: Vec<(u32, i64, Delivery)>, now: Timestamp) -> Stretch {
        let to_seq = from_seq + i64::try_from(claims.len()).unwrap();
        let settled = |((share_no, amount_fen, delivery), seq): ((u32, i64, Delivery), i64)| {
            let claim = LoggedClaim {
                partition: partition(index),
                seq,
                packet_id: self.packet(0).to_string(),
                share_no,
                user_id: "b".to_owned(),
                amount_fen,
                at: Some(now),
                damage: None,
            };
            let order = Order::for_claim(&claim, now);
            if order.state != State::Pending {
                return (order, Some(CaseEvent::opened(now, "unreadable")));
            }
            let (order, words) = order.concluded(delivery, now);
            let opening = words.map(|words| CaseEvent::opened(now, words).with_detail("what"));
            (order, opening)
        };
        Stretch {
            partition: partition(index),
            from_seq,
            to_seq,
            orders: claims.into_iter().zip(from_seq + 1..).map(settled).collect(),
        }
    }

    /// How an act ends in this story, and what its case says of that.
    fn end(&self, end: ActEnd) -> (ActEnd, Action) {
        match end {
            ActEnd::Undecided(until) => {
                let until = until.map(|until| self.moved(until));
                (ActEnd::Undecided(until), Action::Delayed)
            }
            ActEnd::Refused(_) => (end, Action::Refused),
            ActEnd::InSuspense => (end, Action::Found),
            ActEnd::Paid(_) | ActEnd::Closed => (end, Action::Resolved),
        }
    }

    /// Takes one step on one store; what came of it.
    async fn take(&self, step: &Step, second: i64, store: &dyn Store) -> String {
        let now = self.at(second);
        let tried = |n: u128, until: i64| attempt(n, self.number * STORY + second + until);
        match step.clone() {
            Step::Fund {
                packet,
                fen,
                attempt,
                until,
                over,
            } => {
                let draft = Order::fund(self.packet(packet), user("a"), fen, now);
                let tried = tried(attempt, until);
                told(if over {
                    store.take_over_fund(&draft, tried, now).await
                } else {
                    store.begin_fund(&draft, tried, now).await
                })
            }
            Step::EndFund { packet, attempt, end } => {
                let end = match end {
                    FundEnd::Undecided(until) => FundEnd::Undecided(until.map(|until| self.moved(until))),
                    end => end,
                };
                let id = TransferId::fund(self.packet(packet));
                told(store.end_fund(id, tried(attempt, 0), end, now).await)
            }
            Step::Refund { packet, fen } => {
                let draft = Order::refund(self.packet(packet), user("a"), fen, now);
                told(store.begin_refund(&draft).await)
            }
            Step::Conclude { packet, delivery } => {
                let draft = Order::refund(self.packet(packet), user("a"), 10, now);
                let (concluded, words) = draft.concluded(delivery, now);
                let opening = words.map(|words| CaseEvent::opened(now, words));
                told(store.conclude(&concluded, opening).await)
            }
            Step::Lease { owner, until } => {
                let owner = Uuid::from_u128(owner);
                told(store.lease(owner, now, self.at(second + until)).await)
            }
            Step::Retire { owner } => told(store.retire(Uuid::from_u128(owner)).await),
            Step::Settle {
                owner,
                partition: index,
                skew,
                claims,
            } => {
                let after_seq = store.cursors().await.unwrap()[&partition(index)];
                let from_seq = (after_seq + skew).max(0);
                let stretch = self.stretch(index, from_seq, claims, now);
                told(store.settle(Uuid::from_u128(owner), &[stretch]).await)
            }
            Step::OpenCase { packet, of } => {
                let opening = CaseEvent::opened(now, "why");
                told(store.open_case(&self.subject(packet, of), opening).await)
            }
            Step::BeginAct {
                packet,
                of,
                request,
                reason,
                attempt,
                until,
                over,
            } => {
                let act = self.act(packet, of, request, reason);
                told(store.begin_act(&act, tried(attempt, until), now, over).await)
            }
            Step::EndAct {
                packet,
                of,
                request,
                attempt,
                end,
            } => {
                let (end, action) = self.end(end);
                let act = self.act(packet, of, request, 0);
                let event = CaseEvent::by_system(now, action, "so").within(&act.request);
                told(store.end_act(&act, tried(attempt, 0), end, event).await)
            }
        }
    }

    /// Asks everything there is to ask.
    async fn ask(&self, second: i64, store: &dyn Store) -> Vec<String> {
        let began = ListKey {
            created: self.at(-1),
            id: TransferId::from(Uuid::nil()),
        };
        let page = |size| Page {
            size,
            after: Some(began),
        };
        let mut answers = Vec::new();
        for n in 0..PACKETS {
            for of in [Subject::Fund, Subject::Refund, Subject::Share(0), Subject::Share(1)] {
                let id = self.subject(n, of).id;
                answers.push(told(store.order(id).await));
                answers.push(told(store.case(id).await));
            }
            answers.push(told(
                store
                    .list(&Of::Packet(self.packet(n)), &Page { size: 2, after: None })
                    .await,
            ));
        }
        for name in ["a", "b", "z"] {
            answers.push(told(store.list(&Of::User(user(name)), &page(3)).await));
        }
        for state in [None, Some(CaseState::Open), Some(CaseState::Resolved)] {
            answers.push(told(store.cases(state, &page(3)).await));
        }
        let unfinished = store.unfinished_acts(self.at(second), 1_000).await;
        answers.push(told(unfinished.map(|mut acts| {
            acts.sort_by(|a, b| a.request.cmp(&b.request));
            acts
        })));
        let cursors = store.cursors().await.unwrap();
        for (partition, after_seq) in &cursors {
            answers.push(told(store.settled(*partition, after_seq - 3, *after_seq, 2).await));
        }
        answers.push(format!("{cursors:?}"));
        let after = Some(TransferId::fund(self.packet(0)));
        answers.push(told(store.others(after, 4, 3).await));
        let left = store.left_escrow(&self.packets).await;
        answers.push(told(left.map(|left| left.into_iter().collect::<BTreeMap<_, _>>())));
        answers.push(told(store.open_case_count().await));
        answers
    }
}

#[test]
fn sql_and_memory_are_twins() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    // One pair for all stories.
    let engine = Engine::sqlite();
    let (_, sqlite) = runtime.block_on(store(&engine, "twins"));
    let memory = MemoryDisk::default().store(Arc::new(Calm));
    let twins: [&dyn Store; 2] = [&sqlite, &memory];
    for twin in twins {
        runtime.block_on(twin.prepare(PARTITIONS)).unwrap();
    }
    let stories = AtomicI64::new(1);

    let config = ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let steps = prop::collection::vec((step(), 0..8_i64), 1..25);
    let told = TestRunner::new(config).run(&steps, |steps| {
        let story = Story::begin(stories.fetch_add(1, Ordering::Relaxed));
        let mut second = 0;
        for (step, pause) in &steps {
            second += pause;
            let [one, other] = twins.map(|store| {
                runtime.block_on(async { (story.take(step, second, store).await, story.ask(second, store).await) })
            });
            prop_assert_eq!(one.0, other.0, "{:?}", step);
            for (one, other) in one.1.into_iter().zip(other.1) {
                prop_assert_eq!(one, other, "after {:?}", step);
            }
        }
        Ok(())
    });
    told.unwrap();
}
