//! The tables, with the keys and checks that SQL has on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use disk::{check, key};
use guard::Guard;
use id::{PacketId, Partition, UserId};
use sql::{Error, Result};

use crate::{
    domain::{
        claim::{Claim, Entry, Head, Tally, Unreadable},
        terms::Promise,
    },
    store::{Changes, Stored},
};

/// A claim as it is stored.
#[derive(Clone, Debug)]
pub struct Row {
    pub claim: Claim,
    /// What stands where the user was, if somebody damaged it since.
    damage: Option<String>,
}

impl Row {
    /// Whether it says that it is of this user.
    pub fn is_of(&self, user_id: &UserId) -> bool {
        self.damage.is_none() && self.claim.user_id == *user_id
    }
}

/// Everything stored. Each table is shared with whoever saw it, until it is changed.
#[derive(Clone, Debug)]
pub struct Tables {
    promises: Arc<BTreeMap<PacketId, Promise>>,
    tallies: Arc<BTreeMap<PacketId, Tally>>,
    /// By partition and `seq`. One claim a position, unless its key was taken away.
    log: Arc<BTreeMap<(Partition, i64), Vec<Row>>>,
    heads: Arc<BTreeMap<Partition, Head>>,
}

impl Tables {
    /// Nothing but the heads.
    pub fn new(partitions: &[Partition]) -> Self {
        let head = |partition| Head {
            partition,
            next_seq: 1,
            version: 0,
        };
        Self {
            promises: Arc::default(),
            tallies: Arc::default(),
            log: Arc::default(),
            heads: Arc::new(
                partitions
                    .iter()
                    .map(|partition| (*partition, head(*partition)))
                    .collect(),
            ),
        }
    }

    pub fn promise(&self, packet_id: PacketId) -> Option<&Promise> {
        self.promises.get(&packet_id)
    }

    pub fn tally(&self, packet_id: PacketId) -> Option<Tally> {
        self.tallies.get(&packet_id).copied()
    }

    /// Those of these heads that there are, in order.
    pub fn heads(&self, partitions: &BTreeSet<Partition>) -> Vec<Head> {
        let heads = partitions.iter().filter_map(|partition| self.heads.get(partition));
        heads.copied().collect()
    }

