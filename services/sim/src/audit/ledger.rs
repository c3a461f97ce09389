//! MONEY-1, MONEY-2, MONEY-3: balances computed from the list of transfers, held against the rows; and that every movement
//! stands for a fact.

use std::collections::{BTreeMap, HashMap};

use account::{
    domain::{
        account::AccountRef,
        transfer::{PostedTransfer, Reason, Transfer},
    },
    store::memory::Snapshot,
};
use id::{AccountId, PacketId, TransferId};

use super::{Book, ByTransfer};

/// The ledger as the auditor has it.
#[derive(Default)]
pub struct Picture {
    posted: Vec<PostedTransfer>,
    by_id: ByTransfer<usize>,
    balances: HashMap<AccountRef, i64>,
    entries_seen: usize,
    /// By account: how many entries, and the balance after the last.
    entries: BTreeMap<AccountId, (i64, i64)>,
    /// Transfers that the rest of the picture has not been held against.
    fresh: usize,
}

impl Picture {
    /// What was posted under an id.
    pub fn transfer(&self, id: TransferId) -> Option<&Transfer> {
        self.by_id.get(&id).map(|at| &self.posted[*at].transfer)
    }

    /// The balance of an account, by the auditor's own reckoning.
    pub fn balance(&self, account: &AccountRef) -> i64 {
        self.balances.get(account).copied().unwrap_or(0)
    }

    /// Whether a packet's total is in, or was.
    pub fn is_funded(&self, packet: PacketId) -> bool {
        self.by_id.contains_key(&TransferId::fund(packet))
    }

    /// The transfers since this was last asked.
    fn take_fresh(&mut self) -> Vec<Transfer> {
        let fresh = self.posted[self.fresh..]
            .iter()
            .map(|posted| posted.transfer.clone())
            .collect();
        self.fresh = self.posted.len();
        fresh
    }

    pub fn look(&mut self, rows: &Snapshot, book: &Book<'_>) {
        let known = self.posted.len();
        let unchanged = rows.transfers.len() >= known && rows.transfers[..known] == self.posted[..];
        book.hold("MONEY-1", unchanged, || {
            "a posted transfer was changed or removed".to_owned()
        });
        if !unchanged {
            return;
        }
        for posted in &rows.transfers[known..] {
            self.post(posted, book);
        }
        self.enter(rows, book);

        let mut sum = 0_i128;
        for account in &rows.accounts {
            let (held, computed) = (account.balance.get(), self.balance(&account.reference));
            sum += i128::from(held);
            let name = &account.reference;
            book.hold("MONEY-1", held == computed, || {
                format!("{name} holds {held}, its transfers sum to {computed}")
            });
            book.hold("MONEY-2", held >= 0 || *name == AccountRef::External, || {
                format!("{name} is at {held}")
            });
            let (count, last) = self.entries.get(&name.id()).copied().unwrap_or_default();
            book.hold("MONEY-1", count == account.entry_count && last == held, || {
                format!(
                    "{name} at {held} with {} entries, its entries are {count} and end at {last}",
                    account.entry_count
                )
            });
        }
        book.hold("MONEY-1", sum == 0, || format!("all balances sum to {sum}"));
    }

    fn post(&mut self, posted: &PostedTransfer, book: &Book<'_>) {
        let transfer = &posted.transfer;
        let (id, amount) = (transfer.id, transfer.amount.get());
        book.hold("MONEY-1", amount > 0 && transfer.debit != transfer.credit, || {
            format!("{id} moves {amount} from {} to {}", transfer.debit, transfer.credit)
        });
        let again = self.by_id.insert(id, self.posted.len()).is_some();
        book.hold("MONEY-3", !again, || format!("{id} is posted twice"));
        *self.balances.entry(transfer.debit.clone()).or_default() -= amount;
        *self.balances.entry(transfer.credit.clone()).or_default() += amount;
        let left = self.balance(&transfer.debit);
        book.hold("MONEY-2", left >= 0 || transfer.debit == AccountRef::External, || {
            format!("{id} leaves {left} in {}", transfer.debit)
        });
        self.posted.push(posted.clone());
    }

    /// Each transfer has two entries, one for each side; each account's are numbered and add up.
    fn enter(&mut self, rows: &Snapshot, book: &Book<'_>) {
        let fresh = rows.entries.get(self.entries_seen..).unwrap_or_default();
        let mut sides: ByTransfer<Vec<(AccountId, i64)>> = BTreeMap::new();
        for entry in fresh {
            let (count, balance) = self.entries.entry(entry.account).or_default();
            *count += 1;
            *balance += entry.delta.get();
            let fits = (*count, *balance) == (entry.entry_no, entry.balance.get());
            book.hold("MONEY-1", fits, || {
                format!(
                    "entry {} of {} after {}: {}, expected {balance} as number {count}",
                    entry.entry_no,
                    entry.account,
                    entry.transfer,
                    entry.balance.get()
                )
            });
            sides
                .entry(entry.transfer)
                .or_default()
                .push((entry.account, entry.delta.get()));
        }
        self.entries_seen = rows.entries.len();
        for (id, mut sides) in sides {
            sides.sort_by_key(|(_, delta)| *delta);
            let transfer = self.transfer(id);
            let expected = transfer.map(|transfer| {
                let amount = transfer.amount.get();
                [(transfer.debit.id(), -amount), (transfer.credit.id(), amount)]
            });
            book.hold("MONEY-1", expected.is_some_and(|expected| sides == expected), || {
                format!("the entries of {id} are {sides:?}, it is {transfer:?}")
            });
        }
        let expected = self.posted.len() * 2;
        book.hold("MONEY-1", rows.entries.len() == expected, || {
            format!("{} entries of {} transfers", rows.entries.len(), self.posted.len())
        });
    }
}

