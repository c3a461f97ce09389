//! What one person does: sends, grabs, opens, asks again, looks.

use std::{collections::HashSet, sync::Arc, time::Duration};

use proto::{
    gateway::v1::{
        GetPacketRequest, GetWalletRequest, GrabPacketRequest, ListClaimsRequest, ListEntriesRequest,
        ListReceivedRequest, ListSentRequest, OpenPacketRequest, SendPacketRequest,
        record_service_client::RecordServiceClient, red_packet_service_client::RedPacketServiceClient,
        wallet_service_client::WalletServiceClient,
    },
    grab::v1::{Claim, grab_response, open_response},
};
use rand::{RngExt, rngs::StdRng};
use tokio::{sync::watch, time::Instant};
use tonic::{Response, Status};

use super::{
    board::{Board, Posted},
    orders,
};
use crate::{
    chaos::history::{Asked, Heard, History, NoShare, Record, Told, now_us},
    client::{Client, Transport},
    failure::{self, Failure},
};

/// Between two things that somebody does: 48 people ask about 800 times a second, a load that two cores carry with the
/// mesh, its engines and this program on them and some to spare for recovery.
const THINKS_MS: std::ops::Range<u64> = 20..100;
/// How long somebody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before somebody who got an error asks again.
const AFTER_AN_ERROR_MS: std::ops::Range<u64> = 100..300;
/// How often somebody repeats a send whose outcome is not known, at most.
const REPEATS: u32 = 8;
/// How many packets somebody looks at to find one to grab.
const GLANCES: usize = 6;

/// One of the crowd.
pub struct Person {
    n: usize,
    people: usize,
    user: String,
    packets: RedPacketServiceClient<Transport>,
    wallet: WalletServiceClient<Transport>,
    records: RecordServiceClient<Transport>,
    rng: StdRng,
    board: Arc<Board>,
    history: Arc<History>,
    sends: u32,
    /// Packets of which nothing more is to be had.
    done: HashSet<String>,
    /// Granted and not yet opened.
    vouchers: Vec<(Arc<Posted>, String)>,
}

