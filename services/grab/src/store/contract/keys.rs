//! SQL is the arbiter: what its keys and CHECKs refuse cannot be written, whatever a writer believes.

use sql::Error;

use super::{Backend, Suite, changes, claim, user};
use crate::domain::{
    claim::{Claim, Tally},
    packet::sample::START,
};

/// CLAIM-1 and LOG-1 by their keys; amounts and positions by CHECKs.
pub async fn sql_is_the_arbiter(suite: &Suite<impl Backend>) {
    let (store, packet) = (&suite.store, suite.packet(4).await);
    let first = suite.open(&packet, &[(0, "alice")], START).await.unwrap();
    let head = suite.head(packet.partition()).await;
    let fresh = claim(&packet, 1, "bob", head.next_seq, START);

    let share = claim(&packet, 0, "bob", head.next_seq, START);
    let user = claim(&packet, 1, "alice", head.next_seq, START);
    let position = claim(&packet, 1, "bob", first[0].seq, START);
    for (key, claims) in [
        ("(packet, share)", vec![share]),
        ("(packet, user)", vec![user]),
        ("(partition, seq)", vec![position]),
        (
            "(packet, share) in one batch",
            vec![fresh.clone(), twin(&fresh, "carol")],
        ),
    ] {
        let batch = store.begin(&[packet.partition()]).await.unwrap();
        let refused = batch.commit(changes(head, claims, vec![])).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{key}: {refused:?}");
    }

    let amount = Claim {
        amount_fen: money::Fen::ZERO,
        ..fresh.clone()
    };
    let seq = Claim { seq: 0, ..fresh };
    for (check, claims) in [("amount", vec![amount]), ("seq", vec![seq])] {
        let batch = store.begin(&[packet.partition()]).await.unwrap();
        let refused = batch.commit(changes(head, claims, vec![])).await;
        assert!(matches!(refused, Err(Error::Driver(_))), "{check}: {refused:?}");
    }
    // An upsert is refused as an insert is.
    let tally = Tally {
        opened_count: 2,
        opened_fen: money::Fen::new(1),
        close_time: None,
    };
    let batch = store.begin(&[packet.partition()]).await.unwrap();
    let refused = batch.commit(changes(head, vec![], vec![(packet.id(), tally)])).await;
    assert!(matches!(refused, Err(Error::Driver(_))), "{refused:?}");

    assert_eq!(
        store.history(packet.id()).await.unwrap().1,
        first,
        "nothing of all that"
    );
    assert_eq!(suite.head(packet.partition()).await, head);
}

/// The same share for somebody else, behind it.
fn twin(claim: &Claim, name: &str) -> Claim {
    Claim {
        user_id: user(name),
        seq: claim.seq + 1,
        ..claim.clone()
    }
}

/// `Alice` is not `alice`, on engines too whose text is without case by default.
pub async fn names_are_compared_to_the_byte(suite: &Suite<impl Backend>) {
    let packet = suite.packet(4).await;
    let users = [(0, "case-a"), (1, "Case-A"), (2, "CASE-a")];
    let claims = suite.open(&packet, &users, START).await.unwrap();
    for claim in claims {
        let found = suite.store.claim_of(packet.id(), &claim.user_id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&claim));
        let all = suite.store.claims_of_user(&claim.user_id, None, 10).await.unwrap();
        assert_eq!(all, [claim]);
    }
    assert_eq!(suite.store.claim_of(packet.id(), &user("case-A")).await.unwrap(), None);
}
