//! The ledger, kept by the account service.

use std::collections::HashMap;

use async_trait::async_trait;
use id::{PacketId, TransferId, UserId};
use proto::account::v1 as wire;
use runtime::{Channel, client::OneInstance};
use wire::account_service_client::AccountServiceClient;

use super::PeerError;
use crate::domain::{Account, Movement, Reason, Verdict};

const PEER: &str = "account";
/// Most items in one batch call (account.proto).
const MAX_ITEMS: usize = 1_000;

/// What the ledger says of one movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Balance of the debited account, in fen; 0 where the account is not known.
    pub balance_fen: i64,
}

/// Something in the ledger that does not add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerDifference {
    /// What is wrong: the ledger's name for it, then in words.
    pub description: String,
    /// What it is about: `account A`, `transfer T` or `seal N`.
    pub subject: String,
    /// The transfer concerned, if it is one, as text.
    pub transfer: Option<String>,
    /// How many fen too many.
    pub difference_fen: i64,
}

/// What the ledger finds when it verifies a slice of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerReport {
    /// How many transfers were held against their entries.
    pub transfer_count: i64,
    /// Everything that does not add up.
    pub differences: Vec<LedgerDifference>,
    /// The token of the next slice; `None` after the last.
    pub next: Option<String>,
    /// How far all slices so far have come, 0 to 1,000.
    pub progress_permille: i32,
}

/// The ledger: where money is, and the arbiter of what has moved (MONEY-3).
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Posts movements in order, one answer each. More than 1,000 go in several calls; an error then leaves the earlier
    /// ones posted, as a lost answer would.
    async fn post(&self, movements: &[Movement]) -> Result<Vec<Answer>, PeerError>;

    /// What is posted under each id; absent where nothing is, `None` for something that this service never posts.
    async fn posted(&self, ids: &[TransferId]) -> Result<HashMap<TransferId, Option<Movement>>, PeerError>;

    /// What is in the escrow of each packet, in fen; absent where there is no escrow.
    async fn escrows(&self, packets: &[PacketId]) -> Result<HashMap<PacketId, i64>, PeerError>;

    /// Lets the ledger verify about `rows` rows of itself, from `token` on; empty for the first.
    async fn verify(&self, token: &str, rows: i32) -> Result<LedgerReport, PeerError>;
}

/// The ledger over gRPC.
#[derive(Clone, Debug)]
pub struct AccountLedger {
    client: AccountServiceClient<Channel>,
}

impl AccountLedger {
    /// The ledger behind `channel`.
    pub fn new(channel: Channel) -> Self {
        let client = AccountServiceClient::new(channel);
        Self {
            client: client.max_decoding_message_size(runtime::client::MAX_MESSAGE_BYTES),
        }
    }
}

fn failed(status: &tonic::Status) -> PeerError {
    PeerError::from_status(PEER, status)
}

#[async_trait]
impl Ledger for AccountLedger {
    async fn post(&self, movements: &[Movement]) -> Result<Vec<Answer>, PeerError> {
        let mut answers = Vec::with_capacity(movements.len());
        for chunk in movements.chunks(MAX_ITEMS) {
            let transfers = chunk.iter().map(to_wire).collect();
            let mut request = tonic::Request::new(wire::PostTransfersRequest { transfers });
            if chunk.iter().any(|movement| movement.reason == Reason::Fund) {
                // A refusal of this one is final, so no second posting of it may be under way elsewhere: it could take effect
                // after the refusal, when a deposit came in between.
                request.extensions_mut().insert(OneInstance);
            }
            let answer = self.client.clone().post_transfers(request).await;
            let results = answer.map_err(|status| failed(&status))?.into_inner().results;
            let fits = results.len() == chunk.len()
                && chunk
                    .iter()
                    .zip(&results)
                    .all(|(movement, result)| movement.id.to_string() == result.transfer_id);
            if !fits {
                return Err(PeerError::malformed(PEER, "the results are not those of the request"));
            }
            for result in results {
                let verdict = verdict(result.verdict())
                    .ok_or_else(|| PeerError::malformed(PEER, format!("verdict {}", result.verdict)))?;
                answers.push(Answer {
                    verdict,
                    balance_fen: result.debit_balance_fen,
                });
            }
        }
        Ok(answers)
    }

    async fn posted(&self, ids: &[TransferId]) -> Result<HashMap<TransferId, Option<Movement>>, PeerError> {
        let mut posted = HashMap::with_capacity(ids.len());
        for chunk in ids.chunks(MAX_ITEMS) {
            let transfer_ids = chunk.iter().map(ToString::to_string).collect();
            let mut client = self.client.clone();
            let answer = client
                .batch_get_transfers(wire::BatchGetTransfersRequest { transfer_ids })
                .await;
            for transfer in answer.map_err(|status| failed(&status))?.into_inner().transfers {
                let transfer = transfer.transfer.unwrap_or_default();
                let id = transfer.transfer_id.parse();
                let id = id.map_err(|_| PeerError::malformed(PEER, "a transfer without an id"))?;
                posted.insert(id, from_wire(id, &transfer));
            }
        }
        Ok(posted)
    }

