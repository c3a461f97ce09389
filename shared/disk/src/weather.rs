//! What may happen on the way to a disk.

use std::{
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use async_trait::async_trait;

/// One transaction on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The port's method, such as `ledger.post`. A method that repeats itself makes several calls of one name.
    pub name: &'static str,
    /// Whether it may change something.
    pub writes: bool,
}

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It happens, and its answer arrives.
    Fair,
    /// The way to the engine is cut before the commit: nothing happens ([`sql::Error::Driver`]).
    Cut,
    /// Another transaction is in its way: nothing happens ([`sql::Error::Contended`]). Readers are in nobody's way.
    Contended,
    /// The disk is full: nothing happens ([`sql::Error::Unwritable`]). Readers need no room.
    Full,
    /// It happens, and the answer to its commit is lost ([`sql::Error::OutcomeUnknown`]). To a reader, a cut.
    AnswerLost,
    /// Its commit is lost on the way: nothing happens ([`sql::Error::OutcomeUnknown`]). To a reader, a cut.
    CommitLost,
}

/// Decides it. Both methods may take their time; whoever is dropped in [`Weather::before`] has changed nothing, in
/// [`Weather::after`] everything.
#[async_trait]
pub trait Weather: Send + Sync {
    /// Before a transaction takes effect.
    async fn before(&self, call: Call) -> Fate;

    /// After it took effect, and before its caller hears of it. Not asked where nothing happened.
    async fn after(&self, call: Call);
}

/// Nothing ever happens, but that others get a turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calm;

#[async_trait]
impl Weather for Calm {
    async fn before(&self, _: Call) -> Fate {
        turn().await;
        Fate::Fair
    }

    async fn after(&self, _: Call) {}
}

/// Fair, but for one write at a time, as told.
#[derive(Debug, Default)]
pub struct Told(Mutex<Vec<Fate>>);

impl Told {
    /// What the next write meets; told several times, the next ones, in that order.
    pub fn next_write(&self, meets: Fate) {
        self.fates().push(meets);
    }

    /// Whether everything told has come.
    pub fn is_over(&self) -> bool {
        self.fates().is_empty()
    }

    fn fates(&self) -> MutexGuard<'_, Vec<Fate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Weather for Told {
    async fn before(&self, call: Call) -> Fate {
        turn().await;
        let mut fates = self.fates();
        if call.writes && !fates.is_empty() {
            fates.remove(0)
        } else {
            Fate::Fair
        }
    }

    async fn after(&self, _: Call) {}
}

/// Lets everybody else who is ready go first.
async fn turn() {
    let mut had = false;
    poll_fn(|context| {
        if std::mem::replace(&mut had, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
