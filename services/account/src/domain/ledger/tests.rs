//! Every verdict in order of precedence; random batches are in [`model`].

mod model;

use clock::from_micros;
use id::{PacketId, UserId};
use uuid::Uuid;

use super::*;
use crate::domain::transfer::Reason;

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn wallet(name: &str) -> AccountRef {
    AccountRef::Wallet(user(name))
}

fn packet(n: u8) -> PacketId {
    PacketId::new(u64::from(n), &[n; 10])
}

fn escrow(n: u8) -> AccountRef {
    AccountRef::Escrow(packet(n))
}

/// A transfer for the reason that goes with its accounts, if there is one.
fn transfer(id: u128, debit: AccountRef, credit: AccountRef, amount: i64) -> Transfer {
    use AccountRef::{Escrow, External, Suspense, Wallet};
    let (reason, packet) = match (&debit, &credit) {
        (External, Wallet(_)) => (Reason::Deposit, None),
        (Wallet(_), Escrow(packet)) => (Reason::Fund, Some(*packet)),
        (Escrow(packet), Wallet(_)) => (Reason::Settle, Some(*packet)),
        (Escrow(packet), Suspense(_)) => (Reason::Suspense, Some(*packet)),
        _ => (Reason::Repair, Some(packet(1))),
    };
    Transfer {
        id: TransferId::from(Uuid::from_u128(id)),
        debit,
        credit,
        amount: Fen::new(amount),
        reason,
        packet,
    }
}

/// Wallets `a` (100 fen) and `b` (5 fen), frozen `ice` (100 fen), `full` (all that 64 bits hold); escrow 1 (100 fen) and
/// escrow 3, frozen as no escrow ever is (100 fen); transfer 900 posted from `a` to escrow 1.
fn books() -> Books {
    let account = |reference, balance, frozen| Account {
        balance: Fen::new(balance),
        entry_count: 3,
        frozen,
        ..Account::open(reference, from_micros(0))
    };
    let mut books = Books::default();
    for account in [
        account(wallet("a"), 100, false),
        account(wallet("b"), 5, false),
        account(wallet("ice"), 100, true),
        account(wallet("full"), i64::MAX, false),
        account(escrow(1), 100, false),
        account(escrow(3), 100, true),
    ] {
        books.accounts.insert(account.reference.id(), account);
    }
    let before = transfer(900, wallet("a"), escrow(1), 7);
    books.posted.insert(before.id, before.payload());
    books
}

fn verdicts(items: &[Item]) -> Vec<(Verdict, i64)> {
    post(items, books(), from_micros(1))
        .postings
        .iter()
        .map(|posting| (posting.verdict, posting.debit_balance.get()))
        .collect()
}

