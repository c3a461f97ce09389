//! One instance of a service, a process of its own.

use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use engines::{End, Process};
use runtime::{Channel, client::Endpoints, config::ENV_PREFIX};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::Death;

/// The services, in the order in which they stop.
pub const SERVICES: [&str; 5] = ["gateway", "packet", "transfer", "grab", "account"];
/// A service that does not serve after this long will not.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// Between two looks at a service that starts.
const START_PAUSE: Duration = Duration::from_millis(20);
/// How long a stop takes at most: the services' own time to drain, and some.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// How long bringing a store up to date may take.
const MIGRATE_TIMEOUT: Duration = Duration::from_mins(5);

/// Where the programs of the services are.
#[derive(Clone, Debug)]
pub struct Programs(PathBuf);

impl Programs {
    /// In `dir`, or where this program is. A fault says which are missing and how to build them.
    pub fn find(dir: Option<&Path>) -> anyhow::Result<Self> {
        let own = env::current_exe().context("cannot find this program")?;
        let dir = dir.or(own.parent()).context("cannot find this program's directory")?;
        let programs = Self(dir.to_owned());
        let missing = SERVICES.map(|service| programs.of(service));
        let missing: Vec<_> = missing.iter().filter(|program| !program.is_file()).collect();
        let Some(first) = missing.first() else {
            return Ok(programs);
        };
        let release = if programs.0.ends_with("release") {
            " --release"
        } else {
            ""
        };
        bail!(
            "{} of the services' programs are missing, such as {}: build all with `cargo build{release} --bins`",
            missing.len(),
            first.display()
        )
    }

    fn of(&self, service: &str) -> PathBuf {
        self.0.join(format!("hongbao-{service}"))
    }
}

/// How a service's process is started: its program, its settings, its log.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The service, such as `grab`.
    pub service: &'static str,
    /// The instance, such as `grab-2`.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its settings, by name. They go by the environment, which others cannot read.
    pub settings: Vec<(String, String)>,
    /// Where it writes.
    pub log: PathBuf,
}

impl Recipe {
    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let mut settings = self.settings.iter().rev();
        settings.find(|(set, _)| set == name).map(|(_, value)| value.as_str())
    }

    fn command(&self, programs: &Programs) -> Command {
        let mut command = Command::new(programs.of(self.service));
        // What the caller of the mesh has in its environment is meant for the command line.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(ENV_PREFIX)) {
            command.env_remove(name);
        }
        for (name, value) in &self.settings {
            command.env(format!("{ENV_PREFIX}{}", name.to_uppercase()), value);
        }
        command
    }

    /// Brings the service's store up to date.
    pub async fn migrate(&self, programs: &Programs) -> anyhow::Result<()> {
        let mut command = self.command(programs);
        command.arg("migrate");
        let mut process = Process::start(
            &format!("hongbao-{} migrate", self.service),
            &command,
            &self.log,
            End::Kill,
        )?;
        match process.wait(MIGRATE_TIMEOUT).await {
            Some(how) if how.success() => Ok(()),
            Some(_) => Ok(process.expect_running()?),
            None => bail!(
                "hongbao-{} migrate takes too long; its log is {}",
                self.service,
                self.log.display()
            ),
        }
    }
}

/// A service's process.
#[derive(Debug)]
pub struct Member {
    recipe: Recipe,
    process: Process,
    mourned: bool,
}

impl Member {
    /// Starts the process; it serves some time later.
    pub fn start(recipe: Recipe, programs: &Programs) -> anyhow::Result<Self> {
        let process = Process::start(&recipe.name, &recipe.command(programs), &recipe.log, End::Kill)?;
        Ok(Self {
            recipe,
            process,
            mourned: false,
        })
    }

    /// How it was started.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Waits until it says that it serves. A fault if it ends before, or takes too long.
    pub async fn serves(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        let health = Health::of(self.recipe.address)?;
        loop {
            self.process.expect_running()?;
            if health.is_good().await {
                return Ok(());
            }
            if Instant::now() > deadline {
                let Recipe { name, address, log, .. } = &self.recipe;
                bail!(
                    "{name} on {address} does not come to serve; its log is {}",
                    log.display()
                );
            }
            tokio::time::sleep(START_PAUSE).await;
        }
    }

    /// How it died, told once.
    pub(super) fn death(&mut self) -> Option<Death> {
        if self.mourned {
            return None;
        }
        let how = self.process.ended()?;
        self.mourned = true;
        let Recipe { name, log, .. } = &self.recipe;
        Some(Death {
            name: name.clone(),
            told: format!(
                "{name} (pid {}) died: {how}; its log is {}",
                self.process.id(),
                log.display()
            ),
        })
    }

    /// SIGTERM, without waiting for the end; nobody wonders at it.
    pub(super) fn terminate(&mut self) {
        self.mourned = true;
        self.process.terminate();
    }

    /// Waits for the end that [`Member::terminate`] asked for: whether it came in time and with exit code 0. If it did not come,
    /// SIGKILL.
    pub(super) async fn is_drained(&mut self) -> bool {
        if let Some(how) = self.process.wait(STOP_TIMEOUT).await {
            return how.success();
        }
        self.process.kill().await;
        false
    }

    /// Its process, to stop it for a while.
    pub(super) fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// SIGTERM, then SIGKILL when its time is up; `true` if that was not needed.
    pub async fn stop(&mut self) -> bool {
        self.process.stop(STOP_TIMEOUT).await
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.process.kill().await;
        self.mourned = true;
    }

    /// Starts it again where it was.
    pub fn restart(&mut self, programs: &Programs) -> anyhow::Result<()> {
        *self = Self::start(self.recipe.clone(), programs)?;
        Ok(())
    }
}

/// Asks whether an instance serves.
pub(super) struct Health(HealthClient<Channel>);

impl Health {
    /// Of the instance at `address`.
    pub(super) fn of(address: SocketAddr) -> anyhow::Result<Self> {
        let endpoint = Endpoints::parse(&format!("http://{address}")).context("an address")?;
        Ok(Self(HealthClient::new(runtime::client::channel(&endpoint))))
    }

    async fn is_good(&self) -> bool {
        let answer = self.0.clone().check(HealthCheckRequest::default()).await;
        answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
    }

    /// Resolves when it serves, however often it dies before.
    pub(super) async fn good(self) {
        while !self.is_good().await {
            tokio::time::sleep(START_PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_the_way_to_build_it() {
        let dir = testkit::Dir::new();
        let release = dir.path().join("release");
        std::fs::create_dir(&release).unwrap();
        let told = Programs::find(Some(&release)).unwrap_err().to_string();
        assert!(
            told.contains("hongbao-gateway") && told.contains("cargo build --release --bins"),
            "{told}"
        );
        for service in SERVICES {
            std::fs::write(release.join(format!("hongbao-{service}")), "").unwrap();
        }
        Programs::find(Some(&release)).unwrap();
    }
}
