//! One instance's way to a disk.

use std::{fmt, sync::Arc};

use sea_orm::DbErr;
use sql::{Error, Result, Unwritable, repeat};

use crate::{Call, Disk, Fate, Weather};

/// One instance's way to a disk. Clones are the same way.
pub struct Link<T> {
    disk: Disk<T>,
    weather: Arc<dyn Weather>,
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self {
            disk: self.disk.clone(),
            weather: self.weather.clone(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("disk", &self.disk).finish_non_exhaustive()
    }
}

impl<T: Clone> Link<T> {
    pub(crate) fn new(disk: Disk<T>, weather: Arc<dyn Weather>) -> Self {
        Self { disk, weather }
    }

    /// A query.
    pub async fn read<R>(&self, name: &'static str, look: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        let call = Call { name, writes: false };
        match self.weather.before(call).await {
            Fate::Fair | Fate::Contended | Fate::Full => {}
            Fate::Cut | Fate::AnswerLost | Fate::CommitLost => return Err(Error::Driver(storm(call))),
        }
        let answer = self.disk.read(look);
        self.weather.after(call).await;
        answer
    }

    /// A transaction that is named by the ids it writes: it is repeated where [`sql::repeat`] repeats one.
    pub async fn write<R>(&self, name: &'static str, change: impl Fn(&mut T) -> Result<R>) -> Result<R> {
        repeat(|| self.write_once(name, &change)).await
    }

    /// A transaction, tried once.
    pub async fn write_once<R>(&self, name: &'static str, change: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        let call = Call { name, writes: true };
        let fate = self.weather.before(call).await;
        match fate {
            Fate::Cut => return Err(Error::Driver(storm(call))),
            Fate::Contended => return Err(Error::Contended(storm(call))),
            Fate::Full => return Err(Error::Unwritable(Unwritable::Full, storm(call))),
            Fate::CommitLost => return Err(Error::OutcomeUnknown(storm(call))),
            Fate::Fair | Fate::AnswerLost => {}
        }
        let answer = self.disk.write(change)?;
        self.weather.after(call).await;
        match fate {
            Fate::AnswerLost => Err(Error::OutcomeUnknown(storm(call))),
            _ => Ok(answer),
        }
    }
}

fn storm(call: Call) -> DbErr {
    DbErr::Custom(format!("simulated at {}", call.name))
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::Mutex};

    use async_trait::async_trait;

    use super::*;
    use crate::check;

    /// One fate for each transaction, fair when they run out; then it hangs before or after one, if told to.
    #[derive(Default)]
    struct Script {
        fates: Mutex<VecDeque<Fate>>,
        hangs_before: bool,
        hangs_after: bool,
    }

    #[async_trait]
    impl Weather for Script {
        async fn before(&self, _: Call) -> Fate {
            if self.hangs_before {
                std::future::pending::<()>().await;
            }
            self.fates.lock().unwrap().pop_front().unwrap_or(Fate::Fair)
        }

        async fn after(&self, _: Call) {
            if self.hangs_after {
                std::future::pending::<()>().await;
            }
        }
    }

    fn under(weather: Script) -> (Disk<u32>, Link<u32>) {
        let disk = Disk::new(0);
        let link = disk.link(Arc::new(weather));
        (disk, link)
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a transaction is")]
    fn count(number: &mut u32) -> Result<u32> {
        *number += 1;
        Ok(*number)
    }

    #[tokio::test]
    async fn each_fate_of_a_write_is_what_it_says() {
        for (fate, count_after) in [
            (Fate::Fair, 1),
            (Fate::Cut, 0),
            (Fate::Contended, 0),
            (Fate::Full, 0),
            (Fate::AnswerLost, 1),
            (Fate::CommitLost, 0),
        ] {
            let (disk, link) = under(Script {
                fates: Mutex::new([fate].into()),
                ..Script::default()
            });
            let answer = link.write_once("count", count).await;
            let as_said = match fate {
                Fate::Fair => matches!(answer, Ok(1)),
                Fate::Cut => matches!(answer, Err(Error::Driver(_))),
                Fate::Contended => matches!(answer, Err(Error::Contended(_))),
                Fate::Full => matches!(answer, Err(Error::Unwritable(Unwritable::Full, _))),
                Fate::AnswerLost | Fate::CommitLost => matches!(answer, Err(Error::OutcomeUnknown(_))),
            };
            assert!(as_said, "{fate:?}: {answer:?}");
            assert_eq!(disk.read(|number| *number), count_after, "{fate:?}");
        }
    }

    #[tokio::test]
    async fn no_answer_to_a_query_is_a_cut() {
        let fates = [
            Fate::Fair,
            Fate::Contended,
            Fate::Full,
            Fate::Cut,
            Fate::AnswerLost,
            Fate::CommitLost,
        ];
        let (_, link) = under(Script {
            fates: Mutex::new(fates.into()),
            ..Script::default()
        });
        for fate in fates {
            let answer = link.read("look", |number| Ok(*number)).await;
            match fate {
                Fate::Fair | Fate::Contended | Fate::Full => assert!(matches!(answer, Ok(0)), "{fate:?}: {answer:?}"),
                _ => assert!(matches!(answer, Err(Error::Driver(_))), "{fate:?}: {answer:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_is_repeated_as_a_transaction_is() {
        let fates = [Fate::Contended, Fate::AnswerLost, Fate::Cut, Fate::CommitLost];
        let (disk, link) = under(Script {
            fates: Mutex::new(fates.into()),
            ..Script::default()
        });
        assert_eq!(
            link.write("count", count).await.unwrap(),
            2,
            "the lost answer's and the last"
        );
        assert_eq!(disk.read(|number| *number), 2);
    }

    #[tokio::test]
    async fn a_failed_write_changes_nothing() {
        let (disk, link) = under(Script::default());
        let refused = link
            .write_once("count", |number| {
                *number += 1;
                check(false, "never")
            })
            .await;
        assert!(matches!(refused, Err(Error::Driver(_))), "{refused:?}");
        assert_eq!(disk.read(|number| *number), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_dropped_before_changes_nothing_and_after_everything() {
        for (hangs_before, hangs_after, count_after) in [(true, false, 0), (false, true, 1)] {
            let (disk, link) = under(Script {
                hangs_before,
                hangs_after,
                ..Script::default()
            });
            let soon = std::time::Duration::from_secs(1);
            let dropped = tokio::time::timeout(soon, link.write("count", count)).await;
            assert!(dropped.is_err(), "it hangs");
            assert_eq!(disk.read(|number| *number), count_after);
        }
    }
}
