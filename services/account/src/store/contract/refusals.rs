//! What is refused for good.

use super::{deposit, fund, open, packet, verdicts, wallet};
use crate::{
    domain::ledger::Verdict,
    store::{Accounts, Ledger},
};

/// A funding that was refused stays refused when there is money for it; another may be posted, and so may one of an account
/// that was not there.
pub async fn last(store: &(impl Accounts + Ledger)) {
    use Verdict::{AlreadyPosted, DebitNotFound, InsufficientFunds, Posted};
    open(store, &["r1"]).await;
    let (p, q) = (packet(71), packet(72));
    assert_eq!(verdicts(store, [fund("r3", q, 10)]).await, [DebitNotFound]);
    assert_eq!(verdicts(store, [fund("r1", p, 10)]).await, [InsufficientFunds]);
    assert_eq!(
        verdicts(store, [fund("r1", packet(73), 10), deposit("r1", "r", 100)]).await,
        [InsufficientFunds, Posted]
    );
    open(store, &["r3"]).await;
    let again = [
        fund("r1", p, 10),
        fund("r1", packet(73), 1),
        deposit("r3", "r", 10),
        fund("r3", q, 10),
    ];
    assert_eq!(
        verdicts(store, again.clone()).await,
        [InsufficientFunds, InsufficientFunds, Posted, Posted]
    );
    assert_eq!(
        verdicts(store, again).await,
        [InsufficientFunds, InsufficientFunds, AlreadyPosted, AlreadyPosted]
    );
    assert_eq!(store.accounts(&[wallet("r1")]).await.unwrap()[0].balance.get(), 100);
}
