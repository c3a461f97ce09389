//! Looking at packets.

use std::process::ExitCode;

use clap::Args;
use id::PacketId;
use proto::{
    gateway::v1::{GetPacketRequest, GetPacketResponse, ListClaimsRequest, WatchPacketRequest},
    grab::v1::{Claim, watch_packet_response::Event as Wire},
};

use super::{missing, pages};
use crate::{
    client::Client,
    failure::Failure,
    show::{
        self,
        claim::Claim as Shown,
        packet::{Detail, Event},
        value::Names,
    },
};

/// Most claims on one page (gateway.proto).
const PAGE_MAX: i32 = 1_000;

/// A packet with its progress and claims.
#[derive(Debug, Args)]
#[command(after_help = "Example: hongbao show PACKET --as bob")]
pub struct Show {
    /// Which packet
    pub packet: PacketId,
    /// Show all claims, not only the first 100
    #[arg(long)]
    pub all: bool,
}

impl Show {
    /// Reads the packet.
    pub async fn run(&self, client: &Client) -> Result<Detail, Failure> {
        let mut response = get(client, self.packet).await?;
        if self.all {
            let (claims, names) = all_claims(client, self.packet).await?;
            response.claims = claims;
            response.display_names.extend(names);
        }
        Detail::of(response).ok_or_else(|| missing("packet"))
    }
}

/// The gateway's composed view of a packet, with its first 100 claims.
pub async fn get(client: &Client, packet: PacketId) -> Result<GetPacketResponse, Failure> {
    let request = GetPacketRequest {
        packet_id: packet.to_string(),
    };
    client.ask(client.red_packets()?.get_packet(request)).await
}

/// Every claim of a packet in order, with the names of everyone in them.
pub async fn all_claims(
    client: &Client,
    packet: PacketId,
) -> Result<(Vec<Claim>, std::collections::HashMap<String, String>), Failure> {
    let red_packets = client.red_packets()?;
    let mut names = std::collections::HashMap::new();
    let (claims, _) = pages(usize::MAX, PAGE_MAX, async |page_size, page_token| {
        let request = ListClaimsRequest {
            packet_id: packet.to_string(),
            page_size,
            page_token,
        };
        let page = client.ask(red_packets.clone().list_claims(request)).await?;
        names.extend(page.display_names);
        Ok((page.claims, page.next_page_token))
    })
    .await?;
    Ok((claims, names))
}

/// The claims of a packet as they are made.
#[derive(Debug, Args)]
#[command(after_help = "Example: hongbao watch PACKET --as alice\n\nWith --json, one document a line for each event.")]
pub struct Watch {
    /// Which packet
    pub packet: PacketId,
}

impl Watch {
    pub(super) async fn run(&self, client: &Client, json: bool) -> Result<ExitCode, Failure> {
        let request = WatchPacketRequest {
            packet_id: self.packet.to_string(),
        };
        let mut events = client.ask(client.red_packets()?.watch_packet(request)).await?;
        loop {
            let next = events.message().await.map_err(|status| client.refused(status))?;
            let Some(response) = next else {
                return Err(Failure::new("the feed ended before the packet did: ask again"));
            };
            match response.event.and_then(|event| event.event) {
                Some(Wire::Claim(claim)) => {
                    let claim = Shown::of(claim, &Names::default());
                    show::print(&Event::Claim(claim), json)?;
                }
                Some(Wire::Ended(progress)) => {
                    show::print(&Event::Ended(progress.into()), json)?;
                    return Ok(ExitCode::SUCCESS);
                }
                // An event that this program is too old to know.
                None => {}
            }
        }
    }
}
