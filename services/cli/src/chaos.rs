//! `hongbao chaos`: faults on a mesh of real processes under load, and a check that nothing was lost.
//!
//! In reading order:
//!
//! - [`fault`], [`schedule`]: what is done to the mesh, and when; drawn from a seed before anything happens.
//! - [`crowd`]: the load. [`history`]: what was asked and heard.
//! - [`drill`]: carries the schedule out and starts again what ended; [`freeze`]: the operator who freezes wallets.
//! - [`books`], [`reading`]: what the services have in the end. [`settle`]: waits until that is the end.
//! - [`check`]: holds the two against each other; pure.
//! - [`progress`], [`report`]: what is shown.

pub mod books;
pub mod check;
pub mod crowd;
pub mod drill;
pub mod fault;
pub mod freeze;
pub mod history;
pub mod progress;
pub mod reading;
pub mod report;
pub mod schedule;
pub mod settle;

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use tokio::sync::watch;

use self::{
    check::{Excuses, Story, Violation},
    crowd::Load,
    drill::{Drill, Outcome},
    freeze::{Freezer, Frozen},
    history::{History, now_us},
    progress::Progress,
    reading::Services,
    report::Report,
};
use crate::{
    client::Client,
    failure::Failure,
    mesh::{Choice, Layout, Mesh, layout::Setting},
    show::line,
    up::{INTERRUPTED, Signals},
};

/// What `hongbao chaos` is told.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// How long the drill takes, at least 5s; then everything is given time to settle
    #[arg(long, value_name = "SPAN", default_value = "2m", value_parser = length)]
    pub duration: Duration,
    /// Draws the schedule of faults; without it a new one, which is printed
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// How many people make the load
    #[arg(long, value_name = "COUNT", default_value_t = 48, value_parser = clap::value_parser!(u16).range(2..=10_000))]
    pub people: u16,
    /// Engines of the mesh, as for `hongbao mesh`
    #[arg(long, value_name = "ENGINES", default_value_t = Choice::default())]
    pub engines: Choice,
    /// Databases that packet and grab are spread over
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub shards: u16,
    /// Directory under which each drill has one of its own; that of a good one is removed at its end
    #[arg(long, value_name = "DIR", default_value = "data/chaos")]
    pub data_dir: PathBuf,
    /// Keep the directory whatever the verdict, with the services' logs and the history
    #[arg(long)]
    pub keep: bool,
    /// Setting of one service, such as `transfer.lease_ttl=2s`; may be repeated
    #[arg(long = "set", value_name = "SERVICE.NAME=VALUE")]
    pub settings: Vec<Setting>,
    /// What the services log, in the syntax of `RUST_LOG`
    #[arg(long, env = "HONGBAO_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// Directory of the services' programs; without it the one where this program is
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Starts a mesh of processes on engines of its own, lets a crowd send, grab and open through its gateway, \
and meanwhile kills every process, restarts and empties Redis, restarts the SQL server, cuts, delays and hangs the \
connections between services and engines, loses COMMITs and their answers, stops processes for a while, and freezes \
wallets. Then everything is given time to settle, and what clients were told is held against what the services have \
in their books.

Examples:
  hongbao chaos
  hongbao chaos --duration 10m --engines redis,mysql
  hongbao chaos --seed 7 --set transfer.lease_ttl=2s

The same seed, length, people and engines draw the same schedule of faults. They do not make the same run: processes \
and networks interleave as they please. The table tells of each fault when it was done, for how long, how long what it \
hit took to serve again, the longest time around it without a successful grab and without a settlement, and the \
errors that clients saw from its beginning until three seconds after its end; what overlaps counts for each.

A drill whose verdict is bad keeps its directory: the services' logs, history.jsonl with every request and answer, \
books.json and violations.json. Ctrl-C ends the drill early and checks what there is; a second one ends it at once. \
Exit codes: 0 nothing was lost; 1 something was, or the drill could not be held; 130 a second signal.";

