use std::io::ErrorKind;

use tokio::time::{Instant, timeout};

use super::*;

const SHORT: Duration = Duration::from_millis(100);

/// A server that sends back what it gets.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = client.split();
                tokio::io::copy(&mut from, &mut to).await.ok();
            });
        }
    });
    address
}

async fn said(connection: &mut TcpStream, word: &[u8; 4]) -> io::Result<[u8; 4]> {
    let mut answer = [0; 4];
    connection.write_all(word).await?;
    connection.read_exact(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn the_network_fails_on_demand() {
    let proxy = Proxy::start(echo().await, Wire::Opaque).await.unwrap();
    let connect = || TcpStream::connect(proxy.address());
    let mut first = connect().await.unwrap();
    assert_eq!(&said(&mut first, b"one.").await.unwrap(), b"one.");

    proxy.cut();
    assert!(said(&mut first, b"gone").await.is_err());
    let mut second = connect().await.unwrap();
    assert_eq!(&said(&mut second, b"two.").await.unwrap(), b"two.");

    proxy.hang();
    let mut third = connect().await.expect("connections are taken");
    assert!(timeout(SHORT, said(&mut second, b"wait")).await.is_err());
    assert!(timeout(SHORT, said(&mut third, b"wait")).await.is_err());
    proxy.resume();
    let mut held = [0; 4];
    second.read_exact(&mut held).await.unwrap();
    assert_eq!(&held, b"wait", "what was held passes");
    third.read_exact(&mut held).await.unwrap();

    proxy.delay(SHORT);
    let began = Instant::now();
    said(&mut third, b"slow").await.unwrap();
    assert!(began.elapsed() >= 2 * SHORT, "each way");

    proxy.refuse();
    assert!(said(&mut third, b"gone").await.is_err());
    // The listener closes a moment after it is told to.
    let refused = async || loop {
        match connect().await {
            Err(fault) => return fault.kind(),
            Ok(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(
        timeout(SHORT * 10, refused()).await.unwrap(),
        ErrorKind::ConnectionRefused
    );
    proxy.resume();
    let accepted = async || loop {
        if let Ok(connection) = connect().await {
            return connection;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let mut fourth = timeout(SHORT * 10, accepted()).await.unwrap();
    assert_eq!(&said(&mut fourth, b"back").await.unwrap(), b"back");
}
