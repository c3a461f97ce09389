//! What operators decide about transfers that automation could not complete.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use id::{RequestId, UserId};
use proto::{
    gateway::v1::{
        GetRepairCaseRequest, ListRepairCasesRequest, ResolveRepairCaseRequest, RetryRepairCaseRequest,
        resolve_repair_case_request::To,
    },
    transfer::v1::{ActOutcome, CaseState, RepairCase, ReturnToSender, WriteOff},
};
use uuid::Uuid;

use super::{done, missing, or_repeat, pages, request_id};
use crate::{
    client::Client,
    failure::Failure,
    show::repair::{Acted, Case, Cases},
};

/// Most cases on one page (gateway.proto).
const PAGE_MAX: i32 = 1_000;

/// Transfers that automation could not complete.
#[derive(Debug, Subcommand)]
pub enum Repair {
    /// List repair cases, oldest first
    #[command(after_help = "Example: hongbao repair list --state all")]
    List(ListCases),
    /// Show a case with everything that happened to it
    Show {
        /// Which case
        case: Uuid,
    },
    /// Try once more to move a case's money to where it belongs
    #[command(after_help = "Example: hongbao repair retry CASE --as olga --reason 'the wallet is no longer frozen'")]
    Retry(Act),
    /// Send a case's money to another user
    #[command(after_help = "Example: hongbao repair redirect CASE bob --as olga --reason 'bob is the heir'")]
    Redirect {
        /// Which case and why
        #[command(flatten)]
        act: Act,
        /// To whose wallet
        #[arg(value_name = "USER")]
        to: UserId,
    },
    /// Give a case's money back to the packet's sender
    #[command(after_help = "Example: hongbao repair return CASE --as olga --reason 'the receiver is gone'")]
    Return(Act),
    /// Write a case's money off: it leaves the books, and whoever it belongs to is paid by other means or not at all
    #[command(after_help = "Example: hongbao repair write-off CASE --as olga --reason 'seized by court order 17'")]
    WriteOff(Act),
}

/// What every act on a case is told.
#[derive(Debug, Args)]
pub struct Act {
    /// Which case
    pub case: Uuid,
    /// Why, for the record
    #[arg(long)]
    pub reason: String,
    /// Names this act, so that repeating it does nothing more; a new name unless given
    #[arg(long, value_name = "ID")]
    pub request_id: Option<RequestId>,
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

impl Act {
    async fn retry(self, client: &Client) -> Result<Acted, Failure> {
        let request_id = request_id(self.request_id.as_ref());
        let request = RetryRepairCaseRequest {
            case_id: self.case.to_string(),
            reason: self.reason,
            request_id: request_id.clone(),
        };
        let asked = client.ask(client.operations().retry_repair_case(request)).await;
        let answer = or_repeat(asked, &request_id)?;
        acted(answer.case, answer.outcome)
    }

    async fn resolve(self, to: To, client: &Client) -> Result<Acted, Failure> {
        let request_id = request_id(self.request_id.as_ref());
        let request = ResolveRepairCaseRequest {
            case_id: self.case.to_string(),
            reason: self.reason,
            request_id: request_id.clone(),
            to: Some(to),
        };
        let asked = client.ask(client.operations().resolve_repair_case(request)).await;
        let answer = or_repeat(asked, &request_id)?;
        acted(answer.case, answer.outcome)
    }
}

fn acted(case: Option<RepairCase>, outcome: Option<ActOutcome>) -> Result<Acted, Failure> {
    let outcome = outcome.ok_or_else(|| missing("outcome"))?;
    Ok(Acted {
        outcome: outcome.into(),
        case: case.ok_or_else(|| missing("case"))?.into(),
    })
}

impl Repair {
    pub(super) async fn run(self, client: &Client, json: bool) -> Result<ExitCode, Failure> {
        let acted = match self {
            Self::List(list) => return done(&list.run(client).await?, json),
            Self::Show { case } => {
                let case_id = case.to_string();
                let mut operations = client.operations();
                let call = operations.get_repair_case(GetRepairCaseRequest { case_id });
                let case = client.ask(call).await?.case.ok_or_else(|| missing("case"))?;
                return done(&Case::from(case), json);
            }
            Self::Retry(act) => act.retry(client).await?,
            Self::Redirect { act, to } => act.resolve(To::RedirectUserId(to.into()), client).await?,
            Self::Return(act) => act.resolve(To::ReturnToSender(ReturnToSender {}), client).await?,
            Self::WriteOff(act) => act.resolve(To::WriteOff(WriteOff {}), client).await?,
        };
        done(&acted, json)
    }
}
