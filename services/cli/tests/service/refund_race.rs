//! The refund races the last opens: whoever comes first, total = opened + refunded (CLOSE-1).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::rig::{Caller, Mesh, On, REDIS_MARIADB, REDIS_POSTGRES, for_anyone, id_of, users};
use futures::future::join_all;
use proto::{
    grab::v1::{grab_response, open_response},
    packet::v1::{Packet, State},
};

const ROUNDS: usize = 200;
/// Rounds under way at once.
const AT_ONCE: usize = 50;
const SHARES: u32 = 4;
const TOTAL_FEN: i64 = 10_01;
/// Long enough to send and grab all rounds under way on a loaded machine, which engines and ten processes share.
const LIFETIME: Duration = Duration::from_secs(8);
/// The opens of a packet begin this long before its expiry …
const BEFORE_MS: u64 = 100;
/// … and are spread over this long, past the sweep that follows it.
const SPREAD_MS: u64 = 1_000;

/// How long until `ms` milliseconds after the packet's expiry, less [`BEFORE_MS`].
fn until(packet: &Packet, ms: u64) -> Duration {
    let expire = packet.terms.as_ref().and_then(|terms| terms.expire_time).unwrap();
    let expire = Duration::new(expire.seconds.unsigned_abs(), expire.nanos.unsigned_abs());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (expire + Duration::from_millis(ms)).saturating_sub(now + Duration::from_millis(BEFORE_MS))
}

/// One packet that expires while its vouchers are being opened; returns how many opens came in time and how many did
/// not.
async fn round(callers: &[Caller], sender: &Caller, n: usize) -> (usize, usize) {
    let request = for_anyone(format!("round-{n}"), TOTAL_FEN, SHARES, LIFETIME);
    let sent = sender.send(request).await.expect("sent");
    let packet_id = id_of(&sent);
    let opens = callers.iter().enumerate().map(async |(k, caller)| {
        let granted = match caller.grab(&packet_id, false).await.unwrap() {
            grab_response::Outcome::Granted(granted) => granted,
            // So busy may a machine be that the packet ends before somebody comes to it.
            grab_response::Outcome::Expired(_) => return None,
            other => panic!("each of {SHARES} people gets a voucher: {other:?}"),
        };
        let spread = u64::try_from(n * 7 + k * 97).unwrap() % SPREAD_MS;
        tokio::time::sleep(until(&sent, spread)).await;
        match caller
            .open(&packet_id, &granted.voucher)
            .await
            .expect("no error reaches anyone")
        {
            open_response::Outcome::Opened(claim) => Some(claim.amount_fen),
            open_response::Outcome::Expired(_) => None,
            open_response::Outcome::Exhausted(_) => panic!("each voucher has a share of its own"),
        }
    });
    let shown: Vec<Option<i64>> = join_all(opens).await;

    let packet = testkit::eventually("the packet completes", async || {
        let packet = sender.packet(&packet_id).await.ok()?.packet?;
        (packet.state() == State::Completed).then_some(packet)
    })
    .await;
    let claims = sender.claims(&packet_id).await;
    let stored: i64 = claims.iter().map(|claim| claim.amount_fen).sum();
    assert_eq!(
        shown.iter().flatten().sum::<i64>(),
        stored,
        "what was shown is what is kept"
    );
    assert_eq!(
        (packet.opened_fen, packet.opened_fen + packet.refunded_fen),
        (stored, TOTAL_FEN)
    );
    let in_time = shown.iter().flatten().count();
    (in_time, shown.len() - in_time)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_refunds_race_the_last_opens() {
    two_hundred_refunds(On::OneProcess).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_refunds_race_the_last_opens_on_redis_and_postgres() {
    two_hundred_refunds(REDIS_POSTGRES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_refunds_race_the_last_opens_on_redis_and_mariadb() {
    two_hundred_refunds(REDIS_MARIADB).await;
}

async fn two_hundred_refunds(on: On) {
    let dir = testkit::Dir::new();
    let mesh = Mesh::start(on, dir.path()).await;
    let people = users(1 + SHARES as usize);
    mesh.operator().open_accounts(&people, 10_000).await;
    let sender = mesh.caller(&people[0]);
    let callers: Vec<_> = people[1..].iter().map(|user| sender.r#as(user)).collect();

    let (mut in_time, mut too_late) = (0, 0);
    for start in (0..ROUNDS).step_by(AT_ONCE) {
        let rounds = (start..start + AT_ONCE).map(|n| round(&callers, &sender, n));
        for (yes, no) in join_all(rounds).await {
            (in_time, too_late) = (in_time + yes, too_late + no);
        }
    }
    println!("{ROUNDS} rounds: {in_time} opens came in time, {too_late} did not");
    assert!(
        in_time > 0 && too_late > 0,
        "it was no race: {in_time} in time, {too_late} too late"
    );
    mesh.operator().reconcile_when_settled().await;
}
