//! Following the claim log: a partition's, or one packet's part of it.
//!
//! Every stream reads pages from the store and remembers nothing but its position, so that a slow reader costs no
//! memory: it is simply not asked to read on. All streams end when the process stops.

use std::{sync::Arc, time::Duration};

use futures::{Stream, TryStreamExt, stream};
use id::{PacketId, Partition};
use runtime::Process;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;
use crate::{
    domain::claim::{Claim, Entry, Head, Progress},
    heads::{Follower, Heads},
    packets::Packets,
    store::{ClaimStore, LogStore},
};

/// Claims of one packet that a watcher reads at a time.
const WATCH_PAGE: u64 = 200;
/// How long a watcher rests between two reads. A partition's head moves with every commit, mostly for other packets; this
/// bounds what a watcher costs, and adds this much to what it sees late.
const WATCH_REST: Duration = Duration::from_millis(50);

/// Follows the claim log.
#[derive(Clone)]
pub struct Feed {
    /// The packets in memory.
    pub packets: Arc<Packets>,
    /// The claims by packet.
    pub claims: Arc<dyn ClaimStore>,
    /// The claims by partition.
    pub log: Arc<dyn LogStore>,
    /// Who tells that there is more.
    pub heads: Arc<Heads>,
    /// Who tells that it is over.
    pub process: Process,
    /// How many may follow at once.
    pub room: Room,
}

/// How many streams may be open at once. Each costs what its transport keeps for it, and a page now and then; those beyond are
/// refused.
#[derive(Clone, Debug)]
pub struct Room {
    watchers: Arc<Semaphore>,
    tails: Arc<Semaphore>,
}

impl Room {
    /// For so many who watch packets, and so many who follow partitions.
    pub fn new(watchers: usize, tails: usize) -> Self {
        let semaphore = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            watchers: semaphore(watchers),
            tails: semaphore(tails),
        }
    }
}

/// A place among those who follow, for as long as the stream lives.
fn place(among: &Arc<Semaphore>, what: &'static str) -> Result<OwnedSemaphorePermit, Error> {
    among
        .clone()
        .try_acquire_owned()
        .map_err(|_| Error::TooManyStreams(what))
}

/// From where a partition's log is read.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    /// The partition, one that there is.
    pub partition: Partition,
    /// Behind this position.
    pub after_seq: i64,
    /// Whether to wait for more at the end.
    pub follow: bool,
    /// At most this many claims at a time, above zero.
    pub max_batch: u64,
}

impl Tail {
    /// How many claims to read where the log is known to reach to `last_seq`. A follower reads no further: some engines let
    /// a claim be seen a moment before it is durable, and the head moves after that.
    fn limit(&self, last_seq: i64) -> u64 {
        let known = u64::try_from(last_seq - self.after_seq).unwrap_or(0);
        if self.follow {
            self.max_batch.min(known)
        } else {
            self.max_batch
        }
    }
}

/// What a watcher sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A share was opened.
    Claim(Claim),
    /// Nothing follows any more.
    Ended(Progress),
}

impl Feed {
    /// What a partition's log holds, in order and without gaps (LOG-1), never an empty stretch. A record that cannot be
    /// understood is told as such, and the log goes on behind it.
    pub async fn tail(
        &self,
        tail: Tail,
    ) -> Result<impl Stream<Item = Result<Vec<Entry>, Error>> + Send + use<>, Error> {
        let place = place(&self.room.tails, "follow a partition")?;
        let mut head = self.follow(tail.partition)?;
        let known = head.see().last_seq();
        if tail.after_seq > known {
            // Another process may have written since the last poll.
            let heads = self.log.heads(&[tail.partition]).await?;
            let last_seq = heads.first().map_or(0, Head::last_seq);
            if tail.after_seq > last_seq {
                return Err(Error::BeyondEnd { last_seq });
            }
        }
        let state = (self.clone(), tail, head, place);
        Ok(stream::try_unfold(
            state,
            |(feed, mut tail, mut head, place)| async move {
                while !feed.process.is_stopping() {
                    // Seen before reading: what commits after the read wakes us again.
                    let last_seq = head.see().last_seq();
                    if !tail.follow || last_seq > tail.after_seq {
                        let limit = tail.limit(last_seq);
                        let entries = feed.log.log(tail.partition, tail.after_seq, limit).await?;
                        if let Some(last) = entries.last() {
                            tail.after_seq = last.seq();
                            return Ok(Some((entries, (feed, tail, head, place))));
                        }
                    }
                    if !tail.follow || !feed.moved(&head).await {
                        break;
                    }
                }
                Ok(None)
            },
        ))
    }

