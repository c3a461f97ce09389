//! A ledger that stands still, and the backlog it leaves.

use id::PacketId;
use testkit::engines::Proxy;

use crate::mesh::Mesh;

/// Claims that wait, in packets of so many shares.
const PACKETS: u16 = 100;
const SHARES: u32 = 50;
/// Calls of the ledger that are enough for them: a batch holds 500 claims or more whenever there are as many. Some are made
/// twice because an answer was late, and the first and the last of the log are small.
const MAX_CALLS: usize = 40;

fn packet(n: u16) -> PacketId {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&n.to_be_bytes());
    PacketId::new(1_700_000_000_000, &random)
}

/// The ledger takes calls and never answers: the claims of others wait, in the log and not in memory, and are settled in full
/// batches when it answers again.
#[tokio::test]
async fn the_backlog_of_a_ledger_that_hung_is_settled_in_full_batches() {
    let mut mesh = Mesh::new().await;
    let account = mesh.config.account.to_string();
    let address = account
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .unwrap();
    let proxy = Proxy::opaque(address).await.unwrap();
    mesh.config.account = testkit::endpoint(proxy.address());
    let (mesh, transfer) = mesh.furnished().await;
    for n in 0..PACKETS {
        transfer.fund(packet(n), "sender", i64::from(SHARES)).await.unwrap();
    }
    proxy.hang();
    for n in 0..PACKETS {
        for share_no in 0..SHARES {
            mesh.log.claim(packet(n), share_no, "alice", 1);
        }
    }
    let claims = i64::from(PACKETS) * i64::from(SHARES);
    testkit::eventually("somebody waits for the ledger", async || {
        (mesh.log.tails() > 0 && mesh.bank.wallet("alice") == 0).then_some(())
    })
    .await;
    let before = mesh.bank.calls();
    proxy.resume();
    testkit::eventually("everybody is paid", async || {
        (mesh.bank.wallet("alice") == claims).then_some(())
    })
    .await;
    let calls = mesh.bank.calls() - before;
    assert!(calls <= MAX_CALLS, "{calls} calls for {claims} claims");
    assert!(
        mesh.bank.largest() < 1_000,
        "a full batch, and what the last message holds beyond"
    );
    assert_eq!(transfer.settled(claims).await.open_case_count, 0);
}
