//! Packets and claims.

use proto::{
    gateway::v1::{GetPacketResponse, ListGroupPacketsResponse},
    grab::v1 as grab,
    packet::v1 as packet,
    terms::v1::{self as terms, audience::Who},
};
use serde::Serialize;

use super::{
    View,
    claim::{Claim, claims_table},
    rows,
    value::{Names, Time, enum_name, kind_word, person, shown, yuan},
};

/// Who may grab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The members of this group.
    GroupId(String),
    /// This one person.
    UserId(String),
    /// Anyone who has the link.
    Anyone,
}

impl Audience {
    fn of(audience: Option<terms::Audience>) -> Self {
        match audience.and_then(|audience| audience.who) {
            Some(Who::GroupId(id)) => Self::GroupId(id),
            Some(Who::UserId(id)) => Self::UserId(id),
            Some(Who::Anyone(_)) | None => Self::Anyone,
        }
    }

    fn human(&self) -> String {
        match self {
            Self::GroupId(id) => format!("group {id}"),
            Self::UserId(id) => format!("user {id}"),
            Self::Anyone => "anyone".to_owned(),
        }
    }
}

/// One packet: its terms and its state.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Packet {
    pub packet_id: String,
    pub state: &'static str,
    pub sender_id: String,
    pub kind: &'static str,
    pub total_fen: i64,
    pub share_count: u32,
    pub share_cap_fen: i64,
    pub audience: Audience,
    pub has_passphrase: bool,
    pub greeting: String,
    pub cover: String,
    pub create_time: Option<Time>,
    pub start_time: Option<Time>,
    pub expire_time: Option<Time>,
    pub close_time: Option<Time>,
    pub reject_reason: String,
    /// 64 hexadecimal digits.
    pub commitment: String,
    /// 64 hexadecimal digits; empty while it is secret.
    pub seed: String,
    pub refunded_fen: i64,
}

impl From<packet::Packet> for Packet {
    fn from(packet: packet::Packet) -> Self {
        let terms = packet.terms.unwrap_or_default();
        Self {
            packet_id: terms.packet_id,
            state: enum_name(packet.state, packet::State::as_str_name, "STATE_"),
            sender_id: terms.sender_id,
            kind: enum_name(terms.kind, terms::Kind::as_str_name, "KIND_"),
            total_fen: terms.total_fen,
            share_count: terms.share_count,
            share_cap_fen: terms.share_cap_fen,
            audience: Audience::of(terms.audience),
            has_passphrase: terms.has_passphrase,
            greeting: terms.greeting,
            cover: terms.cover,
            create_time: Time::from_proto(packet.create_time.as_ref()),
            start_time: Time::from_proto(terms.start_time.as_ref()),
            expire_time: Time::from_proto(terms.expire_time.as_ref()),
            close_time: Time::from_proto(packet.close_time.as_ref()),
            reject_reason: packet.reject_reason,
            commitment: hex::encode(packet.commitment),
            seed: hex::encode(packet.seed),
            refunded_fen: packet.refunded_fen,
        }
    }
}

impl Packet {
    fn summary(&self) -> String {
        let words = if self.has_passphrase { ", with a passphrase" } else { "" };
        format!(
            "{} yuan in {} ({}) to {}{words}",
            yuan(self.total_fen),
            self.share_count,
            kind_word(self.kind),
            self.audience.human()
        )
    }
}

impl View for Packet {
    fn human(&self) -> String {
        let mut lines = vec![
            format!("packet      {}", self.packet_id),
            format!("state       {}", self.state),
            format!("what        {}", self.summary()),
        ];
        if !self.greeting.is_empty() {
            lines.push(format!("greeting    {}", self.greeting));
        }
        lines.push(format!(
            "open        {} to {}",
            shown(self.start_time),
            shown(self.expire_time)
        ));
        if !self.reject_reason.is_empty() {
            lines.push(format!("rejected    {}", self.reject_reason));
        }
        if self.state == "COMPLETED" {
            lines.push(format!("refunded    {} yuan", yuan(self.refunded_fen)));
        }
        lines.push(format!("commitment  {}", self.commitment));
        if !self.seed.is_empty() {
            lines.push(format!("seed        {}", self.seed));
        }
        lines.join("\n")
    }
}

/// How far a packet has come.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Progress {
    pub packet_id: String,
    pub share_count: u32,
    pub opened_count: u32,
    pub opened_fen: i64,
    pub closed: bool,
}

impl From<grab::Progress> for Progress {
    fn from(progress: grab::Progress) -> Self {
        Self {
            packet_id: progress.packet_id,
            share_count: progress.share_count,
            opened_count: progress.opened_count,
            opened_fen: progress.opened_fen,
            closed: progress.closed,
        }
    }
}

impl View for Progress {
    fn human(&self) -> String {
        let closed = if self.closed { ", closed" } else { "" };
        format!(
            "{} of {} opened, {} yuan{closed}",
            self.opened_count,
            self.share_count,
            yuan(self.opened_fen)
        )
    }
}