    async fn escrows(&self, packets: &[PacketId]) -> Result<HashMap<PacketId, i64>, PeerError> {
        let mut escrows = HashMap::with_capacity(packets.len());
        for chunk in packets.chunks(MAX_ITEMS) {
            let refs = chunk
                .iter()
                .map(|packet| account_to_wire(&Account::Escrow(*packet)))
                .collect();
            let mut client = self.client.clone();
            let answer = client.batch_get_accounts(wire::BatchGetAccountsRequest { refs }).await;
            for account in answer.map_err(|status| failed(&status))?.into_inner().accounts {
                match account.r#ref.as_ref().and_then(account_from_wire) {
                    Some(Account::Escrow(packet)) => escrows.insert(packet, account.balance_fen),
                    _ => return Err(PeerError::malformed(PEER, "an account that was not asked for")),
                };
            }
        }
        Ok(escrows)
    }

    async fn verify(&self, token: &str, rows: i32) -> Result<LedgerReport, PeerError> {
        let request = wire::VerifyLedgerRequest {
            page_size: rows,
            page_token: token.to_owned(),
            known_head: None,
        };
        let answer = self.client.clone().verify_ledger(request).await;
        let report = answer.map_err(|status| failed(&status))?.into_inner();
        Ok(LedgerReport {
            transfer_count: report.transfer_count,
            differences: report.differences.into_iter().map(difference).collect(),
            next: Some(report.next_page_token).filter(|token| !token.is_empty()),
            progress_permille: report.progress_permille,
        })
    }
}

fn difference(found: wire::LedgerDifference) -> LedgerDifference {
    let sealed = if found.seal_no > 0 {
        format!(" (seal {})", found.seal_no)
    } else {
        String::new()
    };
    let subject = match (found.account_id.as_str(), found.transfer_id.as_str()) {
        ("", "") => format!("seal {}", found.seal_no),
        ("", transfer) => format!("transfer {transfer}"),
        (account, _) => format!("account {account}"),
    };
    LedgerDifference {
        description: format!("{}: {}{sealed}", found.kind, found.description),
        subject,
        transfer: Some(found.transfer_id).filter(|id| !id.is_empty()),
        difference_fen: found.difference_fen,
    }
}

fn account_to_wire(account: &Account) -> wire::AccountRef {
    let (kind, owner) = match account {
        Account::Wallet(user) => (wire::AccountKind::Wallet, user.to_string()),
        Account::Escrow(packet) => (wire::AccountKind::Escrow, packet.to_string()),
        Account::Suspense(user) => (wire::AccountKind::Suspense, user.to_string()),
        Account::External => (wire::AccountKind::External, String::new()),
    };
    wire::AccountRef {
        kind: kind.into(),
        owner,
    }
}

fn account_from_wire(account: &wire::AccountRef) -> Option<Account> {
    let user = || account.owner.parse::<UserId>().ok();
    match account.kind() {
        wire::AccountKind::Wallet => user().map(Account::Wallet),
        wire::AccountKind::Escrow => account.owner.parse().ok().map(Account::Escrow),
        wire::AccountKind::Suspense => user().map(Account::Suspense),
        wire::AccountKind::External => Some(Account::External),
        wire::AccountKind::Unspecified => None,
    }
}

fn to_wire(movement: &Movement) -> wire::Transfer {
    let reason = match movement.reason {
        Reason::Fund => wire::TransferReason::Fund,
        Reason::Settle => wire::TransferReason::Settle,
        Reason::Refund => wire::TransferReason::Refund,
        Reason::Suspense => wire::TransferReason::Suspense,
        Reason::Repair => wire::TransferReason::Repair,
    };
    wire::Transfer {
        transfer_id: movement.id.to_string(),
        debit: Some(account_to_wire(&movement.debit)),
        credit: Some(account_to_wire(&movement.credit)),
        amount_fen: movement.amount_fen,
        reason: reason.into(),
        packet_id: movement.packet.to_string(),
    }
}

fn from_wire(id: TransferId, transfer: &wire::Transfer) -> Option<Movement> {
    let reason = match transfer.reason() {
        wire::TransferReason::Fund => Reason::Fund,
        wire::TransferReason::Settle => Reason::Settle,
        wire::TransferReason::Refund => Reason::Refund,
        wire::TransferReason::Suspense => Reason::Suspense,
        wire::TransferReason::Repair => Reason::Repair,
        wire::TransferReason::Deposit | wire::TransferReason::Unspecified => return None,
    };
    Some(Movement {
        id,
        debit: account_from_wire(transfer.debit.as_ref()?)?,
        credit: account_from_wire(transfer.credit.as_ref()?)?,
        amount_fen: transfer.amount_fen,
        reason,
        packet: transfer.packet_id.parse().ok()?,
    })
}

fn verdict(verdict: wire::PostVerdict) -> Option<Verdict> {
    Verdict::from_name(verdict.as_str_name().strip_prefix("POST_VERDICT_")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_of_the_contract_is_known_and_in_its_order() {
        // In the order in which the contract lists them; 14 came later, behind ALREADY_POSTED.
        let known: Vec<Verdict> = [1, 2, 3, 4, 5, 6, 14, 7, 8, 9, 10, 11, 12, 13]
            .into_iter()
            .filter_map(|number| verdict(wire::PostVerdict::try_from(number).unwrap()))
            .collect();
        assert_eq!(known, Verdict::ALL);
        assert!(wire::PostVerdict::try_from(15).is_err(), "the contract knows more");
        assert_eq!(verdict(wire::PostVerdict::Unspecified), None);
    }
}
