//! A mesh with the demo users, and the `hongbao` program as its client.

use std::process::{Command, Output, Stdio};

use hongbao::{
    client::Client,
    up::{Mesh, MeshOptions, people},
};
use serde_json::Value;

/// How often the mesh looks for expired packets.
const SWEEP_INTERVAL: &str = "100ms";

/// A mesh in this process, with alice, bob, carol and dave. The test must run on more than one thread, because the
/// client's process is waited for on the test's own.
pub struct World {
    _dir: testkit::Dir,
    mesh: Mesh,
}

impl World {
    pub async fn start() -> Self {
        let dir = testkit::Dir::new();
        let mesh = Mesh::start(&MeshOptions::free(dir.path(), SWEEP_INTERVAL))
            .await
            .unwrap();
        let world = Self { _dir: dir, mesh };
        people::arrive(&Client::new(&world.gateway()).unwrap()).await.unwrap();
        world
    }

    pub fn gateway(&self) -> String {
        self.mesh.addresses().gateway_url()
    }

    /// Stops the mesh; everything must be drained.
    pub async fn stop(self) {
        assert!(self.mesh.stop().await, "drained");
    }

    /// The program as `user`, with `line` cut at spaces.
    pub fn command(&self, user: &str, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hongbao"));
        command
            .args(line.split(' '))
            .env("HONGBAO_GATEWAY", self.gateway())
            .env_remove("HONGBAO_USER")
            .stdin(Stdio::null());
        if !user.is_empty() {
            command.args(["--as", user]);
        }
        command
    }

    /// Runs it: exit code, standard output, standard error.
    pub fn run(&self, user: &str, line: &str) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.command(user, line).output().unwrap();
        (
            status.code(),
            String::from_utf8(stdout).unwrap(),
            String::from_utf8(stderr).unwrap(),
        )
    }

    /// Runs it with `--json`, which must succeed; gives the document.
    pub fn json(&self, user: &str, line: &str) -> Value {
        let (code, said, complained) = self.run(user, &format!("{line} --json"));
        assert_eq!((code, complained.as_str()), (Some(0), ""), "{line}: {said}");
        assert_eq!(said.lines().count(), 1, "one document: {said}");
        serde_json::from_str(&said).unwrap()
    }

    /// Runs it for people, which must succeed; gives the text.
    pub fn text(&self, user: &str, line: &str) -> String {
        let (code, said, complained) = self.run(user, line);
        assert_eq!((code, complained.as_str()), (Some(0), ""), "{line}: {said}");
        said
    }

    /// Runs it, which must fail with `code` and one line, which it gives.
    pub fn refused(&self, user: &str, line: &str, code: i32) -> String {
        let (exit, said, complained) = self.run(user, line);
        assert_eq!((exit, said.as_str()), (Some(code), ""), "{line}: {complained}");
        assert_eq!(complained.lines().count(), 1, "one line: {complained}");
        complained
    }

    /// Sends a packet as alice; gives its id.
    pub fn send(&self, line: &str) -> String {
        let sent = self.json("alice", &format!("send {line}"));
        assert_eq!(sent["state"], "ACTIVE", "{sent}");
        sent["packet_id"].as_str().unwrap().to_owned()
    }

    /// Grabs and opens; gives the amount.
    pub fn grab(&self, user: &str, packet: &str) -> i64 {
        let grabbed = self.json(user, &format!("grab {packet} --open"));
        assert_eq!(grabbed["outcome"], "opened", "{grabbed}");
        assert_eq!(grabbed["claim"]["user_id"], user);
        grabbed["claim"]["amount_fen"].as_i64().unwrap()
    }

    /// Asks until the answer is what is waited for.
    pub async fn until(&self, user: &str, line: &str, holds: impl Fn(&Value) -> bool) -> Value {
        testkit::eventually(line, async || {
            let answer = self.json(user, line);
            holds(&answer).then_some(answer)
        })
        .await
    }
}
