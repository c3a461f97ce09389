//! `hongbao demo`, as `make demo` plays it.

use std::process::Command;

#[test]
fn the_demo_plays_to_its_last_line() {
    plays_to_its_last_line(&[]);
}

#[test]
fn the_demo_plays_on_redis_and_postgres() {
    plays_to_its_last_line(&["--engines", "redis,postgres"]);
}

#[test]
fn the_demo_plays_on_a_redis_cluster_and_mariadb() {
    plays_to_its_last_line(&["--engines", "redis-cluster,mysql"]);
}

#[test]
fn the_demo_plays_on_postgres_alone() {
    plays_to_its_last_line(&["--engines", "postgres"]);
}

fn plays_to_its_last_line(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_hongbao"))
        .arg("demo")
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert_eq!(said.lines().last(), Some("reconciled: 0 differences"), "{said}");
    assert_eq!(complained, "", "it has nothing to complain of");
    for part in [
        "10 got a share, 10 came too late",
        "手气最佳",
        "hears that it is for others",
        "says nothing, then 财发喜恭, and gets nothing",
        "refunded",
        "10 claims settled",
        "1000.00 before, 1000.00 after",
    ] {
        assert!(said.contains(part), "{part:?} in:\n{said}");
    }
    assert_eq!(
        said.matches("verified: the seed fits the commitment").count(),
        5,
        "{said}"
    );
}
