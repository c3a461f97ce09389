//! Sending a packet.

use std::time::Duration;

use clap::{Args, ValueEnum};
use clock::{Clock, Timestamp};
use id::{GroupId, RequestId, UserId};
use money::Fen;
use proto::{
    gateway::v1::SendPacketRequest,
    terms::v1::{self as terms, audience::Who},
};
use serde::Serialize;

use super::{missing, or_repeat, request_id};
use crate::{
    client::Client,
    failure::Failure,
    show::{View, packet::Packet},
};

/// A packet to send.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Send {
    /// The sum of all shares, in yuan
    #[arg(value_name = "YUAN")]
    pub total: Fen,
    /// How many shares
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub shares: u32,
    /// Who may grab.
    #[command(flatten)]
    pub to: To,
    /// How it is split
    #[arg(long, value_enum, default_value_t = Kind::Lucky)]
    pub kind: Kind,
    /// Words that a grab must give
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    pub passphrase: String,
    /// What you write on it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub greeting: String,
    /// The design of its cover
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub cover: String,
    /// How long it may be grabbed, such as 90s, 30m or 24h; 24h if not given
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub lifetime: Option<Duration>,
    /// From when it may be grabbed: an instant such as 2027-02-06T20:00:00+08:00, or a span from now such as +10m
    #[arg(long, value_name = "WHEN", value_parser = start)]
    pub start: Option<Start>,
    /// The most a single share may hold, in yuan
    #[arg(long, value_name = "YUAN")]
    pub cap: Option<Fen>,
    /// Name of this send: the same again gives the first answer; a new one if not given
    #[arg(long, value_name = "ID")]
    pub request_id: Option<RequestId>,
}

const EXAMPLES: &str = "\
Examples:
  hongbao send 100.00 --as alice --shares 10 --to-group friends --greeting 恭喜发财
  hongbao send 5.20 --as alice --to-user bob --kind equal
  hongbao send 66.00 --as alice --shares 6 --to-anyone --passphrase 新年快乐 --start +10m --lifetime 1h";

/// Who may grab: exactly one.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct To {
    /// The members of this group may grab
    #[arg(long, value_name = "GROUP")]
    pub to_group: Option<GroupId>,
    /// Only this person may grab
    #[arg(long, value_name = "USER")]
    pub to_user: Option<UserId>,
    /// Anyone who knows the packet's id may grab
    #[arg(long)]
    pub to_anyone: bool,
}

impl To {
    fn audience(&self) -> terms::Audience {
        let who = match (&self.to_group, &self.to_user) {
            (Some(group), _) => Who::GroupId(group.to_string()),
            (None, Some(user)) => Who::UserId(user.to_string()),
            (None, None) => Who::Anyone(terms::Anyone {}),
        };
        terms::Audience { who: Some(who) }
    }
}

/// How a packet is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Double mean (二倍均值): lively and rarely cruel
    Lucky,
    /// Around the mean: gentle
    Gaussian,
    /// Any cut is as likely as any other: harsh
    LineCut,
    /// The same for everyone
    Equal,
}

impl From<Kind> for terms::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Lucky => Self::DoubleMean,
            Kind::Gaussian => Self::Gaussian,
            Kind::LineCut => Self::LineCut,
            Kind::Equal => Self::Equal,
        }
    }
}

/// From when a packet may be grabbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From this instant.
    At(Timestamp),
    /// From so long after the send.
    In(Duration),
}

/// Reads `--lifetime`.
fn span(text: &str) -> Result<Duration, &'static str> {
    runtime::config::parse_duration(text).ok_or("must be a span of time such as 90s, 30m or 24h")
}

/// Reads `--start`.
fn start(text: &str) -> Result<Start, &'static str> {
    let read = match text.strip_prefix('+') {
        Some(span) => runtime::config::parse_duration(span).map(Start::In),
        None => text.parse().ok().map(Start::At),
    };
    read.ok_or("must be an instant such as 2027-02-06T20:00:00+08:00, or a span from now such as +10m")
}

