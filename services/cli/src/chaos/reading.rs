//! Reads the books: straight from the services, behind the gateway's back.

use std::collections::HashMap;

use anyhow::Context;
use proto::{
    account::v1::{
        AccountKind, AccountRef, BatchGetAccountsRequest, VerifyLedgerRequest,
        account_service_client::AccountServiceClient,
    },
    grab::v1::{TailClaimsRequest, grab_service_client::GrabServiceClient},
    packet::v1::{
        self as packets, ListPacketsRequest, list_packets_request, packet_service_client::PacketServiceClient,
    },
    transfer::v1::{
        self as transfers, CaseState, ListRepairCasesRequest, ListTransfersRequest, ReconcileRequest,
        list_transfers_request, transfer_service_client::TransferServiceClient,
    },
};
use runtime::{Channel, client::Endpoints};

use super::books::{Books, Case, Claim, Order, OrderKind, OrderState, Packet, PacketState};
use crate::mesh::Mesh;

/// How many partitions there are (`id::Partition`).
const PARTITIONS: u32 = 64;
/// Most packets on one page (packet.proto).
const PACKETS_MAX: i32 = 100;
/// Most orders, cases and accounts at once (transfer.proto, account.proto).
const MANY: i32 = 1_000;
/// How long a check of everything may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);

/// The services themselves.
#[derive(Clone)]
pub struct Services {
    account: AccountServiceClient<Channel>,
    packet: PacketServiceClient<Channel>,
    grab: GrabServiceClient<Channel>,
    transfer: TransferServiceClient<Channel>,
}

impl Services {
    /// Those of a mesh, all instances of each.
    pub fn of(mesh: &Mesh) -> anyhow::Result<Self> {
        let channel = |service: &str| {
            let members = mesh
                .members()
                .iter()
                .filter(|member| member.recipe().service == service);
            let urls: Vec<_> = members
                .map(|member| format!("http://{}", member.recipe().address))
                .collect();
            let endpoints = Endpoints::parse(&urls.join(",")).context("the address of a service")?;
            anyhow::Ok(runtime::client::channel(&endpoints))
        };
        Ok(Self {
            account: AccountServiceClient::new(channel("account")?),
            packet: PacketServiceClient::new(channel("packet")?),
            grab: GrabServiceClient::new(channel("grab")?),
            transfer: TransferServiceClient::new(channel("transfer")?),
        })
    }

    /// Everything about the packets of `users`.
    pub async fn read(&self, users: &[String]) -> anyhow::Result<Books> {
        runtime::deadline::scope(tokio::time::Instant::now() + PATIENCE, self.read_all(users)).await
    }

    async fn read_all(&self, users: &[String]) -> anyhow::Result<Books> {
        let mut books = Books::default();
        self.reconcile(&mut books)
            .await
            .context("the transfer service's reconciliation")?;
        self.ledger(&mut books).await.context("the account service's ledger")?;
        self.packets(users, &mut books)
            .await
            .context("the packet service's packets")?;
        self.claims(&mut books).await.context("the grab service's claim log")?;
        self.orders(users, &mut books)
            .await
            .context("the transfer service's orders")?;
        self.cases(&mut books)
            .await
            .context("the transfer service's repair cases")?;
        let packets: Vec<_> = books.packets.keys().cloned().collect();
        books.escrows = self.balances(AccountKind::Escrow, &packets).await.context("escrows")?;
        books.wallets = self.balances(AccountKind::Wallet, users).await.context("wallets")?;
        Ok(books)
    }

    async fn reconcile(&self, books: &mut Books) -> anyhow::Result<()> {
        let mut unsettled: i64 = 0;
        let differences = pages(async |page_token| {
            let request = ReconcileRequest {
                page_token,
                ..Default::default()
            };
            let slice = self.transfer.clone().reconcile(request).await?.into_inner();
            unsettled = unsettled.saturating_add(slice.unsettled_count);
            Ok((slice.differences, slice.next_page_token))
        })
        .await?;
        books.unsettled = unsettled;
        let told = differences.into_iter().map(|difference| {
            format!(
                "{} {} (packet {}, transfer {}, {} fen)",
                difference.kind,
                difference.description,
                difference.packet_id,
                difference.transfer_id,
                difference.difference_fen
            )
        });
        books.differences = told.collect();
        Ok(())
    }

    async fn ledger(&self, books: &mut Books) -> anyhow::Result<()> {
        let mut sum_fen: i64 = 0;
        let differences = pages(async |page_token| {
            let request = VerifyLedgerRequest {
                page_token,
                ..Default::default()
            };
            let slice = self.account.clone().verify_ledger(request).await?.into_inner();
            sum_fen = sum_fen.saturating_add(slice.balance_sum_fen);
            Ok((slice.differences, slice.next_page_token))
        })
        .await?;
        books.ledger_sum_fen = sum_fen;
        books.ledger_faults = differences
            .into_iter()
            .map(|difference| difference.description)
            .collect();
        Ok(())
    }

    async fn packets(&self, users: &[String], books: &mut Books) -> anyhow::Result<()> {
        for user in users {
            let found = pages(async |page_token| {
                let request = ListPacketsRequest {
                    page_size: PACKETS_MAX,
                    page_token,
                    of: Some(list_packets_request::Of::SenderId(user.clone())),
                };
                let page = self.packet.clone().list_packets(request).await?.into_inner();
                Ok((page.packets, page.next_page_token))
            })
            .await?;
            for packet in found {
                let (id, packet) = read_packet(packet)?;
                books.packets.insert(id, packet);
            }
        }
        Ok(())
    }

