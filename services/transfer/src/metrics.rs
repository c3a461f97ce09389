//! What the service counts and measures. Names and alarms are in `docs/metrics.md`.

use std::{collections::BTreeMap, sync::Arc};

use clock::{SharedClock, Timestamp};
use id::Partition;
use runtime::{
    Metrics,
    metrics::{Counter, KeyValue},
};

use crate::{
    consumer::backlog::Backlog,
    domain::{Act, CaseKind, Outcome},
    ops::settle::Batch,
    store::Store,
};

/// What settling counts.
#[derive(Clone, Debug)]
pub struct Settling {
    /// Batches that were tried again.
    pub retries: Counter<u64>,
    claims: Counter<u64>,
}

fn age_seconds(since: Option<Timestamp>, now: Timestamp) -> f64 {
    since.map_or(0.0, |since| clock::until(since, now).as_secs_f64())
}

impl Settling {
    /// Counts, and tells how `backlog` stands at every scrape.
    pub fn new(metrics: &Metrics, backlog: &Backlog, clock: SharedClock) -> Self {
        let meter = metrics.meter();
        let oldest = meter
            .f64_gauge("hongbao.transfer.oldest_unsettled_claim.age")
            .with_unit("s")
            .with_description("Age of the oldest claim that this instance has read and not settled; 0 if there is none")
            .build();
        let waiting = meter
            .u64_gauge("hongbao.transfer.unsettled_claims")
            .with_description("Claims read and not settled; a lower bound while settling stands still")
            .build();
        let held = meter
            .u64_gauge("hongbao.transfer.partitions.held")
            .with_description("Partitions whose claims this instance settles")
            .build();
        let not_followed = meter
            .u64_gauge("hongbao.transfer.partitions.not_followed")
            .with_description("Partitions held whose claim log does not come")
            .build();
        let backlog = backlog.clone();
        metrics.before_scrape("backlog", move || {
            let figures = backlog.figures();
            oldest.record(age_seconds(figures.oldest, clock.now()), &[]);
            waiting.record(figures.claims, &[]);
            held.record(figures.partitions, &[]);
            not_followed.record(figures.not_followed, &[]);
            std::future::ready(Ok(()))
        });
        Self {
            retries: meter
                .u64_counter("hongbao.transfer.settle_retries")
                .with_description("Batches of claims that were tried again")
                .build(),
            claims: meter
                .u64_counter("hongbao.transfer.settled_claims")
                .with_description("Claims settled by this instance")
                .build(),
        }
    }

    /// `batches` are settled, but for the `lost` partitions.
    pub fn settled(&self, batches: &BTreeMap<Partition, Batch>, lost: &[Partition]) {
        let ours = batches.iter().filter(|(partition, _)| !lost.contains(partition));
        let claims = ours.map(|(_, batch)| batch.claims.len() as u64).sum();
        self.claims.add(claims, &[]);
    }
}

/// What operators' acts count.
#[derive(Clone, Debug)]
pub struct Acts(Counter<u64>);

impl Acts {
    /// Counts.
    pub fn new(metrics: &Metrics) -> Self {
        let acts = metrics.meter().u64_counter("hongbao.transfer.repair_acts");
        Self(acts.with_description("Operators' acts that came to an outcome").build())
    }

    /// An act came to its outcome.
    pub fn ended(&self, act: &Act, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Done => "DONE",
            Outcome::Refused(_) => "REFUSED",
            Outcome::Late(_) => "LATE",
        };
        let labels = [
            KeyValue::new("action", act.decision.action().name()),
            KeyValue::new("outcome", outcome),
        ];
        self.0.add(1, &labels);
    }
}

/// Tells at every scrape how many cases are open.
pub fn watch_cases(metrics: &Metrics, store: Arc<dyn Store>, clock: SharedClock) {
    let open = metrics
        .meter()
        .u64_gauge("hongbao.transfer.repair_cases.open")
        .with_description("Open repair cases, by what they are about")
        .build();
    let oldest = metrics
        .meter()
        .f64_gauge("hongbao.transfer.repair_cases.oldest_open.age")
        .with_unit("s")
        .with_description("Age of the oldest open repair case; 0 if there is none")
        .build();
    metrics.before_scrape("repair_cases", move || {
        let (store, clock, open, oldest) = (store.clone(), clock.clone(), open.clone(), oldest.clone());
        async move {
            let found = store.open_cases().await.map_err(|fault| fault.to_string())?;
            for kind in CaseKind::ALL {
                let count = found.get(&kind).map_or(0, |(count, _)| *count);
                open.record(count, &[KeyValue::new("kind", kind.name())]);
            }
            let since = found.values().map(|(_, oldest)| *oldest).min();
            oldest.record(age_seconds(since, clock.now()), &[]);
            Ok(())
        }
    });
}
