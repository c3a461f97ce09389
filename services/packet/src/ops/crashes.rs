//! Every operation broken at every call it makes, in every way a call can break, and finished by repeat or by recovery:
//! afterwards everything was done exactly once.

mod world;

use std::{sync::Arc, time::Duration};

use super::{Error, rounds::Rounds};
use crate::{
    domain::{
        Closed, Packet, State,
        fixture::{order, packet_of},
    },
    ops::{recover::Recover, rounds::Drive},
};
use world::{LEASE, RECOVER_AFTER, Way, World};

/// Runs `operation` in a new world for each call that it makes and each way to break it, then `check`. The operation must
/// make at least `calls` calls, or the test would prove less than it says.
async fn at_every_call<T>(
    calls: usize,
    mut prepare: impl AsyncFnMut(&Arc<World>),
    mut operation: impl AsyncFnMut(&Arc<World>) -> T,
    mut check: impl AsyncFnMut(&Arc<World>),
) {
    for way in Way::ALL {
        for at in 0.. {
            let world = World::new().await;
            prepare(&world).await;
            world.fuse.set(at, way);
            tokio::select! {
                _ = operation(&world) => {}
                () = world.fuse.vanished() => {} // the operation is dropped where it stands
            }
            let blown = world.fuse.reset();
            check(&world).await;
            if !blown {
                assert!(at >= calls, "{way:?}: only {at} calls");
                break;
            }
        }
    }
}

async fn nothing(_: &Arc<World>) {}

/// Brings leftovers to an end without their senders: waits as long as a lease or a backoff may take, and looks again.
async fn drive_all<D: Drive>(world: &World, rounds: &Rounds<D>) {
    for _ in 0..3 {
        world.clock.advance(LEASE.max(RECOVER_AFTER));
        rounds.round().await.unwrap();
    }
}

/// The day of the fixture holds two packets. That the third is refused and the second is not shows that the first counts
/// exactly once.
async fn assert_room_for_exactly_one_more(world: &Arc<World>) {
    world.send().send(&order("alice", "more-1")).await.unwrap();
    let full = world.send().send(&order("alice", "more-2")).await.unwrap_err();
    assert!(matches!(full, Error::DayFull { .. }), "{full}");
}

fn assert_sent_once(world: &Arc<World>, packet: &Packet) {
    assert_eq!(packet.state, State::Active);
    let town = world.town();
    assert_eq!(town.funded.iter().collect::<Vec<_>>(), [(&packet.id(), &100)]);
    assert_eq!(town.preloaded.len(), 1);
    let (terms, seed) = &town.preloaded[&packet.id()];
    assert_eq!((terms, seed), (&packet.terms, &packet.seed));
    assert_eq!(packet.terms.commitment(seed), packet.commitment);
}

