//! Users and their accounts.

use ::sql::{Error, Result};
use async_trait::async_trait;
use clock::Timestamp;
use id::{AccountId, UserId};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::OnConflict,
};

use super::{
    SqlStore,
    entity::{account, account_act, user},
    row,
};
use crate::{
    domain::{
        account::{Account, AccountRef},
        people::User,
    },
    store::Accounts,
};

#[async_trait]
impl Accounts for SqlStore {
    async fn open(&self, user: &UserId, display_name: &str, now: Timestamp) -> Result<(User, Account)> {
        self.database.repeat(|| self.try_open(user, display_name, now)).await
    }

    async fn accounts(&self, references: &[AccountRef]) -> Result<Vec<Account>> {
        let rows = account::Entity::find()
            .filter(account::Column::AccountId.is_in(references.iter().map(|reference| reference.id().as_uuid())))
            .all(self.database.read())
            .await?;
        rows.iter().map(row::account).collect()
    }

    async fn users(&self, users: &[UserId]) -> Result<Vec<User>> {
        let rows = user::Entity::find()
            .filter(user::Column::UserId.is_in(users.iter().map(UserId::as_str)))
            .all(self.database.read())
            .await?;
        rows.into_iter().map(row::user).collect()
    }

    async fn set_frozen(&self, user: &UserId, frozen: bool, reason: &str, now: Timestamp) -> Result<Option<Account>> {
        self.database
            .repeat(|| self.try_set_frozen(user, frozen, reason, now))
            .await
    }
}

impl SqlStore {
    async fn try_open(&self, user: &UserId, display_name: &str, now: Timestamp) -> Result<(User, Account)> {
        let wallet = Account::open(AccountRef::Wallet(user.clone()), now);
        let wallet_id = wallet.reference.id().as_uuid();
        let tx = self.database.begin().await?;
        user::Entity::insert(user::ActiveModel {
            user_id: Set(user.to_string()),
            display_name: Set(display_name.to_owned()),
            create_us: Set(now.as_microsecond()),
        })
        .on_conflict(
            OnConflict::column(user::Column::UserId)
                .update_column(user::Column::DisplayName)
                .to_owned(),
        )
        .exec_without_returning(tx.as_ref())
        .await?;
        account::Entity::insert_many([row::from_account(wallet_id, &wallet)])
            .on_conflict_do_nothing_on([account::Column::AccountId])
            .exec_without_returning(tx.as_ref())
            .await?;
        let opened_user = user::Entity::find_by_id(user.as_str()).one(tx.as_ref()).await?;
        let opened_wallet = account::Entity::find_by_id(wallet_id).one(tx.as_ref()).await?;
        let (Some(user), Some(wallet)) = (opened_user, opened_wallet) else {
            return Err(Error::inconsistent(format!("user {user} vanished while it was opened")));
        };
        let opened = (row::user(user)?, row::account(&wallet)?);
        tx.commit().await?;
        Ok(opened)
    }

    async fn try_set_frozen(
        &self,
        user: &UserId,
        frozen: bool,
        reason: &str,
        now: Timestamp,
    ) -> Result<Option<Account>> {
        let id = AccountId::wallet(user).as_uuid();
        let tx = self.database.begin().await?;
        let Some(before) = account::Entity::find_by_id(id)
            .lock_exclusive()
            .one(tx.as_ref())
            .await?
        else {
            return Ok(None);
        };
        let mut wallet = row::account(&before)?;
        if wallet.frozen == frozen {
            return Ok(Some(wallet));
        }
        wallet.frozen = frozen;
        account::Entity::update_many()
            .col_expr(account::Column::Frozen, frozen.into())
            .filter(account::Column::AccountId.eq(id))
            .exec(tx.as_ref())
            .await?;
        account_act::Entity::insert(account_act::ActiveModel {
            act_id: NotSet,
            account_id: Set(id),
            frozen: Set(frozen),
            reason: Set(reason.to_owned()),
            create_us: Set(now.as_microsecond()),
        })
        .exec_without_returning(tx.as_ref())
        .await?;
        tx.commit().await?;
        Ok(Some(wallet))
    }
}
