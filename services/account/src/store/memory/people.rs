//! Users and their accounts.

use ::sql::Result;
use async_trait::async_trait;
use clock::Timestamp;
use id::{AccountId, UserId};

use super::{MemoryStore, tables::Act};
use crate::{
    domain::{
        account::{Account, AccountRef},
        people::User,
    },
    store::Accounts,
};

#[async_trait]
impl Accounts for MemoryStore {
    async fn open(&self, user: &UserId, display_name: &str, now: Timestamp) -> Result<(User, Account)> {
        let reference = AccountRef::Wallet(user.clone());
        self.link
            .write("accounts.open", |tables| {
                let opened = tables.users.entry(user.clone()).or_insert_with(|| User {
                    id: user.clone(),
                    display_name: String::new(),
                    create_time: now,
                });
                display_name.clone_into(&mut opened.display_name);
                let wallet = tables.accounts.entry(reference.id());
                let wallet = wallet.or_insert_with(|| Account::open(reference.clone(), now));
                Ok((opened.clone(), wallet.clone()))
            })
            .await
    }

    async fn accounts(&self, references: &[AccountRef]) -> Result<Vec<Account>> {
        self.link
            .read("accounts.accounts", |tables| {
                let found = references
                    .iter()
                    .filter_map(|reference| tables.accounts.get(&reference.id()));
                Ok(found.cloned().collect())
            })
            .await
    }

    async fn users(&self, users: &[UserId]) -> Result<Vec<User>> {
        self.link
            .read("accounts.users", |tables| {
                Ok(users
                    .iter()
                    .filter_map(|user| tables.users.get(user))
                    .cloned()
                    .collect())
            })
            .await
    }

    async fn set_frozen(&self, user: &UserId, frozen: bool, reason: &str, now: Timestamp) -> Result<Option<Account>> {
        let id = AccountId::wallet(user);
        self.link
            .write("accounts.set_frozen", |tables| {
                let Some(wallet) = tables.accounts.get_mut(&id) else {
                    return Ok(None);
                };
                if wallet.frozen != frozen {
                    wallet.frozen = frozen;
                    tables.acts.push(Act {
                        account: id,
                        frozen,
                        reason: reason.to_owned(),
                        create_time: now,
                    });
                }
                Ok(Some(wallet.clone()))
            })
            .await
    }
}
