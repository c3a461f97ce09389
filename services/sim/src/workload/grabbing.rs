//! Grabbing and opening, in every way a client may.

use std::time::Duration;

use id::{PacketId, UserId};
use proto::grab::v1::{self as pb, grab_response::Outcome, open_response};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::caller::{Caller, is_passing};
use crate::world::PANIC;

/// Tries of one client before it gives up.
const TRIES: usize = 12;

/// Everybody grabs at a packet, some several times at once, some too late. With `looks`, everybody first grabs and then looks at
/// the voucher for a while, at most so long: then many vouchers are out at once.
pub async fn grab_all(
    caller: Caller,
    packet: PacketId,
    users: Vec<UserId>,
    lifetime: Duration,
    looks: Option<Duration>,
) {
    let mut doing = JoinSet::new();
    let dice = caller.dice.clone();
    let latest_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX) * 5 / 4;
    let until = Instant::now() + lifetime + Duration::from_secs(40);
    for user in users {
        for _ in 0..*dice.pick(&[0, 1, 1, 1, 2]) {
            let client = Client {
                caller: caller.clone(),
                packet,
                user: user.clone(),
                until,
                looks,
            };
            let after = if dice.chance(600) {
                dice.ms(0..=200)
            } else {
                dice.ms(0..=latest_ms)
            };
            doing.spawn(async move {
                sleep(after).await;
                client.grab().await;
            });
        }
    }
    doing.spawn(watch(caller, packet));
    while let Some(done) = doing.join_next().await {
        if let Err(fault) = done {
            std::panic::resume_unwind(fault.into_panic());
        }
    }
}

/// One user grabs at a packet.
pub async fn grab_one(caller: &Caller, packet: PacketId, user: &UserId, within: Duration) {
    let client = Client {
        caller: caller.clone(),
        packet,
        user: user.clone(),
        until: Instant::now() + within,
        looks: None,
    };
    client.grab().await;
}

/// One client of one user at one packet.
#[derive(Clone)]
struct Client {
    caller: Caller,
    packet: PacketId,
    user: UserId,
    until: Instant,
    /// How long the user looks at a voucher before opening it, at most.
    looks: Option<Duration>,
}

/// Whether it is worth going on.
enum Next {
    Again(Duration),
    Over,
}

impl Client {
    async fn grab(&self) {
        let dice = &self.caller.dice;
        for _ in 0..TRIES {
            let open = dice.chance(400) && self.looks.is_none();
            let request = pb::GrabRequest {
                packet_id: self.packet.to_string(),
                user_id: self.user.to_string(),
                passphrase: String::new(),
                open,
            };
            let answer = self.caller.grab.clone().grab(request).await;
            let what = match &answer {
                Ok(answer) => format!(
                    "grabs{}: {}",
                    if open { " and opens" } else { "" },
                    name(answer.get_ref())
                ),
                Err(_) => "grabs".to_owned(),
            };
            self.caller.heard(self.user.as_str(), &what, &answer);
            let next = match answer {
                Ok(answer) => self.follow(answer.into_inner().outcome).await,
                Err(status) if is_passing(&status) => Next::Again(dice.ms(1..=1_500)),
                Err(_) => Next::Over,
            };
            match next {
                Next::Again(pause) if Instant::now() < self.until => sleep(pause).await,
                _ => return,
            }
        }
    }

