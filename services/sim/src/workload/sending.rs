//! Sending: the same request once or several times, at once and one after the other, sometimes with other contents.

use std::time::Duration;

use id::{PacketId, RequestId, UserId};
use proto::{
    packet::v1 as pb,
    terms::v1::{Anyone, Audience, Kind, audience::Who},
};
use tokio::{task::JoinSet, time::sleep};
use tonic::Code;

use super::{
    caller::{Caller, is_passing},
    grabbing, people,
};

/// Tries of one client before it gives up.
const TRIES: usize = 8;

/// Deposits from this number on are paid in for a packet that is beyond its sender's means.
const BEYOND: usize = 100;

/// What is to be sent.
#[derive(Clone)]
struct Parcel {
    sender: UserId,
    request: RequestId,
    kind: Kind,
    total_fen: i64,
    share_count: u32,
    audience: Audience,
    lifetime: Duration,
    /// How long everybody looks at a voucher before opening it, at most; `None` where they open at once.
    looks: Option<Duration>,
}

/// Sends packet `n` of the world, and lets everybody grab.
pub async fn send(caller: Caller, users: Vec<UserId>, n: usize) {
    let dice = caller.dice.clone();
    let Ok(request) = format!("send-{n}").parse() else {
        return;
    };
    let share_count = u32::try_from(dice.number(1..=*dice.pick(&[6, 6, 12]))).unwrap_or(1);
    let audience = if share_count == 1 && dice.chance(300) {
        Who::UserId(dice.pick(&users).to_string())
    } else {
        Who::Anyone(Anyone {})
    };
    let parcel = Parcel {
        sender: dice.pick(&users).clone(),
        request,
        kind: *dice.pick(&[Kind::DoubleMean, Kind::Gaussian, Kind::LineCut, Kind::Equal]),
        total_fen: i64::try_from(dice.number(share_count.into()..=900)).unwrap_or(1),
        share_count,
        audience: Audience { who: Some(audience) },
        lifetime: dice.ms(1_000..=*dice.pick(&[5_000, 30_000, 30_000])),
        looks: dice.chance(500).then(|| dice.ms(500..=15_000)),
    };
    sleep_before_a_send(&caller).await;

    let mut doing = JoinSet::new();
    for attempt in 0..*dice.pick(&[1, 1, 1, 2, 3]) {
        let mut parcel = parcel.clone();
        if attempt > 0 && dice.chance(250) {
            parcel.total_fen += 1; // the request id with other contents
        }
        doing.spawn(send_one(caller.clone(), parcel, users.clone(), attempt == 0));
    }
    while let Some(done) = doing.join_next().await {
        if let Err(fault) = done {
            std::panic::resume_unwind(fault.into_panic());
        }
    }
}

/// Sends a packet to anyone and insists; the packet, if there is one.
pub async fn send_plainly(
    caller: &Caller,
    sender: &UserId,
    request: &str,
    total_fen: i64,
    share_count: u32,
    lifetime: Duration,
) -> Option<PacketId> {
    let parcel = Parcel {
        sender: sender.clone(),
        request: request.parse().ok()?,
        kind: Kind::DoubleMean,
        total_fen,
        share_count,
        audience: Audience {
            who: Some(Who::Anyone(Anyone {})),
        },
        lifetime,
        looks: None,
    };
    insist(caller, &parcel).await
}

