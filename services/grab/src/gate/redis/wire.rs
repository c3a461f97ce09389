//! The scripts, and what goes to them and comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use clock::{Timestamp, from_micros, until};
use id::{PacketId, Partition, UserId};
use resp::{Call, Redis, Script};

use crate::{
    domain::{
        claim::{Claim, Head},
        packet::Packet,
    },
    gate::{Ask, News, RETRY_DELAY, Reservation, Timing, Verdict},
};

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("state.lua"), include_str!($file)))
    };
}

pub(super) static GRAB: Script = script!("grab.lua");
pub(super) static TELL: Script = script!("tell.lua");
pub(super) static BEGIN: Script = script!("begin.lua");
pub(super) static PROBE: Script = script!("probe.lua");

/// How long a rebuild may take before its mark goes: reading and telling the largest packet takes about a second.
const LOAD_TTL: Duration = Duration::from_secs(30);
/// A packet stays at least this long after its last grant, so that a quiet minute is not followed by a rebuild.
const MIN_IDLE: Duration = Duration::from_mins(10);

/// What a packet is in Redis after it heard news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not there: never asked for, or gone.
    Absent,
    /// Being rebuilt.
    Loading,
    /// Answering.
    Live,
    /// All shares are opened; gone.
    Exhausted,
    /// Closed; gone.
    Closed,
}

/// What is told to a packet.
#[derive(Clone, Debug)]
pub enum Told<'a> {
    /// A share was opened by this user.
    Opened(&'a Claim),
    /// A share was opened.
    Taken(u32),
    /// The packet is closed.
    Closed,
    /// Its state is worth nothing.
    Astray,
    /// All its claims were told since the rebuild with this mark began.
    Loaded(&'a str),
}

impl<'a> From<&'a News> for Told<'a> {
    fn from(news: &'a News) -> Self {
        match news {
            News::Opened(claim) => Self::Opened(claim),
            News::Taken { share_no, .. } => Self::Taken(*share_no),
            News::Closed(_) => Self::Closed,
            News::Astray(_) => Self::Astray,
        }
    }
}

/// Redis as this process sees it.
#[derive(Debug)]
pub struct Wire {
    redis: Redis,
    timing: Timing,
    /// By partition, the last claim of which this process knows that Redis was told.
    pub(super) told_seq: Vec<AtomicI64>,
    /// Sets the marks of this process apart from those of others.
    name: u64,
    marks: AtomicU64,
}

impl Wire {
    /// `heads` are those of all partitions, in order: Redis must have been told of all that was committed by now, or is
    /// not believed. `name` is random.
    pub fn new(redis: Redis, timing: Timing, heads: &[Head], name: u64) -> Self {
        Self {
            redis,
            timing,
            told_seq: heads.iter().map(|head| head.last_seq().into()).collect(),
            name,
            marks: AtomicU64::new(0),
        }
    }

