//! What was told of packets and shares, and the claim log.

use std::collections::{HashMap, hash_map::Entry};

use super::{Index, Story, Violation};
use crate::chaos::{
    books::{Books, Claim},
    history::{Asked, Heard, NoShare, Record, Told},
};

pub(super) fn check(story: &Story, books: &Books, index: &Index) -> Vec<Violation> {
    let mut found = sends(story, books);
    found.extend(opens(story, index));
    found.extend(finals(story, books, index));
    found.extend(log(books));
    found.extend(shares(books, index));
    found
}

/// Every acknowledged send exists, as it was asked for, and once.
fn sends(story: &Story, books: &Books) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut by_request: HashMap<(&str, &str), &str> = HashMap::new();
    for record in story.records {
        let (
            Asked::Send {
                request_id,
                total_fen,
                share_count,
            },
            Heard::Sent { packet_id },
        ) = (&record.asked, &record.heard)
        else {
            continue;
        };
        match by_request.entry((&record.user, request_id)) {
            Entry::Occupied(first) if *first.get() != packet_id => found.push(Violation::SentTwice {
                request_id: request_id.clone(),
                user: record.user.clone(),
                packets: [(*first.get()).to_owned(), packet_id.clone()],
            }),
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => {
                place.insert(packet_id);
            }
        }
        match books.packets.get(packet_id) {
            None => found.push(Violation::SendLost(record.clone())),
            Some(packet) => {
                let is_it =
                    (&packet.sender, packet.total_fen, packet.share_count) == (&record.user, *total_fen, *share_count);
                if !is_it || !packet.is_paid() {
                    found.push(Violation::SendDiffers {
                        sent: record.clone(),
                        packet: packet.clone(),
                    });
                }
            }
        }
    }
    found
}

/// Everything that anybody was told of a claim is in the log, and nobody was told two things.
fn opens(story: &Story, index: &Index) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut heard: HashMap<(&str, &str), &Told> = HashMap::new();
    for told in story.records.iter().flat_map(told_by) {
        let person = (told.packet_id.as_str(), told.user.as_str());
        match heard.entry(person) {
            Entry::Occupied(first) if *first.get() == told => continue,
            Entry::Occupied(first) => found.push(Violation::ToldTwice {
                first: (*first.get()).clone(),
                then: told.clone(),
            }),
            Entry::Vacant(place) => {
                place.insert(told);
            }
        }
        match index.by_person.get(&person) {
            None => found.push(Violation::OpenLost(told.clone())),
            Some(claim) if (claim.share_no, claim.amount_fen) != (told.share_no, told.amount_fen) => {
                found.push(Violation::OpenDiffers {
                    told: told.clone(),
                    claim: (*claim).clone(),
                });
            }
            Some(_) => {}
        }
    }
    found
}

fn told_by(record: &Record) -> &[Told] {
    match &record.heard {
        Heard::Opened(told) => std::slice::from_ref(told),
        Heard::Seen(told) => told,
        _ => &[],
    }
}

/// What is final was true: nothing is left of what was called exhausted, and nothing was called expired before its time.
fn finals(story: &Story, books: &Books, index: &Index) -> Vec<Violation> {
    let untrue = |record: &&Record| {
        let (Asked::Grab { packet_id, .. } | Asked::Open { packet_id }, Heard::NoShare(told)) =
            (&record.asked, &record.heard)
        else {
            return false;
        };
        // One that is not there at all is a send that was lost, which is told elsewhere.
        let Some(packet) = books.packets.get(packet_id) else {
            return false;
        };
        match told {
            NoShare::Exhausted => index.of_packet(packet_id).len() < packet.share_count as usize,
            NoShare::Expired => record.ended_us < packet.expire_us,
            _ => false,
        }
    };
    let misled = |record: &Record| match (&record.asked, &record.heard) {
        (Asked::Grab { packet_id, .. } | Asked::Open { packet_id }, Heard::NoShare(told)) => Some(Violation::Misled {
            packet_id: packet_id.clone(),
            user: record.user.clone(),
            told: *told,
        }),
        _ => None,
    };
    story.records.iter().filter(untrue).filter_map(misled).collect()
}

/// LOG-1: each partition counts from 1 without gaps.
fn log(books: &Books) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut next: HashMap<u32, i64> = HashMap::new();
    for claim in &books.claims {
        let expected = next.entry(claim.partition).or_insert(1);
        if claim.seq != *expected {
            found.push(Violation::LogGap {
                partition: claim.partition,
                expected: *expected,
                found: claim.seq,
            });
        }
        *expected = claim.seq.saturating_add(1);
    }
    found
}

/// CLAIM-1, and no packet pays out more than it holds.
fn shares(books: &Books, index: &Index) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut by_share: HashMap<(&str, u32), &Claim> = HashMap::new();
    let mut by_person: HashMap<(&str, &str), &Claim> = HashMap::new();
    for claim in &books.claims {
        let share = by_share.insert((&claim.packet_id, claim.share_no), claim);
        found.extend(share.map(|other| Violation::ShareTwice([other.clone(), claim.clone()])));
        let person = by_person.insert((&claim.packet_id, &claim.user), claim);
        found.extend(person.map(|other| Violation::PersonTwice([other.clone(), claim.clone()])));
        let packet = books.packets.get(&claim.packet_id);
        if !packet.is_some_and(|packet| packet.is_paid() && claim.share_no < packet.share_count) {
            found.push(Violation::ClaimOfNothing(claim.clone()));
        }
    }
    for (packet_id, packet) in &books.packets {
        let claimed_fen = index.claimed_fen(packet_id);
        if claimed_fen > packet.total_fen {
            found.push(Violation::Overdrawn {
                packet_id: packet_id.clone(),
                total_fen: packet.total_fen,
                claimed_fen,
            });
        }
    }
    found
}
