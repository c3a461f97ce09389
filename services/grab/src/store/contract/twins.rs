//! SQL and the store in memory are told the same, whatever it is, and must answer the same.

use std::{collections::BTreeMap, fmt::Debug, num::NonZeroUsize, sync::Arc};

use disk::Calm;
use id::Partition;
use money::Fen;
use proptest::{prelude::*, test_runner::TestRunner};
use sql::{Error, Result};

use super::{Backend, Engine, Suite, at, changes, claim, user};
use crate::{
    domain::{
        claim::{Entry, Head},
        packet::Packet,
    },
    store::{ByTime, Missed, engine, memory::MemoryDisk},
};

/// Packets, shares of each, and users of one story.
const PACKETS: u8 = 3;
const SHARES: u32 = 4;
const USERS: u8 = 4;

#[derive(Clone, Debug)]
enum Step {
    /// A promise is stored; another one of the same packet if it is `other`.
    Keep { packet: u8, other: bool },
    /// A batch of claims to a packet.
    Write {
        packet: u8,
        claims: Vec<(u32, u8)>,
        /// How the batch differs from one that a writer would make.
        twist: Twist,
        /// In microseconds; claims of several batches may be of one instant.
        at: i64,
    },
    /// Somebody writes over the user of a claim, or removes it.
    Tamper { packet: u8, back: i64, how: Tampering },
}

#[derive(Clone, Copy, Debug)]
enum Tampering {
    Rename,
    Spoil,
    Lose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twist {
    None,
    Dropped,
    SeqAhead,
    SeqBehind,
    SeqZero,
    Worthless,
    TallyShort,
    Close,
    Luckiest(u32),
    HeadZero,
}

fn step() -> impl Strategy<Value = Step> {
    let packet = 0..PACKETS;
    let twist = prop_oneof![
        8 => Just(Twist::None),
        1 => Just(Twist::Dropped),
        1 => Just(Twist::SeqAhead),
        1 => Just(Twist::SeqBehind),
        1 => Just(Twist::SeqZero),
        1 => Just(Twist::Worthless),
        1 => Just(Twist::TallyShort),
        1 => Just(Twist::Close),
        1 => (0..SHARES).prop_map(Twist::Luckiest),
        1 => Just(Twist::HeadZero),
    ];
    let claims = prop::collection::vec((0..SHARES, 0..USERS), 0..3);
    let how = prop_oneof![Just(Tampering::Rename), Just(Tampering::Spoil), Just(Tampering::Lose)];
    prop_oneof![
        3 => (packet.clone(), prop::bool::weighted(0.2)).prop_map(|(packet, other)| Step::Keep { packet, other }),
        8 => (packet.clone(), claims, twist, 0..4_i64)
            .prop_map(|(packet, claims, twist, at)| Step::Write { packet, claims, twist, at }),
        1 => (packet, 0..3_i64, how).prop_map(|(packet, back, how)| Step::Tamper { packet, back, how }),
    ]
}

/// What was answered, in words that both stores have in common.
fn told<T: Debug>(answer: Result<T>) -> String {
    let fault = match answer {
        Ok(answer) => return format!("{answer:?}"),
        Err(fault) => fault,
    };
    let name = match fault {
        Error::Driver(_) => "driver",
        Error::Contended(_) => "contended",
        Error::Conflict(_) => "conflict",
        Error::OutcomeUnknown(_) => "unknown",
        Error::Unwritable(..) => "unwritable",
        Error::Inconsistent(_) => "inconsistent",
    };
    name.to_owned()
}

struct Story {
    packets: Vec<Arc<Packet>>,
}

impl Story {
    /// Takes one step on one store; what came of it.
    async fn take(&self, step: &Step, store: &dyn Backend) -> String {
        match step {
            Step::Keep { packet, other } => {
                let packet = &self.packets[usize::from(*packet)];
                let mut promise = packet.promise().clone();
                if *other {
                    promise.terms.greeting.push('!');
                }
                told(store.keep(&promise, packet.partition()).await)
            }
            Step::Write {
                packet,
                claims,
                twist,
                at: micros,
            } => told(self.write(*packet, claims, *twist, *micros, store).await),
            Step::Tamper { packet, back, how } => {
                let partition = self.packets[usize::from(*packet)].partition();
                let last_seq = store.heads(&[partition]).await.unwrap()[0].last_seq();
                let seq = last_seq - back;
                match how {
                    Tampering::Rename => store.damage(partition, seq, &format!("bystander-{seq}")).await,
                    Tampering::Spoil => store.damage(partition, seq, &format!("no name {seq}")).await,
                    Tampering::Lose => store.lose(partition, seq).await,
                }
                String::new()
            }
        }
    }