    /// The name of an era or of a rebuild: nobody makes the same twice.
    fn mark(&self) -> String {
        let number = self.marks.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}.{number:x}", self.name)
    }

    /// A call on some packets of a partition, which begins with what every script hears: what Redis should remember, and
    /// the era that begins if it does not.
    pub(super) fn call(
        &self,
        script: &'static Script,
        partition: Partition,
        packets: impl ExactSizeIterator<Item = PacketId>,
    ) -> Call {
        let mut keys = Vec::with_capacity(1 + 3 * packets.len());
        keys.push(partition_key(partition));
        keys.extend(packets.flat_map(|packet_id| packet_keys(partition, packet_id)));
        let told_seq = self.told_seq.get(usize::from(partition.index()));
        let told_seq = told_seq.map_or(0, |seq| seq.load(Ordering::Relaxed));
        script.call(&keys).arg(told_seq).arg(self.mark())
    }

    /// Decides asks, grouped by packet, in the order given; `None` where the packet is not live in Redis.
    pub async fn grab(
        &self,
        partition: Partition,
        asks: &[(Arc<Packet>, Vec<&Ask>)],
        now: Timestamp,
    ) -> Result<Vec<Option<Verdict>>, resp::Error> {
        let mut call = self.call(&GRAB, partition, asks.iter().map(|(packet, _)| packet.id()));
        call.push(now.as_microsecond());
        call.push(micros(self.timing.voucher_ttl));
        call.push(micros(self.timing.lapse_grace));
        call.push(idle_ms(self.timing));
        for (_, asks) in asks {
            call.push(asks.len());
            for ask in asks {
                call.push(ask.user_id.as_str());
                call.push(u8::from(ask.admitted));
            }
        }
        let replies: Vec<i64> = self.redis.run(&call).await?;
        let (replies, rest) = replies.as_chunks::<4>();
        let asked = || {
            asks.iter()
                .flat_map(|(packet, asks)| asks.iter().map(move |ask| (packet, &ask.user_id)))
        };
        if !rest.is_empty() || replies.len() != asked().count() {
            return Err(resp::Error::Broken("not one reply an ask".to_owned()));
        }
        let verdicts = asked()
            .zip(replies)
            .map(|((packet, user_id), reply)| verdict(packet, user_id, *reply, now));
        verdicts.collect()
    }

    /// Tells packets their news; `seq` is the last claim that they are of. What became of each.
    pub async fn tell(
        &self,
        partition: Partition,
        news: &[(PacketId, Vec<Told<'_>>)],
        seq: i64,
    ) -> Result<Vec<State>, resp::Error> {
        let mut call = self.call(&TELL, partition, news.iter().map(|(packet_id, _)| *packet_id));
        call.push(seq);
        call.push(idle_ms(self.timing));
        for (_, news) in news {
            call.push(news.len());
            for told in news {
                push(&mut call, told);
            }
        }
        let states: Vec<i64> = self.redis.run(&call).await?;
        if let Some(told_seq) = self.told_seq.get(usize::from(partition.index())) {
            told_seq.fetch_max(seq, Ordering::Relaxed);
        }
        if states.len() != news.len() {
            return Err(resp::Error::Broken("not one state a packet".to_owned()));
        }
        let state = |number| match number {
            0 => Ok(State::Absent),
            1 => Ok(State::Loading),
            2 => Ok(State::Live),
            3 => Ok(State::Exhausted),
            4 => Ok(State::Closed),
            _ => Err(resp::Error::Broken(format!("state {number}"))),
        };
        states.into_iter().map(state).collect()
    }

    /// Begins a rebuild or joins the one that is under way: its mark; `None` if the packet is live.
    pub async fn begin(&self, packet: &Packet) -> Result<Option<String>, resp::Error> {
        let call = self.call(&BEGIN, packet.partition(), [packet.id()].into_iter());
        let call = call.arg(self.mark()).arg(packet.share_count()).arg(millis(LOAD_TTL));
        self.redis.run(&call).await
    }

    /// Whether Redis does what the gate needs. `renew` begins a new era: every packet of the partition will be rebuilt.
    pub async fn probe(&self, partition: Partition, renew: bool) -> Result<(), resp::Error> {
        let call = self.call(&PROBE, partition, [].into_iter()).arg(u8::from(renew));
        self.redis.run::<i64>(&call).await.map(drop)
    }
}

/// The key of a partition. All keys of its packets have the same hash tag, and so the same slot of a cluster.
pub fn partition_key(partition: Partition) -> String {
    format!("grab:{{{partition}}}")
}

/// The keys of a packet: head, bits, ends.
pub fn packet_keys(partition: Partition, packet_id: PacketId) -> [String; 3] {
    let head = format!("{}:{packet_id}", partition_key(partition));
    let (bits, ends) = (format!("{head}:bits"), format!("{head}:ends"));
    [head, bits, ends]
}

fn push(call: &mut Call, told: &Told<'_>) {
    match told {
        Told::Opened(claim) => {
            call.push("opened");
            call.push(claim.user_id.as_str());
            call.push(claim.share_no);
            call.push(claim.seq);
            call.push(claim.claim_time.as_microsecond());
        }
        Told::Taken(share_no) => {
            call.push("taken");
            call.push(*share_no);
        }
        Told::Closed => call.push("closed"),
        Told::Astray => call.push("astray"),
        Told::Loaded(mark) => {
            call.push("loaded");
            call.push(*mark);
        }
    }
}

/// What a reply says. Amounts are not kept in Redis: they follow from the packet (CLAIM-2), and what is known of claims was
/// told after their commit (CLAIM-3).
fn verdict(
    packet: &Packet,
    user_id: &UserId,
    [kind, a, b, c]: [i64; 4],
    now: Timestamp,
) -> Result<Option<Verdict>, resp::Error> {
    let nonsense = || resp::Error::Broken(format!("reply {kind} {a} {b} {c}"));
    let share_no = || {
        let share_no = u32::try_from(a)
            .ok()
            .filter(|share_no| *share_no < packet.share_count());
        share_no.ok_or_else(nonsense)
    };
    Ok(Some(match kind {
        0 => return Ok(None),
        1 => Verdict::AlreadyOpened(Claim {
            packet_id: packet.id(),
            share_no: share_no()?,
            user_id: user_id.clone(),
            amount_fen: packet.amount_fen(share_no()?).ok_or_else(nonsense)?,
            claim_time: from_micros(c),
            partition: packet.partition(),
            seq: b,
            luckiest: false, // a packet that is live in Redis is not complete
            sender_id: packet.terms().sender_id.clone(),
        }),
        2 => Verdict::Granted(Reservation {
            share_no: Some(share_no()?),
            lapse_time: from_micros(b),
        }),
        3 => Verdict::NotAdmitted,
        4 => Verdict::AllHeld {
            retry_delay: until(now, from_micros(a)).clamp(*RETRY_DELAY.start(), *RETRY_DELAY.end()),
        },
        _ => return Err(nonsense()),
    }))
}

/// Longer than any hold lives, twice.
fn idle_ms(timing: Timing) -> u64 {
    millis(((timing.voucher_ttl + timing.lapse_grace) * 2).max(MIN_IDLE))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
