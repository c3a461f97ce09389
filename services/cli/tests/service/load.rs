//! Load on a mesh that is killed meanwhile, and what it was told.

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
use tokio::task::JoinHandle;
use tonic::Code;

use crate::rig::{Caller, Mesh, for_anyone, id_of};

/// How many people [`Said::load`] needs: a few send, the others grab.
pub const PEOPLE: usize = 40;
const SENDERS: usize = 4;
const SHARES: u32 = 8;
const TOTAL_FEN: i64 = 8_88;
/// Keeps the number of packets such that the grabs, not the sends, are the load.
const BETWEEN_SENDS: Duration = Duration::from_millis(40);
/// Before somebody who got an error tries again.
const AFTER_AN_ERROR: Duration = Duration::from_millis(10);

/// What the mesh said before something was killed.
#[derive(Default)]
pub struct Said {
    packets: Mutex<Vec<String>>,
    /// (packet, user) → (share, amount)
    opens: Mutex<HashMap<(String, String), (u32, i64)>>,
    next_send: AtomicUsize,
    errors: Mutex<Vec<(Code, String)>>,
    /// Whether anybody is still to ask.
    alive: AtomicBool,
}

impl Said {
    /// Starts to send and to grab, on the gateway of `mesh`.
    pub fn load(self: &Arc<Self>, mesh: &Mesh, people: &[String], rng: &mut StdRng) -> Load {
        self.alive.store(true, Ordering::Relaxed);
        let (senders, grabbers) = people.split_at(SENDERS);
        let mut tasks: Vec<_> = senders
            .iter()
            .map(|user| tokio::spawn(keep_sending(mesh.caller(user), self.clone())))
            .collect();
        tasks.extend(grabbers.iter().map(|user| {
            let rng = StdRng::seed_from_u64(rng.random());
            tokio::spawn(keep_grabbing(mesh.caller(user), self.clone(), rng))
        }));
        Load {
            said: self.clone(),
            tasks,
        }
    }

    /// How many packets were sent and how many opens answered.
    pub fn counts(&self) -> (usize, usize) {
        (self.packets.lock().unwrap().len(), self.opens.lock().unwrap().len())
    }

    /// Waits until `more` opens were answered than now, so that there is something to lose however slow the machine is.
    pub async fn until_more_opens(&self, more: usize) {
        let (_, before) = self.counts();
        testkit::eventually("opens are answered", async || {
            (self.counts().1 >= before + more).then_some(())
        })
        .await;
    }

    /// The errors since this was last asked.
    pub fn errors(&self) -> Vec<(Code, String)> {
        std::mem::take(&mut self.errors.lock().unwrap())
    }

    fn failed(&self, doing: &str, status: &tonic::Status) {
        let error = format!("{doing}: {}", status.message());
        self.errors.lock().unwrap().push((status.code(), error));
    }

    /// Holds what was said against what is there.
    pub async fn check(&self, operator: &Caller) {
        operator.reconcile_when_settled().await;
        let packets = self.packets.lock().unwrap().clone();
        let opens = self.opens.lock().unwrap().clone();
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

    /// Waits until every packet that expired is refunded.
    pub async fn check_refunds(&self, operator: &Caller) {
        let packets = self.packets.lock().unwrap().clone();
        for packet_id in packets {
            testkit::eventually("what expired is refunded", async || {
                let packet = operator.packet(&packet_id).await.ok()?.packet?;
                let terms = packet.terms.as_ref()?;
                let short = terms.expire_time?.seconds - terms.start_time?.seconds < 60;
                let refunded = packet.opened_fen + packet.refunded_fen == TOTAL_FEN;
                (!short || packet.state() == State::Completed && refunded).then_some(())
            })
            .await;
        }
        operator.reconcile_when_settled().await;
    }
}

/// Those who send and grab.
pub struct Load {
    said: Arc<Said>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    /// Ends it; fails if somebody was told two amounts.
    pub async fn end(self) {
        self.said.alive.store(false, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("nobody was told two amounts");
        }
    }
}

/// Sends packets, half of which expire within a second or two, until nobody is to ask.
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
            Err(status) => said.failed("send", &status),
        }
    }
}

/// Grabs and opens whatever was sent last until nobody is to ask, and notes every answer.
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
            Err(status) => {
                said.failed("grab", &status);
                tokio::time::sleep(AFTER_AN_ERROR).await;
            }
        }
    }
}
