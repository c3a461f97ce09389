//! Redis.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    Fault, Options, Proxy,
    certificate::Certificate,
    home::{self, Home},
    port::{free_port, on_loopback},
    process::{End, Process, output},
    program::find,
    proxy::Wire,
};

/// What has the programs.
const PACKAGE: &str = "Redis; Debian: redis-server";
/// How long a start may take.
const START_WITHIN: Duration = Duration::from_secs(30);
/// How long an orderly stop may take: Redis gives replicas that lag up to ten seconds.
const STOP_WITHIN: Duration = Duration::from_secs(15);
/// How often a start is tried when another program takes the port in between.
const TRIES: u32 = 4;

/// A Redis server. Unless `options` say otherwise it keeps nothing on disk: no dump, no append-only file. What `SAVE`
/// wrote is loaded by the next start, as by any Redis.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: u16,
    options: Options,
    master: Option<SocketAddr>,
    certificate: Option<Certificate>,
    home: Home,
}

impl Redis {
    /// A server with everything of its own.
    pub async fn start() -> Result<Self, Fault> {
        Self::start_with(Options::default()).await
    }

    /// A server as `options` say.
    pub async fn start_with(options: Options) -> Result<Self, Fault> {
        Self::begin(options, None, None, free_port).await
    }

    /// A replica of `master`, with its password and its certificate.
    pub async fn replica_of(master: &Self, options: Options) -> Result<Self, Fault> {
        let options = Options {
            password: master.options.password.clone(),
            tls: master.options.tls,
            ..options
        };
        let mut replica = Self::begin(options, Some(master.address()), master.certificate.clone(), free_port).await?;
        replica.wait_for_master().await?;
        Ok(replica)
    }

