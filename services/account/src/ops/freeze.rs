//! Keeping a wallet from taking part in transfers, and letting it again.

use clock::Clock;
use id::UserId;

use super::Result;
use crate::{
    domain::{account::Account, refusal::Refusal},
    store::Accounts,
};

/// Freezes or unfreezes the user's wallet for `reason` and returns it. Repeating it changes and records nothing.
pub async fn set_frozen(
    accounts: &dyn Accounts,
    clock: &dyn Clock,
    user: &UserId,
    frozen: bool,
    reason: &str,
) -> Result<Account> {
    let wallet = accounts.set_frozen(user, frozen, reason, clock.now()).await?;
    wallet.ok_or_else(|| Refusal::UnknownUsers(vec![user.clone()]).into())
}
