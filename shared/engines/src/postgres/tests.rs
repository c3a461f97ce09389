use std::time::Duration;

use super::*;
use crate::process::output;

/// One session through `port` that runs each of `statements` for itself.
async fn session(port: u16, statements: &[&str]) -> Result<String, Fault> {
    let mut psql = client("psql", port, None)?;
    psql.args(["--no-psqlrc", "-qtA", "-v", "ON_ERROR_STOP=1", "-d", "shop"]);
    for statement in statements {
        psql.args(["-c", statement]);
    }
    output("psql", psql).await
}

#[tokio::test]
async fn it_stops_starts_hangs_and_keeps_its_data() {
    let mut server = Postgres::start_with(Options::default().set("max_connections", "20"))
        .await
        .unwrap();
    let url = server.database("shop").await.unwrap();
    assert_eq!(url, format!("postgres://hongbao@{}/shop", server.address()));
    assert_eq!(
        server.database("shop").await.unwrap(),
        url,
        "making it again is no fault"
    );
    let query = "CREATE TABLE t (n int); INSERT INTO t VALUES (1)";
    server.query("shop", query).await.unwrap();
    assert_eq!(server.query("shop", "SHOW max_connections").await.unwrap(), "20");
    assert!(server.query("shop", "SELECT * FROM nowhere").await.is_err());

    server.restart().await.unwrap();
    server.kill().await;
    assert!(server.query("shop", "SELECT 1").await.is_err());
    server.restart().await.unwrap();
    server.stop_immediately().await;
    server.restart().await.unwrap();
    assert_eq!(server.query("shop", "SELECT n FROM t").await.unwrap(), "1");

    let port = server.address().port();
    let mut running = tokio::spawn(session(port, &["SELECT 6 FROM pg_sleep(0.2)"]));
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.pause();
    let asked = tokio::time::timeout(Duration::from_millis(400), session(port, &["SELECT 1"])).await;
    assert!(asked.is_err(), "a paused server answers nobody");
    let asked = tokio::time::timeout(Duration::from_millis(100), &mut running).await;
    assert!(asked.is_err(), "nor those that it served already");
    server.resume();
    assert_eq!(running.await.unwrap().unwrap(), "6");

    // A lost answer: committed. A lost request: not. The client cannot tell them apart.
    let proxy = server.proxy().await.unwrap();
    assert_eq!(proxy.url(&url), format!("postgres://hongbao@{}/shop", proxy.address()));
    let through = async |insert| {
        let statements = ["BEGIN", insert, "COMMIT", "SELECT 7"];
        session(proxy.address().port(), &statements).await
    };
    assert_eq!(through("INSERT INTO t VALUES (2)").await.unwrap(), "7");
    proxy.swallow_commit();
    assert!(through("INSERT INTO t VALUES (3)").await.is_err());
    proxy.lose_commit();
    assert!(through("INSERT INTO t VALUES (4)").await.is_err());
    assert_eq!(proxy.commits_lost(), 2);
    assert_eq!(through("INSERT INTO t VALUES (5)").await.unwrap(), "7");
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
    let server = Postgres::start_with(options.clone()).await.unwrap();
    assert!(server.url("x").starts_with("postgres://hongbao:s3cret@127.0.0.1:"));
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(server.query(FIRST, encrypted).await.unwrap(), "t");
    assert!(server.authority().unwrap().exists());
    let mut stranger = client("psql", server.port, Some("wrong")).unwrap();
    stranger.args(["-d", FIRST, "-c", "SELECT 1"]);
    let refused = output("psql", stranger).await.unwrap_err().to_string();
    assert!(refused.contains("password authentication failed"), "{refused}");

    server.query(FIRST, "CREATE TABLE kept (n int)").await.unwrap();
    drop(server);
    let server = Postgres::start_with(options).await.unwrap();
    assert_eq!(server.query(FIRST, "SELECT count(*) FROM kept").await.unwrap(), "0");
}

#[tokio::test]
async fn a_setting_that_is_none_is_told() {
    let fault = Postgres::start_with(Options::default().set("no_such_setting", "1"))
        .await
        .unwrap_err();
    assert!(fault.to_string().contains("no_such_setting"), "{fault}");
}
