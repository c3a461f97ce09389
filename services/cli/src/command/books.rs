//! Whether the books are right: reconciliation and the ledger's verification, slice by slice.

use std::{io::IsTerminal, process::ExitCode};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use proto::{
    account::v1::ChainHead,
    gateway::v1::{ReconcileRequest, VerifyLedgerRequest},
};

use super::{exit_code, missing};
use crate::{
    client::Client,
    failure::Failure,
    show::{
        self,
        books::{Reconciled, Verified},
    },
};

/// How far, of 1,000.
const TEMPLATE: &str = "{elapsed_precise} [{wide_bar}] {percent}%";

/// Hold all books against each other; exit code 1 if they differ
#[derive(Debug, Args)]
#[command(after_help = "Example: hongbao reconcile --as olga")]
pub struct Reconcile {
    /// Go on where a run stopped: the token that it told
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    pub from: String,
}

/// Recompute the ledger and its hash chain; exit code 1 if anything does not add up
#[derive(Debug, Args)]
#[command(after_help = "Example: hongbao verify-ledger --as olga --known-head 17:1537e377cd3e...")]
pub struct VerifyLedger {
    /// The head of the chain that was noted before, as this command printed it: it must still be there
    #[arg(long, value_name = "NUMBER:HASH", value_parser = parse_head)]
    pub known_head: Option<ChainHead>,
    /// Go on where a run stopped: the token that it told
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    pub from: String,
}

impl Reconcile {
    pub(super) async fn run(self, client: &Client, json: bool) -> Result<ExitCode, Failure> {
        let found = reconcile_from(client, self.from, &Bar::new()).await?;
        show::print(&found, json)?;
        Ok(exit_code(found.difference_count == 0))
    }
}

impl VerifyLedger {
    pub(super) async fn run(self, client: &Client, json: bool) -> Result<ExitCode, Failure> {
        let (mut found, mut page_token, bar) = (Verified::default(), self.from, Bar::new());
        loop {
            let request = VerifyLedgerRequest {
                page_size: 0,
                page_token: page_token.clone(),
                known_head: self.known_head.clone(),
            };
            let slice = client.ask(client.operations().verify_ledger(request)).await;
            let slice = or_resume(slice, &page_token)?.result.ok_or_else(|| missing("result"))?;
            bar.show(slice.progress_permille);
            page_token.clone_from(&slice.next_page_token);
            found.add(slice);
            if page_token.is_empty() {
                break;
            }
        }
        drop(bar);
        show::print(&found, json)?;
        Ok(exit_code(found.difference_count == 0))
    }
}

/// Holds claims, transfers, ledger and escrows against each other.
pub async fn reconcile(client: &Client) -> Result<Reconciled, Failure> {
    reconcile_from(client, String::new(), &Bar(None)).await
}

async fn reconcile_from(client: &Client, mut page_token: String, bar: &Bar) -> Result<Reconciled, Failure> {
    let mut found = Reconciled::default();
    loop {
        let request = ReconcileRequest {
            page_size: 0,
            page_token: page_token.clone(),
        };
        let slice = client.ask(client.operations().reconcile(request)).await;
        let slice = or_resume(slice, &page_token)?.result.ok_or_else(|| missing("result"))?;
        bar.show(slice.progress_permille);
        page_token.clone_from(&slice.next_page_token);
        found.add(slice);
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// A failure half-way also says how to go on from there.
fn or_resume<T>(asked: Result<T, Failure>, page_token: &str) -> Result<T, Failure> {
    asked.map_err(|failure| match page_token {
        "" => failure,
        token => Failure::new(format!("{failure}; to go on from here: --from {token}")),
    })
}

fn parse_head(text: &str) -> Result<ChainHead, String> {
    let head = text.split_once(':').and_then(|(seal_no, hash)| {
        Some(ChainHead {
            seal_no: seal_no.parse().ok()?,
            hash: hex::decode(hash).ok().filter(|hash| hash.len() == 32)?,
            transfer_count: 0,
        })
    });
    head.ok_or_else(|| "must be a seal's number, a colon, and its hash in 64 hexadecimal digits".to_owned())
}

/// How far it has come, on standard error if that is a terminal.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new() -> Self {
        Self(std::io::stderr().is_terminal().then(|| {
            // The template is a constant that is right; without it there is the default.
            let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(1_000).with_style(style)
        }))
    }

    fn show(&self, permille: i32) {
        if let Some(bar) = &self.0 {
            bar.set_position(u64::try_from(permille).unwrap_or(0));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let head = parse_head(&format!("17:{}", "ab".repeat(32))).unwrap();
        assert_eq!((head.seal_no, head.hash), (17, vec![0xab; 32]));
        for text in ["", "17", "17:", "17:ab", "x:00", ":00"] {
            assert!(parse_head(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_failure_half_way_says_how_to_go_on() {
        let told = |token| {
            or_resume::<()>(Err(Failure::new("away")), token)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(told(""), "away");
        assert_eq!(told("abc"), "away; to go on from here: --from abc");
    }
}
