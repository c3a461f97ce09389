//! Answers for the wire.

use std::time::Duration;

use clock::to_proto;
use proto::grab::v1::{
    self as pb, batch_grab_result, batch_open_result, grab_response, open_response, watch_packet_response,
};
use tonic::Status;

use crate::{
    domain::{
        claim::{Claim, Closing, Entry, Progress, Summary},
        packet::Bar,
    },
    ops::{feed::Sight, grab, open},
};

pub fn grab(outcome: grab::Outcome) -> pb::GrabResponse {
    use grab_response::Outcome;
    let outcome = match outcome {
        grab::Outcome::AlreadyOpened(claim) => Outcome::AlreadyOpened(self::claim(claim)),
        grab::Outcome::Granted { voucher, lapse_time } => Outcome::Granted(pb::Granted {
            voucher,
            lapse_time: Some(to_proto(lapse_time)),
        }),
        grab::Outcome::Opened(claim) => Outcome::Opened(self::claim(claim)),
        grab::Outcome::Barred(Bar::Expired) => Outcome::Expired(pb::Expired {}),
        grab::Outcome::Barred(Bar::NotStarted { start_time }) => Outcome::NotStarted(pb::NotStarted {
            start_time: Some(to_proto(start_time)),
        }),
        grab::Outcome::Barred(Bar::NotInAudience) => Outcome::NotInAudience(pb::NotInAudience {}),
        grab::Outcome::Barred(Bar::WrongPassphrase { missing }) => {
            Outcome::WrongPassphrase(pb::WrongPassphrase { missing })
        }
        grab::Outcome::Exhausted => Outcome::Exhausted(pb::Exhausted {}),
        grab::Outcome::AllHeld { retry_delay } => Outcome::AllHeld(pb::AllHeld {
            retry_delay: Some(duration(retry_delay)),
        }),
    };
    pb::GrabResponse { outcome: Some(outcome) }
}

pub fn grab_result(outcome: Result<grab::Outcome, Status>) -> pb::BatchGrabResult {
    use batch_grab_result::Result;
    let result = match outcome {
        Ok(outcome) => Result::Response(grab(outcome)),
        Err(fault) => Result::Error(status::to_message(&fault)),
    };
    pb::BatchGrabResult { result: Some(result) }
}

pub fn open(outcome: open::Outcome) -> pb::OpenResponse {
    use open_response::Outcome;
    let outcome = match outcome {
        open::Outcome::Opened(claim) => Outcome::Opened(self::claim(claim)),
        open::Outcome::Exhausted => Outcome::Exhausted(pb::Exhausted {}),
        open::Outcome::Closed => Outcome::Expired(pb::Expired {}),
    };
    pb::OpenResponse { outcome: Some(outcome) }
}

pub fn open_result(outcome: Result<open::Outcome, Status>) -> pb::BatchOpenResult {
    use batch_open_result::Result;
    let result = match outcome {
        Ok(outcome) => Result::Response(open(outcome)),
        Err(fault) => Result::Error(status::to_message(&fault)),
    };
    pb::BatchOpenResult { result: Some(result) }
}

pub fn claim(claim: Claim) -> pb::Claim {
    pb::Claim {
        packet_id: claim.packet_id.to_string(),
        share_no: claim.share_no,
        user_id: claim.user_id.into(),
        amount_fen: claim.amount_fen.get(),
        claim_time: Some(to_proto(claim.claim_time)),
        partition: claim.partition.index().into(),
        seq: claim.seq,
        luckiest: claim.luckiest,
        sender_id: claim.sender_id.into(),
    }
}

pub fn progress(progress: &Progress) -> pb::Progress {
    pb::Progress {
        packet_id: progress.packet_id.to_string(),
        share_count: progress.share_count,
        opened_count: progress.tally.opened_count,
        opened_fen: progress.tally.opened_fen.get(),
        closed: progress.tally.close_time.is_some(),
        seed: progress
            .seed
            .as_ref()
            .map(|seed| seed.as_bytes().to_vec())
            .unwrap_or_default(),
    }
}

pub fn summary(summary: Summary) -> pb::SummarizeUserResponse {
    pb::SummarizeUserResponse {
        claim_count: summary.claim_count,
        amount_fen: summary.amount_fen.get(),
        luckiest_count: summary.luckiest_count,
    }
}

pub fn closing(closing: Closing) -> pb::ClosePacketResponse {
    pb::ClosePacketResponse {
        opened_count: closing.opened_count,
        opened_fen: closing.opened_fen.get(),
        close_time: Some(to_proto(closing.close_time)),
    }
}

pub fn sight(sight: Sight) -> pb::WatchPacketResponse {
    use watch_packet_response::Event;
    let event = match sight {
        Sight::Claim(claim) => Event::Claim(self::claim(claim)),
        Sight::Ended(progress) => Event::Ended(self::progress(&progress)),
    };
    pb::WatchPacketResponse { event: Some(event) }
}

pub fn stretch(entries: Vec<Entry>) -> pb::TailClaimsResponse {
    let mut stretch = pb::TailClaimsResponse::default();
    stretch.claims.reserve(entries.len());
    for entry in entries {
        match entry {
            Entry::Claim(claim) => stretch.claims.push(self::claim(claim)),
            Entry::Unreadable(unreadable) => stretch.unreadable.push(pb::UnreadableClaim {
                seq: unreadable.seq,
                missing: unreadable.missing,
                facts: unreadable.facts,
            }),
        }
    }
    stretch
}

fn duration(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::claim::Unreadable;
    use id::Partition;

    /// LOG-1: whoever follows the log hears of every position.
    #[test]
    fn what_cannot_be_read_stands_in_its_place() {
        let partition = Partition::all(Partition::DEFAULT_COUNT).next().unwrap();
        let gone = Entry::Unreadable(Unreadable::missing(partition, 7));
        let damaged = Entry::Unreadable(Unreadable::damaged(partition, 8, "share_no=x"));
        let told = stretch(vec![gone, damaged]).unreadable;
        assert_eq!(
            [(told[0].seq, told[0].missing), (told[1].seq, told[1].missing)],
            [(7, true), (8, false)]
        );
        assert!(told[1].facts.contains("share_no=x"), "{told:?}");
    }
}