/// A packet that was sent.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// The name of this send: the same again gives the first answer (ID-1).
    pub request_id: String,
    /// The packet.
    #[serde(flatten)]
    pub packet: Packet,
}

impl View for Sent {
    fn human(&self) -> String {
        format!("{}\nrequest id  {}", self.packet.human(), self.request_id)
    }
}

impl Send {
    fn request(&self, request_id: &str, now: Timestamp) -> Result<SendPacketRequest, Failure> {
        let lifetime = self.lifetime.map(prost_types::Duration::try_from).transpose();
        let start = self.start.map(|start| match start {
            Start::At(instant) => instant,
            Start::In(span) => clock::after(now, span),
        });
        Ok(SendPacketRequest {
            request_id: request_id.to_owned(),
            kind: terms::Kind::from(self.kind) as i32,
            total_fen: self.total.get(),
            share_count: self.shares,
            share_cap_fen: self.cap.map_or(0, Fen::get),
            audience: Some(self.to.audience()),
            passphrase: self.passphrase.clone(),
            start_time: start.map(clock::to_proto),
            lifetime: lifetime.map_err(|_| Failure::Usage("--lifetime is too long".to_owned()))?,
            greeting: self.greeting.clone(),
            cover: self.cover.clone(),
        })
    }

    /// Sends it, and says under which request id.
    pub async fn run(&self, client: &Client) -> Result<Sent, Failure> {
        let request_id = request_id(self.request_id.as_ref());
        let request = self.request(&request_id, clock::System.now())?;
        let asked = client.ask(client.red_packets()?.send_packet(request)).await;
        let packet = or_repeat(asked, &request_id)?.packet;
        Ok(Sent {
            request_id,
            packet: packet.ok_or_else(|| missing("packet"))?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn request(line: &str) -> SendPacketRequest {
        let line = format!("hongbao send {line}");
        let Command::Client(crate::command::Command::Send(send)) = Cli::parse_from(line.split(' ')).command else {
            panic!("not a send");
        };
        send.request("r-1", clock::from_micros(1_000_000)).unwrap()
    }

    #[test]
    fn what_is_typed_is_what_is_asked() {
        let asked =
            request("100.00 --shares 10 --to-group friends --kind line-cut --cap 20.5 --lifetime 90m --start +10m");
        assert_eq!(
            asked,
            SendPacketRequest {
                request_id: "r-1".to_owned(),
                kind: terms::Kind::LineCut as i32,
                total_fen: 10_000,
                share_count: 10,
                share_cap_fen: 2_050,
                audience: Some(terms::Audience {
                    who: Some(Who::GroupId("friends".to_owned()))
                }),
                lifetime: Some(prost_types::Duration {
                    seconds: 5_400,
                    nanos: 0
                }),
                start_time: Some(prost_types::Timestamp { seconds: 601, nanos: 0 }),
                ..SendPacketRequest::default()
            }
        );
    }

    #[test]
    fn what_is_not_typed_is_left_to_the_service() {
        let asked = request("0.01 --to-anyone");
        assert_eq!((asked.total_fen, asked.share_count, asked.share_cap_fen), (1, 1, 0));
        assert_eq!((asked.lifetime, asked.start_time), (None, None));
        assert_eq!(asked.kind, terms::Kind::DoubleMean as i32);
        let who = asked.audience.and_then(|audience| audience.who);
        assert_eq!(who, Some(Who::Anyone(terms::Anyone {})));
    }

    #[test]
    fn a_start_is_an_instant_or_a_span() {
        assert_eq!(start("+90s"), Ok(Start::In(Duration::from_secs(90))));
        let instant = "2027-02-06T12:00:00Z".parse().unwrap();
        assert_eq!(start("2027-02-06T20:00:00+08:00"), Ok(Start::At(instant)));
        assert!(start("20:00").is_err() && start("+").is_err());
    }
}
