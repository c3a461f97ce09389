//! What a drill does to a mesh.

use std::{fmt, time::Duration};

/// Something that is done to a running mesh and, unless it is over at once, undone after a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL to an instance; undone by a start.
    Kill(String),
    /// SIGTERM to an instance, which has to end in order; undone by a start.
    Terminate(String),
    /// SIGSTOP to an instance; undone by SIGCONT.
    Pause(String),
    /// An engine is stopped as quickly as it can be; undone by a start.
    TakeAway(&'static str),
    /// A cache forgets everything. Over at once.
    Flush(&'static str),
    /// Something happens to lines between instances and engines.
    Network(Lines, Weather),
    /// A person's wallet is frozen; undone by its thaw.
    Freeze(usize),
}

/// Lines between instances and engines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// To which engine.
    pub engine: &'static str,
    /// From this instance only; from all of them without one.
    pub member: Option<String>,
}

/// What happens to lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// All connections are cut; new ones pass. Over at once.
    Cut,
    /// All connections are cut and new ones refused.
    Refuse,
    /// Every piece takes this much longer, either way.
    Delay(Duration),
    /// Connections are taken and nothing passes; then all that was held passes.
    Hang,
    /// The next so many COMMITs on each line are carried out and their answers lost, connections with them.
    LoseAnswers(u32),
    /// The next so many COMMITs on each line are lost on their way, connections with them.
    LoseCommits(u32),
}

/// What no two faults may be done to at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An instance or an engine.
    Process(String),
    /// The lines to an engine.
    Lines(&'static str),
    /// A person.
    Person(usize),
}

impl Fault {
    /// What it is done to.
    pub fn place(&self) -> Place {
        match self {
            Self::Kill(member) | Self::Terminate(member) | Self::Pause(member) => Place::Process(member.clone()),
            Self::TakeAway(engine) | Self::Flush(engine) => Place::Process((*engine).to_owned()),
            Self::Network(lines, _) => Place::Lines(lines.engine),
            Self::Freeze(person) => Place::Person(*person),
        }
    }

    /// Whether there is nothing to undo.
    pub fn is_over_at_once(&self) -> bool {
        matches!(self, Self::Flush(_) | Self::Network(_, Weather::Cut))
    }

    /// Whether clients lose their connections, and with them what was asked.
    pub fn hits_the_door(&self) -> bool {
        matches!(self, Self::Kill(member) | Self::Terminate(member) if member == "gateway")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(member) => write!(f, "kill -9 {member}"),
            Self::Terminate(member) => write!(f, "SIGTERM {member}"),
            Self::Pause(member) => write!(f, "SIGSTOP {member}"),
            Self::TakeAway("postgres") => f.write_str("restart postgres -m immediate"),
            Self::TakeAway(engine) => write!(f, "kill -9 {engine}"),
            Self::Flush(engine) => write!(f, "FLUSHALL {engine}"),
            Self::Network(lines, weather) => write!(f, "{weather}: {lines}"),
            Self::Freeze(person) => write!(f, "freeze {}", super::crowd::name(*person)),
        }
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.member {
            Some(member) => write!(f, "{member} to {}", self.engine),
            None => write!(f, "all to {}", self.engine),
        }
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("cut"),
            Self::Refuse => f.write_str("refuse"),
            Self::Delay(by) => write!(f, "delay {} ms", by.as_millis()),
            Self::Hang => f.write_str("hang"),
            Self::LoseAnswers(count) => write!(f, "lose {count} answers to COMMIT"),
            Self::LoseCommits(count) => write!(f, "lose {count} COMMITs"),
        }
    }
}
