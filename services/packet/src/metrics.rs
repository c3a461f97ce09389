//! What the service measures. Names and alarms are in `docs/metrics.md`.

use std::{sync::Arc, time::Duration};

use clock::SharedClock;
use futures::future::try_join_all;
use runtime::{Metrics, metrics::KeyValue};

use crate::{
    domain::Phase,
    store::{Agenda, Overdue},
};

/// Tells at every scrape how many packets should have been swept, or their sends finished, by now. A packet that is leased or
/// postponed is due again within `horizon`.
pub fn watch_agendas(metrics: &Metrics, agendas: Vec<Arc<dyn Agenda>>, clock: SharedClock, horizon: Duration) {
    let meter = metrics.meter();
    let count = meter
        .u64_gauge("hongbao.packet.overdue_packets")
        .with_description("Packets whose expiry, or whose send, is behind us and not done, by what they wait for")
        .build();
    let age = meter
        .f64_gauge("hongbao.packet.oldest_overdue.age")
        .with_unit("s")
        .with_description("For how long the one that waits longest does so; 0 if there is none")
        .build();
    metrics.before_scrape("agendas", move || {
        let (agendas, clock, count, age) = (agendas.clone(), clock.clone(), count.clone(), age.clone());
        async move {
            for (task, phases) in [
                ("send", &[Phase::Funding][..]),
                ("sweep", &[Phase::Active, Phase::Closing]),
            ] {
                let now = clock.now();
                let asked = agendas.iter().map(|agenda| agenda.overdue(phases, now, horizon));
                let found = try_join_all(asked).await.map_err(|fault| fault.to_string())?;
                let all = found.into_iter().fold(Overdue::default(), Overdue::and);
                let labels = [KeyValue::new("task", task)];
                count.record(all.count, &labels);
                let waits = all.since.map_or(Duration::ZERO, |since| clock::until(since, now));
                age.record(waits.as_secs_f64(), &labels);
            }
            Ok(())
        }
    });
}
