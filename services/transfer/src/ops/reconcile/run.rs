//! The periodic run through the books.
//!
//! Where it stands is in the store: an instance that is restarted goes on with it, and of several instances the one that
//! holds it does. It rests after every slice as long as the slice took, so that it never takes more than half of what one
//! caller could ask for.

use std::time::Duration;

use runtime::Process;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Position, Report, reconcile};
use crate::{
    ops::{Ports, Result},
    store::Run,
};

/// Rows of a slice.
const ROWS: u64 = 20_000;
/// How long an instance that says nothing holds the run: a slice and its rest take a few seconds.
const HOLD: Duration = Duration::from_secs(30);
/// How often an instance looks whether the run is due, or was left by another one.
const LOOK: Duration = Duration::from_secs(10);

/// Reconciles every `interval` as `owner` until the process stops, and logs what is found.
pub async fn reconcile_often(ports: Ports, owner: Uuid, interval: Duration, process: Process) {
    while process.pause(interval.min(LOOK)).await {
        let looked = tokio::select! {
            biased;
            () = process.stopping() => return,
            looked = look(&ports, owner, interval, &process) => looked,
        };
        if let Err(fault) = looked {
            tracing::warn!(%fault, "could not reconcile; it goes on from here");
        }
    }
}

/// Goes on with the run, to its end, if there is one to do.
pub async fn look(ports: &Ports, owner: Uuid, interval: Duration, process: &Process) -> Result<()> {
    let now = ports.clock.now();
    let due = clock::before(now, interval);
    let Some(mut run) = ports.store.take_run(owner, due, now, clock::after(now, HOLD)).await? else {
        return Ok(());
    };
    while let Some(position) = run.position.take() {
        let begun = Instant::now();
        // What cannot be read was written by another version: the run begins again.
        let from: Position = position.parse().unwrap_or_default();
        let report = reconcile(ports, from, ROWS).await?;
        tell(&run, &report);
        let now = ports.clock.now();
        run.difference_count = run
            .difference_count
            .saturating_add(i64::try_from(report.differences.len()).unwrap_or(i64::MAX));
        run.position = report.next.as_ref().map(ToString::to_string);
        run.updated = now;
        if !ports.store.keep_run(owner, &run, clock::after(now, HOLD)).await? {
            return Ok(()); // another instance goes on with it
        }
        if run.position.is_some() && !process.pause(begun.elapsed()).await {
            return Ok(());
        }
    }
    let (run_no, differences) = (run.run_no, run.difference_count);
    if differences == 0 {
        tracing::info!(run_no, "the books are right");
    } else {
        tracing::error!(run_no, differences, "the books do not agree");
    }
    Ok(())
}

fn tell(run: &Run, report: &Report) {
    tracing::debug!(
        run_no = run.run_no,
        progress_permille = report.progress_permille,
        packets = report.packet_count,
        claims = report.claim_count,
        transfers = report.transfer_count,
        unsettled = report.unsettled_count,
        open_cases = report.open_case_count,
        "reconciling"
    );
    for difference in &report.differences {
        let (kind, subject, description) = (difference.kind.name(), &difference.subject, &difference.description);
        let case = difference.case.map(|case| case.to_string()).unwrap_or_default();
        tracing::error!(
            kind,
            subject,
            difference.difference_fen,
            description,
            case,
            "a difference"
        );
    }
}
