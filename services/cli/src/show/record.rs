//! What the caller sent and received.

use proto::{gateway::v1::GetYearSummaryResponse, grab::v1 as grab, packet::v1 as packet};
use serde::Serialize;

use super::{
    View,
    claim::Claim,
    packet::{Packet, Progress},
    rows,
    value::{Names, kind_word, person, shown, yuan},
};

/// Packets the caller sent.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// Newest first.
    pub packets: Vec<SentPacket>,
    /// Whether there are older ones.
    pub more: bool,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct SentPacket {
    /// The packet.
    #[serde(flatten)]
    pub packet: Packet,
    /// How far it has come; `None` if it never became ACTIVE.
    pub progress: Option<Progress>,
}

impl Sent {
    /// Joins packets and their progress.
    pub fn of(packets: Vec<packet::Packet>, progress: Vec<grab::Progress>, more: bool) -> Self {
        let mut progress: std::collections::HashMap<_, _> = progress
            .into_iter()
            .map(|progress| (progress.packet_id.clone(), Progress::from(progress)))
            .collect();
        let packets = packets.into_iter().map(|packet| {
            let packet = Packet::from(packet);
            SentPacket {
                progress: progress.remove(&packet.packet_id),
                packet,
            }
        });
        Self {
            packets: packets.collect(),
            more,
        }
    }
}

impl View for Sent {
    fn human(&self) -> String {
        rows(
            ["packet", "state", "kind", "#yuan", "progress", "#refunded", "sent"],
            self.packets.iter().map(|SentPacket { packet, progress }| {
                [
                    packet.packet_id.clone(),
                    packet.state.to_owned(),
                    kind_word(packet.kind).to_owned(),
                    yuan(packet.total_fen),
                    progress.as_ref().map_or_else(String::new, View::human),
                    yuan(packet.refunded_fen),
                    shown(packet.create_time),
                ]
            }),
            "you have sent no packets",
        )
    }
}

/// Shares the caller opened.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    /// Newest first.
    pub claims: Vec<Claim>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Received {
    /// Claims with the names of their senders.
    pub fn of(claims: Vec<grab::Claim>, names: &Names, more: bool) -> Self {
        Self {
            claims: claims.into_iter().map(|claim| Claim::of(claim, names)).collect(),
            more,
        }
    }
}

impl View for Received {
    fn human(&self) -> String {
        rows(
            ["from", "#yuan", "", "opened", "packet"],
            self.claims.iter().map(|claim| {
                [
                    person(&claim.sender_name, &claim.sender_id),
                    yuan(claim.amount_fen),
                    if claim.luckiest { "luckiest 手气最佳" } else { "" }.to_owned(),
                    shown(claim.claim_time),
                    claim.packet_id.clone(),
                ]
            }),
            "you have opened no shares",
        )
    }
}

/// What the caller received in one year.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Year {
    pub year: i32,
    pub claim_count: i64,
    pub amount_fen: i64,
    pub luckiest_count: i64,
}

impl Year {
    /// The summary of `year`.
    pub fn of(year: i32, response: GetYearSummaryResponse) -> Self {
        let received = response.received.unwrap_or_default();
        Self {
            year,
            claim_count: received.claim_count,
            amount_fen: received.amount_fen,
            luckiest_count: received.luckiest_count,
        }
    }
}

impl View for Year {
    fn human(&self) -> String {
        format!(
            "{}: {} shares, {} yuan, luckiest {} times",
            self.year,
            self.claim_count,
            yuan(self.amount_fen),
            self.luckiest_count
        )
    }
}