    /// The claims of a packet: those there are, then each new one, then how it ended.
    pub async fn watch(
        &self,
        packet_id: PacketId,
    ) -> Result<impl Stream<Item = Result<Sight, Error>> + Send + use<>, Error> {
        let place = place(&self.room.watchers, "watch a packet")?;
        let packet = self.packets.get(packet_id).await?;
        let head = self.follow(packet.partition())?;
        let state = (self.clone(), head, Some(0), place);
        let pages = stream::try_unfold(state, move |(feed, mut head, position, place)| async move {
            let Some(after_seq) = position else {
                return Ok(None); // the end was told
            };
            let seen = feed.look(packet_id, after_seq, &mut head).await?;
            Ok::<_, Error>(seen.map(|(sights, position)| {
                let sights = stream::iter(sights.into_iter().map(Ok));
                (sights, (feed, head, position, place))
            }))
        });
        Ok(pages.try_flatten())
    }

    /// Waits until there is something to see of a packet behind `after_seq`, and says where to look next, if anywhere;
    /// `None` if the process stops first.
    async fn look(
        &self,
        packet_id: PacketId,
        after_seq: i64,
        head: &mut Follower,
    ) -> Result<Option<(Vec<Sight>, Option<i64>)>, Error> {
        while !self.process.is_stopping() {
            head.see(); // before reading: what commits after the read wakes us again
            let found = self.claims.claims(packet_id, after_seq, WATCH_PAGE).await?;
            let (progress, claims) = found.ok_or(Error::UnknownPacket(packet_id))?;
            let has_ended = progress.has_ended() && (claims.len() as u64) < WATCH_PAGE;
            let last_seq = claims.last().map_or(after_seq, |claim| claim.seq);
            let mut sights: Vec<_> = claims.into_iter().map(Sight::Claim).collect();
            if has_ended {
                sights.push(Sight::Ended(progress));
            }
            if !sights.is_empty() {
                return Ok(Some((sights, (!has_ended).then_some(last_seq))));
            }
            if !self.process.pause(WATCH_REST).await || !self.moved(head).await {
                break;
            }
        }
        Ok(None)
    }

    fn follow(&self, partition: Partition) -> Result<Follower, Error> {
        let fault = || sql::Error::inconsistent(format!("there is no partition {partition}"));
        Ok(self.heads.follow(partition).ok_or_else(fault)?)
    }

    /// Waits until the head moves; `false` if the process stops first.
    async fn moved(&self, head: &Follower) -> bool {
        tokio::select! {
            biased;
            () = self.process.stopping() => false,
            () = head.moved() => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_place_is_refused_until_somebody_leaves() {
        let room = Room::new(1, 0);
        let first = place(&room.watchers, "watch").unwrap();
        assert!(matches!(
            place(&room.watchers, "watch"),
            Err(Error::TooManyStreams("watch"))
        ));
        assert!(place(&room.tails, "tail").is_err());
        drop(first);
        drop(place(&room.watchers, "watch").unwrap());
    }

    #[test]
    fn a_follower_reads_no_further_than_the_log_is_known_to_reach() {
        let tail = |follow| Tail {
            partition: Partition::all(Partition::DEFAULT_COUNT).next().unwrap(),
            after_seq: 10,
            follow,
            max_batch: 5,
        };
        assert_eq!(
            [10, 12, 15, 99].map(|last_seq| tail(true).limit(last_seq)),
            [0, 2, 5, 5]
        );
        assert_eq!(tail(false).limit(10), 5, "who does not follow reads what there is");
    }
}