    /// A server on the given port or on one that `choose` gives.
    pub(crate) async fn begin(
        options: Options,
        master: Option<SocketAddr>,
        certificate: Option<Certificate>,
        choose: fn() -> Result<u16, Fault>,
    ) -> Result<Self, Fault> {
        let home = Home::new(options.dir.as_deref())?;
        let certificate = match certificate {
            None if options.tls => Some(Certificate::of(&home)?),
            given => given,
        };
        let mut tries = TRIES;
        loop {
            let port = options.port.map_or_else(choose, Ok)?;
            let cli = Cli::new(port, &options, certificate.as_ref());
            match launch(&home, &cli, &options, master, certificate.as_ref()).await {
                Ok(process) => {
                    return Ok(Self {
                        process,
                        port,
                        options,
                        master,
                        certificate,
                        home,
                    });
                }
                Err(Fault::Ended { .. }) if options.port.is_none() && tries > 1 => tries -= 1,
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        on_loopback(self.port)
    }

    /// Its directory; `dump.rdb` lies in it, if there is one.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// The process of the server.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// A fault with its last words if it has ended.
    pub fn expect_running(&mut self) -> Result<(), Fault> {
        self.process.expect_running()
    }

    /// The certificate of the authority that signed the server's, where it has TLS.
    pub fn authority(&self) -> Option<&Path> {
        Some(&self.certificate.as_ref()?.authority)
    }

    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Its URL: `redis://…`, or `rediss://…` with TLS.
    pub fn url(&self) -> String {
        url("", &self.options, &self.address().to_string())
    }

    /// Says a command to it with `redis-cli`; gives the answer as text. An error reply is a fault.
    pub async fn command(&self, words: &[&str]) -> Result<String, Fault> {
        Cli::new(self.port, &self.options, self.certificate.as_ref())
            .say(words)
            .await
    }

    /// A network before it that fails on demand.
    pub async fn proxy(&self) -> Result<Proxy, Fault> {
        Proxy::start(self.address(), Wire::Opaque).await
    }

    /// An orderly stop.
    pub async fn stop(&mut self) {
        self.process.stop(STOP_WITHIN).await;
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// SIGSTOP: connections are taken and never answered.
    pub fn pause(&mut self) {
        self.process.pause();
    }

    /// SIGCONT.
    pub fn resume(&mut self) {
        self.process.resume();
    }

    /// Starts it again on the same port and data, after stopping it if it runs. Without a dump it is empty. A replica
    /// follows its first master again.
    pub async fn restart(&mut self) -> Result<(), Fault> {
        if self.process.ended().is_none() {
            self.stop().await;
        }
        let cli = Cli::new(self.port, &self.options, self.certificate.as_ref());
        self.process = launch(&self.home, &cli, &self.options, self.master, self.certificate.as_ref()).await?;
        Ok(())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Waits until it is in step with its master.
    pub(crate) async fn wait_for_master(&mut self) -> Result<(), Fault> {
        let cli = Cli::new(self.port, &self.options, self.certificate.as_ref());
        self.process
            .wait_until("reach its master", START_WITHIN, async || {
                let state = cli.say(&["INFO", "replication"]).await.unwrap_or_default();
                state.contains("master_link_status:up")
            })
            .await
    }

    /// Waits until `INFO`-like answer to `words` holds all of `marks`.
    pub(crate) async fn wait_until_told(
        &mut self,
        what: &'static str,
        words: &[&str],
        marks: &[String],
    ) -> Result<(), Fault> {
        let cli = Cli::new(self.port, &self.options, self.certificate.as_ref());
        self.process
            .wait_until(what, START_WITHIN, async || {
                let told = cli.say(words).await.unwrap_or_default();
                let told: Vec<_> = told.lines().map(str::trim_end).collect();
                marks.iter().all(|mark| told.contains(&mark.as_str()))
            })
            .await
    }
}

/// A URL for `addresses` (one, or several with commas).
pub fn url(kind: &str, options: &Options, addresses: &str) -> String {
    let scheme = if options.tls { "rediss" } else { "redis" };
    let password = options.password.as_ref();
    let password = password.map_or_else(String::new, |password| format!(":{password}@"));
    format!("{scheme}{kind}://{password}{addresses}")
}

/// `redis-cli` for one server.
pub struct Cli {
    port: u16,
    password: Option<String>,
    authority: Option<PathBuf>,
}

impl Cli {
    /// For the server on `port`.
    pub fn new(port: u16, options: &Options, certificate: Option<&Certificate>) -> Self {
        Self {
            port,
            password: options.password.clone(),
            authority: certificate.map(|files| files.authority.clone()),
        }
    }

    /// A command and its answer.
    pub async fn say(&self, words: &[&str]) -> Result<String, Fault> {
        let mut cli = Command::new(find(&["redis-cli"], "Redis; Debian: redis-tools")?);
        cli.args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .stdin(Stdio::null())
            .env_remove("REDISCLI_AUTH");
        if let Some(password) = &self.password {
            cli.env("REDISCLI_AUTH", password);
        }
        if let Some(authority) = &self.authority {
            cli.arg("--tls").arg("--cacert").arg(authority);
        }
        cli.args(words);
        let said = output("redis-cli", cli).await?;
        if is_error(&said) {
            return Err(Fault::Refused {
                program: "redis-cli",
                said,
            });
        }
        Ok(said)
    }
}

/// An error reply begins with a word in capitals and goes on; `redis-cli` says nothing else of it.
fn is_error(said: &str) -> bool {
    let Some((word, rest)) = said.split_once(' ') else {
        return false;
    };
    word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase()) && !rest.is_empty()
}

async fn launch(
    home: &Home,
    cli: &Cli,
    options: &Options,
    master: Option<SocketAddr>,
    certificate: Option<&Certificate>,
) -> Result<Process, Fault> {
    let file = home.join("redis.conf");
    home::write(&file, configuration(home, cli.port, options, master, certificate))?;
    let mut server = Command::new(find(&["redis-server"], PACKAGE)?);
    server.arg(&file);
    let mut process = Process::start("Redis", &server, &home.log(), End::Kill)?;
    process
        .wait_until("take connections", START_WITHIN, async || {
            cli.say(&["PING"]).await.is_ok_and(|said| said == "PONG")
        })
        .await?;
    Ok(process)
}

/// The file rather than the command line, so that no list of processes shows the password.
fn configuration(
    home: &Home,
    port: u16,
    options: &Options,
    master: Option<SocketAddr>,
    certificate: Option<&Certificate>,
) -> String {
    let mut text = format!(
        "bind 127.0.0.1\ndaemonize no\nrepl-diskless-sync-delay 0\ndir {}\nsave \"\"\nappendonly no\n",
        home.path().display()
    );
    let mut set = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name} {value}");
    };
    let port = port.to_string();
    match certificate {
        Some(files) => {
            set("port", "0");
            set("tls-port", &port);
            set("tls-cert-file", &files.server.display().to_string());
            set("tls-key-file", &files.key.display().to_string());
            set("tls-ca-cert-file", &files.authority.display().to_string());
            set("tls-auth-clients", "no");
            set("tls-replication", "yes");
            set("tls-cluster", "yes");
        }
        None => set("port", &port),
    }
    if let Some(password) = &options.password {
        set("requirepass", password);
        set("masterauth", password);
    }
    if let Some(master) = master {
        set("replicaof", &format!("{} {}", master.ip(), master.port()));
    }
    for (name, value) in &options.settings {
        set(name, value);
    }
    text
}

#[cfg(test)]
mod tests;
