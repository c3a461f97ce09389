//! The scripts against the naive model.

use std::sync::Mutex;

use proptest::{
    collection::vec,
    test_runner::{Config, TestRunner},
};

use super::*;
use crate::gate::model::{Model, Step, TIMING, at, claim, granted, name as name_of, step, user};

/// A run of grabs at the same instant is one call, as a batch is; and every call is sent twice, as a driver may.
struct Run {
    wire: Wire,
    packet: Arc<Packet>,
    model: Model,
    now: u64,
    seq: i64,
}

impl Run {
    async fn grab(&mut self, batch: &[(u8, bool)]) {
        if batch.is_empty() {
            return;
        }
        let asks: Vec<Ask> = batch
            .iter()
            .map(|(n, admitted)| Ask {
                packet: self.packet.clone(),
                user_id: user(*n),
                admitted: *admitted,
            })
            .collect();
        let batch_of_one = [(self.packet.clone(), asks.iter().collect())];
        let call = || self.wire.grab(self.packet.partition(), &batch_of_one, at(self.now));
        let (first, verdicts) = (call().await.unwrap(), call().await.unwrap());
        for (n, (first, again)) in first.iter().zip(&verdicts).enumerate() {
            if let Some(Verdict::Granted(_) | Verdict::AlreadyOpened(_)) = first {
                assert_eq!(first, again, "the same call again, {n}");
            }
        }
        for ((n, admitted), verdict) in batch.iter().zip(first) {
            let expected = self.model.grab(*n, *admitted, self.now);
            let Some(verdict) = verdict else {
                assert!(self.model.has_ended(), "absent, but {expected}");
                continue;
            };
            assert_eq!(name_of(&verdict), expected);
            if let (Verdict::Granted(_), Some((share_no, lapse))) = (&verdict, self.model.hold_of(*n)) {
                assert_eq!(granted(&verdict), (share_no, at(lapse)));
            }
        }
    }

    async fn open(&mut self, n: u8, share_no: u32) {
        if !self.model.open(n, share_no) {
            return;
        }
        self.seq += 1;
        let claim = claim(&self.packet, user(n), share_no, self.seq);
        let news = [Told::Opened(&claim), Told::Taken(share_no)];
        self.tell(&news[..=usize::from(n.is_multiple_of(2))]).await;
    }

    async fn tell(&self, told: &[Told<'_>]) -> State {
        let news = [(self.packet.id(), told.to_vec())];
        let call = || self.wire.tell(self.packet.partition(), &news, self.seq);
        let (state, again) = (call().await.unwrap()[0], call().await.unwrap()[0]);
        assert!(state == again || again == State::Absent, "{state:?} {again:?}");
        state
    }

    async fn go(mut self, steps: Vec<Step>) {
        let mark = self.wire.begin(&self.packet).await.unwrap().unwrap();
        assert_eq!(self.tell(&[Told::Loaded(&mark)]).await, State::Live);
        let mut batch = Vec::new();
        for step in steps {
            if let Step::Grab(n, admitted) = step {
                batch.push((n, admitted));
                continue;
            }
            self.grab(&std::mem::take(&mut batch)).await;
            match step {
                Step::Grab(..) => {}
                Step::Open(n) => {
                    if let Some((share_no, _)) = self.model.hold_of(n) {
                        self.open(n, share_no).await;
                    }
                }
                Step::Astray(n, share_no) => self.open(n, share_no).await,
                Step::Pass(secs) => self.now += secs,
                Step::Close => {
                    self.model.close();
                    self.tell(&[Told::Closed]).await;
                }
            }
        }
        self.grab(&batch).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behave_like_the_naive_model() {
    let server = engines::Redis::start().await.unwrap();
    let redis = redis_at(&server.url());
    let number = Mutex::new(0_u64);
    let runs = (1..6_u32, vec(step(), 1..80));
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(300)
    });
    let outcome = tokio::task::block_in_place(|| {
        runner.run(&runs, |(count, steps)| {
            let packet = {
                let mut number = number.lock().unwrap();
                *number += 1;
                let mut promise = sample::promise(1, count);
                promise.terms.packet_id = PacketId::new(*number, &[0; 10]);
                Arc::new(Packet::new(promise, Partition::DEFAULT_COUNT).unwrap())
            };
            let run = Run {
                wire: Wire::new(redis.clone(), TIMING, &empty_log(), name()),
                packet,
                model: Model::new(count),
                now: 0,
                seq: 0,
            };
            tokio::runtime::Handle::current().block_on(run.go(steps));
            Ok(())
        })
    });
    outcome.unwrap();
}