    async fn claims(&self, books: &mut Books) -> anyhow::Result<()> {
        for partition in 0..PARTITIONS {
            let request = TailClaimsRequest {
                partition,
                partition_count: PARTITIONS,
                ..Default::default()
            };
            let mut log = self.grab.clone().tail_claims(request).await?.into_inner();
            while let Some(stretch) = log.message().await? {
                books.claims.extend(stretch.claims.into_iter().map(|claim| Claim {
                    packet_id: claim.packet_id,
                    share_no: claim.share_no,
                    user: claim.user_id,
                    amount_fen: claim.amount_fen,
                    partition: claim.partition,
                    seq: claim.seq,
                }));
            }
        }
        Ok(())
    }

    async fn orders(&self, users: &[String], books: &mut Books) -> anyhow::Result<()> {
        for user in users {
            let found = pages(async |page_token| {
                let request = ListTransfersRequest {
                    of: Some(list_transfers_request::Of::UserId(user.clone())),
                    page_size: MANY,
                    page_token,
                };
                let page = self.transfer.clone().list_transfers(request).await?.into_inner();
                Ok((page.orders, page.next_page_token))
            })
            .await?;
            for order in found {
                books.orders.extend(read_order(order)?);
            }
        }
        Ok(())
    }

    async fn cases(&self, books: &mut Books) -> anyhow::Result<()> {
        let found = pages(async |page_token| {
            let request = ListRepairCasesRequest {
                page_size: MANY,
                page_token,
                ..Default::default()
            };
            let page = self.transfer.clone().list_repair_cases(request).await?.into_inner();
            Ok((page.cases, page.next_page_token))
        })
        .await?;
        books.cases = found
            .into_iter()
            .map(|case| Case {
                open: case.state() == CaseState::Open,
                user: case.order.map(|order| order.user_id).unwrap_or_default(),
                id: case.case_id,
            })
            .collect();
        Ok(())
    }

    async fn balances(&self, kind: AccountKind, owners: &[String]) -> anyhow::Result<HashMap<String, i64>> {
        let mut balances = HashMap::new();
        for some in owners.chunks(usize::try_from(MANY)?) {
            let refs = some.iter().map(|owner| AccountRef {
                kind: kind.into(),
                owner: owner.clone(),
            });
            let request = BatchGetAccountsRequest { refs: refs.collect() };
            let found = self.account.clone().batch_get_accounts(request).await?.into_inner();
            for account in found.accounts {
                let owner = account.r#ref.context("an account without a name")?.owner;
                balances.insert(owner, account.balance_fen);
            }
        }
        Ok(balances)
    }
}

fn read_packet(packet: packets::Packet) -> anyhow::Result<(String, Packet)> {
    let state = match packet.state() {
        packets::State::Funding => PacketState::Funding,
        packets::State::Active => PacketState::Active,
        packets::State::Closing => PacketState::Closing,
        packets::State::Rejected => PacketState::Rejected,
        packets::State::Completed => PacketState::Completed,
        packets::State::Unspecified => anyhow::bail!("a packet in a state that this program does not know"),
    };
    let terms = packet.terms.context("a packet without terms")?;
    let expires = terms.expire_time.and_then(|time| clock::from_proto(&time));
    let read = Packet {
        sender: terms.sender_id,
        total_fen: terms.total_fen,
        share_count: terms.share_count,
        state,
        expire_us: expires.context("a packet that never expires")?.as_microsecond(),
        refunded_fen: packet.refunded_fen,
    };
    Ok((terms.packet_id, read))
}

/// `None` for what stands for a finding and moves nothing: its case and its difference tell of it.
fn read_order(order: transfers::TransferOrder) -> anyhow::Result<Option<Order>> {
    let kind = match order.kind() {
        transfers::OrderKind::Fund => OrderKind::Fund,
        transfers::OrderKind::Settle => OrderKind::Settle,
        transfers::OrderKind::Refund => OrderKind::Refund,
        _ => return Ok(None),
    };
    let state = match order.state() {
        transfers::OrderState::Pending | transfers::OrderState::Rejected => OrderState::Unmoved,
        transfers::OrderState::Posted | transfers::OrderState::Repaired => OrderState::Moved,
        transfers::OrderState::Suspended => OrderState::Suspended,
        transfers::OrderState::Stuck => OrderState::Stuck,
        transfers::OrderState::Unspecified => anyhow::bail!(
            "an order in a state that no drill leads to: {}",
            order.state().as_str_name()
        ),
    };
    let updated = order.update_time.and_then(|time| clock::from_proto(&time));
    Ok(Some(Order {
        kind,
        state,
        id: order.transfer_id,
        packet_id: order.packet_id,
        user: order.user_id,
        share_no: order.share_no,
        amount_fen: order.amount_fen,
        updated_us: updated.context("an order without a time")?.as_microsecond(),
    }))
}

/// All pages of something.
async fn pages<T>(
    mut fetch: impl AsyncFnMut(String) -> Result<(Vec<T>, String), tonic::Status>,
) -> Result<Vec<T>, tonic::Status> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let (page, next) = fetch(token).await?;
        all.extend(page);
        if next.is_empty() {
            return Ok(all);
        }
        token = next;
    }
}
