//! The README's own grpcurl lines, run with the real grpcurl against a real mesh.

use std::{fs, path::Path, process::Command};

use crate::rig::Mesh;

/// The shell blocks of the README that hold grpcurl lines, in order.
fn blocks(readme: &str) -> Vec<String> {
    readme
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|block| block.contains("grpcurl"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_readme_work_as_they_stand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).expect("a README");
    let blocks = blocks(&readme);
    assert!(blocks.len() >= 2, "the README shows grpcurl");
    let version = Command::new("grpcurl").arg("--version").status();
    assert!(
        version.is_ok_and(|status| status.success()),
        "grpcurl is missing: `make deps` installs it"
    );

    let dir = testkit::Dir::new();
    let mesh = Mesh::up(dir.path(), &["--demo-users"]).await;
    let mut packet_id = String::new();
    let mut said = String::new();
    for block in &blocks {
        // The mesh of the README listens on port 8080; this one on a port of its own.
        let script = block.replace("localhost:8080", &mesh.gateway.to_string());
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .env("PACKET", &packet_id)
            .output()
            .expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{block}\n{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        if let Some(found) = text
            .split("\"packetId\": \"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
        {
            packet_id = found.to_owned();
        }
        said.push_str(&text);
    }
    assert!(
        !said.contains("hongbao.account.v1.AccountService"),
        "only what is served is listed:
{said}"
    );
    let details = Command::new("grpcurl")
        .args([
            "-plaintext",
            &mesh.gateway.to_string(),
            "describe",
            "google.rpc.ErrorInfo",
        ])
        .status();
    assert!(
        details.is_ok_and(|status| status.success()),
        "grpcurl can read error details"
    );
    for needle in [
        "hongbao.gateway.v1.RedPacketService",
        "STATE_ACTIVE",
        "\"amountFen\"",
        "\"balanceFen\"",
    ] {
        assert!(said.contains(needle), "{needle} is missing in:\n{said}");
    }
}
