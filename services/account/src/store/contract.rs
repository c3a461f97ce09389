//! What every store must do, whatever the engine: `contract` takes a fresh store. In memory there is no SQL to break by
//! hand (`broken`) and no connection to cut while it waits for a lock.

mod broken;
mod chain;
mod commits;
mod crowd;
mod engine;
mod refusals;
mod twins;

use std::sync::Arc;

use clock::{Timestamp, from_micros};
use disk::{Disk, Fate, Told};
use futures::future::join_all;
use id::{GroupId, PacketId, TransferId, UserId};
use money::Fen;
use paging::Page;
use testkit::Engine;

use self::{
    commits::{Lost, REASONS_FOUND},
    engine::Home,
};
use super::{
    Accounts, Audit, Chain, Groups, Ledger,
    memory::{MemoryStore, Tables},
};
use crate::{
    domain::{
        account::AccountRef,
        audit::Report,
        chain::Hash,
        ledger::{Item, MAX_BATCH, Verdict},
        people::Group,
        transfer::{Reason, Transfer},
    },
    ops::verify_ledger::{Position, verify_ledger},
};

fn at(micros: i64) -> Timestamp {
    from_micros(micros)
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

fn wallet(name: &str) -> AccountRef {
    AccountRef::Wallet(user(name))
}

fn packet(n: u64) -> PacketId {
    PacketId::new(n, &[1; 10])
}

fn deposit(name: &str, request: &str, fen: i64) -> Transfer {
    Transfer {
        id: TransferId::deposit(&user(name), &request.parse().unwrap()),
        debit: AccountRef::External,
        credit: wallet(name),
        amount: Fen::new(fen),
        reason: Reason::Deposit,
        packet: None,
    }
}

fn fund(sender: &str, packet: PacketId, fen: i64) -> Transfer {
    Transfer {
        id: TransferId::fund(packet),
        debit: wallet(sender),
        credit: AccountRef::Escrow(packet),
        amount: Fen::new(fen),
        reason: Reason::Fund,
        packet: Some(packet),
    }
}

fn settle(packet: PacketId, share_no: u32, receiver: &str, fen: i64) -> Transfer {
    Transfer {
        id: TransferId::settle(packet, share_no),
        debit: AccountRef::Escrow(packet),
        credit: wallet(receiver),
        amount: Fen::new(fen),
        reason: Reason::Settle,
        packet: Some(packet),
    }
}

async fn verdicts(store: &impl Ledger, transfers: impl IntoIterator<Item = Transfer>) -> Vec<Verdict> {
    let items: Vec<Item> = transfers.into_iter().map(Ok).collect();
    let postings = store.post(&items, at(10)).await.unwrap();
    postings.iter().map(|posting| posting.verdict).collect()
}

/// A whole verification in slices of `rows`.
async fn verified_in(store: &(impl Audit + Chain), rows: u64, known: Option<(i64, Hash)>) -> Report {
    let mut report = Report::default();
    let mut next = Some(Position::default());
    while let Some(from) = next {
        let slice = verify_ledger(store, store, from, rows, known).await.unwrap();
        report.account_count += slice.report.account_count;
        report.transfer_count += slice.report.transfer_count;
        report.sealed_count += slice.report.sealed_count;
        report.balance_sum += slice.report.balance_sum;
        report.differences.extend(slice.report.differences);
        next = slice.next;
    }
    report
}

/// A whole verification.
async fn verified(store: &(impl Audit + Chain)) -> Report {
    verified_in(store, 100_000, None).await
}

async fn open(store: &impl Accounts, names: &[&str]) {
    for name in names {
        store.open(&user(name), name, at(1)).await.unwrap();
    }
}

/// Users and accounts: opened once, renamed, frozen with a reason.
async fn people(store: &impl Accounts) {
    let (first, account) = store.open(&user("p1"), "One", at(5)).await.unwrap();
    assert_eq!((first.display_name.as_str(), first.create_time), ("One", at(5)));
    assert_eq!((account.balance, account.entry_count), (Fen::ZERO, 0));
    let (again, same) = store.open(&user("p1"), "Uno", at(9)).await.unwrap();
    assert_eq!((again.display_name.as_str(), again.create_time), ("Uno", at(5)));
    assert_eq!(same, account);

    assert_eq!(
        store.set_frozen(&user("nobody"), true, "why", at(6)).await.unwrap(),
        None
    );
    for _ in 0..2 {
        let frozen = store.set_frozen(&user("p1"), true, "why", at(6)).await.unwrap();
        assert!(frozen.unwrap().frozen);
    }
    assert!(store.accounts(&[wallet("p1")]).await.unwrap()[0].frozen);
    let thawed = store.set_frozen(&user("p1"), false, "fine", at(7)).await.unwrap();
    assert!(!thawed.unwrap().frozen);

    assert_eq!(store.users(&[user("p1"), user("nobody")]).await.unwrap(), [again]);
    assert!(store.accounts(&[wallet("nobody")]).await.unwrap().is_empty());
}

/// Postings last, each id counts once, entries and transfers read back as they were posted.
async fn postings(store: &(impl Accounts + Ledger)) {
    use Verdict::{AlreadyPosted, CreditFrozen, IdReused, InsufficientFunds, Posted};
    open(store, &["l1", "l2", "ice"]).await;
    store.set_frozen(&user("ice"), true, "why", at(1)).await.unwrap();
    let p = packet(1);
    let batch = || {
        [
            deposit("l1", "r", 500),
            fund("l1", p, 300),
            settle(p, 0, "l2", 100),
            settle(p, 1, "ice", 100),
            settle(p, 2, "l2", 201),
        ]
    };
    let refused = [CreditFrozen, InsufficientFunds];
    assert_eq!(
        verdicts(store, batch()).await,
        [[Posted; 3].as_slice(), &refused].concat()
    );
    assert_eq!(
        verdicts(store, batch()).await,
        [[AlreadyPosted; 3].as_slice(), &refused].concat()
    );
    assert_eq!(verdicts(store, [fund("l1", p, 301)]).await, [IdReused]);

    let balance = async |reference| store.accounts(&[reference]).await.unwrap()[0].balance.get();
    assert_eq!(balance(wallet("l1")).await, 200);
    assert_eq!(balance(wallet("l2")).await, 100);
    assert_eq!(balance(AccountRef::Escrow(p)).await, 200);

    let first = Page { size: 1, after: None };
    let newest = store.entries(&AccountRef::Escrow(p), &first).await.unwrap();
    assert_eq!(newest.len(), 2, "one more than the page, to know that another follows");
    assert_eq!(
        (newest[0].entry_no, newest[0].delta.get(), newest[0].balance.get()),
        (2, -100, 200)
    );
    assert_eq!(newest[0].counterparty, wallet("l2"));
    assert_eq!((newest[0].reason, newest[0].packet), (Reason::Settle, Some(p)));
    assert_eq!((newest[1].entry_no, newest[1].counterparty.clone()), (1, wallet("l1")));
    let second = Page {
        size: 1,
        after: Some(2),
    };
    let older = store.entries(&AccountRef::Escrow(p), &second).await.unwrap();
    assert_eq!(older, newest[1..]);

    let posted = store
        .transfers(&[TransferId::fund(p), TransferId::refund(p)])
        .await
        .unwrap();
    assert_eq!(posted.len(), 1);
    assert_eq!(
        (&posted[0].transfer, posted[0].create_time),
        (&fund("l1", p, 300), at(10))
    );
}

/// The largest batch, each item between accounts of its own.
async fn largest_batch(store: &(impl Accounts + Ledger + Audit + Chain)) {
    open(store, &["rich"]).await;
    let count = i64::try_from(MAX_BATCH).unwrap();
    assert_eq!(verdicts(store, [deposit("rich", "r", count)]).await, [Verdict::Posted]);
    let transfers: Vec<Transfer> = (0..MAX_BATCH as u64)
        .map(|n| fund("rich", packet(1_000 + n), 1))
        .collect();
    let ids: Vec<TransferId> = transfers.iter().map(|transfer| transfer.id).collect();
    assert_eq!(verdicts(store, transfers).await, vec![Verdict::Posted; MAX_BATCH]);
    assert_eq!(store.transfers(&ids).await.unwrap().len(), MAX_BATCH);
    assert_eq!(verified(store).await.differences, []);
}

/// Groups: created once, members in order, nothing twice.
async fn groups(store: &(impl Accounts + Groups)) {
    open(store, &["g1", "g2", "g3"]).await;
    let id: GroupId = "team".parse().unwrap();
    let new = |owner: &str| Group {
        id: id.clone(),
        display_name: "Team".to_owned(),
        owner: user(owner),
        member_count: 0,
        create_time: at(3),
    };
    let created = store
        .create(&new("g1"), &[user("g1"), user("g2"), user("g1")])
        .await
        .unwrap();
    assert_eq!((created.member_count, created.create_time), (2, at(3)));
    assert_eq!(
        store.create(&new("g3"), &[user("g3")]).await.unwrap(),
        created,
        "the first stays"
    );

    for _ in 0..2 {
        store.add_members(&id, &[user("g3"), user("g2")], at(4)).await.unwrap();
    }
    let all = Page { size: 9, after: None };
    let members = store.members(&id, &all).await.unwrap();
    assert_eq!(
        members.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(),
        ["g1", "g2", "g3"]
    );
    let rest = Page {
        size: 9,
        after: Some(user("g2")),
    };
    assert_eq!(store.members(&id, &rest).await.unwrap(), members[2..]);

    store.remove_members(&id, &[user("g2"), user("nobody")]).await.unwrap();
    let checked = store.check_members(&id, &[user("g3"), user("g2")]).await.unwrap();
    assert_eq!(checked, [user("g3")]);
    assert_eq!(store.group(&id).await.unwrap().unwrap().member_count, 2);
    assert_eq!(store.group(&"none".parse().unwrap()).await.unwrap(), None);
    let stranger = store.add_members(&id, &[user("stranger")], at(4)).await;
    assert!(stranger.is_err(), "SQL refuses a member who is no user");
    names(store).await;
}

/// Names are compared and ordered byte by byte: not as a language would, and not regardless of case.
async fn names(store: &(impl Accounts + Groups)) {
    let ordered = ["B", "Z-1", "_x", "a-c", "aB", "a_a", "ab", "b"];
    open(store, &ordered).await;
    let group = Group {
        id: "names".parse().unwrap(),
        display_name: "Names".to_owned(),
        owner: user("B"),
        member_count: 0,
        create_time: at(3),
    };
    let everybody = ordered.map(user);
    let mut reversed = everybody.clone();
    reversed.reverse();
    assert_eq!(store.create(&group, &reversed).await.unwrap().member_count, 8);
    let mut seen = Vec::new();
    loop {
        let page = Page {
            size: 2,
            after: seen.last().cloned(),
        };
        let members = store.members(&group.id, &page).await.unwrap();
        if members.is_empty() {
            break;
        }
        seen.extend(members.into_iter().take(2).map(|member| member.id));
    }
    assert_eq!(seen, everybody);
    let other: GroupId = "Names".parse().unwrap();
    assert_eq!(store.group(&other).await.unwrap(), None, "another name");
}

/// A post whose caller went away at any moment happened as a whole or not at all, and blocks nobody.
async fn dropped_posts(store: &Arc<impl Accounts + Ledger + Audit + Chain + 'static>) {
    open(store.as_ref(), &["d1"]).await;
    let tasks: Vec<_> = (0..40_u64)
        .map(|n| {
            let store = store.clone();
            let task =
                tokio::spawn(async move { verdicts(store.as_ref(), [deposit("d1", &format!("r{n}"), 1)]).await });
            tokio::spawn(async move {
                for _ in 0..n {
                    tokio::task::yield_now().await;
                }
                task.abort();
                let _ = task.await;
            })
        })
        .collect();
    join_all(tasks).await;
    let repeated = verdicts(store.as_ref(), (0..40).map(|n| deposit("d1", &format!("r{n}"), 1))).await;
    assert!(
        repeated
            .iter()
            .all(|verdict| matches!(verdict, Verdict::Posted | Verdict::AlreadyPosted)),
        "{repeated:?}"
    );
    assert_eq!(store.accounts(&[wallet("d1")]).await.unwrap()[0].balance.get(), 40);
    assert_eq!(verified(store.as_ref()).await.differences, []);
}

async fn contract(store: &Arc<impl Accounts + Ledger + Audit + Chain + Groups + 'static>) {
    chain::grows(store.as_ref()).await;
    people(store.as_ref()).await;
    postings(store.as_ref()).await;
    refusals::last(store.as_ref()).await;
    largest_batch(store.as_ref()).await;
    groups(store.as_ref()).await;
    dropped_posts(store).await;
}

/// Why wallets were frozen and unfrozen by [`contract`]: only what changed something is recorded.
const REASONS: [&str; 3] = ["why", "fine", "why"];

/// Everything on one engine, which is started once.
async fn everything(engine: Engine) {
    let engine = Home(engine);
    let (database, store) = engine.store("contract").await;
    contract(&store).await;
    assert_eq!(engine::reasons(&database).await, REASONS);
    broken::is_refused(&engine).await;
    broken::is_found(&engine).await;
    chain::every_change_is_found(&engine).await;
    chain::what_was_before_it_is_sealed_too(&engine).await;
    if let Some([(_, first), (_, second)]) = engine.pair("crowd").await {
        crowd::of_two_instances(&[first.clone(), second.clone()]).await;
        chain::of_two_instances([first, second]).await;
    }
    if let Some((straight, store, proxy)) = engine.proxied("lost").await {
        let lose = |lost| match lost {
            Lost::OnItsWayBack => proxy.swallow_commit(),
            Lost::OnItsWayThere => proxy.lose_commit(),
        };
        let count = commits::lost_answers_are_found(store.as_ref(), lose).await;
        assert_eq!(proxy.commits_lost(), count);
        assert_eq!(engine::reasons(&straight).await, REASONS_FOUND);
    }
    commits::a_cut_before_the_commit_changes_nothing(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_contract() {
    everything(Engine::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_contract() {
    everything(Engine::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_keeps_the_contract() {
    everything(Engine::mariadb().await).await;
}

/// A store over `disk`, under a weather that is fair until it is told otherwise.
fn memory(disk: &Disk<Tables>) -> (Arc<MemoryStore>, Arc<Told>) {
    let weather = Arc::new(Told::default());
    (Arc::new(MemoryStore::new(disk.link(weather.clone()))), weather)
}

fn reasons(disk: &Disk<Tables>) -> Vec<String> {
    let acts = disk.read(Tables::snapshot).acts;
    acts.into_iter().map(|act| act.reason).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_the_contract() {
    let disk = Disk::default();
    contract(&memory(&disk).0).await;
    assert_eq!(reasons(&disk), REASONS);

    let disk = Disk::default();
    crowd::of_two_instances(&[memory(&disk).0, memory(&disk).0]).await;

    let disk = Disk::default();
    let (store, weather) = memory(&disk);
    let lose = |lost| {
        weather.next_write(match lost {
            Lost::OnItsWayBack => Fate::AnswerLost,
            Lost::OnItsWayThere => Fate::CommitLost,
        });
    };
    commits::lost_answers_are_found(store.as_ref(), lose).await;
    assert!(weather.is_over());
    assert_eq!(reasons(&disk), REASONS_FOUND);
}
