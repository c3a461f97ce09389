//! Grabbing and opening.

use clap::Args;
use id::PacketId;
use proto::gateway::v1::{GrabPacketRequest, OpenPacketRequest};

use super::missing;
use crate::{client::Client, failure::Failure, show::grab::Outcome};

/// Asks for a share. Every expected outcome, such as `exhausted`, is an answer: exit code 0.
#[derive(Debug, Args)]
#[command(
    about = "Grab a share of a packet (抢)",
    long_about = "Grab a share of a packet (抢). Every expected outcome is an answer (exit code 0), also that nothing \
                  is left; --json names it in `outcome`.",
    after_help = "Examples:\n  hongbao grab PACKET --as bob\n  hongbao grab PACKET --as carol --open --passphrase 新年快乐"
)]
pub struct Grab {
    /// Which packet
    pub packet: PacketId,
    /// What the sender asks for
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true)]
    pub passphrase: String,
    /// Open the share at once
    #[arg(long)]
    pub open: bool,
}

impl Grab {
    /// Grabs as the caller.
    pub async fn run(&self, client: &Client) -> Result<Outcome, Failure> {
        let request = GrabPacketRequest {
            packet_id: self.packet.to_string(),
            passphrase: self.passphrase.clone(),
            open: self.open,
        };
        let response = client.ask(client.red_packets()?.grab_packet(request)).await?;
        Outcome::of_grab(response.outcome).ok_or_else(|| missing("outcome"))
    }
}

/// Redeems a voucher.
#[derive(Debug, Args)]
#[command(
    about = "Open a share you grabbed (拆)",
    long_about = "Open a share you grabbed (拆). Without a voucher the gateway is asked for it again, which is the same \
                  as `grab --open`: a user has one voucher per packet, however often it is asked for.",
    after_help = "Examples:\n  hongbao open PACKET --as bob\n  hongbao open PACKET VOUCHER --as bob"
)]
pub struct Open {
    /// Which packet
    pub packet: PacketId,
    /// What `grab` printed
    pub voucher: Option<String>,
    /// What the sender asks for, where there is no voucher
    #[arg(
        long,
        value_name = "WORDS",
        default_value = "",
        hide_default_value = true,
        conflicts_with = "voucher"
    )]
    pub passphrase: String,
}

impl Open {
    /// Opens as the caller.
    pub async fn run(self, client: &Client) -> Result<Outcome, Failure> {
        let Some(voucher) = self.voucher else {
            let grab = Grab {
                packet: self.packet,
                passphrase: self.passphrase,
                open: true,
            };
            return grab.run(client).await;
        };
        let request = OpenPacketRequest {
            packet_id: self.packet.to_string(),
            voucher,
        };
        let response = client.ask(client.red_packets()?.open_packet(request)).await?;
        Outcome::of_open(response.outcome).ok_or_else(|| missing("outcome"))
    }
}