/// Each row would earn the verdicts after its own too: it is the first that counts.
#[test]
fn verdicts_in_order_of_precedence() {
    use Verdict::{
        AlreadyPosted, BalanceOverflow, CreditFrozen, CreditNotFound, DebitFrozen, DebitNotFound, IdReused,
        InsufficientFunds, InvalidAmount, InvalidField, InvalidId, Posted, SameAccount, WrongAccounts,
    };
    let suspense = || AccountRef::Suspense(user("x"));
    let table: [(Item, Verdict, i64); 21] = [
        (Err(Malformed::Id), InvalidId, 0),
        (Err(Malformed::Field), InvalidField, 0),
        (Ok(transfer(900, wallet("a"), wallet("a"), 0)), InvalidAmount, 100),
        (Ok(transfer(900, wallet("a"), escrow(1), -7)), InvalidAmount, 100),
        (Ok(transfer(900, wallet("a"), wallet("a"), 7)), SameAccount, 100),
        (Ok(transfer(900, wallet("x"), wallet("b"), 7)), IdReused, 0),
        (Ok(transfer(900, wallet("a"), escrow(1), 8)), IdReused, 100),
        (Ok(transfer(900, wallet("a"), escrow(1), 7)), AlreadyPosted, 100),
        (Ok(transfer(1, wallet("x"), wallet("y"), 7)), WrongAccounts, 0),
        (Ok(transfer(1, wallet("x"), escrow(9), 7)), DebitNotFound, 0),
        (Ok(transfer(1, escrow(9), wallet("y"), 7)), DebitNotFound, 0),
        (Ok(transfer(1, escrow(3), wallet("y"), 700)), CreditNotFound, 100),
        (Ok(transfer(1, escrow(3), wallet("ice"), 700)), DebitFrozen, 100),
        (Ok(transfer(1, escrow(1), wallet("ice"), 700)), CreditFrozen, 100),
        (Ok(transfer(1, escrow(1), wallet("full"), 101)), InsufficientFunds, 100),
        (Ok(transfer(1, escrow(1), wallet("full"), 100)), BalanceOverflow, 100),
        (Ok(transfer(1, escrow(1), wallet("b"), 100)), Posted, 0),
        (Ok(transfer(1, wallet("a"), escrow(9), 1)), Posted, 99),
        (Ok(transfer(1, escrow(1), suspense(), 1)), Posted, 99),
        (Ok(transfer(1, escrow(1), AccountRef::External, 1)), Posted, 99),
        (Ok(transfer(1, AccountRef::External, wallet("a"), 1)), Posted, -1),
    ];
    for (item, verdict, debit_balance) in table {
        assert_eq!(
            verdicts(std::slice::from_ref(&item)),
            [(verdict, debit_balance)],
            "{item:?}"
        );
    }
}

/// Whatever is paid in after it, by whatever else; a transfer for another reason may be tried again.
#[test]
fn a_refused_funding_stays_refused() {
    use Verdict::{AlreadyPosted, CreditFrozen, DebitNotFound, InsufficientFunds, Posted};
    let fund = |id, from, amount| Ok(transfer(id, wallet(from), escrow(9), amount));
    let pay_in = |id, amount| Ok(transfer(id, AccountRef::External, wallet("b"), amount));
    let batch = [
        fund(1, "b", 6),
        pay_in(2, 100),
        fund(1, "b", 6),
        fund(1, "b", 1),
        fund(3, "b", 6),
        fund(3, "b", 6),
        fund(4, "ghost", 6),
        Ok(transfer(5, escrow(1), wallet("ice"), 1)),
    ];
    let outcome = post(&batch, books(), from_micros(1));
    let given: Vec<_> = outcome.postings.iter().map(|posting| posting.verdict).collect();
    let expected = [
        InsufficientFunds,
        Posted,
        InsufficientFunds,
        InsufficientFunds,
        Posted,
        AlreadyPosted,
        DebitNotFound,
        CreditFrozen,
    ];
    assert_eq!(given, expected);
    let once = TransferId::from(Uuid::from_u128(1));
    assert_eq!(
        outcome.refused,
        [(once, InsufficientFunds)],
        "once, and only what lasts"
    );

    let mut later = books();
    later.refused.extend(outcome.refused);
    assert_eq!(
        post(&[fund(1, "a", 1)], later, from_micros(2)).postings[0].verdict,
        InsufficientFunds
    );
}

/// Every reason between accounts of every kind: those that go together, and no others.
#[test]
fn reasons_go_with_accounts() {
    let fits = [
        (Reason::Deposit, "external", "wallet"),
        (Reason::Fund, "wallet", "escrow"),
        (Reason::Settle, "escrow", "wallet"),
        (Reason::Refund, "escrow", "wallet"),
        (Reason::Suspense, "escrow", "suspense"),
        (Reason::Repair, "escrow", "wallet"),
        (Reason::Repair, "escrow", "external"),
        (Reason::Repair, "suspense", "wallet"),
        (Reason::Repair, "suspense", "external"),
    ];
    let accounts = [
        ("wallet", wallet("a")),
        ("escrow", escrow(1)),
        ("suspense", AccountRef::Suspense(user("a"))),
        ("external", AccountRef::External),
    ];
    for reason in Reason::ALL {
        for (debit_kind, debit) in &accounts {
            for (credit_kind, credit) in &accounts {
                let transfer = Transfer {
                    reason,
                    packet: Some(packet(1)),
                    ..transfer(1, debit.clone(), credit.clone(), 1)
                };
                let expected = fits.contains(&(reason, *debit_kind, *credit_kind));
                assert_eq!(transfer.fits_its_reason(), expected, "{transfer:?}");
                let elsewhere = Transfer {
                    packet: Some(packet(2)),
                    ..transfer
                };
                let has_escrow = [debit_kind, credit_kind].contains(&&"escrow");
                assert_eq!(elsewhere.fits_its_reason(), expected && !has_escrow, "{elsewhere:?}");
            }
        }
    }
}

