//! `MariaDB`.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

use crate::{
    Fault, Options, Proxy,
    certificate::Certificate,
    home::{self, Home},
    port::{free_port, on_loopback},
    process::{End, Process, output},
    program::find,
    proxy::Wire,
};

/// The user that clients are; it may do everything.
const USER: &str = "hongbao";
/// The password where none was chosen: the server insists on nothing, but clients rarely try without one.
const PASSWORD: &str = "hongbao";
/// What has the programs.
const PACKAGE: &str = "MariaDB; Debian: mariadb-server";
/// How long a start may take; recovery after a kill included.
const START_WITHIN: Duration = Duration::from_secs(90);
/// How long an orderly stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// How long a server that takes connections may take to greet.
const GREET_WITHIN: Duration = Duration::from_secs(1);
/// How often a start is tried when another program takes the port in between.
const TRIES: u32 = 4;

/// A `MariaDB` server. Databases on it are made with [`MariaDb::database`].
#[derive(Debug)]
pub struct MariaDb {
    process: Process,
    port: u16,
    options: Options,
    certificate: Option<Certificate>,
    home: Home,
}

impl MariaDb {
    /// A server with everything of its own.
    pub async fn start() -> Result<Self, Fault> {
        Self::start_with(Options::default()).await
    }

    /// A server as `options` say.
    pub async fn start_with(options: Options) -> Result<Self, Fault> {
        let home = Home::new(options.dir.as_deref())?;
        let certificate = if options.tls {
            Some(Certificate::of(&home)?)
        } else {
            None
        };
        if !home.join("data/mysql").exists() {
            initialize(&home).await?;
        }
        home::write(&home.join("users.sql"), users(password(&options)))?;
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
        format!(
            "mysql://{USER}:{}@{}/{database}",
            password(&self.options),
            self.address()
        )
    }

    /// Makes a database unless it is there; gives its URL. Its character set is `utf8mb4`, its default collation the
    /// server's, which ignores case: tables must choose theirs.
    pub async fn database(&self, name: &str) -> Result<String, Fault> {
        let sql = format!("CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4");
        self.query("", &sql).await?;
        Ok(self.url(name))
    }

    /// Runs SQL in a database (`""` for none) with the `mariadb` client; gives what it prints, columns parted by tabs,
    /// without headings.
    pub async fn query(&self, database: &str, sql: &str) -> Result<String, Fault> {
        let mut client = Command::new(find(&["mariadb", "mysql"], "MariaDB; Debian: mariadb-client")?);
        client
            .args([
                "--no-defaults",
                "--protocol=tcp",
                "--host=127.0.0.1",
                "--batch",
                "--skip-column-names",
            ])
            .args([format!("--port={}", self.port), format!("--user={USER}")])
            .env("MYSQL_PWD", password(&self.options))
            .args(["--execute", sql, database])
            .stdin(Stdio::null());
        output("mariadb", client).await
    }

    /// A network before it that fails on demand, and understands COMMIT.
    pub async fn proxy(&self) -> Result<Proxy, Fault> {
        Proxy::start(self.address(), Wire::MySql).await
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

    /// Starts it again on the same port and data, after stopping it if it runs.
    pub async fn restart(&mut self) -> Result<(), Fault> {
        if self.process.ended().is_none() {
            self.stop().await;
        }
        self.process = launch(&self.home, self.port, &self.options, self.certificate.as_ref()).await?;
        Ok(())
    }
}

fn password(options: &Options) -> &str {
    options.password.as_deref().unwrap_or(PASSWORD)
}

/// What the server runs at every start before it takes connections. The root user has no password and may only come by
/// the socket in the server's directory.
fn users(password: &str) -> String {
    let user = |host| {
        format!(
            "CREATE USER IF NOT EXISTS '{USER}'@'{host}';\n\
             ALTER USER '{USER}'@'{host}' IDENTIFIED BY '{password}';\n\
             GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'{host}' WITH GRANT OPTION;\n"
        )
    };
    let mut sql = "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');\n\
         FLUSH PRIVILEGES;\n"
        .to_owned();
    sql.extend(["127.0.0.1", "localhost"].map(user));
    sql
}

/// Programs of `MariaDB` that run as root want to be told so.
fn as_ourselves(command: &mut Command) {
    if rustix::process::geteuid().is_root() {
        command.arg("--user=root");
    }
}

async fn initialize(home: &Home) -> Result<(), Fault> {
    // Every server that starts removes all temporary tables in its directory for them, other servers' as well.
    home::make(&home.join("tmp"))?;
    let mut install = Command::new(find(&["mariadb-install-db", "mysql_install_db"], PACKAGE)?);
    install
        .args(["--no-defaults", "--skip-test-db", "--skip-name-resolve"])
        .arg("--auth-root-authentication-method=normal")
        .arg(format!("--datadir={}", home.join("data").display()))
        .arg(format!("--tmpdir={}", home.join("tmp").display()));
    as_ourselves(&mut install);
    let install = Process::start("mariadb-install-db", &install, &home.log(), End::Kill)?;
    install.finish(START_WITHIN).await
}

async fn launch(
    home: &Home,
    port: u16,
    options: &Options,
    certificate: Option<&Certificate>,
) -> Result<Process, Fault> {
    let path = |name: &str| home.join(name).display().to_string();
    let mut server = Command::new(find(&["mariadbd", "mysqld"], PACKAGE)?);
    server
        .arg("--no-defaults")
        .arg(format!("--datadir={}", path("data")))
        .arg(format!("--tmpdir={}", path("tmp")))
        // In the data directory; a whole path could be longer than the 107 bytes that a socket's may have.
        .arg("--socket=mysql.sock")
        .arg(format!("--pid-file={}", path("pid")))
        .arg(format!("--init-file={}", path("users.sql")))
        .arg(format!("--port={port}"))
        .args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            // What others can see of a commit is on disk only with a binary log.
            "--log-bin=binlog",
            "--sync-binlog=1",
            "--binlog-format=ROW",
            "--server-id=1",
            "--character-set-server=utf8mb4",
        ]);
    as_ourselves(&mut server);
    match certificate {
        Some(files) => {
            for (option, file) in [("cert", &files.server), ("key", &files.key), ("ca", &files.authority)] {
                server.arg(format!("--ssl-{option}={}", file.display()));
            }
        }
        None => {
            server.arg("--skip-ssl");
        }
    }
    for (name, value) in &options.settings {
        server.arg(format!("--{name}={value}"));
    }
    let mut process = Process::start("MariaDB", &server, &home.log(), End::Kill)?;
    process
        .wait_until("take connections", START_WITHIN, async || {
            greets(on_loopback(port)).await
        })
        .await?;
    Ok(process)
}

/// Whether the server greets: it listens long before.
async fn greets(address: SocketAddr) -> bool {
    let greeting = async {
        let mut connection = TcpStream::connect(address).await?;
        connection.read_u8().await
    };
    matches!(timeout(GREET_WITHIN, greeting).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests;
