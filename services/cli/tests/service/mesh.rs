//! `hongbao mesh` as a program: what it tells, what survives a death, what it leaves behind.

use std::{
    fs,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;

fn mesh(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hongbao"));
    command
        .args(["mesh", "--gateway-port", "0", "--data-dir"])
        .arg(data)
        .stdin(Stdio::null());
    command
}

/// `hongbao mesh` in a process of its own, killed when dropped.
struct Running {
    child: Child,
    ready: Value,
}

impl Running {
    /// Starts it and waits until it serves.
    async fn start(data: &Path, more: &[&str]) -> Self {
        let ready = data.join("ready.json");
        fs::remove_file(&ready).ok();
        let mut child = mesh(data)
            .args(more)
            .args(["--demo-users", "--log", "warn", "--ready-file"])
            .arg(&ready)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ready = testkit::eventually("the mesh serves", async || {
            if let Some(exit) = child.try_wait().unwrap() {
                let told = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
                panic!("it ended early: {exit}: {told}");
            }
            serde_json::from_slice(&fs::read(&ready).ok()?).ok()
        })
        .await;
        Self { child, ready }
    }

    fn pid(&self, name: &str) -> u64 {
        let mut processes = self.ready["processes"].as_array().unwrap().iter();
        processes.find(|process| process["name"] == name).unwrap()["pid"]
            .as_u64()
            .unwrap()
    }

    /// Runs a client command as `user`; gives what it prints.
    fn ask(&self, user: &str, line: &str) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_hongbao"))
            .args(line.split(' '))
            .args(["--json", "--as", user, "--gateway"])
            .arg(format!("http://{}", self.ready["gateway"].as_str().unwrap()))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    async fn ended(&mut self) -> ExitStatus {
        testkit::eventually("the mesh stops", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub fn signal(name: &str, pid: u64) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// The command lines of processes that have to do with `dir`, those of every engine's own children among them.
pub fn left(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let about_it = |process: &Path| {
        let places = ["cmdline", "environ"].map(|file| fs::read(process.join(file)).unwrap_or_default());
        let works_in = fs::read_link(process.join("cwd")).unwrap_or_default();
        let [line, environment] = places.map(|text| String::from_utf8_lossy(&text).replace('\0', " "));
        (line.contains(dir) || environment.contains(dir) || works_in.starts_with(dir)).then_some(line)
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| about_it(&process.path())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_no_process() {
    let dir = testkit::Dir::new();
    let mut mesh = Running::start(dir.path(), &["--engines", "redis,postgres", "--shards", "2"]).await;
    let names: Vec<_> = mesh.ready["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].clone())
        .collect();
    assert_eq!(
        names,
        [
            "redis",
            "postgres",
            "gateway",
            "packet",
            "transfer-1",
            "transfer-2",
            "grab-1",
            "grab-2",
            "account"
        ]
    );
    assert!(left(dir.path()).len() > names.len(), "PostgreSQL has children");
    assert_eq!(mesh.ask("alice", "wallet")["account"]["balance_fen"], 100_000);

    signal("TERM", mesh.child.id().into());
    assert_eq!(mesh.ended().await.code(), Some(0));
    assert_eq!(left(dir.path()), Vec::<String>::new());
    let told = std::io::read_to_string(mesh.child.stdout.take().unwrap()).unwrap();
    for part in ["grab-2", "packet_1", "postgres://127.0.0.1:", "HONGBAO_GATEWAY"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let password = fs::read_to_string(dir.path().join("engine.password")).unwrap();
    assert!(!told.contains(password.trim()), "{told}");

    let mut again = Running::start(dir.path(), &["--engines", "redis,postgres", "--shards", "2"]).await;
    assert_eq!(
        again.ask("alice", "wallet")["account"]["balance_fen"],
        100_000,
        "it is where it was"
    );
    signal("KILL", again.child.id().into());
    again.ended().await;
    testkit::eventually("all die with it", async || left(dir.path()).is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_is_told_and_the_others_serve_on() {
    let dir = testkit::Dir::new();
    let mut mesh = Running::start(dir.path(), &["--engines", "redis,mysql"]).await;
    signal("KILL", mesh.pid("grab-1"));
    signal("KILL", mesh.pid("transfer-2"));
    // Longer than it takes to see that they are gone.
    tokio::time::sleep(Duration::from_millis(300)).await;
    for n in 0..5 {
        let packet = mesh.ask(
            "alice",
            &format!("send 3.00 --shares 1 --to-group friends --request-id p{n}"),
        );
        let packet = packet["packet_id"].as_str().unwrap();
        assert_eq!(mesh.ask("bob", &format!("grab {packet} --open"))["outcome"], "opened");
    }
    testkit::eventually("the money has moved", async || {
        (mesh.ask("bob", "wallet")["account"]["balance_fen"] == 101_500).then_some(())
    })
    .await;

    signal("INT", mesh.child.id().into());
    assert_eq!(mesh.ended().await.code(), Some(1), "something died on the way");
    assert_eq!(left(dir.path()), Vec::<String>::new());
    let told = std::io::read_to_string(mesh.child.stderr.take().unwrap()).unwrap();
    for name in ["grab-1", "transfer-2"] {
        let death = format!("{name} (pid {}) died: signal: 9", mesh.pid(name));
        assert_eq!(told.matches(&death).count(), 1, "{told}");
    }
}

#[test]
fn what_cannot_start_is_told() {
    let dir = testkit::Dir::new();
    let refused = |more: &[&str], code: i32| {
        let output = mesh(dir.path()).args(more).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{told}");
        told
    };
    let told = refused(&["--programs", dir.path().to_str().unwrap()], 1);
    assert!(
        told.contains("hongbao-gateway") && told.contains("cargo build --bins"),
        "{told}"
    );
    assert!(refused(&["--engines", "redis,oracle"], 2).contains("postgres, mysql and sqlite"));
    assert!(refused(&["--set", "sweep_interval=1s"], 2).contains("packet.sweep_interval=1s"));
    let told = refused(&["--engines", "sqlite", "--set", "packet.sweep_interval=soon"], 1);
    assert!(told.contains("sweep-interval: `soon`"), "{told}");
    assert_eq!(left(dir.path()), Vec::<String>::new());
}
