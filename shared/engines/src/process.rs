//! A child that can be stopped, killed, paused and never outlives us.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Fault, fault::Doing as _, program};

/// How often a child is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How long a child that was told to end at once may take before it is killed.
const END_WITHIN: Duration = Duration::from_secs(2);
/// How much of a log a fault quotes.
const TAIL_LINES: usize = 40;

/// How a child is ended when its value is dropped or the process that started it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// SIGKILL.
    Kill,
    /// SIGQUIT, then SIGKILL: for `PostgreSQL`, which takes its children and its shared memory with it that way.
    Quit,
}

/// A user of this machine.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A child. It has its own process group, so that Ctrl-C in a terminal reaches only us; it is ended when the value is
/// dropped and, where there is `setpriv` (util-linux), also when our process dies in whatever way.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    end: End,
    paused: bool,
}

impl Process {
    /// Starts `command`, whose output is added to the file `log`.
    pub fn start(name: &str, command: &Command, log: &Path, end: End) -> Result<Self, Fault> {
        Self::start_as(name, command, log, end, None)
    }

    /// Starts `command` as another user. That user may reach what lies in directories that are closed to it.
    pub(crate) fn start_as(
        name: &str,
        command: &Command,
        log: &Path,
        end: End,
        user: Option<User>,
    ) -> Result<Self, Fault> {
        let doing = || format!("cannot start {name} ({})", command.get_program().display());
        let output = OpenOptions::new().create(true).append(true).open(log).doing(doing())?;
        let errors = output.try_clone().doing(doing())?;
        let mut command = guarded(command, end, user);
        command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        let child = spawn(command).doing(doing())?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
            end,
            paused: false,
        })
    }

    /// What it was called at its start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it writes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// A fault if it has ended.
    pub fn expect_running(&mut self) -> Result<(), Fault> {
        match self.ended() {
            None => Ok(()),
            Some(how) => Err(self.fault(how)),
        }
    }

    /// Waits until it has ended; `None` if it still runs after `within`.
    pub async fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(how) = self.ended() {
                return Some(how);
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until a program that should end has ended well.
    pub(crate) async fn finish(mut self, within: Duration) -> Result<(), Fault> {
        match self.wait(within).await {
            Some(how) if how.success() => Ok(()),
            Some(how) => Err(self.fault(how)),
            None => Err(self.slow("end", within)),
        }
    }

    /// Waits until `ready` says so; a fault if the child ends before, or is not ready after `within`.
    pub(crate) async fn wait_until(
        &mut self,
        what: &'static str,
        within: Duration,
        mut ready: impl AsyncFnMut() -> bool,
    ) -> Result<(), Fault> {
        let deadline = Instant::now() + within;
        loop {
            self.expect_running()?;
            if ready().await {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.slow(what, within));
            }
            tokio::time::sleep(LOOK * 8).await;
        }
    }

    /// SIGTERM, without waiting for what comes of it.
    pub fn terminate(&mut self) {
        self.resume();
        self.signal(Signal::TERM);
    }

    /// SIGTERM, and SIGKILL if it still runs after `within`. `true` if it ended by itself.
    pub async fn stop(&mut self, within: Duration) -> bool {
        self.stop_with(Signal::TERM, within).await
    }

    /// `signal`, and SIGKILL if it still runs after `within`. `true` if it ended by itself.
    pub(crate) async fn stop_with(&mut self, signal: Signal, within: Duration) -> bool {
        self.resume();
        self.signal(signal);
        let stopped = self.wait(within).await.is_some();
        if !stopped {
            self.kill().await;
        }
        stopped
    }

    /// SIGKILL, to the child and to its children; returns when the child is gone.
    pub async fn kill(&mut self) {
        self.kill_all();
        self.wait(END_WITHIN).await;
    }

    /// SIGSTOP, to the child and to its children: it keeps its port, takes connections and never answers.
    pub fn pause(&mut self) {
        self.paused = true;
        self.signal(Signal::STOP);
        for child in self.children() {
            kill_process(child, Signal::STOP).ok();
        }
    }

    /// SIGCONT: goes on as if nothing had been.
    pub fn resume(&mut self) {
        if self.paused {
            self.paused = false;
            for child in self.children() {
                kill_process(child, Signal::CONT).ok();
            }
            self.signal(Signal::CONT);
        }
    }

    fn signal(&mut self, signal: Signal) {
        // One that ended but was not waited for keeps its id; one that was waited for must not be signalled.
        if self.ended().is_none() {
            kill_process(Pid::from_child(&self.child), signal).ok();
        }
    }

    fn kill_all(&mut self) {
        let children = if self.ended().is_none() {
            self.children()
        } else {
            Vec::new()
        };
        self.signal(Signal::KILL);
        for child in children {
            kill_process(child, Signal::KILL).ok();
        }
    }

    /// Its children, as /proc knows them; none where there is no /proc.
    fn children(&self) -> Vec<Pid> {
        let parent = self.child.id();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| parent_of(*pid) == Some(parent))
            .filter_map(Pid::from_raw)
            .collect()
    }

    fn fault(&self, how: ExitStatus) -> Fault {
        Fault::Ended {
            name: self.name.clone(),
            how: how.to_string(),
            log: self.log.clone(),
            tail: tail(&self.log),
        }
    }

    fn slow(&self, what: &'static str, within: Duration) -> Fault {
        Fault::Slow {
            name: self.name.clone(),
            what,
            within,
            log: self.log.clone(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.end == End::Quit {
            self.resume();
            self.signal(Signal::QUIT);
            let deadline = Instant::now() + END_WITHIN;
            while self.ended().is_none() && Instant::now() < deadline {
                std::thread::sleep(LOOK);
            }
        }
        self.kill_all();
        self.child.wait().ok();
    }
}

/// The fourth field of `/proc/PID/stat`; the second, the name, may hold anything but ends with the last `)`.
fn parent_of(pid: i32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines[from..].join("\n")
}

/// `command` behind `setpriv`, which makes the kernel end it when we die, and which changes the user.
fn guarded(command: &Command, end: End, user: Option<User>) -> Command {
    let mut guarded = if let Ok(setpriv) = program::find(&["setpriv"], "util-linux") {
        let mut guarded = Command::new(setpriv);
        guarded.args(["--pdeathsig", if end == End::Quit { "QUIT" } else { "KILL" }]);
        if let Some(User { uid, gid }) = user {
            let rights = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
            guarded.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}"));
            guarded.arg("--clear-groups").args(rights);
        }
        guarded.arg("--").arg(command.get_program());
        guarded
    } else {
        let mut plain = Command::new(command.get_program());
        if let Some(User { uid, gid }) = user {
            plain.uid(uid).gid(gid);
        }
        plain
    };
    guarded.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => guarded.env(name, value),
            None => guarded.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        guarded.current_dir(dir);
    }
    guarded
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts a child from a thread that lives as long as the process: the kernel's death signal follows the thread that
/// started the child, and an executor's threads come and go.
fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                answer.send(command.spawn()).ok();
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    spawner
        .send((command, answer))
        .map_err(|_| io::Error::other("the thread that starts children is gone"))?;
    child
        .recv()
        .map_err(|_| io::Error::other("the thread that starts children is gone"))?
}

/// Runs a client program to its end; gives what it printed, without the last line end.
pub async fn output(program: &'static str, command: Command) -> Result<String, Fault> {
    let mut command = command;
    let done = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output()).await;
    let done = done
        .map_err(io::Error::other)
        .and_then(|done| done)
        .doing(format_args!("cannot run {program}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if done.status.success() {
        return Ok(text(&done.stdout));
    }
    let said = [text(&done.stderr), text(&done.stdout)];
    Err(Fault::Refused {
        program,
        said: said.into_iter().find(|said| !said.is_empty()).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