#[test]
fn what_the_world_outside_owes_ends_at_64_bits() {
    let all = |id, name| Ok(transfer(id, AccountRef::External, wallet(name), i64::MAX - 100));
    assert_eq!(
        verdicts(&[
            all(1, "a"),
            Ok(transfer(2, AccountRef::External, wallet("b"), 100)),
            Ok(transfer(3, AccountRef::External, wallet("b"), 1)),
            Ok(transfer(4, AccountRef::External, wallet("b"), 1)),
        ]),
        [
            (Verdict::Posted, 100 - i64::MAX),
            (Verdict::Posted, -i64::MAX),
            (Verdict::Posted, i64::MIN),
            (Verdict::BalanceOverflow, i64::MIN),
        ]
    );
}

#[test]
fn later_items_see_the_effects_of_earlier_ones() {
    let fund = transfer(1, wallet("a"), escrow(5), 100);
    let settle = transfer(2, escrow(5), wallet("b"), 60);
    let other = Transfer {
        reason: Reason::Repair,
        ..settle.clone()
    };
    let items = [
        Ok(transfer(3, escrow(5), wallet("b"), 1)),
        Ok(fund.clone()),
        Ok(settle.clone()),
        Ok(settle),
        Ok(other),
        Ok(transfer(4, escrow(5), wallet("b"), 41)),
        Ok(fund),
        Ok(transfer(4, escrow(5), wallet("b"), 40)),
    ];
    assert_eq!(
        verdicts(&items),
        [
            (Verdict::DebitNotFound, 0),
            (Verdict::Posted, 0),
            (Verdict::Posted, 40),
            (Verdict::AlreadyPosted, 40),
            (Verdict::IdReused, 40),
            (Verdict::InsufficientFunds, 40),
            (Verdict::AlreadyPosted, 0),
            (Verdict::Posted, 0),
        ]
    );
    let outcome = post(&items, books(), from_micros(1));
    assert_eq!(outcome.transfers.len(), 3);
    assert_eq!(outcome.opened.len(), 1, "only the escrow is new");
    assert_eq!(outcome.changed.len(), 2);
    let numbers: Vec<_> = outcome.entries.iter().map(|entry| entry.entry_no).collect();
    assert_eq!(numbers, [4, 1, 2, 4, 3, 5], "numbered on from what the accounts had");
}

/// One payload differs from another if any of its fields does (MONEY-3).
#[test]
fn every_field_of_the_payload_counts() {
    let first = transfer(1, wallet("a"), escrow(9), 7);
    let others = [
        Transfer {
            debit: wallet("x"),
            ..first.clone()
        },
        Transfer {
            credit: escrow(8),
            ..first.clone()
        },
        Transfer {
            amount: Fen::new(8),
            ..first.clone()
        },
        Transfer {
            reason: Reason::Settle,
            ..first.clone()
        },
        Transfer {
            packet: Some(packet(2)),
            ..first.clone()
        },
        Transfer {
            packet: None,
            ..first.clone()
        },
    ];
    for other in others {
        assert_eq!(verdicts(&[Ok(first.clone()), Ok(other)])[1].0, Verdict::IdReused);
    }
}