/// Below this a schedule holds no fault.
const SHORTEST: Duration = Duration::from_secs(5);
/// What the mesh is told besides its own defaults. A drill is over before the default sweep and voucher have shown what they
/// do, and its people send more in a day than is good for them.
const SETTINGS: [(&str, &str, &str); 4] = [
    ("packet", "sweep_interval", "1s"),
    ("packet", "daily_count_limit", "1000000"),
    ("packet", "daily_total_limit_fen", "100000000"),
    ("grab", "voucher_ttl", "5s"),
];
/// For how long the load goes on after the last fault is undone, so that the table shows the way back.
const AFTER_LOAD: Duration = Duration::from_secs(2);

fn length(text: &str) -> Result<Duration, &'static str> {
    let length = runtime::config::parse_duration(text).ok_or("must be a span of time such as 30s or 2m")?;
    if length < SHORTEST {
        Err("must be at least 5s")
    } else {
        Ok(length)
    }
}

/// Holds the drill.
pub async fn run(options: &Options) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new()?;
    let seed = options.seed.unwrap_or_else(rand::random);
    let dir = options.data_dir.join(format!("{}-{seed}", now_us() / 1_000_000));
    line(&format!(
        "seed {seed}, {} s on {}, {} people; everything is kept in {}",
        options.duration.as_secs(),
        options.engines,
        options.people,
        dir.display()
    ))?;
    let enough = watch::Sender::new(false);
    let held = hold(options, seed, &dir, &enough);
    tokio::pin!(held);
    let is_good = tokio::select! {
        held = &mut held => held?,
        () = signals.next() => {
            eprintln!("ending early; another signal ends it at once");
            enough.send_replace(true);
            tokio::select! {
                held = &mut held => held?,
                () = signals.next() => return Ok(INTERRUPTED.into()),
            }
        }
    };
    if is_good && !options.keep {
        fs::remove_dir_all(&dir)?;
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn layout(options: &Options, dir: &Path) -> Layout {
    let mut layout = Layout::free(options.engines, dir);
    layout.lines = true;
    layout.shards = options.shards;
    layout.log.clone_from(&options.log);
    layout.programs.clone_from(&options.programs);
    for (service, name, value) in SETTINGS {
        layout = layout.set(service, name, value);
    }
    layout.settings.extend(options.settings.iter().cloned());
    layout
}

/// The drill and its check, until the end or until `enough`; whether the verdict is good.
async fn hold(options: &Options, seed: u64, dir: &Path, enough: &watch::Sender<bool>) -> Result<bool, Failure> {
    let people = usize::from(options.people);
    let mut mesh = Mesh::start(&layout(options, dir)).await?;
    let client = Client::new(&mesh.gateway_url())?;
    crowd::gather(&client, people).await?;

    let plan = schedule::draw(seed, options.duration, &drill::targets(&mesh, people));
    let history = Arc::new(History::default());
    let mut progress = Progress::new(options.duration, history.clone());
    let frozen = watch::Sender::new(Vec::new());
    let freezer = Freezer::new(client.clone(), frozen.clone());

    let began_us = now_us();
    let load = Load::start(&mesh.gateway_url(), people, seed, &history)?;
    let mut told = enough.subscribe();
    let asked = async {
        told.wait_for(|enough| *enough).await.ok();
    };
    let outcome = Drill::new(&mut mesh, plan, freezer, &mut progress)
        .run(options.duration, asked)
        .await;
    tokio::time::sleep(AFTER_LOAD).await;
    load.end().await?;
    let load_us = (began_us, now_us());

    progress.then("the drill is over; waiting until everything has settled");
    let case = Evidence {
        services: Services::of(&mesh)?,
        client,
        users: (0..people).map(crowd::name).collect(),
        history: &history,
        outcome,
        frozen: frozen.borrow().clone(),
        load_us,
    };
    let is_good = case.judge(dir, options.keep).await?;
    let stopped = mesh.stop().await;
    if !stopped {
        line("a service did not stop in time at the end")?;
    }
    Ok(is_good && stopped)
}

/// What a verdict rests on.
struct Evidence<'a> {
    services: Services,
    client: Client,
    users: Vec<String>,
    history: &'a History,
    outcome: Outcome,
    frozen: Vec<Frozen>,
    load_us: (i64, i64),
}

