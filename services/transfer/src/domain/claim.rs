//! Claims as the log gives them, which need not be as they should.

use clock::Timestamp;
use guard::Guard;
use id::Partition;

/// A claim as it stands in the log, before anybody has judged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedClaim {
    /// The partition whose log it is in.
    pub partition: Partition,
    /// Its position in that log, from 1, gapless (LOG-1).
    pub seq: i64,
    /// The packet, as text.
    pub packet_id: String,
    /// The share.
    pub share_no: u32,
    /// Who opened it, as text.
    pub user_id: String,
    /// How much it held, in fen.
    pub amount_fen: i64,
    /// When it was made durable, if that can be read.
    pub at: Option<Timestamp>,
    /// Set where the log itself cannot read its record: then nothing but the position is known.
    pub damage: Option<Damage>,
}

/// What is left of a damaged record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Whether there is no record at all.
    pub missing: bool,
    /// What it holds, for a person.
    pub facts: String,
}

impl LoggedClaim {
    /// A position of which no more is known than that there was a claim.
    pub fn damaged(partition: Partition, seq: i64, damage: Damage) -> Self {
        Self {
            partition,
            seq,
            packet_id: String::new(),
            share_no: 0,
            user_id: String::new(),
            amount_fen: 0,
            at: None,
            damage: Some(damage),
        }
    }

    /// What was read of it, for a person who has to make sense of it.
    pub fn facts(&self) -> String {
        let what = match &self.damage {
            Some(Damage { missing: true, .. }) => "there is no record".to_owned(),
            Some(Damage { facts, .. }) => facts.clone(),
            None => format!(
                "packet_id={} share_no={} user_id={} amount_fen={}",
                self.packet_id, self.share_no, self.user_id, self.amount_fen
            ),
        };
        format!("partition={} seq={}: {what}", self.partition.index(), self.seq)
    }
}

/// The log skipped a position: what was read is not what was asked for (LOG-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log continues with {found} where {expected} should follow")]
pub struct Gap {
    /// The position that should have come.
    pub expected: i64,
    /// The position that came.
    pub found: i64,
}

/// What of `batch` is new behind `last`, the last position known. Positions that were known before are passed over: a
/// feed may repeat itself. The claims returned continue `last` without a gap.
pub fn continuing(last: i64, batch: Vec<LoggedClaim>) -> Result<Vec<LoggedClaim>, Gap> {
    let mut next = last.saturating_add(1);
    let mut fresh = Vec::with_capacity(batch.len());
    for claim in batch {
        if claim.seq < next {
            continue;
        }
        if guard::stands(Guard::LogGap) && claim.seq > next {
            return Err(Gap {
                expected: next,
                found: claim.seq,
            });
        }
        next = claim.seq.saturating_add(1);
        fresh.push(claim);
    }
    Ok(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(seqs: &[i64]) -> Vec<LoggedClaim> {
        seqs.iter()
            .map(|seq| LoggedClaim {
                partition: Partition::new(0, Partition::DEFAULT_COUNT).unwrap(),
                seq: *seq,
                packet_id: String::new(),
                share_no: 0,
                user_id: String::new(),
                amount_fen: 0,
                at: None,
                damage: None,
            })
            .collect()
    }

    #[test]
    fn a_feed_may_repeat_but_not_skip() {
        type Row<'a> = (i64, &'a [i64], Result<Vec<i64>, Gap>);
        let gap = |expected, found| Err(Gap { expected, found });
        let table: [Row<'_>; 7] = [
            (0, &[], Ok(vec![])),
            (0, &[1, 2, 3], Ok(vec![1, 2, 3])),
            (2, &[1, 2], Ok(vec![])),
            (2, &[1, 2, 3, 4], Ok(vec![3, 4])),
            (2, &[3, 3, 4, 3], Ok(vec![3, 4])),
            (2, &[4], gap(3, 4)),
            (2, &[3, 5], gap(4, 5)),
        ];
        for (last, seqs, expected) in table {
            let found = continuing(last, batch(seqs)).map(|claims| claims.iter().map(|claim| claim.seq).collect());
            assert_eq!(found, expected, "{seqs:?} behind {last}");
        }
    }
}
