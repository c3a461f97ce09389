//! Repeating a transaction that another one was in the way of.

use crate::{Error, Result};

/// Tries after the first one: a quarter of a second of [`retry::TRANSACTION`]'s pauses, while a caller waits.
const REPEATS: u32 = 7;

/// Runs `transaction` until it succeeds, at most eight times: again when another transaction was in the way
/// ([`Error::Contended`]), when someone else wrote the same key first ([`Error::Conflict`]: the next try reads what they
/// wrote), and when the answer to its COMMIT was lost ([`Error::OutcomeUnknown`]: the next try finds out).
///
/// For transactions that are named by the ids they write, so that doing one twice is doing it once. If a lost answer is
/// never cleared up, the error is `OutcomeUnknown`, whatever the last try failed of.
pub async fn repeat<T, F>(mut transaction: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut unknown = false;
    let mut failures = 0;
    loop {
        let fault = match transaction().await {
            Err(fault @ (Error::Contended(_) | Error::Conflict(_))) => fault,
            Err(fault @ Error::OutcomeUnknown(_)) => {
                unknown = true;
                fault
            }
            // The way to the engine is often lost together with the answer: it gets the same chance to come back.
            Err(fault @ (Error::Driver(_) | Error::Unwritable(..))) if unknown => fault,
            other => return other,
        };
        if failures == REPEATS {
            return Err(match fault {
                Error::Contended(fault)
                | Error::Conflict(fault)
                | Error::Driver(fault)
                | Error::Unwritable(_, fault)
                    if unknown =>
                {
                    Error::OutcomeUnknown(fault)
                }
                fault => fault,
            });
        }
        tracing::debug!(%fault, "a transaction is repeated");
        tokio::time::sleep(retry::TRANSACTION.pause(failures)).await;
        failures += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unwritable;
    use sea_orm::DbErr;
    use std::cell::Cell;

    fn fault() -> DbErr {
        DbErr::Custom("as told".to_owned())
    }

    async fn run(answers: impl Fn(usize) -> Result<u8>) -> (Result<u8>, usize) {
        let tries = Cell::new(0);
        let result = repeat(|| {
            tries.set(tries.get() + 1);
            let answer = answers(tries.get());
            async { answer }
        })
        .await;
        (result, tries.get())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_repeated_is_until_it_works() {
        let (result, tries) = run(|n| match n {
            1 => Err(Error::Contended(fault())),
            2 => Err(Error::Conflict(fault())),
            3 => Err(Error::OutcomeUnknown(fault())),
            4 => Err(Error::Driver(fault())),
            _ => Ok(7),
        })
        .await;
        assert!(matches!(result, Ok(7)) && tries == 5, "{result:?} after {tries}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_not_be_repeated_is_not() {
        let (result, tries) = run(|_| Err(Error::Driver(fault()))).await;
        assert!(matches!(result, Err(Error::Driver(_))) && tries == 1);
        let (result, tries) = run(|_| Err(Error::inconsistent("x"))).await;
        assert!(matches!(result, Err(Error::Inconsistent(_))) && tries == 1);
        let (result, tries) = run(|_| Err(Error::Unwritable(Unwritable::Full, fault()))).await;
        assert!(matches!(result, Err(Error::Unwritable(Unwritable::Full, _))) && tries == 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_stays_open_until_it_is_cleared_up() {
        type Later = fn() -> Error;
        let later: [Later; 4] = [
            || Error::Driver(fault()),
            || Error::Contended(fault()),
            || Error::Conflict(fault()),
            || Error::Unwritable(Unwritable::Full, fault()),
        ];
        for later in later {
            let unknown_first = |n| {
                if n == 1 {
                    Error::OutcomeUnknown(fault())
                } else {
                    later()
                }
            };
            let (result, tries) = run(|n| Err(unknown_first(n))).await;
            assert!(
                matches!(result, Err(Error::OutcomeUnknown(_))) && tries == 8,
                "{result:?} after {tries}, {:?}",
                later()
            );
        }
        let (result, tries) = run(|_| Err(Error::Contended(fault()))).await;
        assert!(matches!(result, Err(Error::Contended(_))) && tries == 8);
    }
}
