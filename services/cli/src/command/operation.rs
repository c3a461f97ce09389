//! What operators look at and decide.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use id::{PacketId, UserId};
use proto::{
    gateway::v1::{
        ListRepairCasesRequest, ListTransfersRequest, ReconcileRequest, ResolveRepairCaseRequest,
        RetryRepairCaseRequest, resolve_repair_case_request::To,
    },
    transfer::v1::{CaseState, ReturnToSender, TransferOrder},
};
use uuid::Uuid;

use super::{done, missing, pages};
use crate::{
    client::Client,
    failure::Failure,
    show::operation::{Case, Cases, Order, Orders, Reconciled},
};

/// Most items on one page (gateway.proto).
const PAGE_MAX: i32 = 1_000;

/// Holds claims, transfers, ledger and escrows against each other.
pub async fn reconcile(client: &Client) -> Result<Reconciled, Failure> {
    let response = client.ask(client.operations().reconcile(ReconcileRequest {})).await?;
    let result = response.result.ok_or_else(|| missing("result"))?;
    Ok(result.into())
}

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

/// Transfers that automation could not complete.
#[derive(Debug, Subcommand)]
pub enum Repair {
    /// List repair cases, oldest first
    #[command(after_help = "Example: hongbao repair list --state all")]
    List(ListCases),
    /// Try once more to move a case's money to where it belongs
    #[command(after_help = "Example: hongbao repair retry CASE --as olga --reason 'the wallet is no longer frozen'")]
    Retry {
        /// Which case
        case: Uuid,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
    /// End a case by decision
    #[command(
        after_help = "Example: hongbao repair resolve CASE --as olga --to-sender --reason 'the receiver is gone'"
    )]
    Resolve {
        /// Which case
        case: Uuid,
        /// Why, for the record
        #[arg(long)]
        reason: String,
        /// Where the money goes.
        #[command(flatten)]
        to: Destination,
    },
}

/// Where a case's money goes: exactly one.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Destination {
    /// To this user's wallet instead
    #[arg(long, value_name = "USER")]
    pub to_user: Option<UserId>,
    /// Back to the packet's sender
    #[arg(long)]
    pub to_sender: bool,
}

/// Which repair cases.
#[derive(Debug, Args)]
pub struct ListCases {
    /// Only cases in this state
    #[arg(long, value_enum, default_value_t = State::Open)]
    pub state: State,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

/// Whether a case still needs someone.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum State {
    /// Waits for an operator
    Open,
    /// Settled
    Resolved,
    /// Either
    All,
}

impl ListCases {
    async fn run(&self, client: &Client) -> Result<Cases, Failure> {
        let state = match self.state {
            State::Open => CaseState::Open,
            State::Resolved => CaseState::Resolved,
            State::All => CaseState::Unspecified,
        };
        let operations = client.operations();
        let (cases, more) = pages(self.limit, PAGE_MAX, async |page_size, page_token| {
            let request = ListRepairCasesRequest {
                state: state.into(),
                page_size,
                page_token,
            };
            let page = client.ask(operations.clone().list_repair_cases(request)).await?;
            Ok((page.cases, page.next_page_token))
        })
        .await?;
        let cases = cases.into_iter().map(Case::from).collect();
        Ok(Cases { cases, more })
    }
}

impl Repair {
    pub(super) async fn run(self, client: &Client, json: bool) -> Result<ExitCode, Failure> {
        let mut operations = client.operations();
        let case = match self {
            Self::Retry { case, reason } => {
                let case_id = case.to_string();
                let call = operations.retry_repair_case(RetryRepairCaseRequest { case_id, reason });
                client.ask(call).await?.case
            }
            Self::Resolve { case, reason, to } => {
                let to = match to.to_user {
                    Some(user) => To::RedirectUserId(user.into()),
                    None => To::ReturnToSender(ReturnToSender {}),
                };
                let call = operations.resolve_repair_case(ResolveRepairCaseRequest {
                    case_id: case.to_string(),
                    reason,
                    to: Some(to),
                });
                client.ask(call).await?.case
            }
            Self::List(list) => return done(&list.run(client).await?, json),
        };
        let case = case.ok_or_else(|| missing("case"))?;
        done(&Case::from(case), json)
    }
}