impl super::Picture {
    /// Every new movement stands for a fact that was there before it.
    pub fn check_movements(&mut self, book: &Book<'_>) {
        for transfer in self.ledger.take_fresh() {
            let fault = match transfer.reason {
                Reason::Deposit => fault_of_deposit(&transfer),
                Reason::Fund => self.fault_of_fund(&transfer),
                Reason::Settle | Reason::Suspense | Reason::Refund | Reason::Repair => self.fault_of_outflow(&transfer),
            };
            if let Err((invariant, why)) = fault {
                book.hold(invariant, false, || format!("{why}: {transfer:?}"));
            }
        }
    }

    fn fault_of_fund(&self, transfer: &Transfer) -> Fault {
        let packet = transfer.packet.ok_or(("MONEY-3", "a funding of no packet"))?;
        hold(
            transfer.id == TransferId::fund(packet),
            "MONEY-3",
            "a funding under another id",
        )?;
        let sent = self
            .packets
            .sent(packet)
            .ok_or(("ID-1", "a funding of a packet that nobody sent"))?;
        let rejected = sent.rejected || self.orders.is_rejected(packet);
        hold(!rejected, "ID-1", "a packet is funded that was rejected")?;
        let right = transfer.debit == AccountRef::Wallet(sent.sender.clone())
            && transfer.credit == AccountRef::Escrow(packet)
            && transfer.amount.get() == sent.total_fen;
        hold(right, "MONEY-3", "a funding with other facts than the packet")
    }

    /// What leaves an escrow is a claim or a refund, with its amount, to whom it belongs or by an operator's decision; what
    /// leaves a suspense account was put there.
    fn fault_of_outflow(&self, transfer: &Transfer) -> Fault {
        match &transfer.debit {
            AccountRef::Escrow(packet) => self.fault_of_escrow(*packet, transfer),
            AccountRef::Suspense(_) => {
                let first_leg = self
                    .ledger
                    .posted
                    .iter()
                    .map(|posted| &posted.transfer)
                    .find(|first| TransferId::repair(first.id) == transfer.id && first.credit == transfer.debit);
                let first_leg = first_leg.ok_or(("MONEY-3", "money leaves suspense that was not put there"))?;
                hold(
                    first_leg.amount == transfer.amount,
                    "MONEY-3",
                    "another amount leaves suspense than was put there",
                )
            }
            AccountRef::Wallet(_) | AccountRef::External => {
                Err(("MONEY-1", "money leaves an account that is nobody's to empty"))
            }
        }
    }

    fn fault_of_escrow(&self, packet: PacketId, transfer: &Transfer) -> Fault {
        let amount = transfer.amount.get();
        if transfer.id == TransferId::refund(packet) {
            let sums = self
                .claims
                .closed(packet)
                .ok_or(("CLOSE-1", "a refund of a packet that is not closed"))?;
            let total_fen = self.claims.total_fen(packet).unwrap_or(0);
            hold(
                amount == total_fen - sums.fen,
                "CLOSE-1",
                "a refund that is not total - opened",
            )?;
            let sent = self
                .packets
                .sent(packet)
                .ok_or(("ID-1", "a refund of a packet that nobody sent"))?;
            return right_way(transfer, &sent.sender);
        }
        if transfer.id == TransferId::repair(TransferId::fund(packet)) {
            return Ok(()); // an operator undoes a funding that should not have been posted
        }
        let claim = self.claims.by_transfer(transfer.id);
        let claim = claim.ok_or(("CLAIM-3", "money leaves an escrow for no claim"))?;
        hold(claim.packet == packet, "CLAIM-1", "a claim is paid from another packet")?;
        hold(
            claim.amount_fen == amount,
            "CLAIM-2",
            "a claim is paid with another amount",
        )?;
        right_way(transfer, &claim.user)
    }
}

/// The invariant that falls, and how.
type Fault = Result<(), (&'static str, &'static str)>;

fn hold(holds: bool, invariant: &'static str, why: &'static str) -> Fault {
    if holds { Ok(()) } else { Err((invariant, why)) }
}

/// To the wallet of whom it belongs to, to their suspense account, or wherever an operator says.
fn right_way(transfer: &Transfer, owner: &id::UserId) -> Fault {
    let right = match (&transfer.reason, &transfer.credit) {
        (Reason::Settle | Reason::Refund, AccountRef::Wallet(user))
        | (Reason::Suspense, AccountRef::Suspense(user)) => user == owner,
        (Reason::Repair, AccountRef::Wallet(_) | AccountRef::External) => true,
        _ => false,
    };
    hold(right, "MONEY-3", "money goes where it does not belong")
}

fn fault_of_deposit(transfer: &Transfer) -> Fault {
    let wallet = matches!(transfer.credit, AccountRef::Wallet(_));
    hold(
        wallet && transfer.debit == AccountRef::External,
        "MONEY-1",
        "a deposit from nowhere or to nobody",
    )
}
