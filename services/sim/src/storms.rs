//! Faults that come by themselves, at any moment: crashes, hosts that stand still, hosts that cannot reach each other or their
//! database, clocks that jump.

use std::time::Duration;

use tokio::time::sleep;

use crate::{dice::Dice, mesh::Mesh};

/// A fault that strikes somebody.
type Storm = fn(&Mesh, &Dice);

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