    async fn follow(&self, outcome: Option<Outcome>) -> Next {
        let (caller, dice) = (&self.caller, &self.caller.dice);
        match outcome {
            Some(Outcome::Opened(claim) | Outcome::AlreadyOpened(claim)) => {
                caller.told_claim(&claim);
                if dice.chance(250) {
                    Next::Again(dice.ms(1..=10_000))
                } else {
                    Next::Over
                }
            }
            Some(Outcome::Granted(granted)) => {
                caller.world.coverage.event("shares granted");
                if dice.chance(120) {
                    caller.world.coverage.event("vouchers left to lapse");
                    return Next::Over;
                }
                if let Some(looks) = self.looks {
                    let longest_ms = u64::try_from(looks.as_millis()).unwrap_or(u64::MAX);
                    sleep(dice.ms(0..=longest_ms)).await;
                } else if dice.chance(150) {
                    sleep(dice.ms(1..=35_000)).await;
                }
                self.open_often(granted.voucher).await
            }
            Some(Outcome::AllHeld(_) | Outcome::NotStarted(_)) => Next::Again(dice.ms(50..=3_000)),
            Some(Outcome::Exhausted(_)) => {
                caller.auditor.told_exhausted(self.packet);
                Next::Over
            }
            Some(Outcome::Expired(_) | Outcome::NotInAudience(_) | Outcome::WrongPassphrase(_)) => Next::Over,
            None => {
                caller.world.violated(PANIC, "a grab without an outcome");
                Next::Over
            }
        }
    }

    /// Redeems a voucher, perhaps twice at once.
    async fn open_often(&self, voucher: String) -> Next {
        if self.caller.dice.chance(200) {
            let (one, _) = tokio::join!(self.open(voucher.clone()), self.open(voucher));
            return one;
        }
        self.open(voucher).await
    }

    async fn open(&self, voucher: String) -> Next {
        let (caller, dice) = (&self.caller, &self.caller.dice);
        for _ in 0..TRIES {
            let request = pb::OpenRequest {
                packet_id: self.packet.to_string(),
                user_id: self.user.to_string(),
                voucher: voucher.clone(),
            };
            let answer = caller.grab.clone().open(request).await;
            caller.heard(self.user.as_str(), "opens", &answer);
            match answer.map(|answer| answer.into_inner().outcome) {
                Ok(Some(open_response::Outcome::Opened(claim))) => {
                    caller.told_claim(&claim);
                    return if dice.chance(150) {
                        Next::Again(dice.ms(1..=5_000))
                    } else {
                        Next::Over
                    };
                }
                Ok(Some(open_response::Outcome::Exhausted(_))) => {
                    caller.auditor.told_exhausted(self.packet);
                    return Next::Over;
                }
                Ok(_) => return Next::Over,
                Err(status) if is_passing(&status) => sleep(dice.ms(1..=1_500)).await,
                Err(_) => return Next::Again(dice.ms(1..=1_500)), // the voucher has lapsed
            }
        }
        Next::Over
    }
}

/// Somebody looks at the packet now and then.
async fn watch(caller: Caller, packet: PacketId) {
    for _ in 0..caller.dice.size(0..=4) {
        sleep(caller.dice.ms(1..=15_000)).await;
        let request = pb::ListClaimsRequest {
            packet_id: packet.to_string(),
            page_size: 100,
            page_token: String::new(),
        };
        if let Ok(answer) = caller.grab.clone().list_claims(request).await {
            let answer = answer.into_inner();
            answer.claims.iter().for_each(|claim| caller.told_claim(claim));
            caller.told_progress(packet, &answer.progress.unwrap_or_default());
        }
        let request = proto::packet::v1::GetPacketRequest {
            packet_id: packet.to_string(),
        };
        if let Ok(answer) = caller.packet.clone().get_packet(request).await {
            let shown = answer.into_inner().packet.unwrap_or_default();
            if !shown.seed.is_empty() {
                caller.auditor.told_seed(packet, true);
            }
        }
    }
}

fn name(answer: &pb::GrabResponse) -> &'static str {
    match &answer.outcome {
        Some(Outcome::Granted(_)) => "granted",
        Some(Outcome::Opened(_)) => "opened",
        Some(Outcome::AlreadyOpened(_)) => "already opened",
        Some(Outcome::AllHeld(_)) => "all held",
        Some(Outcome::Exhausted(_)) => "exhausted",
        Some(Outcome::Expired(_)) => "expired",
        Some(Outcome::NotStarted(_)) => "not started",
        Some(Outcome::NotInAudience(_)) => "not in audience",
        Some(Outcome::WrongPassphrase(_)) => "wrong passphrase",
        None => "nothing",
    }
}
