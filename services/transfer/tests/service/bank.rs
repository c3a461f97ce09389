//! An account service in memory, faithful to its contract in what transfer needs, that fails on demand.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use proto::account::v1::{self as wire, AccountKind, PostVerdict};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

/// What goes wrong with one call of `PostTransfers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service says that it cannot; nothing happened.
    Before,
    /// It happens; the answer is lost.
    LostAnswer,
    /// It happens; the answer waits for [`Bank::let_go`].
    LateAnswer,
    /// It waits for [`Bank::let_go`], then happens.
    LateEffect,
    /// Nothing is wrong with this one.
    None,
}

type Key = (i32, String);

#[derive(Default)]
struct State {
    balances: HashMap<Key, i64>,
    frozen: Vec<String>,
    transfers: HashMap<String, wire::Transfer>,
    faults: VecDeque<Fault>,
    down: bool,
    /// Whom it cannot pay: any call that tries to is answered with an error of its own, and nothing of it happens.
    choking: Vec<String>,
    /// How many more calls it answers with an error of its own.
    broken: usize,
    differences: Vec<wire::LedgerDifference>,
    calls: usize,
    largest: usize,
}

/// The ledger. Clones share it.
#[derive(Clone)]
pub struct Bank {
    state: Arc<Mutex<State>>,
    gate: Arc<Semaphore>,
}

fn key(account: &wire::AccountRef) -> Key {
    (account.kind, account.owner.clone())
}

impl Bank {
    pub fn new() -> Self {
        Self {
            state: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Opens a wallet and pays in.
    pub fn deposit(&self, user: &str, fen: i64) {
        let mut state = self.state();
        *state
            .balances
            .entry((AccountKind::Wallet.into(), user.to_owned()))
            .or_default() += fen;
        *state
            .balances
            .entry((AccountKind::External.into(), String::new()))
            .or_default() -= fen;
    }

    pub fn freeze(&self, user: &str) {
        self.state().frozen.push(user.to_owned());
    }

    pub fn unfreeze(&self, user: &str) {
        self.state().frozen.retain(|frozen| frozen != user);
    }

    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// Takes back planned faults.
    pub fn mend(&self) {
        self.state().faults.clear();
    }

    pub fn set_down(&self, down: bool) {
        self.state().down = down;
    }

    /// Chokes on every call that would pay `user`; nothing of such a call happens.
    pub fn choke_on(&self, user: &str) {
        self.state().choking.push(user.to_owned());
    }

    /// Chokes on nothing any more.
    pub fn recover(&self) {
        let mut state = self.state();
        state.choking.clear();
        state.broken = 0;
    }

    /// Answers so many calls with an error of its own.
    pub fn break_down(&self, calls: usize) {
        self.state().broken = calls;
    }

    /// Lets one late answer go.
    pub fn let_go(&self) {
        self.gate.add_permits(1);
    }

    /// How often `PostTransfers` was called.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// Most transfers in one call.
    pub fn largest(&self) -> usize {
        self.state().largest
    }

    /// Waits until `PostTransfers` was called more than `calls` times.
    pub async fn is_asked(&self, calls: usize) {
        testkit::eventually("the ledger is asked", async || (self.calls() > calls).then_some(())).await;
    }

    pub fn balance(&self, kind: AccountKind, owner: &str) -> i64 {
        let key = (kind.into(), owner.to_string());
        self.state().balances.get(&key).copied().unwrap_or(0)
    }

    pub fn wallet(&self, user: &str) -> i64 {
        self.balance(AccountKind::Wallet, user)
    }

    pub fn escrow(&self, packet: id::PacketId) -> i64 {
        self.balance(AccountKind::Escrow, &packet.to_string())
    }

    pub fn suspense(&self, user: &str) -> i64 {
        self.balance(AccountKind::Suspense, user)
    }

    pub fn has(&self, id: id::TransferId) -> bool {
        self.state().transfers.contains_key(&id.to_string())
    }

    /// Loses the record of a transfer, not its effect.
    pub fn forget(&self, id: id::TransferId) {
        self.state().transfers.remove(&id.to_string()).unwrap();
    }

    /// Invents money in an escrow.
    pub fn invent(&self, packet: id::PacketId, fen: i64) {
        let key = (AccountKind::Escrow.into(), packet.to_string());
        *self.state().balances.entry(key).or_default() += fen;
    }

    pub fn report(&self, description: &str) {
        self.state().differences.push(wire::LedgerDifference {
            description: description.to_owned(),
            difference_fen: 1,
            kind: "NO_SUCH_TRANSFER".to_owned(),
            account_id: "an-account".to_owned(),
            ..Default::default()
        });
    }

    pub fn post(&self, transfer: &wire::Transfer) -> wire::PostResult {
        let mut state = self.state();
        let verdict = state.judge(transfer);
        let (debit, credit) = (transfer.debit.clone().unwrap(), transfer.credit.clone().unwrap());
        if verdict == PostVerdict::Posted {
            *state.balances.entry(key(&debit)).or_default() -= transfer.amount_fen;
            *state.balances.entry(key(&credit)).or_default() += transfer.amount_fen;
            state.transfers.insert(transfer.transfer_id.clone(), transfer.clone());
        }
        wire::PostResult {
            transfer_id: transfer.transfer_id.clone(),
            verdict: verdict.into(),
            debit_balance_fen: state.balances.get(&key(&debit)).copied().unwrap_or(0),
        }
    }
}

impl State {
    fn judge(&self, transfer: &wire::Transfer) -> PostVerdict {
        let (debit, credit) = (transfer.debit.as_ref().unwrap(), transfer.credit.as_ref().unwrap());
        let frozen =
            |account: &wire::AccountRef| account.kind() == AccountKind::Wallet && self.frozen.contains(&account.owner);
        if transfer.amount_fen <= 0 {
            PostVerdict::InvalidAmount
        } else if let Some(known) = self.transfers.get(&transfer.transfer_id) {
            if known == transfer {
                PostVerdict::AlreadyPosted
            } else {
                PostVerdict::IdReused
            }
        } else if !self.balances.contains_key(&key(debit)) {
            PostVerdict::DebitNotFound
        } else if credit.kind() == AccountKind::Wallet && !self.balances.contains_key(&key(credit)) {
            PostVerdict::CreditNotFound
        } else if frozen(debit) {
            PostVerdict::DebitFrozen
        } else if frozen(credit) {
            PostVerdict::CreditFrozen
        } else if self.balances[&key(debit)] < transfer.amount_fen {
            PostVerdict::InsufficientFunds
        } else {
            PostVerdict::Posted
        }
    }
}

fn unused<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("transfer does not call this"))
}

