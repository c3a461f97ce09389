//! What a Redis might answer to the gate's scripts: anything, for anybody may write into its keys.

use std::{cell::OnceCell, io, num::NonZeroU16, sync::Arc, time::Duration};

use async_trait::async_trait;
use clock::{Timestamp, from_micros};
use deadpool_redis::redis::parse_redis_value;
use grab::{
    domain::{
        claim::Head,
        packet::Packet,
        terms::{Audience, Promise, Terms},
    },
    gate::{
        Ask, Reservation, Timing, Verdict,
        redis::wire::{State, Told, Wire},
    },
};
use id::{PacketId, Partition};
use money::Fen;
use resp::{Dial, FromRedisValue, Redis, Stream, Value};
use split::{Kind, Seed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    runtime::{Builder, Runtime},
};

/// As by default.
const PARTITIONS: NonZeroU16 = Partition::DEFAULT_COUNT;
const SHARES: u32 = 10;
/// Before anything in it lapses.
const NOW: Timestamp = Timestamp::UNIX_EPOCH;
/// What the driver says of itself when it begins, twice, is answered so.
const GREETING: &[u8] = b"+OK\r\n+OK\r\n";

/// A server that answers every script with the same bytes and leaves.
struct Parrot(Vec<u8>);

#[async_trait]
impl Dial for Parrot {
    async fn dial(&self) -> io::Result<Box<dyn Stream>> {
        let (near, far) = duplex(64 * 1024);
        tokio::spawn(answer(far, self.0.clone()));
        Ok(Box::new(near))
    }
}

