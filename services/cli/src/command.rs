//! The commands that call a gateway, one file per group.

pub mod account;
pub mod books;
pub mod grab;
pub mod group;
pub mod operation;
pub mod packet;
pub mod record;
pub mod repair;
pub mod send;
pub mod verify;

use std::process::ExitCode;

use clap::Subcommand;
use id::RequestId;
use tonic::Code;
use uuid::Uuid;

use crate::{
    client::{Caller, Client},
    failure::Failure,
    show::{self, View},
};

/// Everything that calls a gateway.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send a packet from your wallet (发红包)
    Send(send::Send),
    /// Grab a share of a packet (抢)
    Grab(grab::Grab),
    /// Open a share you grabbed (拆)
    Open(grab::Open),
    /// Show a packet: how far it has come, who got what
    Show(packet::Show),
    /// Follow a packet's claims as they are made, until it ends
    Watch(packet::Watch),
    /// Recompute a packet's split from its revealed seed; exit code 1 if anything does not agree
    Verify(verify::Verify),
    /// Show your balance and newest entries
    Wallet(account::Wallet),
    /// List what you sent and received
    #[command(subcommand)]
    Records(record::Records),
    /// Look after groups
    #[command(subcommand)]
    Group(group::Group),
    /// Open, freeze and unfreeze users' accounts (operator)
    #[command(subcommand)]
    User(account::User),
    /// Put money from the world outside into a user's wallet (operator)
    Deposit(account::Deposit),
    /// List a packet's transfer orders (operator)
    Transfers(operation::Transfers),
    /// Hold all books against each other; exit code 1 if they differ (operator)
    Reconcile(books::Reconcile),
    /// Recompute the ledger and its hash chain; exit code 1 if anything does not add up (operator)
    VerifyLedger(books::VerifyLedger),
    /// List repair cases and decide them: retry, redirect, return, write off (operator)
    #[command(subcommand)]
    Repair(repair::Repair),
}

/// Runs one command as `caller`.
pub async fn run(command: Command, caller: &Caller) -> Result<ExitCode, Failure> {
    let client = Client::of(caller)?;
    let json = caller.json;
    match command {
        Command::Send(send) => done(&send.run(&client).await?, json),
        Command::Grab(grab) => done(&grab.run(&client).await?, json),
        Command::Open(open) => done(&open.run(&client).await?, json),
        Command::Show(show) => done(&show.run(&client).await?, json),
        Command::Watch(watch) => watch.run(&client, json).await,
        Command::Verify(verify) => {
            let verdict = verify.run(&client).await?;
            show::print(&verdict, json)?;
            Ok(exit_code(verdict.verified))
        }
        Command::Wallet(wallet) => done(&wallet.run(&client).await?, json),
        Command::Records(records) => records.run(&client, json).await,
        Command::Group(group) => group.run(&client, json).await,
        Command::User(user) => user.run(&client, json).await,
        Command::Deposit(deposit) => done(&deposit.run(&client).await?, json),
        Command::Transfers(transfers) => done(&transfers.run(&client).await?, json),
        Command::Reconcile(reconcile) => reconcile.run(&client, json).await,
        Command::VerifyLedger(verify) => verify.run(&client, json).await,
        Command::Repair(repair) => repair.run(&client, json).await,
    }
}

/// Prints what came of a command that has nothing to judge.
fn done(view: &impl View, json: bool) -> Result<ExitCode, Failure> {
    show::print(view, json).map(|()| ExitCode::SUCCESS)
}

fn exit_code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The request id that was given, or a new one (ID-1).
pub fn request_id(given: Option<&RequestId>) -> String {
    given.map_or_else(|| Uuid::now_v7().to_string(), ToString::to_string)
}

/// A failure that leaves open whether the request took effect also says how to repeat it safely (ID-1).
fn or_repeat<T>(asked: Result<T, Failure>, request_id: &str) -> Result<T, Failure> {
    asked.map_err(|failure| match failure.code() {
        Some(Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::Internal) => {
            Failure::new(format!("{failure}; to repeat it safely: --request-id {request_id}"))
        }
        _ => failure,
    })
}

/// What the gateway should have said and did not.
fn missing(what: &str) -> Failure {
    Failure::new(format!(
        "the gateway's answer holds no {what}: is it of another version?"
    ))
}

/// Reads pages of at most `page_max` items until `limit` items are there or none is left; `true` where more are left.
/// `fetch` takes a page's size and token, and gives its items and the next page's token.
pub async fn pages<T>(
    limit: usize,
    page_max: i32,
    mut fetch: impl AsyncFnMut(i32, String) -> Result<(Vec<T>, String), Failure>,
) -> Result<(Vec<T>, bool), Failure> {
    let mut items = Vec::new();
    let mut token = String::new();
    loop {
        let missing = limit.saturating_sub(items.len());
        if missing == 0 {
            return Ok((items, true));
        }
        let size = i32::try_from(missing).unwrap_or(page_max).min(page_max);
        let (page, next) = fetch(size, token).await?;
        items.extend(page);
        if next.is_empty() {
            return Ok((items, false));
        }
        token = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    async fn first(limit: usize) -> (Vec<usize>, bool, Vec<i32>) {
        let mut sizes = Vec::new();
        let (items, more) = pages(limit, 3, async |size, token| {
            sizes.push(size);
            let from: usize = token.parse().unwrap_or(0);
            let to = (from + usize::try_from(size).unwrap()).min(7);
            let next = if to < 7 { to.to_string() } else { String::new() };
            Ok(((from..to).collect(), next))
        })
        .await
        .unwrap();
        (items, more, sizes)
    }

    #[tokio::test]
    async fn pages_are_read_until_the_limit_or_the_end() {
        assert_eq!(first(0).await, (vec![], true, vec![]));
        assert_eq!(first(2).await, (vec![0, 1], true, vec![2]));
        assert_eq!(first(5).await, ((0..5).collect(), true, vec![3, 2]));
        assert_eq!(first(7).await, ((0..7).collect(), false, vec![3, 3, 1]));
        assert_eq!(first(usize::MAX).await, ((0..7).collect(), false, vec![3, 3, 3]));
    }

    #[test]
    fn an_unknown_outcome_says_how_to_repeat_and_a_refusal_does_not() {
        let told = |status: Status| {
            let failure = Failure::Refused {
                gateway: String::new(),
                status: Box::new(status),
            };
            or_repeat::<()>(Err(failure), "r-1").unwrap_err().to_string()
        };
        assert!(told(status::deadline_exceeded()).ends_with("; to repeat it safely: --request-id r-1"));
        assert!(!told(Status::invalid_argument("no")).contains("r-1"));
    }
}
