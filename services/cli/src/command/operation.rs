//! What operators look at and decide.

use clap::Args;
use id::PacketId;
use proto::{gateway::v1::ListTransfersRequest, transfer::v1::TransferOrder};

use super::pages;
use crate::{
    client::Client,
    failure::Failure,
    show::operation::{Order, Orders},
};

/// Most items on one page (gateway.proto).
const PAGE_MAX: i32 = 1_000;

/// Every transfer order of a packet, at most `limit`, oldest first; `true` where there are more.
pub async fn transfers(client: &Client, packet: PacketId, limit: usize) -> Result<(Vec<TransferOrder>, bool), Failure> {
    let operations = client.operations();
    pages(limit, PAGE_MAX, async |page_size, page_token| {
        let request = ListTransfersRequest {
            packet_id: packet.to_string(),
            page_size,
            page_token,
        };
        let page = client.ask(operations.clone().list_transfers(request)).await?;
        Ok((page.orders, page.next_page_token))
    })
    .await
}

/// The transfer orders of a packet.
#[derive(Debug, Args)]
#[command(after_help = "Example: hongbao transfers PACKET")]
pub struct Transfers {
    /// Which packet
    pub packet: PacketId,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub limit: usize,
}

impl Transfers {
    pub(super) async fn run(&self, client: &Client) -> Result<Orders, Failure> {
        let (orders, more) = transfers(client, self.packet, self.limit).await?;
        let orders = orders.into_iter().map(Order::from).collect();
        Ok(Orders { orders, more })
    }
}
