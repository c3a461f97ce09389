//! Does to a mesh what a schedule says, and starts again what ends.

use std::{
    collections::{BTreeMap, btree_map::OccupiedEntry},
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};

use super::{
    fault::{Fault, Lines, Weather},
    freeze::Freezer,
    history::now_us,
    progress::Progress,
    schedule::{Planned, Targets},
};
use crate::mesh::{Death, Mesh};

/// How long after its end a process that ended by itself is started again, as an orchestrator would.
const RESTART_AFTER: Duration = Duration::from_millis(300);
/// How often an engine is started before that counts as failed: its last session may outlive it by a moment, and holds its
/// data as long.
const START_TRIES: u32 = 20;
/// Before the next try.
const START_PAUSE: Duration = Duration::from_millis(250);
/// How long everything may take to serve again when the drill is over.
const BACK_WITHIN: Duration = Duration::from_mins(1);
/// A step that takes longer delays what follows.
const LONG: Duration = Duration::from_millis(500);
/// How often the display is brought up to date.
const GLANCE: Duration = Duration::from_millis(200);

/// A fault as it came to pass, in microseconds since 1970.
#[derive(Clone, Debug)]
pub struct Happened {
    /// What.
    pub fault: Fault,
    /// When it was done.
    pub from_us: i64,
    /// When it was undone; the same where there was nothing to undo.
    pub to_us: i64,
    /// When what it hit served again; the same as `to_us` where nothing had stopped to.
    pub back_us: i64,
}

/// What came of a drill.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The faults, in the order in which they were done.
    pub happened: Vec<Happened>,
    /// Processes that ended although nobody ended them, and did not just fail to start while an engine was away.
    pub died: Vec<String>,
    /// Anything that did not go as it should: a stop out of order, something that did not come back.
    pub amiss: Vec<String>,
    /// How often an instance that could not start was started again.
    pub restarts: u32,
}

/// A drill under way.
pub struct Drill<'a> {
    mesh: &'a mut Mesh,
    freezer: Freezer,
    progress: &'a mut Progress,
    plan: Vec<Planned>,
    began: Instant,
    /// How much later than planned everything is.
    delayed: Duration,
    /// What is to be done next; the number parts what falls on the same instant.
    agenda: BTreeMap<(Instant, usize), Step>,
    steps: usize,
    /// Instances that were started and are yet to serve.
    starting: JoinSet<String>,
    awaited: Vec<String>,
    /// Instances that served when they got SIGTERM.
    to_drain: Vec<String>,
    /// By fault of the plan: where it is in the outcome.
    done: BTreeMap<usize, usize>,
    outcome: Outcome,
}

#[derive(Clone, Debug)]
enum Step {
    Do(usize),
    Undo(usize),
    Restart(String),
}

/// What a drill can be done to.
pub fn targets(mesh: &Mesh, people: usize) -> Targets {
    let lines = mesh.network().iter();
    Targets {
        members: mesh
            .members()
            .iter()
            .map(|member| member.recipe().name.clone())
            .collect(),
        engines: mesh
            .engines()
            .iter()
            .map(|engine| (engine.name(), engine.is_sql()))
            .collect(),
        lines: lines.map(|line| (line.member.clone(), line.engine)).collect(),
        people,
    }
}

impl<'a> Drill<'a> {
    /// A drill that begins now.
    pub fn new(mesh: &'a mut Mesh, plan: Vec<Planned>, freezer: Freezer, progress: &'a mut Progress) -> Self {
        let began = Instant::now();
        let steps = plan.iter().enumerate().flat_map(|(n, planned)| {
            let undo = (!planned.fault.is_over_at_once()).then(|| (began + planned.to, Step::Undo(n)));
            std::iter::once((began + planned.from, Step::Do(n))).chain(undo)
        });
        let agenda: BTreeMap<_, _> = steps.enumerate().map(|(n, (at, step))| ((at, n), step)).collect();
        Self {
            steps: agenda.len(),
            mesh,
            freezer,
            progress,
            plan,
            began,
            delayed: Duration::ZERO,
            agenda,
            starting: JoinSet::new(),
            awaited: Vec::new(),
            to_drain: Vec::new(),
            done: BTreeMap::new(),
            outcome: Outcome::default(),
        }
    }