#[tokio::test]
async fn a_broken_send_is_finished_by_its_repeat() {
    at_every_call(
        8,
        nothing,
        async |world| world.send().send(&order("alice", "r")).await,
        async |world| {
            let packet = world.send().send(&order("alice", "r")).await.unwrap();
            assert_eq!(world.send().send(&order("alice", "r")).await.unwrap(), packet);
            assert_sent_once(world, &packet);
            assert_room_for_exactly_one_more(world).await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_broken_send_is_finished_by_recovery() {
    at_every_call(
        8,
        nothing,
        async |world| world.send().send(&order("alice", "r")).await,
        async |world| {
            drive_all(world, &world.rounds(Recover(world.advance()))).await;
            // Whatever has begun to move money is done before its sender asks again.
            let before = world.town().preloaded.len();
            assert_eq!(before, world.town().funded.len());
            let packet = world.send().send(&order("alice", "r")).await.unwrap();
            assert_sent_once(world, &packet);
            assert_room_for_exactly_one_more(world).await;
        },
    )
    .await;
}

#[tokio::test]
async fn recovery_itself_may_break() {
    at_every_call(
        4,
        async |world| {
            world.store_funding(&packet_of(&order("alice", "r"), 7)).await;
            world.clock.advance(RECOVER_AFTER);
        },
        async |world| world.rounds(Recover(world.advance())).round().await,
        async |world| {
            drive_all(world, &world.rounds(Recover(world.advance()))).await;
            let packet = world.only_packet(7).await;
            assert_sent_once(world, &packet);
        },
    )
    .await;
}

#[tokio::test]
async fn a_broken_rejection_is_final_and_leaves_the_day_once() {
    at_every_call(
        8,
        async |world| {
            world.send().send(&order("alice", "first")).await.unwrap();
            world.set_balance(99);
        },
        async |world| world.send().send(&order("alice", "short")).await,
        async |world| {
            // The verdict is final, even though the money is there when the send is repeated.
            let asked = world.town().refused.len() == 1;
            let expected = if asked { 99 } else { 50 };
            world.set_balance(50);
            for balance_fen in [50, 100_000] {
                if balance_fen > 50 {
                    world.set_balance(balance_fen);
                }
                let fault = world.send().send(&order("alice", "short")).await.unwrap_err();
                let Error::Rejected {
                    rejection, total_fen, ..
                } = fault
                else {
                    panic!("{fault}")
                };
                assert_eq!(rejection.reason, "INSUFFICIENT_FUNDS");
                assert_eq!((rejection.balance_fen, total_fen), (Some(expected), 100));
            }
            assert_eq!(world.town().funded.len(), 1);
            assert_eq!(world.town().preloaded.len(), 1);
            assert_room_for_exactly_one_more(world).await;
        },
    )
    .await;
}

/// 5 shares of which 2 were opened with 30 of the 100 fen.
async fn expire(world: &Arc<World>) {
    let packet = world.send().send(&order("alice", "r")).await.unwrap();
    world.town().opened.insert(packet.id(), (2, 30));
    world.clock.advance(Duration::from_hours(24));
}

async fn assert_refunded_once(world: &Arc<World>) {
    let packet = world.send().send(&order("alice", "r")).await.unwrap();
    let town = world.town();
    let close_time = town.closed[&packet.id()].close_time;
    let closed = Closed {
        opened_count: 2,
        opened_fen: 30,
        close_time,
    };
    assert_eq!(
        packet.state,
        State::Completed {
            closed,
            refunded_fen: 70
        }
    );
    assert_eq!(town.refunded.iter().collect::<Vec<_>>(), [(&packet.id(), &70)]);
    assert_eq!(town.closed.len(), 1);
}

#[tokio::test]
async fn a_broken_sweep_is_finished_by_the_next() {
    at_every_call(
        6,
        expire,
        async |world| world.rounds(world.sweep()).round().await,
        async |world| {
            // A claim that comes late changes nothing: grab answers as it first did.
            world.town().opened.values_mut().for_each(|opened| *opened = (2, 30));
            drive_all(world, &world.rounds(world.sweep())).await;
            assert_refunded_once(world).await;
        },
    )
    .await;
}

/// The lease saves work and decides nothing: without it, all is still done once.
#[tokio::test]
async fn two_that_drive_one_packet_do_no_harm() {
    let world = World::new().await;
    let packet = packet_of(&order("alice", "r"), 7);
    world.store_funding(&packet).await;
    let advance = world.advance();
    let (a, b) = tokio::join!(advance.advance(packet.clone()), advance.advance(packet.clone()));
    assert_eq!(a.unwrap(), b.unwrap());
    assert_sent_once(&world, &world.only_packet(7).await);

    world.town().opened.insert(packet.id(), (2, 30));
    world.clock.advance(Duration::from_hours(24));
    let (sweep, active) = (world.sweep(), world.only_packet(7).await);
    let (a, b) = tokio::join!(sweep.complete(active.clone()), sweep.complete(active.clone()));
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(world.town().refunded.iter().collect::<Vec<_>>(), [(&packet.id(), &70)]);
}

#[tokio::test]
async fn a_packet_that_expires_before_it_is_funded_is_funded_and_refunded() {
    let world = World::new().await;
    world.store_funding(&packet_of(&order("alice", "r"), 7)).await;
    world.clock.advance(Duration::from_hours(25));
    drive_all(&world, &world.rounds(Recover(world.advance()))).await;
    assert_sent_once(&world, &world.only_packet(7).await);
    drive_all(&world, &world.rounds(world.sweep())).await;
    let packet = world.only_packet(7).await;
    assert!(
        matches!(packet.state, State::Completed { refunded_fen: 100, .. }),
        "{:?}",
        packet.state
    );
}

/// A packet that fails waits longer and longer; one that does not is not held up by it.
#[tokio::test]
async fn a_failing_packet_is_postponed_with_backoff() {
    let world = World::new().await;
    expire(&world).await;
    let sent = world.send().send(&order("alice", "r")).await.unwrap();
    let rounds = world.rounds(world.sweep());
    // More opened than there is: grab and packet do not understand each other.
    world.town().opened.insert(sent.id(), (5, 101));
    let round = rounds.round().await.unwrap();
    assert_eq!(round.leased, 1);
    assert!(
        matches!(round.failures[..], [Error::Misstep(_)]),
        "{:?}",
        round.failures
    );
    assert_eq!(rounds.round().await.unwrap().leased, 0);

    let mut pauses = Vec::new();
    for _ in 0..12 {
        let mut waited = Duration::ZERO;
        while rounds.round().await.unwrap().leased == 0 {
            world.clock.advance(Duration::from_millis(100));
            waited += Duration::from_millis(100);
        }
        pauses.push(waited);
    }
    for (failure, pause) in (0..).zip(&pauses) {
        let ceiling = retry::WORK.ceiling(failure) + Duration::from_millis(100);
        assert!(*pause <= ceiling, "{failure}: {pauses:?}");
    }
    // Half a minute each on average, by the time that they have grown.
    let grown: Duration = pauses[6..].iter().sum();
    assert!(grown > Duration::from_mins(1), "{pauses:?}");
    assert_eq!(world.town().refunded.len(), 0);
}
