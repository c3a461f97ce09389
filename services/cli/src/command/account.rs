//! Users, deposits, the caller's wallet.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use id::{RequestId, UserId};
use money::Fen;
use proto::gateway::v1::{
    DepositRequest, FreezeAccountRequest, GetWalletRequest, ListEntriesRequest, OpenAccountRequest,
    UnfreezeAccountRequest,
};

use super::{done, missing, or_repeat, pages, request_id};
use crate::{
    client::Client,
    failure::Failure,
    show::wallet::{self, Deposited, Entry, Opened},
};

/// Most entries on one page (gateway.proto).
const PAGE_MAX: i32 = 1_000;

/// Users and their wallets.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Open a user's account, or give the user another name
    #[command(after_help = "Example: hongbao user open alice --name 阿丽丝")]
    Open {
        /// Who: 1 to 64 of A-Z a-z 0-9 _ -
        #[arg(id = "whom", value_name = "USER")]
        user: UserId,
        /// What others see; the user id if not given
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
    },
    /// Keep a user's wallet from taking part in transfers
    #[command(after_help = "Example: hongbao user freeze mallory --reason 'stolen card'")]
    Freeze {
        /// Who
        #[arg(id = "whom", value_name = "USER")]
        user: UserId,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
    /// Let it take part again
    #[command(after_help = "Example: hongbao user unfreeze mallory --reason 'cleared'")]
    Unfreeze {
        /// Who
        #[arg(id = "whom", value_name = "USER")]
        user: UserId,
        /// Why, for the record
        #[arg(long)]
        reason: String,
    },
}

impl User {
    pub(super) async fn run(self, client: &Client, json: bool) -> Result<ExitCode, Failure> {
        let mut operations = client.operations();
        let account = match self {
            Self::Open { user, name } => return done(&open(client, &user, &name).await?, json),
            Self::Freeze { user, reason } => {
                let user_id = user.into();
                let call = operations.freeze_account(FreezeAccountRequest { user_id, reason });
                client.ask(call).await?.account
            }
            Self::Unfreeze { user, reason } => {
                let user_id = user.into();
                let call = operations.unfreeze_account(UnfreezeAccountRequest { user_id, reason });
                client.ask(call).await?.account
            }
        };
        let account = account.ok_or_else(|| missing("account"))?;
        done(&wallet::Account::from(account), json)
    }
}

/// Opens a user's account; an empty name means the user id.
pub async fn open(client: &Client, user: &UserId, name: &str) -> Result<Opened, Failure> {
    let request = OpenAccountRequest {
        user_id: user.to_string(),
        display_name: name.to_owned(),
    };
    let response = client.ask(client.operations().open_account(request)).await?;
    Ok(Opened::of(response.user, response.account))
}

/// Money from the world outside into a wallet.
#[derive(Debug, Args)]
#[command(after_help = "Example: hongbao deposit alice 100.00 --request-id alice-first-deposit")]
pub struct Deposit {
    /// Whose wallet
    #[arg(id = "whom", value_name = "USER")]
    pub user: UserId,
    /// How much, in yuan
    #[arg(value_name = "YUAN")]
    pub amount: Fen,
    /// Name of this deposit into this wallet: the same again gives no more money; a new one if not given
    #[arg(long, value_name = "ID")]
    pub request_id: Option<RequestId>,
}

impl Deposit {
    /// Deposits, and says under which request id.
    pub async fn run(&self, client: &Client) -> Result<Deposited, Failure> {
        let request_id = request_id(self.request_id.as_ref());
        let request = DepositRequest {
            request_id: request_id.clone(),
            user_id: self.user.to_string(),
            amount_fen: self.amount.get(),
        };
        let asked = client.ask(client.operations().deposit(request)).await;
        let account = or_repeat(asked, &request_id)?.account;
        Ok(Deposited {
            request_id,
            account: account.ok_or_else(|| missing("account"))?.into(),
        })
    }
}

/// The caller's balance and newest entries.
#[derive(Debug, Args)]
#[command(after_help = "Example: hongbao wallet --as alice --entries 50")]
pub struct Wallet {
    /// At most this many entries
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub entries: usize,
}

impl Wallet {
    /// Reads balance and entries.
    pub async fn run(&self, client: &Client) -> Result<wallet::Wallet, Failure> {
        let wallet = client.wallet()?;
        let owner = client.ask(wallet.clone().get_wallet(GetWalletRequest {})).await?;
        let (entries, _) = pages(self.entries, PAGE_MAX, async |page_size, page_token| {
            let request = ListEntriesRequest { page_size, page_token };
            let page = client.ask(wallet.clone().list_entries(request)).await?;
            Ok((page.entries, page.next_page_token))
        })
        .await?;
        Ok(wallet::Wallet {
            owner: Opened::of(owner.user, owner.account),
            entries: entries.into_iter().map(Entry::from).collect(),
        })
    }
}