/// A packet with its progress and claims.
#[derive(Clone, Debug, Serialize)]
pub struct Detail {
    /// The packet.
    pub packet: Packet,
    /// What others see of the sender.
    pub sender_name: String,
    /// How far it has come; `None` for a packet that never became ACTIVE.
    pub progress: Option<Progress>,
    /// Claims in order: the first 100, or all that were asked for.
    pub claims: Vec<Claim>,
}

impl Detail {
    /// The composed view of the gateway; `None` where it holds no packet.
    pub fn of(response: GetPacketResponse) -> Option<Self> {
        let names = Names(response.display_names);
        let packet = Packet::from(response.packet?);
        Some(Self {
            sender_name: names.of(&packet.sender_id),
            packet,
            progress: response.progress.map(Progress::from),
            claims: response
                .claims
                .into_iter()
                .map(|claim| Claim::of(claim, &names))
                .collect(),
        })
    }
}

impl View for Detail {
    fn human(&self) -> String {
        let mut lines = vec![
            self.packet.human(),
            format!("sender      {}", person(&self.sender_name, &self.packet.sender_id)),
        ];
        if let Some(progress) = &self.progress {
            lines.push(format!("progress    {}", progress.human()));
            lines.push(claims_table(&self.claims));
            let left_out = u64::from(progress.opened_count).saturating_sub(self.claims.len() as u64);
            if left_out > 0 {
                lines.push(format!("and {left_out} more (--all shows them)"));
            }
        }
        lines.join("\n")
    }
}

/// Packets of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Packets {
    /// Newest first.
    pub packets: Vec<Packet>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Packets {
    /// One page of a group's packets.
    pub fn of_group(response: ListGroupPacketsResponse) -> Self {
        Self {
            more: !response.next_page_token.is_empty(),
            packets: response.packets.into_iter().map(Packet::from).collect(),
        }
    }
}

impl View for Packets {
    fn human(&self) -> String {
        rows(
            ["packet", "from", "what", "state", "sent"],
            self.packets.iter().map(|packet| {
                [
                    packet.packet_id.clone(),
                    packet.sender_id.clone(),
                    packet.summary(),
                    packet.state.to_owned(),
                    shown(packet.create_time),
                ]
            }),
            "no packets",
        )
    }
}

/// One event of a watched packet.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A share was opened.
    Claim(Claim),
    /// The last event.
    Ended(Progress),
}

impl View for Event {
    fn human(&self) -> String {
        match self {
            Self::Claim(claim) => format!(
                "{}  {} yuan  {}",
                shown(claim.claim_time),
                yuan(claim.amount_fen),
                person(&claim.display_name, &claim.user_id)
            ),
            Self::Ended(progress) => format!("ended: {}", progress.human()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response() -> GetPacketResponse {
        let claim = |user: &str, amount_fen, luckiest| grab::Claim {
            user_id: user.to_owned(),
            amount_fen,
            luckiest,
            ..grab::Claim::default()
        };
        GetPacketResponse {
            packet: Some(packet::Packet {
                terms: Some(terms::Terms {
                    sender_id: "alice".to_owned(),
                    kind: terms::Kind::DoubleMean as i32,
                    total_fen: 10_000,
                    share_count: 3,
                    audience: Some(terms::Audience {
                        who: Some(Who::GroupId("friends".to_owned())),
                    }),
                    ..terms::Terms::default()
                }),
                state: packet::State::Active as i32,
                commitment: vec![0xab; 32],
                ..packet::Packet::default()
            }),
            progress: Some(grab::Progress {
                share_count: 3,
                opened_count: 3,
                opened_fen: 10_000,
                ..grab::Progress::default()
            }),
            claims: vec![claim("bob", 1_234, false), claim("carol", 8_000, true)],
            display_names: [("bob".to_owned(), "小波".to_owned())].into(),
        }
    }

    #[test]
    fn people_see_yuan_names_and_who_was_luckiest() {
        let shown = Detail::of(response()).unwrap().human();
        assert!(shown.contains("100.00 yuan in 3 (lucky) to group friends"), "{shown}");
        assert!(shown.contains("3 of 3 opened, 100.00 yuan"), "{shown}");
        let line = |who: &str| shown.lines().find(|line| line.contains(who)).unwrap();
        assert!(line("小波 (bob)").contains("12.34"), "{shown}");
        assert!(
            line("carol").contains("手气最佳") && !line("bob").contains("手气最佳"),
            "{shown}"
        );
        assert!(shown.ends_with("and 1 more (--all shows them)"), "{shown}");
    }

    #[test]
    fn programs_see_fen_and_ids() {
        let json = Detail::of(response()).unwrap().json().unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["packet"]["total_fen"], 10_000);
        assert_eq!(json["packet"]["kind"], "DOUBLE_MEAN");
        assert_eq!(json["packet"]["audience"]["group_id"], "friends");
        assert_eq!(json["packet"]["seed"], "");
        assert_eq!(json["claims"][0]["display_name"], "小波");
        assert_eq!(json["claims"][1]["amount_fen"], 8_000);
        assert_eq!(json["progress"]["opened_count"], 3);
    }
}