    /// All claims, in order of partition and `seq`.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.log.values().flatten()
    }

    /// The claims of a packet, in order of `seq`.
    pub fn of_packet(&self, packet_id: PacketId) -> impl Iterator<Item = &Row> {
        self.rows().filter(move |row| row.claim.packet_id == packet_id)
    }

    /// The claims of a partition behind a position, in order of `seq`.
    pub fn behind(&self, partition: Partition, after_seq: i64) -> impl Iterator<Item = &Row> {
        let from = (partition, after_seq.saturating_add(1));
        self.log.range(from..=(partition, i64::MAX)).flat_map(|(_, rows)| rows)
    }

    /// What stands at a position of a partition's log.
    pub fn at(&self, partition: Partition, seq: i64) -> Entry {
        let row = self.log.get(&(partition, seq)).and_then(|rows| rows.first());
        match row.map(|row| (row, &row.damage)) {
            None => Entry::Unreadable(Unreadable::missing(partition, seq)),
            Some((row, None)) => Entry::Claim(row.claim.clone()),
            Some((row, Some(text))) => Entry::Unreadable(Unreadable::damaged(partition, seq, &facts(&row.claim, text))),
        }
    }

    pub fn keep(&mut self, promise: &Promise) -> Stored {
        let packet_id = promise.terms.packet_id;
        match self.promises.get(&packet_id) {
            Some(kept) if kept == promise => Stored::Same,
            Some(_) => Stored::Other,
            None => {
                Arc::make_mut(&mut self.promises).insert(packet_id, promise.clone());
                Arc::make_mut(&mut self.tallies).insert(packet_id, Tally::default());
                Stored::New
            }
        }
    }

    /// Everything that a batch does.
    pub fn apply(&mut self, changes: Changes) -> Result<()> {
        for claim in changes.claims {
            self.append(claim)?;
        }
        if !changes.luckiest.is_empty() {
            let rows = Arc::make_mut(&mut self.log).values_mut().flatten();
            for row in rows {
                let share = (row.claim.packet_id, row.claim.share_no);
                row.claim.luckiest |= changes.luckiest.contains(&share);
            }
        }
        for (packet_id, tally) in changes.tallies {
            // A share holds a fen at the least.
            check(
                tally.opened_fen.get() >= i64::from(tally.opened_count),
                "tally: opened_fen",
            )?;
            Arc::make_mut(&mut self.tallies).insert(packet_id, tally);
        }
        for head in changes.heads {
            check(head.next_seq > 0, "log_head: next_seq")?;
            check(head.version >= 0, "log_head: version")?;
            Arc::make_mut(&mut self.heads).insert(head.partition, head);
        }
        Ok(())
    }

    fn append(&mut self, claim: Claim) -> Result<()> {
        check(claim.seq > 0, "claim: seq")?;
        check(claim.amount_fen.get() > 0, "claim: amount_fen")?;
        let position = (claim.partition, claim.seq);
        let free = !guard::stands(Guard::LogOrder) || !self.log.contains_key(&position);
        key(free, "LOG-1: claim (partition, seq)")?;
        let free = |guard: Guard, same: fn(&Row, &Claim) -> bool| {
            let mut rows = self.of_packet(claim.packet_id);
            !guard::stands(guard) || !rows.any(|row| same(row, &claim))
        };
        let share_is_free = free(Guard::ShareOnce, |row, claim| row.claim.share_no == claim.share_no);
        key(share_is_free, "CLAIM-1: claim (packet, share)")?;
        let user_is_free = free(Guard::UserOnce, |row, claim| row.is_of(&claim.user_id));
        key(user_is_free, "CLAIM-1: claim (packet, user)")?;
        let row = Row { claim, damage: None };
        Arc::make_mut(&mut self.log).entry(position).or_default().push(row);
        Ok(())
    }

    /// Writes over the user of a claim.
    pub fn damage(&mut self, position: (Partition, i64), text: &str) {
        for row in Arc::make_mut(&mut self.log).get_mut(&position).into_iter().flatten() {
            match text.parse() {
                Ok(user_id) => (row.claim.user_id, row.damage) = (user_id, None),
                Err(_) => row.damage = Some(text.to_owned()),
            }
        }
    }

    /// Removes a claim.
    pub fn lose(&mut self, position: (Partition, i64)) {
        Arc::make_mut(&mut self.log).remove(&position);
    }
}

/// What a damaged row holds, for a person.
fn facts(claim: &Claim, user_id: &str) -> String {
    let Claim {
        packet_id,
        share_no,
        amount_fen,
        sender_id,
        ..
    } = claim;
    let (amount_fen, claim_time_us) = (amount_fen.get(), claim.claim_time.as_microsecond());
    format!(
        "packet_id={packet_id} share_no={share_no} user_id={user_id} amount_fen={amount_fen} \
         claim_time_us={claim_time_us} sender_id={sender_id}"
    )
}

/// A row to the domain.
pub fn readable(row: &Row) -> Result<Claim> {
    let Some(text) = &row.damage else {
        return Ok(row.claim.clone());
    };
    let (partition, seq) = (row.claim.partition, row.claim.seq);
    Err(Error::inconsistent(format!(
        "user {text} of the claim at {seq} of {partition}"
    )))
}

/// A limit as a count of rows.
pub fn count(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// What was stored at one instant, in the raw.
#[derive(Clone, Debug)]
pub struct Snapshot(Tables);

impl Snapshot {
    pub(super) fn of(tables: Tables) -> Self {
        Self(tables)
    }

    /// All promises, by packet.
    pub fn promises(&self) -> &BTreeMap<PacketId, Promise> {
        &self.0.promises
    }

    /// All tallies, by packet.
    pub fn tallies(&self) -> &BTreeMap<PacketId, Tally> {
        &self.0.tallies
    }

    /// The heads of all logs, by partition.
    pub fn heads(&self) -> &BTreeMap<Partition, Head> {
        &self.0.heads
    }

    /// All claims as they were written, damaged or not: by partition, in the order of its log.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.0.rows().map(|row| &row.claim)
    }

    /// The positions of the claims that are damaged.
    pub fn damaged(&self) -> impl Iterator<Item = (Partition, i64)> {
        let rows = self.0.rows().filter(|row| row.damage.is_some());
        rows.map(|row| (row.claim.partition, row.claim.seq))
    }
}
