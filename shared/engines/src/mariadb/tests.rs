use std::time::Duration;

use super::*;

/// One session through `port`; the client sends each statement for itself.
async fn session(port: u16, sql: &str) -> Result<String, Fault> {
    let mut client = Command::new(find(&["mariadb"], PACKAGE)?);
    client
        .args([
            "--no-defaults",
            "--protocol=tcp",
            "--host=127.0.0.1",
            "-BN",
            "--user",
            USER,
        ])
        .arg(format!("--port={port}"))
        .env("MYSQL_PWD", PASSWORD)
        .args(["--execute", sql, "shop"]);
    output("mariadb", client).await
}

#[tokio::test]
async fn it_stops_starts_hangs_and_keeps_its_data() {
    let options = Options::default().set("innodb_lock_wait_timeout", "7");
    let mut server = MariaDb::start_with(options).await.unwrap();
    let url = server.database("shop").await.unwrap();
    assert_eq!(url, format!("mysql://hongbao:hongbao@{}/shop", server.address()));
    assert_eq!(
        server.database("shop").await.unwrap(),
        url,
        "making it again is no fault"
    );
    server
        .query("shop", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        .await
        .unwrap();
    assert_eq!(
        server.query("", "SELECT @@innodb_lock_wait_timeout").await.unwrap(),
        "7"
    );
    assert!(server.query("shop", "SELECT * FROM nowhere").await.is_err());

    server.restart().await.unwrap();
    server.kill().await;
    assert!(server.query("shop", "SELECT 1").await.is_err());
    server.restart().await.unwrap();
    assert_eq!(server.query("shop", "SELECT n FROM t").await.unwrap(), "1");

    server.pause();
    let asked = tokio::time::timeout(Duration::from_millis(400), server.query("shop", "SELECT 1")).await;
    assert!(asked.is_err(), "a paused server answers nobody");
    server.resume();
    assert_eq!(server.query("shop", "SELECT 1").await.unwrap(), "1");

    // A lost answer: committed. A lost request: not. The client cannot tell them apart.
    let proxy = server.proxy().await.unwrap();
    let through = async |n: u32| {
        let sql = format!("BEGIN; INSERT INTO t VALUES ({n}); COMMIT; SELECT 7");
        session(proxy.address().port(), &sql).await
    };
    assert_eq!(through(2).await.unwrap(), "7");
    proxy.swallow_commit();
    assert!(through(3).await.is_err());
    proxy.lose_commit();
    assert!(through(4).await.is_err());
    assert_eq!(proxy.commits_lost(), 2);
    assert_eq!(through(5).await.unwrap(), "7");
    assert_eq!(
        server.query("shop", "SELECT n FROM t ORDER BY n").await.unwrap(),
        "1\n2\n3\n5"
    );

    let id = server.process().id();
    drop(server);
    assert!(!Path::new(&format!("/proc/{id}")).exists());
}

#[tokio::test]
async fn a_password_and_tls_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default()
        .dir(dir.path().join("deep/er"))
        .password("s3cret")
        .tls();
    let server = MariaDb::start_with(options.clone()).await.unwrap();
    assert!(server.url("x").starts_with("mysql://hongbao:s3cret@127.0.0.1:"));
    server.database("kept").await.unwrap();
    assert!(session(server.port, "SELECT 1").await.is_err(), "another password");
    assert_eq!(server.query("", "SELECT @@have_ssl").await.unwrap(), "YES");
    drop(server);
    let server = MariaDb::start_with(options).await.unwrap();
    assert_eq!(server.query("", "SHOW DATABASES LIKE 'kept'").await.unwrap(), "kept");
}
