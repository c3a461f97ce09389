//! Random batches against a plain model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The plain model: one transfer after the other over maps of 128-bit numbers, knowing nothing of batches.
#[derive(Default)]
struct Model {
    balances: HashMap<String, i128>,
    frozen: Vec<String>,
    posted: HashMap<TransferId, Transfer>,
    refused: HashMap<TransferId, Verdict>,
}

impl Model {
    fn apply(&mut self, item: &Item) -> Verdict {
        let verdict = self.judge(item);
        if let Ok(funding) = item
            && funding.reason == Reason::Fund
            && Verdict::LASTING.contains(&verdict)
        {
            self.refused.insert(funding.id, verdict);
        }
        verdict
    }

    fn judge(&mut self, item: &Item) -> Verdict {
        let transfer = match item {
            Err(Malformed::Id) => return Verdict::InvalidId,
            Err(Malformed::Field) => return Verdict::InvalidField,
            Ok(transfer) => transfer,
        };
        let (debit, credit) = (transfer.debit.to_string(), transfer.credit.to_string());
        let amount = i128::from(transfer.amount.get());
        if amount <= 0 {
            return Verdict::InvalidAmount;
        }
        if debit == credit {
            return Verdict::SameAccount;
        }
        if let Some(before) = self.posted.get(&transfer.id) {
            return if before == transfer {
                Verdict::AlreadyPosted
            } else {
                Verdict::IdReused
            };
        }
        if !fits(transfer) {
            return Verdict::WrongAccounts;
        }
        if let Some(before) = self
            .refused
            .get(&transfer.id)
            .filter(|_| transfer.reason == Reason::Fund)
        {
            return *before;
        }
        if !self.balances.contains_key(&debit) && debit != "external" {
            return Verdict::DebitNotFound;
        }
        if !self.balances.contains_key(&credit) && credit.starts_with("wallet") {
            return Verdict::CreditNotFound;
        }
        if self.frozen.contains(&debit) {
            return Verdict::DebitFrozen;
        }
        if self.frozen.contains(&credit) {
            return Verdict::CreditFrozen;
        }
        let after_debit = self.balances.get(&debit).unwrap_or(&0) - amount;
        let after_credit = self.balances.get(&credit).unwrap_or(&0) + amount;
        if after_debit < 0 && debit != "external" {
            return Verdict::InsufficientFunds;
        }
        if after_debit < i128::from(i64::MIN) || after_credit > i128::from(i64::MAX) {
            return Verdict::BalanceOverflow;
        }
        self.balances.insert(debit, after_debit);
        self.balances.insert(credit, after_credit);
        self.posted.insert(transfer.id, transfer.clone());
        Verdict::Posted
    }
}

/// By names alone, as a person would say it.
fn fits(transfer: &Transfer) -> bool {
    let kind = |account: &AccountRef| account.to_string().split(':').next().unwrap().to_owned();
    let kinds = (kind(&transfer.debit), kind(&transfer.credit));
    let (froms, tos) = match transfer.reason {
        Reason::Deposit => ("external", "wallet"),
        Reason::Fund => ("wallet", "escrow"),
        Reason::Settle | Reason::Refund => ("escrow", "wallet"),
        Reason::Suspense => ("escrow", "suspense"),
        Reason::Repair => ("escrow|suspense", "wallet|external"),
    };
    let named = |names: &str, name: &str| names.split('|').any(|known| known == name);
    let mut escrows = [&transfer.debit, &transfer.credit]
        .into_iter()
        .filter_map(|account| match account {
            AccountRef::Escrow(packet) => Some(*packet),
            _ => None,
        });
    named(froms, &kinds.0) && named(tos, &kinds.1) && escrows.all(|packet| Some(packet) == transfer.packet)
}

fn references() -> impl Strategy<Value = AccountRef> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c", "ice", "nobody"]).prop_map(wallet),
        3 => (1..3_u8).prop_map(|n| AccountRef::Escrow(packet(n))),
        1 => Just(AccountRef::Suspense(user("a"))),
        2 => Just(AccountRef::External),
    ]
}

fn items() -> impl Strategy<Value = Item> {
    let amounts = prop_oneof![8 => 1..200_i64, 1 => -3..=0_i64, 1 => (i64::MAX - 50)..=i64::MAX];
    let reasons = prop_oneof![4 => Just(None), 1 => prop::sample::select(Reason::ALL.to_vec()).prop_map(Some)];
    let readable =
        (0..60_u128, references(), references(), amounts, reasons).prop_map(|(id, debit, credit, amount, reason)| {
            let transfer = transfer(id, debit, credit, amount);
            Ok(Transfer {
                reason: reason.unwrap_or(transfer.reason),
                ..transfer
            })
        });
    prop_oneof![30 => readable, 1 => Just(Err(Malformed::Id)), 1 => Just(Err(Malformed::Field))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Batches carried over as a store would carry them equal the model's one-by-one, and the books stay sound.
    #[test]
    fn batches_equal_the_plain_model(batches in prop::collection::vec(prop::collection::vec(items(), 0..40), 1..5)) {
        let mut model = Model::default();
        let mut books = Books::default();
        for name in ["a", "b", "c", "ice"] {
            let account = Account { frozen: name == "ice", ..Account::open(wallet(name), from_micros(0)) };
            model.balances.insert(account.reference.to_string(), 0);
            books.accounts.insert(account.reference.id(), account);
        }
        model.frozen.push(wallet("ice").to_string());
        let mut histories: BTreeMap<AccountId, Vec<NewEntry>> = BTreeMap::new();

        for batch in batches {
            let expected: Vec<_> = batch.iter().map(|item| model.apply(item)).collect();
            let outcome = post(&batch, books.clone(), from_micros(1));
            let actual: Vec<_> = outcome.postings.iter().map(|posting| posting.verdict).collect();
            prop_assert_eq!(actual, expected);
            prop_assert_eq!(outcome.entries.len(), outcome.transfers.len() * 2);
            prop_assert!(outcome.opened.keys().all(|id| !books.accounts.contains_key(id)));
            prop_assert!(outcome.changed.keys().all(|id| books.accounts.contains_key(id)));
            books.posted.extend(outcome.transfers.iter().map(|transfer| (transfer.id, transfer.payload())));
            books.refused.extend(outcome.refused);
            books.accounts.extend(outcome.opened.into_iter().chain(outcome.changed));
            for entry in outcome.entries {
                histories.entry(entry.account).or_default().push(entry);
            }
        }

        let mut sum = 0;
        for account in books.accounts.values() {
            let balance = i128::from(account.balance.get());
            sum += balance;
            prop_assert_eq!(model.balances.get(&account.reference.to_string()), Some(&balance));
            prop_assert!(balance >= 0 || account.reference == AccountRef::External);
            let history = histories.remove(&account.reference.id()).unwrap_or_default();
            let mut running = 0;
            for (entry, number) in history.iter().zip(1..) {
                running += entry.delta.get();
                prop_assert_eq!((entry.entry_no, entry.balance.get()), (number, running));
            }
            prop_assert_eq!(account.entry_count, i64::try_from(history.len()).unwrap());
            prop_assert_eq!(i128::from(running), balance);
        }
        prop_assert_eq!(sum, 0);
    }
}