impl Person {
    /// The `n`-th of `people`.
    pub fn new(
        n: usize,
        people: usize,
        client: &Client,
        rng: StdRng,
        board: Arc<Board>,
        history: Arc<History>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            n,
            people,
            user: super::name(n),
            packets: client.red_packets()?,
            wallet: client.wallet()?,
            records: client.records()?,
            rng,
            board,
            history,
            sends: 0,
            done: HashSet::new(),
            vouchers: Vec::new(),
        })
    }

    /// One thing after the other for as long as `alive` says so.
    pub async fn live(mut self, alive: watch::Receiver<bool>) {
        while *alive.borrow() {
            self.pause(THINKS_MS).await;
            let went_well = match self.rng.random_range(0..100) {
                0..4 => self.send(&alive).await,
                4..20 => self.open_later().await,
                20..35 => self.grab(false).await,
                35..85 => self.grab(true).await,
                85..92 => self.look_at_a_packet().await,
                _ => self.look_at_own().await,
            };
            if !went_well {
                self.pause(AFTER_AN_ERROR_MS).await;
            }
        }
    }

    async fn pause(&mut self, ms: std::ops::Range<u64>) {
        let pause = self.rng.random_range(ms);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// Sends a packet, again under the same name until it is answered or nobody would try any more; and sometimes once more
    /// although it was.
    async fn send(&mut self, alive: &watch::Receiver<bool>) -> bool {
        self.sends += 1;
        let request_id = format!("send-{}", self.sends);
        let order = orders::order(&mut self.rng, self.n, self.people, request_id);
        for _ in 0..REPEATS {
            match self.send_once(&order).await {
                Heard::Sent { packet_id } => {
                    let passphrase = order.passphrase.clone();
                    self.board.post(Posted { packet_id, passphrase });
                    if self.rng.random_bool(0.1) {
                        self.send_once(&order).await;
                    }
                    return true;
                }
                Heard::Error { code, .. } if is_open(code) && *alive.borrow() => self.pause(AFTER_AN_ERROR_MS).await,
                _ => break,
            }
        }
        false
    }

    async fn send_once(&self, order: &SendPacketRequest) -> Heard {
        let asked = Asked::Send {
            request_id: order.request_id.clone(),
            total_fen: order.total_fen,
            share_count: order.share_count,
        };
        let mut packets = self.packets.clone();
        self.ask(asked, packets.send_packet(order.clone()), |answer| {
            let terms = answer.packet.and_then(|packet| packet.terms);
            terms.map_or(Heard::Something, |terms| Heard::Sent {
                packet_id: terms.packet_id,
            })
        })
        .await
    }

    /// One that may still give something; now and then any.
    fn find(&mut self) -> Option<Arc<Posted>> {
        let mut seen = None;
        for _ in 0..GLANCES {
            let posted = self.board.look(&mut self.rng)?;
            let again = self.rng.random_bool(0.05);
            if again || !self.done.contains(&posted.packet_id) {
                return Some(posted);
            }
            seen = Some(posted);
        }
        seen
    }

    async fn grab(&mut self, open: bool) -> bool {
        let Some(posted) = self.find() else {
            return true;
        };
        let knows = !self.rng.random_bool(0.05);
        let request = GrabPacketRequest {
            packet_id: posted.packet_id.clone(),
            passphrase: if knows {
                posted.passphrase.clone()
            } else {
                String::new()
            },
            open,
        };
        let asked = Asked::Grab {
            packet_id: posted.packet_id.clone(),
            open,
        };
        let mut voucher = None;
        let mut packets = self.packets.clone();
        let heard = self
            .ask(asked, packets.grab_packet(request), |answer| {
                use grab_response::Outcome;
                let outcome = answer.outcome.and_then(|outcome| outcome.outcome);
                match outcome {
                    None => Heard::Something,
                    Some(Outcome::Granted(granted)) => {
                        voucher = Some(granted.voucher);
                        Heard::Granted
                    }
                    Some(Outcome::Opened(claim) | Outcome::AlreadyOpened(claim)) => Heard::Opened(told(claim)),
                    Some(Outcome::AllHeld(_)) => Heard::NoShare(NoShare::AllHeld),
                    Some(Outcome::Exhausted(_)) => Heard::NoShare(NoShare::Exhausted),
                    Some(Outcome::Expired(_)) => Heard::NoShare(NoShare::Expired),
                    Some(Outcome::NotStarted(_)) => Heard::NoShare(NoShare::NotStarted),
                    Some(Outcome::NotInAudience(_)) => Heard::NoShare(NoShare::NotInAudience),
                    Some(Outcome::WrongPassphrase(_)) => Heard::NoShare(NoShare::WrongPassphrase),
                }
            })
            .await;
        if let Some(voucher) = voucher {
            self.vouchers.push((posted, voucher));
        } else {
            self.learn(&posted.packet_id, &heard);
        }
        !is_error(&heard)
    }

    fn learn(&mut self, packet_id: &str, heard: &Heard) {
        let is_final = matches!(
            heard,
            Heard::Opened(_) | Heard::NoShare(NoShare::Exhausted | NoShare::Expired | NoShare::NotInAudience)
        );
        if is_final {
            self.done.insert(packet_id.to_owned());
        }
    }

    /// Opens what was granted before, sometimes twice, and sometimes so late that the voucher has lapsed. Without a voucher,
    /// grabs.
    async fn open_later(&mut self) -> bool {
        let Some((posted, voucher)) = self.vouchers.pop() else {
            return self.grab(true).await;
        };
        let packet_id = posted.packet_id.clone();
        let request = OpenPacketRequest {
            packet_id: packet_id.clone(),
            voucher: voucher.clone(),
        };
        let asked = Asked::Open {
            packet_id: packet_id.clone(),
        };
        let mut packets = self.packets.clone();
        let heard = self
            .ask(asked, packets.open_packet(request), |answer| {
                use open_response::Outcome;
                match answer.outcome.and_then(|outcome| outcome.outcome) {
                    None => Heard::Something,
                    Some(Outcome::Opened(claim)) => Heard::Opened(told(claim)),
                    Some(Outcome::Exhausted(_)) => Heard::NoShare(NoShare::Exhausted),
                    Some(Outcome::Expired(_)) => Heard::NoShare(NoShare::Expired),
                }
            })
            .await;
        self.learn(&packet_id, &heard);
        let again = match &heard {
            Heard::Error { code, .. } => is_open(code),
            _ => self.rng.random_bool(0.1),
        };
        if again {
            self.vouchers.push((posted, voucher));
        }
        !is_error(&heard)
    }

    async fn look_at_a_packet(&mut self) -> bool {
        let Some(posted) = self.board.look(&mut self.rng) else {
            return true;
        };
        let packet_id = posted.packet_id.clone();
        let mut packets = self.packets.clone();
        let heard = if self.rng.random_bool(0.5) {
            let call = packets.get_packet(GetPacketRequest { packet_id });
            self.ask(Asked::Look("packet"), call, |answer| seen(answer.claims))
                .await
        } else {
            let request = ListClaimsRequest {
                packet_id,
                ..Default::default()
            };
            let call = packets.list_claims(request);
            self.ask(Asked::Look("claims"), call, |answer| seen(answer.claims))
                .await
        };
        // Who neither was nor is in the audience is not to see it.
        !is_error(&heard)
    }

    async fn look_at_own(&mut self) -> bool {
        let something = Heard::Something;
        let (mut wallet, mut records) = (self.wallet.clone(), self.records.clone());
        let heard = match self.rng.random_range(0..4) {
            0 => {
                let call = wallet.get_wallet(GetWalletRequest {});
                self.ask(Asked::Look("wallet"), call, |_| something).await
            }
            1 => {
                let request = ListEntriesRequest::default();
                let call = wallet.list_entries(request);
                self.ask(Asked::Look("entries"), call, |_| something).await
            }
            2 => {
                let request = ListSentRequest::default();
                let call = records.list_sent(request);
                self.ask(Asked::Look("sent"), call, |_| something).await
            }
            _ => {
                let request = ListReceivedRequest::default();
                let call = records.list_received(request);
                self.ask(Asked::Look("received"), call, |answer| seen(answer.claims))
                    .await
            }
        };
        !is_error(&heard)
    }

    /// Asks, waits for the answer for so long as a person does, and notes both.
    async fn ask<T>(
        &self,
        asked: Asked,
        call: impl Future<Output = Result<Response<T>, Status>>,
        read: impl FnOnce(T) -> Heard,
    ) -> Heard {
        let began_us = now_us();
        let answer = runtime::deadline::scope(Instant::now() + PATIENCE, call).await;
        let heard = match answer {
            Ok(answer) => read(answer.into_inner()),
            Err(status) => Heard::Error {
                code: failure::name(status.code()),
                reason: status::reason(&status),
                message: status.message().to_owned(),
            },
        };
        self.history.note(Record {
            began_us,
            ended_us: now_us(),
            user: self.user.clone(),
            asked,
            heard: heard.clone(),
        });
        heard
    }
}

fn told(claim: Claim) -> Told {
    Told {
        user: claim.user_id,
        packet_id: claim.packet_id,
        share_no: claim.share_no,
        amount_fen: claim.amount_fen,
    }
}

fn seen(claims: Vec<Claim>) -> Heard {
    Heard::Seen(claims.into_iter().map(told).collect())
}

fn is_error(heard: &Heard) -> bool {
    matches!(heard, Heard::Error { .. })
}

/// Whether it is worth asking again, under the same name.
fn is_open(code: &str) -> bool {
    [
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "UNKNOWN",
        "CANCELLED",
        "ABORTED",
    ]
    .contains(&code)
}
