//! Grab (抢): the whole race, in four steps.

use std::sync::Arc;

use clock::Timestamp;
use futures::future::join_all;
use id::{PacketId, UserId};

use super::{Error, Race};
use crate::{
    domain::{
        claim::Claim,
        packet::{Bar, Packet},
        picture::Opening,
        terms::Audience,
        voucher::Voucher,
    },
    gate::{Ask, GateError, Reservation, Verdict},
};

/// A user asks for a share.
#[derive(Clone, Debug)]
pub struct Request {
    /// Of which packet.
    pub packet_id: PacketId,
    /// Who asks.
    pub user_id: UserId,
    /// With which words; empty if none.
    pub passphrase: String,
    /// Whether to open the share at once.
    pub open: bool,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The user has opened a share before: that claim.
    AlreadyOpened(Claim),
    /// A share is reserved.
    Granted {
        /// The right to open it.
        voucher: String,
        /// Until when.
        lapse_time: Timestamp,
    },
    /// The share was opened at once; the claim is durable.
    Opened(Claim),
    /// This user may not have a share, or nobody may any more.
    Barred(Bar),
    /// All shares are opened. Final.
    Exhausted,
    /// All shares are opened or reserved.
    AllHeld {
        /// When it is worth asking again.
        retry_delay: std::time::Duration,
    },
}

/// An ask on its way through the race.
struct Entry {
    ask: Ask,
    admission: Admission,
    open: bool,
}

/// Whether a user may have a new share: yes, or the first reason why not, or nobody can say.
type Admission = Result<Option<Bar>, Error>;

impl Race {
    /// Grabs, each by itself, in the order asked. For live packets and known users SQL is asked nothing.
    ///
    /// Stopping anywhere loses no share: a reservation that nobody heard of is told again to the same user, or lapses.
    pub async fn grab(&self, requests: Vec<Request>) -> Vec<Result<Outcome, Error>> {
        // 1. Which packet, and who may? What a user has already is told even to who may have nothing new.
        let entries = join_all(requests.into_iter().map(|request| self.enter(request))).await;

        // 2. The gate reserves: one atomic step an ask.
        let asks = entries.iter().flatten().map(|entry| entry.ask.clone()).collect();
        let mut verdicts = self.gate.grab(asks).await.into_iter();

        // 3. What is to be opened at once is recorded; 4. each is answered.
        let answers = entries.into_iter().map(|entry| {
            let entry = entry.map(|entry| (entry, verdicts.next()));
            async {
                let (entry, verdict) = entry?;
                self.answer(entry, verdict.ok_or(GateError::silent())??).await
            }
        });
        join_all(answers).await
    }

    async fn answer(&self, entry: Entry, verdict: Verdict) -> Result<Outcome, Error> {
        match verdict {
            Verdict::AlreadyOpened(claim) => Ok(Outcome::AlreadyOpened(claim)),
            Verdict::Granted(reservation) if entry.open => self.record(&entry.ask, reservation).await,
            Verdict::Granted(reservation) => Ok(self.vouch(entry.ask, reservation)),
            Verdict::Closed => Ok(Outcome::Barred(Bar::Expired)),
            // Because of a bar, or because nobody could say.
            Verdict::NotAdmitted => Ok(Outcome::Barred(entry.admission?.unwrap_or(Bar::NotInAudience))),
            Verdict::Exhausted => Ok(Outcome::Exhausted),
            Verdict::AllHeld { retry_delay } => Ok(Outcome::AllHeld { retry_delay }),
        }
    }

    /// Makes the claim durable before anything is shown (CLAIM-3).
    async fn record(&self, ask: &Ask, reservation: Reservation) -> Result<Outcome, Error> {
        let opening = self
            .writer
            .open(&ask.packet, &ask.user_id, reservation.share_no)
            .await?;
        Ok(match opening {
            Opening::Opened(claim) => Outcome::Opened(claim),
            Opening::Already(claim) => Outcome::AlreadyOpened(claim),
            Opening::Closed => Outcome::Barred(Bar::Expired),
            Opening::Exhausted => Outcome::Exhausted,
        })
    }

    /// Signs the right to what was reserved.
    fn vouch(&self, ask: Ask, reservation: Reservation) -> Outcome {
        let Reservation { share_no, lapse_time } = reservation;
        let voucher = self.keys.sign(&Voucher {
            packet_id: ask.packet.id(),
            user_id: ask.user_id,
            share_no,
            lapse_time,
        });
        Outcome::Granted { voucher, lapse_time }
    }

    async fn enter(&self, request: Request) -> Result<Entry, Error> {
        let packet = self.packets.get(request.packet_id).await?;
        let admission = self.admission(&packet, &request).await;
        let ask = Ask {
            packet,
            user_id: request.user_id,
            admitted: matches!(admission, Ok(None)),
        };
        Ok(Entry {
            ask,
            admission,
            open: request.open,
        })
    }

    /// The first bar in the order of [`Bar`]. The hour comes first: it is free, and it is the same for everyone.
    async fn admission(&self, packet: &Arc<Packet>, request: &Request) -> Admission {
        if let Some(bar) = packet.bar_by_hour(self.clock.now()) {
            return Ok(Some(bar));
        }
        let user_id = &request.user_id;
        let invited = match &packet.terms().audience {
            Audience::Group(group_id) => self.directory.is_member(group_id, user_id).await?,
            Audience::User(only) => only == user_id,
            Audience::Anyone if self.directory.user_exists(user_id).await? => true,
            Audience::Anyone => return Err(Error::UnknownUser(user_id.clone())),
        };
        if invited {
            Ok(packet.bar_by_words(&request.passphrase))
        } else {
            Ok(Some(Bar::NotInAudience))
        }
    }
}