    async fn write(
        &self,
        packet: u8,
        claims: &[(u32, u8)],
        twist: Twist,
        micros: i64,
        store: &dyn Backend,
    ) -> Result<Vec<String>> {
        let packet = &self.packets[usize::from(packet)];
        let batch = store.begin(&[packet.partition()]).await?;
        let head = batch.heads()[0];
        let seen: BTreeMap<_, _> = batch.tallies(&[packet.id()]).await?.into_iter().collect();
        let missed = Missed {
            partition: head.partition,
            after_seq: head.last_seq() - 2,
        };
        let mut known = batch.claims(&[packet.id()]).await?;
        known.sort_by_key(|claim| claim.seq);
        let answers = vec![
            format!("{head:?} {seen:?} {known:?}"),
            format!("{:?}", batch.log(&[missed]).await?),
        ];
        let first = match twist {
            Twist::SeqAhead => head.next_seq + 1,
            Twist::SeqBehind => (head.next_seq - 1).max(1),
            Twist::SeqZero => 0,
            _ => head.next_seq,
        };
        let amount_fen = (twist == Twist::Worthless).then_some(Fen::ZERO);
        let new = claims.iter().zip(first..).map(|((share_no, n), seq)| {
            let mut claim = claim(packet, *share_no, &format!("claimant-{n}"), seq, at(micros));
            claim.amount_fen = amount_fen.unwrap_or(claim.amount_fen);
            claim
        });
        let mut tally = seen.values().next().copied().unwrap_or_default();
        tally.opened_count += u32::try_from(claims.len()).unwrap();
        tally.opened_fen = Fen::new(i64::from(tally.opened_count) * 100);
        match twist {
            Twist::Close => drop(tally.close(at(micros))),
            Twist::TallyShort => tally.opened_fen = Fen::new(i64::from(tally.opened_count) - 1),
            _ => {}
        }
        // A packet that was never kept has no tally to write.
        let tallies = seen.into_keys().map(|packet_id| (packet_id, tally)).collect();
        let mut changes = changes(head, new.collect(), tallies);
        match twist {
            Twist::Luckiest(share_no) => changes.luckiest.push((packet.id(), share_no)),
            Twist::HeadZero => changes.heads.push(Head { next_seq: 0, ..head }),
            Twist::Dropped => return Ok(answers),
            _ => {}
        }
        batch.commit(changes).await?;
        Ok(answers)
    }

    /// Asks everything there is to ask.
    async fn ask(&self, store: &dyn Backend) -> Vec<String> {
        let mut answers = Vec::new();
        let ids: Vec<_> = self.packets.iter().map(|packet| packet.id()).collect();
        let progress = store.progress(&ids).await;
        answers.push(told(
            progress.map(|found| found.into_iter().collect::<BTreeMap<_, _>>()),
        ));
        for packet in &self.packets {
            let (id, partition) = (packet.id(), packet.partition());
            answers.push(told(store.promise(id).await));
            answers.push(told(store.history(id).await));
            let head = store.heads(&[partition]).await;
            let last_seq = head.as_ref().map_or(0, |heads| heads[0].last_seq());
            answers.push(told(head));
            for (after_seq, limit) in [(0, 2), (last_seq - 2, 10), (last_seq, 1)] {
                answers.push(told(store.claims(id, after_seq, limit).await));
            }
            for after_seq in [last_seq - 3, last_seq] {
                let log = store.log(partition, after_seq.max(0), 2).await;
                // What is left of a record is told in words of each store's own.
                let entries = log.map(|entries| {
                    let entry = |entry| match entry {
                        Entry::Claim(claim) => format!("{claim:?}"),
                        Entry::Unreadable(lost) => format!("{} {} {}", lost.partition, lost.seq, lost.missing),
                    };
                    entries.into_iter().map(entry).collect::<Vec<_>>()
                });
                answers.push(told(entries));
            }
            for n in 0..USERS {
                answers.push(told(store.claim_of(id, &user(&format!("claimant-{n}"))).await));
            }
        }
        for n in 0..USERS {
            let name = user(&format!("claimant-{n}"));
            let first = store.claims_of_user(&name, None, 2).await;
            let after = first.as_ref().ok().and_then(|claims| claims.last().map(ByTime::of));
            answers.push(told(first));
            answers.push(told(store.claims_of_user(&name, after, 3).await));
            answers.push(told(store.summarize(&name, at(1)..at(3)).await));
        }
        answers
    }
}

#[test]
fn sql_and_memory_are_twins() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    // One pair for all stories: each has packets of its own.
    let engine = Engine::sqlite();
    let sqlite = runtime.block_on(engine::store(&engine, 2));
    let memory = MemoryDisk::new(Partition::DEFAULT_COUNT, NonZeroUsize::MIN.saturating_add(1)).store(Arc::new(Calm));
    let suite = Suite::new(memory.clone());
    let twins: [&dyn Backend; 2] = [&sqlite, &memory];

    let config = ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let story = prop::collection::vec(step(), 1..25);
    let told = TestRunner::new(config).run(&story, |steps| {
        let packets = (0..PACKETS).map(|_| Packet::new(suite.promise(SHARES), Partition::DEFAULT_COUNT).unwrap());
        let story = Story {
            packets: packets.map(Arc::new).collect(),
        };
        for step in &steps {
            let [one, other] =
                twins.map(|store| runtime.block_on(async { (story.take(step, store).await, story.ask(store).await) }));
            prop_assert_eq!(one.0, other.0, "{:?}", step);
            for (one, other) in one.1.into_iter().zip(other.1) {
                prop_assert_eq!(one, other, "after {:?}", step);
            }
        }
        Ok(())
    });
    told.unwrap();
}