impl Evidence<'_> {
    /// Waits until everything has settled, checks, lets an operator retry all repair cases, checks again and tells.
    async fn judge(self, dir: &Path, keep: bool) -> Result<bool, Failure> {
        let records = self.history.records();
        let excuses = self.excuses();
        let mut violations = excuses.unexplained(&records);
        violations.extend(self.outcome.died.iter().cloned().map(Violation::Died));
        violations.extend(self.outcome.amiss.iter().cloned().map(Violation::NotBack));

        let frozen: HashSet<String> = self.frozen.iter().map(|(user, ..)| user.clone()).collect();
        let nobody = HashSet::new();
        let first = self.books(&records, &frozen, &mut violations).await;
        let cases: Vec<_> = first
            .iter()
            .flat_map(|books| &books.cases)
            .filter(|case| case.open)
            .collect();
        let mut last = None;
        let mut retried = 0;
        if !cases.is_empty() {
            retried = settle::retry(&self.client, &cases, &mut violations).await;
            last = self.books(&records, &nobody, &mut violations).await;
        }
        let books = last.as_ref().or(first.as_ref());
        let report = Report {
            happened: &self.outcome.happened,
            records: &records,
            load_us: self.load_us,
            counts: self.history.counts(),
            books,
            restarts: self.outcome.restarts,
            violations: &violations,
            cases: (books.map_or(0, |books| books.cases.len()), retried),
        };
        line(&format!(
            "{}\n\n{}\n{}",
            report.table(),
            report.totals(),
            report.verdict()
        ))?;
        if keep || !violations.is_empty() {
            keep_evidence(dir, &records, books, &violations)?;
            line(&format!("the evidence is in {}", dir.display()))?;
        }
        Ok(violations.is_empty())
    }

    /// The books once they have settled, or as they are when that takes too long; what is wrong in them is added.
    async fn books(
        &self,
        records: &[history::Record],
        frozen: &HashSet<String>,
        violations: &mut Vec<Violation>,
    ) -> Option<books::Books> {
        match settle::read(&self.services, &self.users).await {
            Err(fault) => {
                violations.push(Violation::NotBack(format!("the books cannot be read: {fault:#}")));
                None
            }
            Ok((read_us, books)) => {
                let story = Story {
                    records,
                    start_fen: crowd::START.get(),
                    frozen,
                    read_us,
                };
                violations.extend(check::check(&story, &books));
                Some(books)
            }
        }
    }

    fn excuses(&self) -> Excuses {
        let times = |happened: &drill::Happened| (happened.from_us, happened.back_us);
        let all = &self.outcome.happened;
        Excuses {
            faults: all.iter().map(times).collect(),
            door: all
                .iter()
                .filter(|happened| happened.fault.hits_the_door())
                .map(times)
                .collect(),
            frozen: self.frozen.clone(),
        }
    }
}

fn keep_evidence(
    dir: &Path,
    records: &[history::Record],
    books: Option<&books::Books>,
    violations: &[Violation],
) -> Result<(), Failure> {
    let mut lines = String::new();
    for record in records {
        lines.push_str(&serde_json::to_string(record).map_err(anyhow::Error::from)?);
        lines.push('\n');
    }
    fs::write(dir.join("history.jsonl"), lines)?;
    fs::write(
        dir.join("books.json"),
        serde_json::to_vec(&books).map_err(anyhow::Error::from)?,
    )?;
    fs::write(
        dir.join("violations.json"),
        serde_json::to_vec_pretty(violations).map_err(anyhow::Error::from)?,
    )?;
    Ok(())
}
