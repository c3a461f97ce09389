//! `hongbao up` as a program: its start, its refusals, its stop.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use hongbao::up::{Mesh, MeshOptions};

const FREE: [&str; 10] = [
    "--gateway-port",
    "0",
    "--account-port",
    "0",
    "--packet-port",
    "0",
    "--grab-port",
    "0",
    "--transfer-port",
    "0",
];

fn up(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hongbao"));
    command.args(["up", "--data-dir"]).arg(data);
    command
}

/// A mesh in a process of its own, killed when dropped.
struct Running {
    child: Child,
    gateway: String,
}

impl Running {
    async fn start(data: &Path) -> Self {
        let ready = data.join("ready.json");
        fs::remove_file(&ready).ok();
        let mut child = up(data)
            .args(FREE)
            .args(["--demo-users", "--log", "error", "--ready-file"])
            .arg(&ready)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let gateway = testkit::eventually("the mesh serves", async || {
            assert!(child.try_wait().unwrap().is_none(), "it ended early");
            let ready: serde_json::Value = serde_json::from_slice(&fs::read(&ready).ok()?).unwrap();
            for service in ["account", "packet", "grab", "transfer"] {
                assert!(ready[service].as_str().unwrap().starts_with("127.0.0.1:"));
            }
            Some(ready["gateway"].as_str().unwrap().to_owned())
        })
        .await;
        Self { child, gateway }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits until it ends by itself.
    async fn ended(&mut self) -> ExitStatus {
        testkit::eventually("the mesh stops", async || self.child.try_wait().unwrap()).await
    }

    fn balance(&self, user: &str) -> i64 {
        let output = Command::new(env!("CARGO_BIN_EXE_hongbao"))
            .args(["wallet", "--json", "--as", user, "--gateway"])
            .arg(format!("http://{}", self.gateway))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let wallet: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        wallet["account"]["balance_fen"].as_i64().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn it_stops_when_asked_and_starts_again_where_it_was() {
    let dir = testkit::Dir::new();
    let mut first = Running::start(dir.path()).await;
    assert_eq!(first.balance("alice"), 100_000);
    let key = fs::read(dir.path().join("voucher.key")).unwrap();
    first.signal("TERM");
    assert_eq!(first.ended().await.code(), Some(0));
    let mut greeting = String::new();
    std::io::Read::read_to_string(&mut first.child.stdout.take().unwrap(), &mut greeting).unwrap();
    assert!(
        greeting.contains(&format!("grpcurl -plaintext {} list", first.gateway)),
        "{greeting}"
    );

    let mut second = Running::start(dir.path()).await;
    assert_eq!(
        fs::read(dir.path().join("voucher.key")).unwrap(),
        key,
        "the key is kept"
    );
    assert_eq!(second.balance("alice"), 100_000, "a restart gives nobody more");
    second.signal("INT");
    assert_eq!(second.ended().await.code(), Some(0));
}

#[test]
fn a_taken_port_is_told_with_its_flag() {
    let dir = testkit::Dir::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = up(dir.path())
        .args(&FREE[..8])
        .args(["--transfer-port", &port.to_string()])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.contains(&format!("port {port} ")) && told.contains("--transfer-port"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_meshes_never_share_a_directory() {
    let dir = testkit::Dir::new();
    let options = MeshOptions::free(dir.path(), "100ms");
    let mesh = Mesh::start(&options).await.unwrap();
    let output = up(dir.path()).args(FREE).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("another mesh") && told.contains(dir.path().to_str().unwrap()),
        "{told}"
    );
    assert!(Mesh::start(&options).await.is_err());

    assert!(mesh.stop().await, "drained");
    let again = Mesh::start(&options).await.unwrap();
    assert!(again.stop().await);
}

#[test]
fn a_wrong_setting_is_told_before_anything_starts() {
    let dir = testkit::Dir::new();
    for (setting, wrong) in [("--log", "a=b=c"), ("--log-format", "xml"), ("--gateway-port", "70000")] {
        let output = up(dir.path()).args([setting, wrong]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(setting), "{told}");
    }
    let output = up(dir.path())
        .args(FREE)
        .args(["--sweep-interval", "soon"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("sweep-interval"), "{told}");
}
