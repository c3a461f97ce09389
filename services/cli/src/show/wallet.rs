//! Users, accounts and their entries.

use proto::account::v1 as account;
use serde::Serialize;

use super::{
    View, rows,
    value::{Time, enum_name, person, shown, yuan},
};

/// A user's wallet.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Account {
    pub account_id: String,
    /// Whose wallet; a packet's id for an escrow account, empty for the external one.
    pub owner: String,
    pub kind: &'static str,
    pub balance_fen: i64,
    pub frozen: bool,
    pub entry_count: i64,
    pub create_time: Option<Time>,
}

impl From<account::Account> for Account {
    fn from(account: account::Account) -> Self {
        let (kind, owner) = reference(account.r#ref);
        Self {
            account_id: account.account_id,
            owner,
            kind,
            balance_fen: account.balance_fen,
            frozen: account.frozen,
            entry_count: account.entry_count,
            create_time: Time::from_proto(account.create_time.as_ref()),
        }
    }
}

impl View for Account {
    fn human(&self) -> String {
        let frozen = if self.frozen { ", frozen" } else { "" };
        format!("{} has {} yuan{frozen}", self.owner, yuan(self.balance_fen))
    }
}

fn reference(of: Option<account::AccountRef>) -> (&'static str, String) {
    let of = of.unwrap_or_default();
    (
        enum_name(of.kind, account::AccountKind::as_str_name, "ACCOUNT_KIND_"),
        of.owner,
    )
}

/// A user with the wallet.
#[derive(Clone, Debug, Serialize)]
pub struct Opened {
    /// Who.
    pub user_id: String,
    /// What others see.
    pub display_name: String,
    /// The wallet.
    pub account: Account,
}

impl Opened {
    /// What the gateway says of a user and the wallet.
    pub fn of(user: Option<account::User>, account: Option<account::Account>) -> Self {
        let user = user.unwrap_or_default();
        Self {
            user_id: user.user_id,
            display_name: user.display_name,
            account: account.unwrap_or_default().into(),
        }
    }
}

impl View for Opened {
    fn human(&self) -> String {
        format!(
            "{}: {}",
            person(&self.display_name, &self.user_id),
            self.account.human()
        )
    }
}

/// What came of a deposit.
#[derive(Clone, Debug, Serialize)]
pub struct Deposited {
    /// The name of this deposit: the same again gives no more money (ID-1).
    pub request_id: String,
    /// The wallet after it.
    pub account: Account,
}

impl View for Deposited {
    fn human(&self) -> String {
        format!("{}\nrequest id  {}", self.account.human(), self.request_id)
    }
}

/// One side of a transfer as its account sees it.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Entry {
    pub entry_no: i64,
    pub transfer_id: String,
    pub delta_fen: i64,
    pub balance_fen: i64,
    pub reason: &'static str,
    pub packet_id: String,
    pub counterparty_kind: &'static str,
    pub counterparty_owner: String,
    pub create_time: Option<Time>,
}

impl From<account::Entry> for Entry {
    fn from(entry: account::Entry) -> Self {
        let (counterparty_kind, counterparty_owner) = reference(entry.counterparty);
        Self {
            entry_no: entry.entry_no,
            transfer_id: entry.transfer_id,
            delta_fen: entry.delta_fen,
            balance_fen: entry.balance_fen,
            reason: enum_name(entry.reason, account::TransferReason::as_str_name, "TRANSFER_REASON_"),
            packet_id: entry.packet_id,
            counterparty_kind,
            counterparty_owner,
            create_time: Time::from_proto(entry.create_time.as_ref()),
        }
    }
}

/// A user's balance and newest entries.
#[derive(Clone, Debug, Serialize)]
pub struct Wallet {
    /// Who, and the balance.
    #[serde(flatten)]
    pub owner: Opened,
    /// Newest first, as many as were asked for.
    pub entries: Vec<Entry>,
}

impl View for Wallet {
    fn human(&self) -> String {
        let entries = self.entries.iter().map(|entry| {
            let sign = if entry.delta_fen > 0 { "+" } else { "" };
            [
                entry.entry_no.to_string(),
                format!("{sign}{}", yuan(entry.delta_fen)),
                yuan(entry.balance_fen),
                entry.reason.to_lowercase(),
                entry.packet_id.clone(),
                shown(entry.create_time),
            ]
        });
        format!(
            "{}\n{}",
            self.owner.human(),
            rows(
                ["#no", "#yuan", "#balance", "why", "packet", "when"],
                entries,
                "no entries"
            )
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wallet_shows_balance_and_entries() {
        let wallet = account::AccountRef {
            kind: account::AccountKind::Wallet as i32,
            owner: "bob".to_owned(),
        };
        let user = account::User {
            user_id: "bob".to_owned(),
            display_name: "小波".to_owned(),
            create_time: None,
        };
        let balance = account::Account {
            r#ref: Some(wallet.clone()),
            balance_fen: 98_766,
            frozen: true,
            ..account::Account::default()
        };
        let entry = account::Entry {
            entry_no: 2,
            delta_fen: -1_234,
            balance_fen: 98_766,
            reason: account::TransferReason::Fund as i32,
            counterparty: Some(wallet),
            ..account::Entry::default()
        };
        let wallet = Wallet {
            owner: Opened::of(Some(user), Some(balance)),
            entries: vec![entry.into()],
        };
        let human = wallet.human();
        assert!(
            human.starts_with("小波 (bob): bob has 987.66 yuan, frozen\n"),
            "{human}"
        );
        assert!(human.contains("-12.34") && human.contains("fund"), "{human}");

        let json: serde_json::Value = serde_json::from_str(&wallet.json().unwrap()).unwrap();
        assert_eq!(json["account"]["balance_fen"], 98_766);
        assert_eq!(json["account"]["kind"], "WALLET");
        assert_eq!(json["entries"][0]["delta_fen"], -1_234);
        assert_eq!(json["entries"][0]["reason"], "FUND");
    }
}