    /// Runs for `length` or until `enough` resolves; then undoes what is left and waits until everything serves. A step that
    /// takes long, such as the recovery of a SQL server, delays all that follow and the end.
    pub async fn run(mut self, length: Duration, enough: impl Future<Output = ()>) -> Outcome {
        tokio::pin!(enough);
        loop {
            let end = self.began + length + self.delayed;
            let next = self.agenda.keys().next().map_or(end, |(at, _)| *at).min(end);
            let glance = Instant::now() + GLANCE;
            tokio::select! {
                biased;
                () = &mut enough => break,
                () = tokio::time::sleep_until(next.min(glance)) => {
                    self.progress.show(self.began.elapsed());
                    if Instant::now() >= end {
                        break;
                    }
                    self.act().await;
                }
                Some(Ok(member)) = self.starting.join_next() => self.serves(&member),
                death = self.mesh.death() => self.mourn(death),
            }
        }
        self.tidy().await;
        self.outcome
    }

    /// The next step, if it is time for it.
    async fn act(&mut self) {
        let due = self
            .agenda
            .first_entry()
            .filter(|entry| entry.key().0 <= Instant::now());
        if let Some(step) = due.map(OccupiedEntry::remove) {
            let began = Instant::now();
            self.step(step).await;
            let took = began.elapsed();
            if took > LONG {
                self.delayed += took;
                let agenda = std::mem::take(&mut self.agenda).into_iter();
                self.agenda = agenda.map(|((at, n), step)| ((at + took, n), step)).collect();
            }
        }
    }

    async fn step(&mut self, step: Step) {
        let result = match step {
            Step::Do(n) => self.begin(n).await,
            Step::Undo(n) => self.undo(n).await,
            Step::Restart(member) => self.start(&member),
        };
        if let Err(fault) = result {
            self.outcome.amiss.push(format!("{fault:#}"));
        }
    }

    async fn begin(&mut self, n: usize) -> anyhow::Result<()> {
        let fault = self.plan[n].fault.clone();
        self.progress.say(self.began.elapsed(), &fault.to_string());
        let now = now_us();
        self.done.insert(n, self.outcome.happened.len());
        self.outcome.happened.push(Happened {
            fault: fault.clone(),
            from_us: now,
            to_us: now,
            back_us: now,
        });
        match &fault {
            Fault::Kill(member) => {
                self.await_no_more(member);
                self.mesh.kill(member).await?;
            }
            Fault::Terminate(member) => {
                if !self.await_no_more(member) {
                    self.to_drain.push(member.clone());
                }
                self.mesh.terminate(member)?;
            }
            Fault::Pause(member) => self.mesh.pause(member)?,
            Fault::TakeAway(engine) => self.mesh.take_away(engine).await?,
            Fault::Flush(engine) => self.mesh.flush(engine).await?,
            Fault::Network(lines, weather) => self.change(lines, Some(*weather)),
            Fault::Freeze(person) => self.freezer.freeze(*person),
        }
        if fault.is_over_at_once() {
            self.over(n);
        }
        Ok(())
    }

    async fn undo(&mut self, n: usize) -> anyhow::Result<()> {
        let fault = self.plan[n].fault.clone();
        // What was never done need not be undone.
        if !self.done.contains_key(&n) {
            return Ok(());
        }
        let undone = match &fault {
            Fault::Kill(member) => self.start(member),
            Fault::Terminate(member) => {
                let served = self.to_drain.iter().any(|served| served == member);
                self.to_drain.retain(|served| served != member);
                // One that had not come to serve yet has no order to end in.
                if !self.mesh.is_drained(member).await? && served {
                    self.outcome
                        .amiss
                        .push(format!("{member} did not end in order after SIGTERM"));
                }
                self.start(member)
            }
            Fault::Pause(member) => self.mesh.resume(member),
            Fault::TakeAway(engine) => self.bring_back(engine).await,
            Fault::Flush(_) => Ok(()),
            Fault::Network(lines, _) => {
                self.change(lines, None);
                Ok(())
            }
            Fault::Freeze(person) => {
                self.freezer.thaw(*person);
                Ok(())
            }
        };
        self.over(n);
        self.progress.say(self.began.elapsed(), &format!("over: {fault}"));
        undone
    }

