//! Taking guards away, on one thread and for a while.

use std::cell::Cell;

use crate::Guard;

thread_local! {
    /// One bit for each guard that is taken away.
    static REMOVED: Cell<u64> = const { Cell::new(0) };
}

// One bit each must do.
const _: () = assert!(Guard::ALL.len() <= 64);

const fn bit(guard: Guard) -> u64 {
    1 << guard as u32
}

/// Whether the guard stands on this thread.
pub fn stands(guard: Guard) -> bool {
    REMOVED.get() & bit(guard) == 0
}

/// Runs `work` with these guards taken away on this thread, besides those that are already. They stand again when it
/// returns or panics. What `work` does on other threads is guarded; a future is guarded while nobody polls it in here.
pub fn without<R>(guards: &[Guard], work: impl FnOnce() -> R) -> R {
    let _restored = Restored(REMOVED.get());
    REMOVED.set(
        guards
            .iter()
            .fold(REMOVED.get(), |removed, guard| removed | bit(*guard)),
    );
    work()
}

/// What was taken away before.
struct Restored(u64);

impl Drop for Restored {
    fn drop(&mut self) {
        REMOVED.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_away_inside_and_only_there() {
        without(&[Guard::Funds], || {
            assert!(!stands(Guard::Funds) && stands(Guard::TransferOnce));
            without(&[Guard::TransferOnce], || {
                assert!(!stands(Guard::Funds) && !stands(Guard::TransferOnce));
            });
            assert!(!stands(Guard::Funds) && stands(Guard::TransferOnce));
            let elsewhere = std::thread::spawn(|| stands(Guard::Funds));
            assert!(elsewhere.join().unwrap(), "other threads keep theirs");
        });
        assert!(stands(Guard::Funds));
    }

    #[test]
    fn a_panic_puts_it_back() {
        let panicked = std::panic::catch_unwind(|| without(&[Guard::Funds], || panic!("as told")));
        assert!(panicked.is_err() && stands(Guard::Funds));
    }

    #[test]
    fn each_guard_is_its_own() {
        for guard in Guard::ALL {
            without(&[guard], || {
                for other in Guard::ALL {
                    assert_eq!(stands(other), other != guard, "{guard:?} {other:?}");
                }
            });
        }
    }
}
