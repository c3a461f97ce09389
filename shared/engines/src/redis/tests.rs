use std::time::Duration;

use super::*;

#[tokio::test]
async fn it_stops_starts_hangs_and_forgets() {
    let mut server = Redis::start_with(Options::default().set("maxmemory-policy", "allkeys-lru"))
        .await
        .unwrap();
    assert_eq!(server.url(), format!("redis://{}", server.address()));
    let policy = server.command(&["CONFIG", "GET", "maxmemory-policy"]).await.unwrap();
    assert_eq!(policy, "maxmemory-policy\nallkeys-lru");
    assert!(server.command(&["GET"]).await.is_err(), "an error reply is a fault");
    server.command(&["SET", "a", "1"]).await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(server.command(&["GET", "a"]).await.unwrap(), "", "nothing is kept");

    server.command(&["SET", "a", "2"]).await.unwrap();
    server.command(&["SAVE"]).await.unwrap();
    assert!(server.dir().join("dump.rdb").exists());
    server.command(&["SET", "a", "3"]).await.unwrap();
    server.kill().await;
    assert!(server.command(&["PING"]).await.is_err());
    server.restart().await.unwrap();
    assert_eq!(
        server.command(&["GET", "a"]).await.unwrap(),
        "2",
        "an older dump is back"
    );

    server.pause();
    let asked = tokio::time::timeout(Duration::from_millis(300), server.command(&["PING"])).await;
    assert!(asked.is_err(), "a paused server answers nobody");
    server.resume();
    assert_eq!(server.command(&["PING"]).await.unwrap(), "PONG");
    let id = server.process().id();
    drop(server);
    assert!(!Path::new(&format!("/proc/{id}")).exists());
}

#[tokio::test]
async fn a_replica_follows_with_password_and_tls() {
    let master = Redis::start_with(Options::default().password("s3cret").tls())
        .await
        .unwrap();
    assert_eq!(master.url(), format!("rediss://:s3cret@{}", master.address()));
    assert!(master.authority().unwrap().exists());
    let plain = Cli::new(master.port, &Options::default(), None);
    assert!(plain.say(&["PING"]).await.is_err(), "without TLS");
    let nobody = Cli::new(master.port, &Options::default(), master.certificate());
    let refused = nobody.say(&["PING"]).await.unwrap_err().to_string();
    assert!(refused.contains("NOAUTH"), "{refused}");

    let replica = Redis::replica_of(&master, Options::default()).await.unwrap();
    master.command(&["SET", "a", "1"]).await.unwrap();
    while replica.command(&["GET", "a"]).await.unwrap() != "1" {}
    assert!(replica.command(&["SET", "a", "2"]).await.is_err(), "it is read-only");
    replica.command(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    replica.command(&["SET", "a", "2"]).await.unwrap();
}
