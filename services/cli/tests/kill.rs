//! `kill -9` of the whole mesh under load, again and again over the same data: what was answered is kept and settled.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop at once"
)]

mod rig;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use proto::{grab::v1::grab_response::Outcome, packet::v1::State};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rig::{Caller, Mesh, for_anyone, id_of, users};

const KILLS: usize = 20;
const PEOPLE: usize = 40;
const SHARES: u32 = 8;
const TOTAL_FEN: i64 = 8_88;
/// Keeps the number of packets such that the grabs, not the sends, are the load.
const BETWEEN_SENDS: Duration = Duration::from_millis(40);

/// What the mesh said before it was killed.
#[derive(Default)]
struct Said {
    packets: Mutex<Vec<String>>,
    /// (packet, user) → (share, amount)
    opens: Mutex<HashMap<(String, String), (u32, i64)>>,
    next_send: AtomicUsize,
    /// Whether the mesh of this round is still there to be asked.
    alive: AtomicBool,
}

/// Sends packets, half of which expire within a second or two, until the mesh is gone.
async fn keep_sending(sender: Caller, said: Arc<Said>) {
    while said.alive.load(Ordering::Relaxed) {
        tokio::time::sleep(BETWEEN_SENDS).await;
        let n = said.next_send.fetch_add(1, Ordering::Relaxed);
        let lifetime = Duration::from_secs(if n.is_multiple_of(2) { 1 } else { 3600 });
        match sender
            .send(for_anyone(format!("send-{n}"), TOTAL_FEN, SHARES, lifetime))
            .await
        {
            Ok(packet) => said.packets.lock().unwrap().push(id_of(&packet)),
            Err(_) => return,
        }
    }
}

/// Grabs and opens whatever was sent last until the mesh is gone, and notes every answer.
async fn keep_grabbing(caller: Caller, said: Arc<Said>, mut rng: StdRng) {
    while said.alive.load(Ordering::Relaxed) {
        let packets = said.packets.lock().unwrap().clone();
        let Some(recent) = packets
            .len()
            .checked_sub(1)
            .map(|last| last.saturating_sub(rng.random_range(0..6)))
        else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let packet_id = &packets[recent];
        match caller.grab(packet_id, true).await {
            Ok(Outcome::Opened(claim) | Outcome::AlreadyOpened(claim)) => {
                let key = (packet_id.clone(), caller.user.clone());
                let told = (claim.share_no, claim.amount_fen);
                let before = said.opens.lock().unwrap().insert(key, told);
                assert!(
                    before.is_none_or(|before| before == told),
                    "told two amounts: {before:?}, then {told:?}"
                );
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// Holds what was said against what is there.
async fn check(operator: &Caller, said: &Said) {
    operator.reconcile_when_settled().await;
    let packets = said.packets.lock().unwrap().clone();
    let opens = said.opens.lock().unwrap().clone();
    let claims = futures::future::join_all(packets.iter().map(|packet_id| operator.claims(packet_id))).await;
    for (packet_id, claims) in packets.iter().zip(claims) {
        let shares: HashMap<u32, _> = claims.iter().map(|claim| (claim.share_no, claim)).collect();
        let people: HashSet<_> = claims.iter().map(|claim| &claim.user_id).collect();
        assert_eq!(
            (shares.len(), people.len()),
            (claims.len(), claims.len()),
            "one share a person, one person a share"
        );
        assert!(claims.iter().map(|claim| claim.amount_fen).sum::<i64>() <= TOTAL_FEN);
        for ((_, user), (share_no, amount_fen)) in opens.iter().filter(|((packet, _), _)| packet == packet_id) {
            let claim = shares.get(share_no).expect("an answered open is there");
            assert_eq!((&claim.user_id, claim.amount_fen), (user, *amount_fen));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_lose_nothing_that_was_answered() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = testkit::Dir::new();
    let people = users(PEOPLE);
    let said = Arc::new(Said::default());

    for kill in 0..KILLS {
        let mesh = Mesh::start(dir.path(), &[]).await;
        let operator = mesh.operator();
        if kill == 0 {
            operator.open_accounts(&people, 20_000).await;
        } else {
            check(&operator, &said).await;
        }
        said.alive.store(true, Ordering::Relaxed);
        let mut load: Vec<_> = (0..4)
            .map(|n| tokio::spawn(keep_sending(mesh.caller(&people[n]), said.clone())))
            .collect();
        for user in &people[4..] {
            let rng = StdRng::seed_from_u64(rng.random());
            load.push(tokio::spawn(keep_grabbing(mesh.caller(user), said.clone(), rng)));
        }
        tokio::time::sleep(Duration::from_millis(rng.random_range(20..700))).await;
        mesh.kill();
        said.alive.store(false, Ordering::Relaxed);
        for task in load {
            task.await.expect("nobody was told two amounts");
        }
    }

    let mesh = Mesh::start(dir.path(), &[]).await;
    let operator = mesh.operator();
    check(&operator, &said).await;
    let packets = said.packets.lock().unwrap().clone();
    for packet_id in packets {
        testkit::eventually("what expired is refunded", async || {
            let packet = operator.packet(&packet_id).await.ok()?.packet?;
            let short = packet.terms.as_ref()?.expire_time?.seconds - packet.terms.as_ref()?.start_time?.seconds < 60;
            let refunded = packet.opened_fen + packet.refunded_fen == TOTAL_FEN;
            (!short || packet.state() == State::Completed && refunded).then_some(())
        })
        .await;
    }
    operator.reconcile_when_settled().await;
    let (sent, opened) = (said.packets.lock().unwrap().len(), said.opens.lock().unwrap().len());
    println!("{KILLS} kills, {sent} packets sent, {opened} opens answered, none lost");
    assert!(
        sent > KILLS && opened > KILLS,
        "there was load: {sent} sends, {opened} opens"
    );
}