/// Somebody sends a little more than they have, from several clients at about the same moment, and pays in what is missing at
/// about that moment too: one client's funding may be refused where another's comes through.
pub async fn send_beyond(caller: Caller, users: Vec<UserId>, n: usize) {
    let dice = caller.dice.clone();
    sleep_before_a_send(&caller).await;
    let sender = dice.pick(&users).clone();
    let Ok(request) = format!("send-beyond-{n}").parse() else {
        return;
    };
    let Some(held_fen) = people::balance(&caller, &sender).await else {
        return;
    };
    let missing_fen = i64::try_from(dice.number(1..=50)).unwrap_or(1);
    let share_count = *dice.pick(&[1, 2, 3]);
    let parcel = Parcel {
        sender: sender.clone(),
        request,
        kind: Kind::Equal,
        total_fen: (held_fen + missing_fen).max(share_count.into()),
        share_count,
        audience: Audience {
            who: Some(Who::Anyone(Anyone {})),
        },
        lifetime: dice.ms(1_000..=5_000),
        looks: None,
    };
    // As close together as messages are on a good day, on a bad one, or no closer than people are.
    let apart_ms = *dice.pick(&[10, 300, 3_000]);
    let mut doing = JoinSet::new();
    for attempt in 0..dice.size(2..=4) {
        let (caller, parcel, users) = (caller.clone(), parcel.clone(), users.clone());
        let after = dice.ms(0..=apart_ms);
        doing.spawn(async move {
            sleep(after).await;
            send_one(caller, parcel, users, attempt == 0).await;
        });
    }
    let after = dice.ms(0..=2 * apart_ms);
    doing.spawn(async move {
        sleep(after).await;
        people::deposit(&caller, &sender, BEYOND + n, missing_fen).await;
    });
    while let Some(done) = doing.join_next().await {
        if let Err(fault) = done {
            std::panic::resume_unwind(fault.into_panic());
        }
    }
}

/// Until some moment that leaves a third of the world's time for what follows: faults should meet it.
async fn sleep_before_a_send(caller: &Caller) {
    let left_ms = u64::try_from(caller.time_left().as_millis()).unwrap_or(u64::MAX);
    sleep(caller.dice.ms(0..=left_ms / 3 * 2)).await;
}

async fn send_one(caller: Caller, parcel: Parcel, users: Vec<UserId>, is_first: bool) {
    let packet = insist(&caller, &parcel).await.filter(|_| is_first);
    if let Some(packet) = packet {
        grabbing::grab_all(caller, packet, users, parcel.lifetime, parcel.looks).await;
    }
}

/// Asks until there is an answer, or there was none too often.
async fn insist(caller: &Caller, parcel: &Parcel) -> Option<PacketId> {
    let Parcel { sender, request, .. } = parcel;
    for _ in 0..TRIES {
        let answer = caller.packet.clone().create_packet(parcel.request()).await;
        let what = format!(
            "sends {} fen in {} shares ({request})",
            parcel.total_fen, parcel.share_count
        );
        caller.heard(sender.as_str(), &what, &answer);
        match answer {
            Ok(answer) => {
                let packet = answer.into_inner().packet.unwrap_or_default();
                let terms = packet.terms.unwrap_or_default();
                let Ok(packet) = terms.packet_id.parse::<PacketId>() else {
                    caller
                        .world
                        .violated("ID-1", format!("a packet without an id: {terms:?}"));
                    return None;
                };
                caller.world.coverage.event("sends acknowledged");
                caller.auditor.told_sent(sender, request, packet, parcel.total_fen);
                return Some(packet);
            }
            Err(status) if status.code() == Code::FailedPrecondition => {
                caller.world.coverage.event("sends rejected");
                if status::reason(&status) == "INSUFFICIENT_FUNDS" {
                    caller.auditor.told_rejected(sender, request);
                }
                return None;
            }
            Err(status) if is_passing(&status) => {}
            Err(_) => return None,
        }
        sleep(caller.dice.ms(1..=2_000)).await;
    }
    None
}

impl Parcel {
    fn request(&self) -> pb::CreatePacketRequest {
        pb::CreatePacketRequest {
            request_id: self.request.to_string(),
            sender_id: self.sender.to_string(),
            kind: self.kind.into(),
            total_fen: self.total_fen,
            share_count: self.share_count,
            share_cap_fen: 0,
            audience: Some(self.audience.clone()),
            passphrase: String::new(),
            start_time: None,
            lifetime: prost_types::Duration::try_from(self.lifetime).ok(),
            greeting: String::new(),
            cover: String::new(),
        }
    }
}
