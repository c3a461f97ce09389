//! Answers to COMMIT that are lost on the way, of commits that happened and of commits that did not.

use std::time::Duration;

use super::{crowd::reserve_until_full, offer, refusal};
use crate::{
    domain::{
        State,
        fixture::{limits, noon, order, packet_of},
    },
    store::{Agenda, Packets, Requests, Reserved},
};

/// How a commit is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It happened; its answer is lost.
    OnItsWayBack,
    /// It did not happen, and nobody says so.
    OnItsWayThere,
}

/// Every write, with each commit that it makes lost each way. The store has one agenda; `lose` loses its next commit.
/// Returns how many it was asked to lose.
pub async fn lost_answers_are_found(
    store: &(impl Requests + Packets),
    agenda: &impl Agenda,
    lose: impl Fn(Lost),
) -> usize {
    let mut count = 0;
    for (number, way) in (1..).zip([Lost::OnItsWayBack, Lost::OnItsWayThere]) {
        let mut lose = || {
            lose(way);
            count += 1;
        };
        let sender = format!("lost-{number}");
        let offer = offer(&sender, "r", 100 + number);
        lose();
        let reserved = store.reserve(&offer, limits().daily).await.unwrap();
        assert_eq!(reserved, Reserved::Held(offer.clone()), "{way:?}");

        let packet = packet_of(&order(&sender, "r"), number);
        lose();
        assert_eq!(store.insert(&packet, noon()).await.unwrap(), packet, "{way:?}");
        let stored = store.get(&[packet.id()]).await.unwrap();
        assert_eq!(stored, std::slice::from_ref(&packet), "{way:?}");

        // A failure is counted once.
        let later = clock::after(noon(), Duration::from_mins(1));
        let leased = agenda.lease(&[packet.state.phase()], noon(), later, 9).await.unwrap();
        lose();
        agenda.postpone(&leased[0], noon()).await.unwrap();
        let leased = agenda.lease(&[packet.state.phase()], noon(), later, 9).await.unwrap();
        assert_eq!((leased.len(), leased[0].attempts), (1, 1), "{way:?}");

        // What was leased when the answer was lost is nobody's until the lease runs out, and somebody's then.
        let (released, latest) = (later, clock::after(later, Duration::from_mins(1)));
        lose();
        let leased = agenda
            .lease(&[packet.state.phase()], released, latest, 9)
            .await
            .unwrap();
        let again = agenda
            .lease(&[packet.state.phase()], latest, clock::Timestamp::MAX, 9)
            .await
            .unwrap();
        assert_eq!(
            (leased.len(), again.len()),
            if way == Lost::OnItsWayBack { (0, 1) } else { (1, 1) },
            "{way:?}"
        );

        lose();
        let moved = store.change(&packet, &State::Rejected(refusal())).await.unwrap();
        assert_eq!(
            moved,
            way == Lost::OnItsWayThere,
            "{way:?}: the first try moved it, and the second one found it moved"
        );
        let stored = store.get(&[packet.id()]).await.unwrap().remove(0);
        assert_eq!(stored.state, State::Rejected(refusal()), "{way:?}");

        // Counted once, and taken out once.
        lose();
        store.release(&packet.terms.sender_id, offer.packet_id).await.unwrap();
        store.release(&packet.terms.sender_id, offer.packet_id).await.unwrap();
        assert_eq!(reserve_until_full(store, &sender, offer.day).await, 2, "{way:?}");
    }
    count
}
