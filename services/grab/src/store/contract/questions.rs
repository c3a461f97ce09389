//! Questions about packets and users, whatever database knows the answer.

use std::collections::BTreeSet;

use money::Fen;

use super::{Backend, Suite, at, changes, user};
use crate::{
    domain::{claim::Claim, packet::sample::START},
    store::ByTime,
};

pub async fn about_a_packet(suite: &Suite<impl Backend>) {
    let (store, packet, other) = (&suite.store, suite.packet(5).await, suite.packet(2).await);
    let mut claims = Vec::new();
    for share in [(3, "alice"), (0, "bob"), (4, "carol")] {
        claims.extend(suite.open(&packet, &[share], START).await.unwrap());
    }
    let opened_fen = Fen::checked_sum(claims.iter().map(|claim| claim.amount_fen)).unwrap();
    let (tally, history) = store.history(packet.id()).await.unwrap();
    assert_eq!((tally.opened_count, tally.opened_fen), (3, opened_fen));
    assert_eq!(history, claims);

    let (progress, page) = store.claims(packet.id(), claims[0].seq, 1).await.unwrap().unwrap();
    assert_eq!(page, claims[1..2]);
    assert_eq!((progress.tally, progress.seed.is_some()), (tally, false), "SEED-1");
    let unknown = suite.promise(1).terms.packet_id;
    assert!(store.claims(unknown, 0, 1).await.unwrap().is_none());
    assert_eq!(
        store.claim_of(packet.id(), &user("bob")).await.unwrap().as_ref(),
        Some(&claims[1])
    );
    assert_eq!(store.claim_of(other.id(), &user("bob")).await.unwrap(), None);

    // Many at once, from every database; closed packets tell their seed.
    let batch = store.begin(&[other.partition()]).await.unwrap();
    let head = batch.heads()[0];
    let mut closed = batch.tallies(&[other.id()]).await.unwrap()[&other.id()];
    closed.close(START);
    batch
        .commit(changes(head, vec![], vec![(other.id(), closed)]))
        .await
        .unwrap();
    let mut asked = vec![unknown, packet.id(), other.id()];
    for _ in 0..20 {
        asked.push(suite.packet(1).await.id());
    }
    let progress = store.progress(&asked).await.unwrap();
    assert_eq!(progress.len(), asked.len() - 1);
    assert_eq!(progress[&packet.id()].tally, tally);
    assert!(progress[&other.id()].has_ended());
    assert_eq!(progress[&other.id()].seed.as_ref(), Some(&other.promise().seed));
}

/// A user's claims are in as many databases as there are; lists and sums know nothing of that.
pub async fn about_a_user(suite: &Suite<impl Backend>) {
    let (store, name) = (&suite.store, "collector");
    let mut claims: Vec<Claim> = Vec::new();
    for n in 0..24_i64 {
        let packet = suite.packet(2).await;
        // Three at the same instant.
        let at = at(1_000_000 * (n / 3));
        claims.extend(suite.open(&packet, &[(1, name)], at).await.unwrap());
        suite.open(&packet, &[(0, "somebody-else")], at).await.unwrap();
    }
    let ranges = store.ranges();
    let shard_no = |claim: &Claim| {
        ranges
            .iter()
            .position(|range| range.contains(&claim.partition))
            .unwrap()
    };
    let shards: BTreeSet<usize> = claims.iter().map(shard_no).collect();
    assert_eq!(shards.len(), ranges.len(), "in every database");
    for claim in claims.iter_mut().step_by(5) {
        let batch = store.begin(&[claim.partition]).await.unwrap();
        let mut changes = changes(batch.heads()[0], vec![], vec![]);
        changes.tallies.extend(batch.tallies(&[claim.packet_id]).await.unwrap());
        changes.luckiest = vec![(claim.packet_id, claim.share_no)];
        batch.commit(changes).await.unwrap();
        claim.luckiest = true;
    }

    claims.sort_by_key(|claim| (claim.claim_time, claim.packet_id));
    claims.reverse();
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let page = store.claims_of_user(&user(name), after, 5).await.unwrap();
        assert!(page.len() == 5 || read.len() + page.len() == claims.len());
        let Some(last) = page.last() else { break };
        after = Some(ByTime::of(last));
        read.extend(page);
    }
    assert_eq!(read, claims, "newest first, each once");

    let span = at(2_000_000)..at(5_000_000);
    let within: Vec<&Claim> = claims.iter().filter(|claim| span.contains(&claim.claim_time)).collect();
    let summary = store.summarize(&user(name), span.clone()).await.unwrap();
    assert_eq!(summary.claim_count, 9);
    assert_eq!(
        Some(summary.amount_fen),
        Fen::checked_sum(within.iter().map(|claim| claim.amount_fen))
    );
    let lucky = within.iter().filter(|claim| claim.luckiest).count();
    assert_eq!(usize::try_from(summary.luckiest_count).unwrap(), lucky);
    let nothing = store.summarize(&user("nobody"), span).await.unwrap();
    assert_eq!(
        (nothing.claim_count, nothing.amount_fen, nothing.luckiest_count),
        (0, Fen::ZERO, 0)
    );
}
