//! Sending a packet (包, 发).
//!
//! | step | where | after a crash behind it |
//! |---|---|---|
//! | find the request | sender's store, read | – |
//! | look up people | account, two calls at once | – |
//! | reserve: request → packet id, times, cap; count the day | sender's store, one transaction | the repeat finds the reservation |
//! | insert: the packet with its seed, FUNDING | packet's store, one transaction | recovery drives it on |
//! | fund, preload, activate | [`super::advance`] | recovery drives it on |
//!
//! A reservation holds what the request leaves open, so that a repeat makes the same packet. The seed is drawn at the
//! insertion: until then nobody has seen it, and the first insertion decides. A request that was seen before is not held
//! against limits and people again: its first answer stands (ID-1). A reservation whose request is never repeated moves
//! no money; it merely counts in its day.

use std::{sync::Arc, time::Duration};

use clock::SharedClock;
use guard::Guard;
use id::PacketId;
use rand::Rng;

use super::{Error, SharedRng, advance::Advance};
use crate::{
    domain::{Audience, Limits, Order, Packet, Reservation, State},
    peer::people::People,
    store::{Packets, Requests, Reserved},
};

/// Sends packets.
pub struct Send {
    /// The senders' requests.
    pub requests: Arc<dyn Requests>,
    /// The packets.
    pub packets: Arc<dyn Packets>,
    /// Who is who.
    pub people: Arc<dyn People>,
    /// From FUNDING on.
    pub advance: Arc<Advance>,
    /// What may be sent.
    pub limits: Limits,
    /// How long a send may take before recovery drives its packet on.
    pub recover_after: Duration,
    /// The hour.
    pub clock: SharedClock,
    /// Where ids, seeds and salts come from.
    pub rng: SharedRng,
}

impl Send {
    /// Sends what is ordered. Returns the packet ACTIVE, or as it is now if the request was answered before.
    pub async fn send(&self, order: &Order) -> Result<Packet, Error> {
        let reserved = match self.requests.find(&order.sender_id, &order.request_id).await? {
            Some(reserved) if guard::stands(Guard::RequestOnce) => reserved,
            _ => self.reserve(order).await?,
        };
        if guard::stands(Guard::RequestPayload) && reserved.fingerprint != order.fingerprint() {
            return Err(Error::RequestIdReused(order.request_id.clone()));
        }
        let packet = self.insert(order, &reserved).await?;
        let packet = self.advance.advance(packet).await?;
        match packet.state {
            State::Rejected(rejection) => Err(Error::Rejected {
                packet_id: packet.terms.packet_id,
                sender: packet.terms.sender_id,
                total_fen: packet.terms.total_fen,
                rejection,
            }),
            _ => Ok(packet),
        }
    }

    async fn reserve(&self, order: &Order) -> Result<Reservation, Error> {
        let now = self.clock.now();
        let faults = self.limits.faults(&order.shape(), now);
        if !faults.is_empty() {
            return Err(Error::Limits(faults));
        }
        self.check_people(order).await?;
        let random: [u8; 10] = self.rng.with(|rng| {
            let mut bytes = [0; 10];
            rng.fill_bytes(&mut bytes);
            bytes
        });
        let packet_id = PacketId::new(now.as_millisecond().unsigned_abs(), &random);
        let offer = self.limits.decide(order, packet_id, now);
        match self.requests.reserve(&offer, self.limits.daily).await? {
            Reserved::Held(reserved) => Ok(reserved),
            Reserved::DayFull(used) => Err(Error::DayFull {
                sender: order.sender_id.clone(),
                used,
                limits: self.limits.daily,
            }),
        }
    }

    /// Sender first, then audience, whichever answers first.
    async fn check_people(&self, order: &Order) -> Result<(), Error> {
        let sender = &order.sender_id;
        let (wallet, audience) = tokio::join!(self.people.wallet(sender), self.check_audience(order));
        match wallet? {
            None => Err(Error::UserNotFound(sender.clone())),
            Some(wallet) if wallet.frozen => Err(Error::AccountFrozen(sender.clone())),
            Some(_) => audience,
        }
    }

    async fn check_audience(&self, order: &Order) -> Result<(), Error> {
        match &order.audience {
            Audience::Anyone => Ok(()),
            Audience::User(receiver) => {
                let known = self.people.exists(receiver).await?;
                known.then_some(()).ok_or_else(|| Error::UserNotFound(receiver.clone()))
            }
            Audience::Group(group) => match self.people.is_member(group, &order.sender_id).await? {
                Some(true) => Ok(()),
                Some(false) => Err(Error::NotAMember {
                    user: order.sender_id.clone(),
                    group: group.clone(),
                }),
                None => Err(Error::GroupNotFound(group.clone())),
            },
        }
    }

    async fn insert(&self, order: &Order, reserved: &Reservation) -> Result<Packet, Error> {
        let known = self.packets.get(&[reserved.packet_id]).await?.pop();
        if let Some(packet) = known.filter(|_| guard::stands(Guard::SeedOnce)) {
            return Ok(packet);
        }
        let packet = self.rng.with(|rng| Packet::draw(order, reserved, rng));
        let due = clock::after(self.clock.now(), self.recover_after);
        Ok(self.packets.insert(&packet, due).await?)
    }
}
