//! Who reads which partition.

use clock::Timestamp;
use id::Partition;
use uuid::Uuid;

/// A partition's cursor and who holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The partition.
    pub partition: Partition,
    /// The instance that holds it, if one does.
    pub owner: Option<Uuid>,
    /// Until when, unless renewed.
    pub until: Timestamp,
}

impl Lease {
    /// Whether `owner` holds it.
    pub fn is_of(&self, owner: Uuid) -> bool {
        self.owner == Some(owner)
    }

    /// Whether nobody holds it at `now`.
    pub fn is_free(&self, now: Timestamp) -> bool {
        self.owner.is_none() || self.until < now
    }
}

/// What an instance should do about its leases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// To hold from now on: those it has and those it takes.
    pub keep: Vec<Partition>,
    /// To let go, because others are there to take them.
    pub release: Vec<Partition>,
}

/// The share of `leases` that is due to `me` where `alive` instances (with me) work at `now`: its even part, made up of
/// what it holds and, where that is too little, of what nobody holds any more. Which instance reads a partition is a
/// matter of speed only: the cursor is the fence.
pub fn share(leases: &[Lease], me: Uuid, alive: usize, now: Timestamp) -> Shares {
    let due = leases.len().div_ceil(alive.max(1));
    let mine = leases.iter().filter(|lease| lease.is_of(me));
    let free = leases.iter().filter(|lease| !lease.is_of(me) && lease.is_free(now));
    let held = mine.clone().count();
    let partition = |lease: &Lease| lease.partition;
    Shares {
        keep: mine.clone().chain(free).take(due).map(partition).collect(),
        release: mine.skip(due.min(held)).map(partition).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn lease(index: u32, owner: Option<u128>, until: i64) -> Lease {
        Lease {
            partition: Partition::new(index, Partition::DEFAULT_COUNT).unwrap(),
            owner: owner.map(Uuid::from_u128),
            until: clock::from_micros(until),
        }
    }

    proptest! {
        /// Whatever stands in the table: nobody takes what another holds, and instances that take turns end with even
        /// shares and every partition held once.
        #[test]
        fn instances_share_evenly(
            owners in prop::collection::vec((prop::option::of(0..5_u128), 0..20_i64), 1..64),
            alive in 1..5_u128,
        ) {
            let now = clock::from_micros(10);
            let mut table: Vec<Lease> =
                (0..).zip(&owners).map(|(index, (owner, until))| lease(index, *owner, *until)).collect();
            for later in [now, clock::from_micros(100), clock::from_micros(100)] {
                for me in 0..alive {
                    let me = Uuid::from_u128(me);
                    let shares = share(&table, me, usize::try_from(alive).unwrap(), later);
                    for lease in &mut table {
                        if shares.release.contains(&lease.partition) {
                            prop_assert_eq!(lease.owner, Some(me));
                            lease.owner = None;
                        }
                        if shares.keep.contains(&lease.partition) {
                            let free = lease.owner.is_none_or(|owner| owner == me) || lease.until < later;
                            prop_assert!(free);
                            (lease.owner, lease.until) = (Some(me), clock::from_micros(1_000));
                        }
                    }
                }
            }
            let due = table.len().div_ceil(usize::try_from(alive).unwrap());
            for me in 0..alive {
                prop_assert!(table.iter().filter(|lease| lease.owner == Some(Uuid::from_u128(me))).count() <= due);
            }
            let held: BTreeSet<_> = table.iter().filter(|l| l.owner.is_some()).map(|l| l.partition).collect();
            prop_assert_eq!(held.len(), table.len());
        }
    }
}
