//! A real mesh, of one process or of many, and callers of its gateway.

mod caller;

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use hongbao::mesh::{self, Layout};

pub use caller::{Caller, for_anyone, id_of, users};

/// How often the meshes look for expired packets.
const SWEEP_INTERVAL: &str = "100ms";

/// What a mesh runs on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    /// `hongbao up`: one process, on SQLite.
    OneProcess,
    /// A process for each instance of a service, on these engines.
    Engines(&'static str),
}

/// Many processes on Redis and `PostgreSQL`.
pub const REDIS_POSTGRES: On = On::Engines("redis,postgres");
/// Many processes on Redis and `MariaDB`.
pub const REDIS_MARIADB: On = On::Engines("redis,mysql");

/// A mesh that serves. Dropping it kills it.
pub struct Mesh {
    processes: Processes,
    pub gateway: SocketAddr,
}

enum Processes {
    One(One),
    Many(Box<mesh::Mesh>),
}

/// `hongbao up`.
struct One(Child);

impl Mesh {
    /// Starts a mesh on free ports over `data` and waits until it serves.
    pub async fn start(on: On, data: &Path) -> Self {
        match on {
            On::OneProcess => Self::up(data, &[]).await,
            On::Engines(engines) => {
                let mut layout = Layout::free(engines.parse().expect("engines"), data)
                    .set("packet", "sweep_interval", SWEEP_INTERVAL)
                    .set("packet", "lease", "5s")
                    .set("transfer", "lease_ttl", "2s");
                // Ten processes and their engines on a loaded machine: what is asked is whether they are right, not how fast.
                for service in ["gateway", "packet", "transfer", "grab", "account"] {
                    layout = layout.set(service, "request_timeout", "60s");
                }
                layout.programs = Path::new(env!("CARGO_BIN_EXE_hongbao")).parent().map(Path::to_owned);
                let mesh = mesh::Mesh::start(&layout).await.expect("a mesh");
                Self {
                    gateway: mesh.gateway(),
                    processes: Processes::Many(Box::new(mesh)),
                }
            }
        }
    }

    /// Starts `hongbao up` with `more` arguments.
    pub async fn up(data: &Path, more: &[&str]) -> Self {
        let ready = data.join("ready.json");
        fs::remove_file(&ready).ok();
        let ports = ["gateway", "account", "packet", "grab", "transfer"].map(|service| format!("--{service}-port"));
        let child = Command::new(env!("CARGO_BIN_EXE_hongbao"))
            .args(["up", "--log", "error", "--sweep-interval", SWEEP_INTERVAL])
            .args(ports.iter().flat_map(|port| [port, "0"]))
            .arg("--data-dir")
            .arg(data)
            .arg("--ready-file")
            .arg(&ready)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("hongbao starts");
        let mut one = One(child);
        let gateway = testkit::eventually("the mesh serves", async || {
            if let Ok(Some(exit)) = one.0.try_wait() {
                panic!("hongbao up ended early: {exit}");
            }
            let ready: serde_json::Value = serde_json::from_str(&fs::read_to_string(&ready).ok()?).ok()?;
            ready["gateway"].as_str()?.parse().ok()
        })
        .await;
        Self {
            processes: Processes::One(one),
            gateway,
        }
    }

    /// `kill -9` of every process, engines included: no signal handler runs, nothing is flushed.
    pub async fn kill(self) {
        match self.processes {
            Processes::One(one) => drop(one),
            Processes::Many(mesh) => mesh.kill_all().await,
        }
    }

    /// The mesh of many processes, to kill and revive some of them.
    pub fn many(&mut self) -> &mut mesh::Mesh {
        match &mut self.processes {
            Processes::One(_) => panic!("it is one process"),
            Processes::Many(mesh) => mesh,
        }
    }

    /// A caller known as `user`.
    pub fn caller(&self, user: &str) -> Caller {
        Caller::new(self.gateway, user)
    }

    /// An operator.
    pub fn operator(&self) -> Caller {
        Caller::operator(self.gateway)
    }
}

impl Drop for One {
    /// `kill -9`.
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
