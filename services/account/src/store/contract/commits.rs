//! Commits whose answer is lost on its way back, commits that are lost on their way there, and connections that are cut
//! before.

use ::sql::Error;
use sea_orm::ConnectionTrait;

use super::{at, deposit, engine::Home, fund, open, packet, settle, user, verdicts, verified, wallet};
use crate::{
    domain::{
        ledger::{
            Item,
            Verdict::{AlreadyPosted, InsufficientFunds, Posted},
        },
        people::Group,
    },
    store::{Accounts, Audit, Chain, Groups, Ledger},
};

/// How a commit is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It happened; its answer is lost.
    OnItsWayBack,
    /// It did not happen, and nobody says so.
    OnItsWayThere,
}

/// Every write, with its commit lost each way: it has its one effect, and its caller an answer. `lose` loses the next
/// commit. Returns how many it was asked to lose.
pub async fn lost_answers_are_found(
    store: &(impl Accounts + Ledger + Audit + Chain + Groups),
    lose: impl Fn(Lost),
) -> usize {
    let mut count = 0;
    let ways = [(Lost::OnItsWayBack, AlreadyPosted), (Lost::OnItsWayThere, Posted)];
    for (number, (way, verdict)) in (1..).zip(ways) {
        let mut lose = || {
            lose(way);
            count += 1;
        };
        let name = format!("amy-{number}");
        lose();
        let (opened, account) = store.open(&user(&name), "Amy", at(1)).await.unwrap();
        assert_eq!((opened.display_name.as_str(), account.entry_count), ("Amy", 0));

        let p = packet(number);
        lose();
        let batch = [
            deposit(&name, "r", 100),
            fund(&name, p, 60),
            settle(p, 0, &name, 20),
            fund(&name, packet(100 + number), 61),
        ];
        assert_eq!(
            verdicts(store, batch).await,
            [verdict, verdict, verdict, InsufficientFunds],
            "{way:?}"
        );
        let wallet = store.accounts(&[wallet(&name)]).await.unwrap().remove(0);
        assert_eq!((wallet.balance.get(), wallet.entry_count), (60, 3), "{way:?}");

        lose();
        let frozen = store.set_frozen(&user(&name), true, &name, at(2)).await.unwrap();
        assert!(frozen.unwrap().frozen, "{way:?}");

        open(store, &["bo"]).await;
        let group = Group {
            id: name.parse().unwrap(),
            display_name: "Team".to_owned(),
            owner: user(&name),
            member_count: 0,
            create_time: at(3),
        };
        lose();
        let created = store.create(&group, &[user(&name)]).await.unwrap();
        assert_eq!((created.member_count, created.owner), (1, user(&name)), "{way:?}");
        lose();
        store.add_members(&group.id, &[user("bo")], at(4)).await.unwrap();
        lose();
        store.remove_members(&group.id, &[user(&name)]).await.unwrap();
        let members = store
            .check_members(&group.id, &[user("bo"), user(&name)])
            .await
            .unwrap();
        assert_eq!(members, [user("bo")], "{way:?}");
    }
    lose(Lost::OnItsWayBack);
    store.seal(at(9)).await.unwrap();
    assert_eq!(verified(store).await.differences, []);
    count + 1
}

/// Why wallets were frozen by [`lost_answers_are_found`], if each act is recorded once.
pub const REASONS_FOUND: [&str; 2] = ["amy-1", "amy-2"];

/// Then it is known that nothing happened, and the same batch may be posted again.
pub async fn a_cut_before_the_commit_changes_nothing(engine: &Home) {
    let Some((straight, store, proxy)) = engine.proxied("cut").await else {
        return;
    };
    open(store.as_ref(), &["amy"]).await;
    assert_eq!(verdicts(store.as_ref(), [deposit("amy", "r1", 100)]).await, [Posted]);

    let holder = straight.begin().await.unwrap();
    let hold = "SELECT account_id FROM accounts FOR UPDATE";
    holder.as_ref().execute_unprepared(hold).await.unwrap();
    let items: [Item; 2] = [Ok(fund("amy", packet(1), 70)), Ok(deposit("amy", "r2", 5))];
    let cut = async {
        testkit::eventually("the batch waits", async || {
            (engine.0.waiting("cut").await > 0).then_some(())
        })
        .await;
        proxy.cut();
    };
    let (posted, ()) = tokio::join!(store.post(&items, at(10)), cut);
    assert!(matches!(posted, Err(Error::Driver(_))), "{posted:?}");
    holder.rollback().await.unwrap();
    let balance = async || {
        store
            .accounts(&[wallet("amy")])
            .await
            .ok()
            .map(|found| found[0].balance.get())
    };
    assert_eq!(testkit::eventually("the store answers", balance).await, 100);

    let posted = testkit::eventually("the store answers", async || store.post(&items, at(10)).await.ok()).await;
    assert!(posted.iter().all(|posting| posting.verdict == Posted), "{posted:?}");
    assert_eq!(balance().await, Some(35));
    assert_eq!(verified(store.as_ref()).await.differences, []);
}
