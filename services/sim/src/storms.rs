//! Faults that come by themselves, at any moment: crashes, hosts that stand still, hosts that cannot reach each other or their
//! database, clocks that jump.
//!
//! One of them aims: a host stands still when it has something in hand ([`IN_HAND`]). At any moment of a world that is mostly
//! idle a host has nothing in hand, so that what it does when it wakes is hardly ever out of date.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    dice::Dice,
    host::Stall,
    mesh::{Mesh, Role},
};

/// A fault that strikes somebody.
type Storm = fn(&Mesh, &Dice);

/// Transactions that record what a host found before them, and what a stall there is called. When the host wakes, somebody else
/// may have found and recorded otherwise. Two are there three times: a cursor's stall shows something only with two instances of
/// transfer, and more claims meanwhile; a packet's only if it outlasts the packet.
const IN_HAND: [(Role, &str, &str); 11] = [
    (Role::Account, "ledger.post", "host frozen before posting"),
    (Role::Packet, "packets.change", "host frozen before a packet's step"),
    (Role::Packet, "packets.change", "host frozen before a packet's step"),
    (Role::Packet, "packets.change", "host frozen before a packet's step"),
    (Role::Grab, "batch.commit", "host frozen before a commit of claims"),
    (Role::Transfer, "cursors.settle", "host frozen before moving a cursor"),
    (Role::Transfer, "cursors.settle", "host frozen before moving a cursor"),
    (Role::Transfer, "cursors.settle", "host frozen before moving a cursor"),
    (Role::Transfer, "orders.end_fund", "host frozen before ending a funding"),
    (Role::Transfer, "orders.conclude", "host frozen before ending a refund"),
    (Role::Transfer, "cases.end_act", "host frozen before ending a repair"),
];

/// Transactions of a name that a host that is to stall there passes at the most. A host has few in a world.
const MOST_PASSED: u64 = 1;

/// What a stall before a transaction is called.
pub fn name_of_stall(transaction: &str) -> &'static str {
    let named = IN_HAND.iter().find(|(_, call, _)| *call == transaction);
    named.map_or("host frozen", |(_, _, name)| name)
}

/// Starts them: each at a moment within `active`.
pub fn brew(mesh: &Mesh, dice: &Dice, active: Duration) {
    let active_ms = u64::try_from(active.as_millis()).unwrap_or(u64::MAX);
    let climate = &mesh.world.climate;
    let storms: [(u64, Storm); 4] = [
        (climate.crashes, crash),
        (climate.freezes, freeze),
        (climate.partitions, part),
        (climate.outages, cut_off),
    ];
    for (times, storm) in storms {
        for _ in 0..times {
            strike(mesh, dice, dice.ms(0..=active_ms), storm);
        }
    }
    for _ in 0..climate.stalls {
        plan_stall(mesh, dice);
    }
    if climate.skew_ms > 0 {
        skew_all(mesh, dice);
        for _ in 0..dice.number(0..=3) {
            strike(mesh, dice, dice.ms(0..=active_ms), skew_all);
        }
    }
}

fn strike(mesh: &Mesh, dice: &Dice, at: Duration, storm: Storm) {
    let (mesh, dice) = (mesh.clone(), dice.clone());
    tokio::spawn(async move {
        sleep(at).await;
        if !mesh.world.is_calm() {
            storm(&mesh, &dice);
        }
    });
}

fn crash(mesh: &Mesh, dice: &Dice) {
    dice.pick(&mesh.members).host.crash(&mesh.world, "at any moment");
}

/// The longest lease is packet's, 30 s.
fn freeze(mesh: &Mesh, dice: &Dice) {
    let (host, for_) = (&dice.pick(&mesh.members).host, dice.ms(500..=45_000));
    mesh.world
        .fault("host frozen", &host.name, format_args!("for {} ms", for_.as_millis()));
    host.freeze(for_);
}

/// Longer than the leases of partitions (transfer, 10 s), most of them also than the window of a funding (15 s).
fn plan_stall(mesh: &Mesh, dice: &Dice) {
    let (role, transaction, _) = *dice.pick(&IN_HAND);
    let hosts = mesh.of(role);
    let stall = Stall {
        passes: dice.number(0..=MOST_PASSED),
        for_: dice.ms(10_000..=70_000),
    };
    dice.pick(&hosts).plan_stall(transaction, stall);
}

fn part(mesh: &Mesh, dice: &Dice) {
    let (one, other) = (&dice.pick(&mesh.members).host, &dice.pick(&mesh.members).host);
    let for_ = dice.ms(200..=30_000);
    mesh.world.fault(
        "network parted",
        &one.name,
        format_args!("from {} for {} ms", other.name, for_.as_millis()),
    );
    mesh.net.cut(one, other, for_);
}

fn cut_off(mesh: &Mesh, dice: &Dice) {
    let (host, for_) = (&dice.pick(&mesh.members).host, dice.ms(100..=30_000));
    mesh.world
        .fault("database away", &host.name, format_args!("for {} ms", for_.as_millis()));
    host.cut_off(for_);
}

fn skew_all(mesh: &Mesh, dice: &Dice) {
    let strongest = mesh.world.climate.skew_ms;
    for member in &mesh.members {
        let by_ms = i64::try_from(dice.number(0..=2 * strongest)).unwrap_or(0) - strongest.cast_signed();
        mesh.world
            .fault("clock skewed", &member.host.name, format_args!("by {by_ms} ms"));
        member.host.clock.skew(by_ms);
    }
}