#[tonic::async_trait]
impl wire::account_service_server::AccountService for Bank {
    async fn post_transfers(
        &self,
        request: Request<wire::PostTransfersRequest>,
    ) -> Result<Response<wire::PostTransfersResponse>, Status> {
        let fault = {
            let mut state = self.state();
            state.calls += 1;
            if state.down {
                return Err(Status::unavailable("down"));
            }
            state.faults.pop_front().unwrap_or(Fault::None)
        };
        if fault == Fault::Before {
            return Err(status::unavailable("the ledger", "planned", std::time::Duration::ZERO));
        }
        let transfers = request.into_inner().transfers;
        {
            let mut state = self.state();
            state.largest = state.largest.max(transfers.len());
            if state.broken > 0 {
                state.broken -= 1;
                return Err(status::internal("planned"));
            }
            let chokes = |transfer: &wire::Transfer| {
                let owner = transfer.credit.as_ref().map_or("", |credit| &credit.owner);
                state.choking.iter().any(|user| user == owner)
            };
            if transfers.iter().any(chokes) {
                return Err(status::internal("planned"));
            }
        }
        assert!((1..=1_000).contains(&transfers.len()), "{}", transfers.len());
        if fault == Fault::LateEffect {
            self.gate.acquire().await.unwrap().forget();
        }
        let results = transfers.iter().map(|transfer| self.post(transfer)).collect();
        match fault {
            Fault::LostAnswer => return Err(Status::unknown("the answer is lost")),
            Fault::LateAnswer => self.gate.acquire().await.unwrap().forget(),
            Fault::Before | Fault::LateEffect | Fault::None => {}
        }
        Ok(Response::new(wire::PostTransfersResponse { results }))
    }

    async fn batch_get_accounts(
        &self,
        request: Request<wire::BatchGetAccountsRequest>,
    ) -> Result<Response<wire::BatchGetAccountsResponse>, Status> {
        let state = self.state();
        let accounts = request.into_inner().refs.into_iter().filter_map(|account| {
            Some(wire::Account {
                balance_fen: *state.balances.get(&key(&account))?,
                r#ref: Some(account),
                ..Default::default()
            })
        });
        let accounts = accounts.collect();
        Ok(Response::new(wire::BatchGetAccountsResponse { accounts }))
    }

    async fn batch_get_transfers(
        &self,
        request: Request<wire::BatchGetTransfersRequest>,
    ) -> Result<Response<wire::BatchGetTransfersResponse>, Status> {
        let state = self.state();
        let ids = request.into_inner().transfer_ids;
        assert!((1..=1_000).contains(&ids.len()), "{}", ids.len());
        let transfers = ids.iter().filter_map(|id| {
            Some(wire::PostedTransfer {
                transfer: Some(state.transfers.get(id)?.clone()),
                create_time: None,
            })
        });
        let transfers = transfers.collect();
        Ok(Response::new(wire::BatchGetTransfersResponse { transfers }))
    }

    async fn verify_ledger(
        &self,
        _: Request<wire::VerifyLedgerRequest>,
    ) -> Result<Response<wire::VerifyLedgerResponse>, Status> {
        let state = self.state();
        Ok(Response::new(wire::VerifyLedgerResponse {
            account_count: i64::try_from(state.balances.len()).unwrap(),
            transfer_count: i64::try_from(state.transfers.len()).unwrap(),
            balance_sum_fen: 0,
            differences: state.differences.clone(),
            ..Default::default()
        }))
    }

    async fn open_account(
        &self,
        _: Request<wire::OpenAccountRequest>,
    ) -> Result<Response<wire::OpenAccountResponse>, Status> {
        unused()
    }

    async fn get_account(
        &self,
        _: Request<wire::GetAccountRequest>,
    ) -> Result<Response<wire::GetAccountResponse>, Status> {
        unused()
    }

    async fn batch_get_users(
        &self,
        _: Request<wire::BatchGetUsersRequest>,
    ) -> Result<Response<wire::BatchGetUsersResponse>, Status> {
        unused()
    }

    async fn list_entries(
        &self,
        _: Request<wire::ListEntriesRequest>,
    ) -> Result<Response<wire::ListEntriesResponse>, Status> {
        unused()
    }

    async fn deposit(&self, _: Request<wire::DepositRequest>) -> Result<Response<wire::DepositResponse>, Status> {
        unused()
    }

    async fn freeze_account(
        &self,
        _: Request<wire::FreezeAccountRequest>,
    ) -> Result<Response<wire::FreezeAccountResponse>, Status> {
        unused()
    }

    async fn unfreeze_account(
        &self,
        _: Request<wire::UnfreezeAccountRequest>,
    ) -> Result<Response<wire::UnfreezeAccountResponse>, Status> {
        unused()
    }
}