async fn answer(mut stream: DuplexStream, reply: Vec<u8>) -> io::Result<()> {
    let mut heard = Vec::new();
    stream.write_all(GREETING).await?;
    while !heard.windows(4).any(|word| word == b"EVAL") {
        if stream.read_buf(&mut heard).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(&reply).await
}

fn packet() -> Option<Arc<Packet>> {
    let terms = Terms {
        packet_id: PacketId::new(7, &[7; 10]),
        sender_id: "sender".parse().ok()?,
        kind: Kind::Equal,
        total_fen: Fen::new(1_000),
        share_count: SHARES,
        share_cap_fen: None,
        audience: Audience::Anyone,
        start_time: NOW,
        expire_time: from_micros(1_000_000),
        greeting: String::new(),
        cover: String::new(),
    };
    let promise = Promise {
        terms,
        seed: Seed::from_bytes([7; 32]),
        passphrase: None,
    };
    Packet::new(promise, PARTITIONS).ok().map(Arc::new)
}

thread_local! {
    /// Time passes at once where nobody does anything.
    static RUNTIME: OnceCell<Runtime> = const { OnceCell::new() };
}

/// The first byte says to which call the rest is the answer.
///
/// - A reply that is not exactly one of those that the scripts give is an error, and nobody is granted anything.
/// - Who is granted a share is granted one that there is, and the one that the reply names.
pub fn replies(bytes: &[u8]) {
    let (Some((which, reply)), Some(packet)) = (bytes.split_first(), packet()) else {
        return;
    };
    RUNTIME.with(|runtime| {
        let runtime = runtime.get_or_init(|| {
            let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.unwrap_or_else(|fault| panic!("a runtime: {fault}"))
        });
        runtime.block_on(check(*which, reply, &packet));
    });
}

async fn check(which: u8, reply: &[u8], packet: &Arc<Packet>) {
    let redis = Redis::over(Arc::new(Parrot(reply.to_vec())), Duration::from_millis(250));
    let redis = redis.unwrap_or_else(|fault| panic!("a client: {fault}"));
    let timing = Timing {
        voucher_ttl: Duration::from_secs(10),
        lapse_grace: Duration::from_secs(2),
    };
    let heads: Vec<Head> = Partition::all(PARTITIONS)
        .map(|partition| Head {
            partition,
            next_seq: 1,
            version: 0,
        })
        .collect();
    let wire = Wire::new(redis, timing, &heads, 7);
    let said = parse_redis_value(reply).ok();
    if let Some(Value::Push { .. }) = said {
        return; // no reply: nobody asked for it, and the reply is what comes after it
    }
    match which % 4 {
        0 => {
            let asks: Vec<Ask> = ["alice", "bob"]
                .iter()
                .filter_map(|user| {
                    Some(Ask {
                        packet: packet.clone(),
                        user_id: user.parse().ok()?,
                        admitted: true,
                    })
                })
                .collect();
            let batch = [(packet.clone(), asks.iter().collect())];
            let told = wire.grab(packet.partition(), &batch, NOW).await;
            let expected = said.and_then(|said| verdicts(said, packet));
            assert_eq!(
                told.ok()
                    .map(|told| told.iter().map(|verdict| outline(verdict.as_ref())).collect()),
                expected
            );
        }
        1 => {
            let news = [(packet.id(), vec![Told::Taken(1)])];
            let told = wire.tell(packet.partition(), &news, 1).await;
            let expected = said.and_then(states);
            assert_eq!(told.ok(), expected);
        }
        2 => {
            let told = wire.begin(packet).await;
            let nothing = said.is_none_or(|said| matches!(said, Value::Array(_) | Value::ServerError(_)));
            assert!(!nothing || told.is_err(), "{told:?}");
        }
        _ => {
            let told = wire.probe(packet.partition(), false).await;
            let number = said.and_then(|said| i64::from_redis_value(said).ok());
            assert_eq!(told.is_ok(), number.is_some(), "{told:?}");
        }
    }
}

/// What matters of a verdict.
#[derive(Debug, PartialEq, Eq)]
enum Outline {
    Absent,
    Opened(u32, i64, i64),
    Granted(u32, i64),
    NotAdmitted,
    AllHeld,
}

fn outline(verdict: Option<&Verdict>) -> Outline {
    match verdict {
        None => Outline::Absent,
        Some(Verdict::AlreadyOpened(claim)) => {
            assert!(claim.amount_fen.is_positive(), "{claim:?}");
            Outline::Opened(claim.share_no, claim.seq, claim.claim_time.as_microsecond())
        }
        Some(Verdict::Granted(Reservation {
            share_no: Some(share_no),
            lapse_time,
        })) => Outline::Granted(*share_no, lapse_time.as_microsecond()),
        Some(Verdict::NotAdmitted) => Outline::NotAdmitted,
        Some(Verdict::AllHeld { retry_delay }) => {
            assert!(*retry_delay >= Duration::from_millis(50) && *retry_delay <= Duration::from_secs(2));
            Outline::AllHeld
        }
        Some(other) => panic!("no script says {other:?}"),
    }
}

/// Two verdicts, as `grab.lua` says that it gives them.
fn verdicts(said: Value, packet: &Packet) -> Option<Vec<Outline>> {
    let numbers = Vec::<i64>::from_redis_value(said).ok()?;
    let (replies, []) = numbers.as_chunks::<4>() else {
        return None;
    };
    let share = |share: i64| u32::try_from(share).ok().filter(|share| *share < packet.share_count());
    let micros = |micros: i64| from_micros(micros).as_microsecond();
    let outlines = replies.iter().map(|[kind, a, b, c]| {
        Some(match kind {
            0 => Outline::Absent,
            1 => Outline::Opened(share(*a)?, *b, micros(*c)),
            2 => Outline::Granted(share(*a)?, micros(*b)),
            3 => Outline::NotAdmitted,
            4 => Outline::AllHeld,
            _ => return None,
        })
    });
    outlines
        .collect::<Option<Vec<_>>>()
        .filter(|outlines| outlines.len() == 2)
}

/// One state, as `tell.lua` says that it gives it.
fn states(said: Value) -> Option<Vec<State>> {
    match Vec::<i64>::from_redis_value(said).ok()?[..] {
        [0] => Some(vec![State::Absent]),
        [1] => Some(vec![State::Loading]),
        [2] => Some(vec![State::Live]),
        [3] => Some(vec![State::Exhausted]),
        [4] => Some(vec![State::Closed]),
        _ => None,
    }
}
