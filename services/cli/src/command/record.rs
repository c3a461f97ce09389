//! What the caller sent and received.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use proto::gateway::v1::{GetYearSummaryRequest, ListReceivedRequest, ListSentRequest};

use super::{done, pages};
use crate::{
    client::Client,
    failure::Failure,
    show::{record, value::Names},
};

/// Most packets on one page (gateway.proto).
const SENT_PAGE_MAX: i32 = 100;
/// Most claims on one page (gateway.proto).
const RECEIVED_PAGE_MAX: i32 = 1_000;

/// What the caller sent and received.
#[derive(Debug, Subcommand)]
pub enum Records {
    /// Packets you sent, newest first
    #[command(after_help = "Example: hongbao records sent --as alice --limit 100")]
    Sent(List),
    /// Shares you opened, newest first
    #[command(after_help = "Example: hongbao records received --as bob")]
    Received(List),
    /// What you received in one calendar year
    #[command(after_help = "Example: hongbao records year 2026 --as bob")]
    Year(Year),
}

impl Records {
    pub(super) async fn run(self, client: &Client, json: bool) -> Result<ExitCode, Failure> {
        match self {
            Self::Sent(list) => done(&list.sent(client).await?, json),
            Self::Received(list) => done(&list.received(client).await?, json),
            Self::Year(year) => done(&year.run(client).await?, json),
        }
    }
}

/// How much of a list.
#[derive(Debug, Args)]
pub struct List {
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

impl List {
    async fn sent(&self, client: &Client) -> Result<record::Sent, Failure> {
        let records = client.records()?;
        let mut progress = Vec::new();
        let (packets, more) = pages(self.limit, SENT_PAGE_MAX, async |page_size, page_token| {
            let request = ListSentRequest { page_size, page_token };
            let page = client.ask(records.clone().list_sent(request)).await?;
            progress.extend(page.progress);
            Ok((page.packets, page.next_page_token))
        })
        .await?;
        Ok(record::Sent::of(packets, progress, more))
    }

    async fn received(&self, client: &Client) -> Result<record::Received, Failure> {
        let records = client.records()?;
        let mut names = Names::default();
        let (claims, more) = pages(self.limit, RECEIVED_PAGE_MAX, async |page_size, page_token| {
            let request = ListReceivedRequest { page_size, page_token };
            let page = client.ask(records.clone().list_received(request)).await?;
            names.0.extend(page.display_names);
            Ok((page.claims, page.next_page_token))
        })
        .await?;
        Ok(record::Received::of(claims, &names, more))
    }
}

/// Which year.
#[derive(Debug, Args)]
pub struct Year {
    /// Which calendar year; the present one if not given
    pub year: Option<i32>,
}

impl Year {
    async fn run(&self, client: &Client) -> Result<record::Year, Failure> {
        let year = self.year.unwrap_or_else(|| jiff::Zoned::now().year().into());
        let response = client
            .ask(client.records()?.get_year_summary(GetYearSummaryRequest { year }))
            .await?;
        Ok(record::Year::of(year, response))
    }
}
