//! What comes of a batch: pure, under the locked heads.

use std::collections::{BTreeMap, HashMap};

use clock::Timestamp;
use id::{PacketId, Partition};

use super::{Job, WriteError, pictures::Pictures};
use crate::{
    domain::{
        claim::{Head, Tally},
        picture::{Opening, Position},
    },
    gate::News,
    store::Changes,
};

/// Decides every job, each by itself; what fails one fails no other. Notes the decisions in the jobs. `unpictured` has the
/// tallies of packets that only a close needs.
pub fn decide(
    pictures: &mut Pictures,
    heads: &[Head],
    mut unpictured: HashMap<PacketId, Tally>,
    jobs: &mut [Job],
    now: Timestamp,
) -> (Changes, Vec<News>) {
    let mut heads: BTreeMap<Partition, (Head, bool)> =
        heads.iter().map(|head| (head.partition, (*head, false))).collect();
    let mut tallies: BTreeMap<PacketId, Tally> = BTreeMap::new();
    let (mut changes, mut news) = (Changes::default(), Vec::new());

    for job in jobs {
        let packet_id = job.packet().id();
        let Some((head, touched)) = heads.get_mut(&job.packet().partition()) else {
            tracing::error!(partition = %job.packet().partition(), "a partition has no head");
            job.refuse(WriteError::Inconsistent);
            continue;
        };
        match job {
            Job::Open {
                user_id,
                wanted,
                pending,
            } => {
                let Some(picture) = pictures.get(packet_id) else {
                    job.refuse(WriteError::Inconsistent);
                    continue;
                };
                let seq = head.next_seq;
                let opening = picture.open(user_id, *wanted, Position { seq, now });
                if let Opening::Opened(claim) = &opening {
                    head.next_seq += 1;
                    *touched = true;
                    tallies.insert(packet_id, picture.tally());
                    changes.claims.push(claim.clone());
                    changes
                        .luckiest
                        .extend(picture.luckiest().map(|share_no| (packet_id, share_no)));
                }
                news_of(&opening, packet_id, *wanted, &mut news);
                let before = pending.decided.take();
                pending.decided = Some(Ok(as_first_told(before, opening)));
            }
            Job::Close(pending) => {
                let tally = unpictured.get_mut(&packet_id);
                let closed = match pictures.get(packet_id) {
                    Some(picture) => Some((picture.close(now), picture.tally())),
                    None => tally.map(|tally| (tally.close(now), *tally)),
                };
                pending.decided = Some(closed.ok_or(WriteError::Inconsistent).map(|((closing, first), tally)| {
                    if first {
                        *touched = true;
                        tallies.insert(packet_id, tally);
                    }
                    news.push(News::Closed(packet_id));
                    closing
                }));
            }
        }
    }

    changes.tallies = tallies.into_iter().collect();
    changes.heads = heads
        .into_values()
        .filter(|(_, touched)| *touched)
        .map(|(mut head, _)| {
            head.version += 1;
            head
        })
        .collect();
    (changes, news)
}

/// A batch whose outcome was unknown and turns out committed is decided again, and finds its own claims: who asked gets
/// the answer that was lost.
fn as_first_told(before: Option<Result<Opening, WriteError>>, opening: Opening) -> Opening {
    match (before, opening) {
        (Some(Ok(Opening::Opened(before))), Opening::Already(claim))
            if (before.seq, before.claim_time) == (claim.seq, claim.claim_time) =>
        {
            Opening::Opened(claim)
        }
        (_, opening) => opening,
    }
}

/// What the gate should hear of an opening; where it was wrong, what would have kept it right.
fn news_of(opening: &Opening, packet_id: PacketId, wanted: Option<u32>, news: &mut Vec<News>) {
    match opening {
        Opening::Opened(claim) => {
            news.push(News::Opened(claim.clone()));
            let other = wanted.filter(|wanted| *wanted != claim.share_no);
            news.extend(other.map(|share_no| News::Taken { packet_id, share_no }));
        }
        Opening::Already(claim) => news.push(News::Opened(claim.clone())),
        Opening::Closed => news.push(News::Closed(packet_id)),
        Opening::Exhausted => news.push(News::Astray(packet_id)),
    }
}