    /// Notes that a fault is undone. What it stopped may be yet to serve.
    fn over(&mut self, n: usize) {
        if let Some(at) = self.done.get(&n) {
            let happened = &mut self.outcome.happened[*at];
            happened.to_us = now_us();
            happened.back_us = happened.to_us;
        }
    }

    fn change(&self, lines: &Lines, weather: Option<Weather>) {
        for line in self.mesh.network().to(lines.engine, lines.member.as_deref()) {
            let proxy = &line.proxy;
            match weather {
                None => {
                    proxy.resume();
                    proxy.spare_commits();
                }
                Some(Weather::Cut) => proxy.cut(),
                Some(Weather::Refuse) => proxy.refuse(),
                Some(Weather::Delay(by)) => proxy.delay(by),
                Some(Weather::Hang) => proxy.hang(),
                Some(Weather::LoseAnswers(count)) => (0..count).for_each(|_| proxy.swallow_commit()),
                Some(Weather::LoseCommits(count)) => (0..count).for_each(|_| proxy.lose_commit()),
            }
        }
    }

    /// Leaves an instance that is to be ended alone; whether it was still to come to serve.
    fn await_no_more(&mut self, member: &str) -> bool {
        let awaited = self.awaited.len();
        self.awaited.retain(|awaited| awaited != member);
        self.agenda
            .retain(|_, step| !matches!(step, Step::Restart(name) if name == member));
        self.awaited.len() < awaited
    }

    fn start(&mut self, member: &str) -> anyhow::Result<()> {
        let serves = self.mesh.start_again(member)?;
        let name = member.to_owned();
        if !self.awaited.contains(&name) {
            self.awaited.push(name.clone());
            self.starting.spawn(async move {
                serves.await;
                name
            });
        }
        Ok(())
    }

    async fn bring_back(&mut self, engine: &str) -> anyhow::Result<()> {
        let mut tries = START_TRIES;
        loop {
            match self.mesh.bring_back(engine).await {
                Err(_) if tries > 1 => tries -= 1,
                done => return done,
            }
            tokio::time::sleep(START_PAUSE).await;
        }
    }

    fn serves(&mut self, member: &str) {
        // One that was killed again meanwhile is waited for anew.
        let Some(at) = self.awaited.iter().position(|awaited| awaited == member) else {
            return;
        };
        self.awaited.swap_remove(at);
        let hit = |happened: &&mut Happened| matches!(&happened.fault, Fault::Kill(name) | Fault::Terminate(name) if name == member);
        if let Some(happened) = self.outcome.happened.iter_mut().rev().find(hit) {
            happened.back_us = now_us();
        }
    }

    /// A process ended by itself. One that has not served since its start may: services do not start without their engines,
    /// and are started again until they do.
    fn mourn(&mut self, death: Death) {
        let Death { name, told } = death;
        if self.mesh.members().iter().all(|member| member.recipe().name != name) {
            self.outcome.died.push(told);
            return;
        }
        if self.awaited.contains(&name) {
            self.outcome.restarts += 1;
        } else {
            self.progress.say(self.began.elapsed(), &told);
            self.outcome.died.push(told);
        }
        self.steps += 1;
        self.agenda
            .insert((Instant::now() + RESTART_AFTER, self.steps), Step::Restart(name));
    }

    /// Undoes what is left, then waits until everything serves.
    async fn tidy(&mut self) {
        let left: Vec<_> = std::mem::take(&mut self.agenda).into_values().collect();
        for step in left.into_iter().filter(|step| !matches!(step, Step::Do(_))) {
            self.step(step).await;
        }
        let deadline = Instant::now() + BACK_WITHIN;
        while !self.awaited.is_empty() || !self.agenda.is_empty() {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => {
                    let absent = std::mem::take(&mut self.awaited).join(", ");
                    self.outcome.amiss.push(format!("did not come back: {absent}"));
                    break;
                }
                Some(Ok(member)) = self.starting.join_next() => self.serves(&member),
                death = self.mesh.death() => self.mourn(death),
                () = tokio::time::sleep(GLANCE) => self.act().await,
            }
        }
        if let Err(fault) = self.freezer.end().await {
            self.outcome.amiss.push(format!("{fault:#}"));
        }
    }
}
