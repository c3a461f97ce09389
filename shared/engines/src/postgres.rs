//! `PostgreSQL`.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;

use crate::{
    Fault, Options, Proxy,
    certificate::Certificate,
    fault::Doing as _,
    home::{self, Home},
    port::{free_port, on_loopback},
    process::{End, Process, User},
    program::find_postgres,
    proxy::Wire,
};

/// The superuser that clients are.
const USER: &str = "hongbao";
/// The database that is always there.
const FIRST: &str = "postgres";
/// How long a start may take; recovery after a kill included.
const START_WITHIN: Duration = Duration::from_mins(1);
/// How long an orderly stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// How often a start is tried when another program takes the port in between.
const TRIES: u32 = 4;

/// A `PostgreSQL` server. Databases on it are made with [`Postgres::database`].
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    options: Options,
    certificate: Option<Certificate>,
    home: Home,
}

impl Postgres {
    /// A server with everything of its own.
    pub async fn start() -> Result<Self, Fault> {
        Self::start_with(Options::default()).await
    }

    /// A server as `options` say.
    pub async fn start_with(options: Options) -> Result<Self, Fault> {
        let home = Home::new(options.dir.as_deref())?;
        let user = unprivileged();
        let certificate = if options.tls {
            Some(Certificate::of(&home)?)
        } else {
            None
        };
        if let Some(user) = user {
            give(home.path(), user)?;
        }
        if !home.join("data/PG_VERSION").exists() {
            initialize(&home, &options, user).await?;
        }
        let mut tries = TRIES;
        loop {
            let port = options.port.map_or_else(free_port, Ok)?;
            match launch(&home, port, &options, certificate.as_ref()).await {
                Ok(process) => {
                    return Ok(Self {
                        process,
                        port,
                        options,
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

    /// Its directory.
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

    /// URL of a database that need not be there.
    pub fn url(&self, database: &str) -> String {
        let password = self.options.password.as_ref();
        let password = password.map_or_else(String::new, |password| format!(":{password}"));
        format!("postgres://{USER}{password}@{}/{database}", self.address())
    }

    /// Makes a database unless it is there; gives its URL. The name is of lower-case letters, digits and `_`.
    pub async fn database(&self, name: &str) -> Result<String, Fault> {
        let found = self
            .query(FIRST, &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"))
            .await?;
        if found.is_empty() {
            self.query(FIRST, &format!("CREATE DATABASE \"{name}\"")).await?;
        }
        Ok(self.url(name))
    }

    /// Runs SQL in a database with `psql`; gives what it prints, columns parted by `|`, without headings.
    pub async fn query(&self, database: &str, sql: &str) -> Result<String, Fault> {
        let mut psql = self.client("psql")?;
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "-v",
            "ON_ERROR_STOP=1",
        ])
        .args(["-d", database, "-c", sql]);
        crate::process::output("psql", psql).await
    }

    /// A network before it that fails on demand, and understands COMMIT.
    pub async fn proxy(&self) -> Result<Proxy, Fault> {
        Proxy::start(self.address(), Wire::Postgres).await
    }

    /// An orderly stop that ends all sessions (`fast`).
    pub async fn stop(&mut self) {
        self.process.stop_with(Signal::INT, STOP_WITHIN).await;
    }

    /// A stop without a checkpoint (`immediate`): the next start recovers.
    pub async fn stop_immediately(&mut self) {
        self.process.stop_with(Signal::QUIT, STOP_WITHIN).await;
    }

    /// SIGKILL to the server and every session.
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

    /// Starts it again on the same port and data, after stopping it if it runs.
    pub async fn restart(&mut self) -> Result<(), Fault> {
        if self.process.ended().is_none() {
            self.stop().await;
        }
        self.process = launch(&self.home, self.port, &self.options, self.certificate.as_ref()).await?;
        Ok(())
    }

    fn client(&self, program: &'static str) -> Result<Command, Fault> {
        client(program, self.port, self.options.password.as_deref())
    }
}

fn client(program: &'static str, port: u16, password: Option<&str>) -> Result<Command, Fault> {
    let mut command = Command::new(find_postgres(program)?);
    command
        .args(["-h", "127.0.0.1", "-U", USER, "-p", &port.to_string()])
        .env_remove("PGSERVICE")
        .env("PGPASSWORD", password.unwrap_or_default())
        .stdin(Stdio::null());
    Ok(command)
}

async fn initialize(home: &Home, options: &Options, user: Option<User>) -> Result<(), Fault> {
    let mut initdb = Command::new(find_postgres("initdb")?);
    initdb
        .args(["--username", USER, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
        .arg("--pgdata")
        .arg(home.join("data"));
    let secret = home.join("password");
    match &options.password {
        Some(password) => {
            home::write(&secret, password)?;
            initdb.arg("--auth=scram-sha-256").arg("--pwfile").arg(&secret);
        }
        None => {
            initdb.arg("--auth=trust");
        }
    }
    let initdb = Process::start_as("initdb", &initdb, &home.log(), End::Kill, user)?;
    let made = initdb.finish(START_WITHIN).await;
    fs::remove_file(secret).ok();
    made
}

async fn launch(
    home: &Home,
    port: u16,
    options: &Options,
    certificate: Option<&Certificate>,
) -> Result<Process, Fault> {
    let mut settings = vec![
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
        // No socket file and no shared memory outside the directory.
        ("unix_socket_directories", String::new()),
        ("dynamic_shared_memory_type", "mmap".to_owned()),
    ];
    if let Some(files) = certificate {
        let path = |path: &PathBuf| path.display().to_string();
        settings.extend([
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", path(&files.server)),
            ("ssl_key_file", path(&files.key)),
        ]);
    }
    let given = options
        .settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()));
    settings.extend(given);
    let mut server = Command::new(find_postgres("postgres")?);
    server.arg("-D").arg(home.join("data"));
    for (name, value) in settings {
        server.arg("-c").arg(format!("{name}={value}"));
    }
    let mut process = Process::start_as("PostgreSQL", &server, &home.log(), End::Quit, unprivileged())?;
    process
        .wait_until("take connections", START_WITHIN, async || {
            let Ok(mut ready) = client("pg_isready", port, None) else {
                return false;
            };
            ready.args(["-d", FIRST, "-q"]);
            crate::process::output("pg_isready", ready).await.is_ok()
        })
        .await?;
    Ok(process)
}

/// Whom the server runs as: it refuses to run as root.
pub(crate) fn unprivileged() -> Option<User> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let line = known.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some(User {
            uid: ids.next()?.ok()?,
            gid: ids.next()?.ok()?,
        })
    };
    // 65534 is the kernel's own "nobody".
    let nobody = User {
        uid: 65_534,
        gid: 65_534,
    };
    Some(find("postgres").or_else(|| find("nobody")).unwrap_or(nobody))
}

/// Makes `user` the owner of a directory and of the files directly in it; what is deeper it made itself.
fn give(dir: &Path, user: User) -> Result<(), Fault> {
    let give = |path: &Path| {
        if fs::metadata(path).is_ok_and(|found| found.uid() == user.uid) {
            return Ok(());
        }
        chown(path, Some(user.uid), Some(user.gid)).doing(format_args!("cannot give away {}", path.display()))
    };
    give(dir)?;
    let entries = fs::read_dir(dir).doing(format_args!("cannot read {}", dir.display()))?;
    entries.flatten().try_for_each(|entry| give(&entry.path()))
}

#[cfg(test)]
mod tests;
