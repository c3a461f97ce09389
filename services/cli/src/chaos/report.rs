//! The table at the end.

use std::{collections::BTreeMap, fmt::Write};

use super::{
    books::{Books, OrderKind, OrderState},
    check::Violation,
    drill::Happened,
    history::{Counts, Record},
};
use crate::show::rows;

/// How many violations are told; the file has all of them.
const TOLD_MAX: usize = 20;
/// How long after a fault's end its row still counts what clients felt of it.
const AFTERMATH_US: i64 = 3_000_000;

/// When something went well, in microseconds since 1970 and in order.
struct Successes(Vec<i64>);

impl Successes {
    fn new(mut times: Vec<i64>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The longest time without one, of those that touch `from` to `to`; `None` without any.
    fn longest_gap(&self, from: i64, to: i64) -> Option<i64> {
        let pairs = self.0.windows(2).map(|pair| (pair[0], pair[1]));
        let touching = pairs.filter(|(before, after)| *before <= to && from <= *after);
        touching.map(|(before, after)| after - before).max()
    }
}

/// Everything that is told of a drill.
pub struct Report<'a> {
    /// The faults as they came to pass.
    pub happened: &'a [Happened],
    /// What clients heard.
    pub records: &'a [Record],
    /// When the load ended, in microseconds since 1970.
    pub load_us: (i64, i64),
    /// How much there was.
    pub counts: Counts,
    /// The books; `None` if they could not be read.
    pub books: Option<&'a Books>,
    /// How often an instance that could not start was started again.
    pub restarts: u32,
    /// What is wrong.
    pub violations: &'a [Violation],
    /// How many repair cases there were, and how many were closed by a retry.
    pub cases: (usize, usize),
}

impl Report<'_> {
    /// The faults in a table.
    pub fn table(&self) -> String {
        let grabs = self
            .records
            .iter()
            .filter(|record| record.is_grab())
            .map(|record| record.ended_us);
        let grabs = Successes::new(grabs.collect());
        let orders = self.books.iter().flat_map(|books| &books.orders);
        let settled = orders.filter(|order| {
            order.kind == OrderKind::Settle && order.state.has_left_escrow() && order.updated_us <= self.load_us.1
        });
        let settled = Successes::new(settled.map(|order| order.updated_us).collect());
        let calm = self.row(
            "all of it",
            self.load_us.0,
            self.load_us.1,
            self.load_us.1,
            &grabs,
            &settled,
        );
        let faults = self.happened.iter().map(|happened| {
            let Happened {
                fault,
                from_us,
                to_us,
                back_us,
            } = happened;
            self.row(&fault.to_string(), *from_us, *to_us, *back_us, &grabs, &settled)
        });
        rows(
            [
                "#at s",
                "fault",
                "#for s",
                "#back s",
                "#no grab ms",
                "#no settlement ms",
                "errors",
            ],
            faults.chain(std::iter::once(calm)),
            "nothing happened",
        )
    }

    fn row(&self, what: &str, from: i64, to: i64, back: i64, grabs: &Successes, settled: &Successes) -> [String; 7] {
        let until = back + AFTERMATH_US;
        let ms = |gap: Option<i64>| gap.map_or_else(|| "-".to_owned(), |us| (us / 1_000).to_string());
        [
            seconds(from - self.load_us.0),
            what.to_owned(),
            if to > from { seconds(to - from) } else { "-".to_owned() },
            if back > to { seconds(back - to) } else { "-".to_owned() },
            ms(grabs.longest_gap(from, until)),
            ms(settled.longest_gap(from, until)),
            errors(
                self.records
                    .iter()
                    .filter(|record| from <= record.ended_us && record.began_us <= until),
            ),
        ]
    }

    /// How much there was of everything.
    pub fn totals(&self) -> String {
        let Counts {
            sent,
            grabbed,
            opened,
            other,
            errors,
        } = self.counts;
        let mut told = format!(
            "clients heard: {sent} packets sent, {grabbed} grabs granted, {opened} shares shown, {other} other answers, \
             {errors} errors"
        );
        if let Some(books) = self.books {
            let moved = |kind| {
                let orders = books.orders.iter();
                orders
                    .filter(|order| order.kind == kind && order.state == OrderState::Moved)
                    .count()
            };
            let _ = write!(
                told,
                "\nin the books: {} packets, {} claims, {} settled, {} refunds, {} repair cases of which {} were closed by \
                 a retry",
                books.packets.len(),
                books.claims.len(),
                moved(OrderKind::Settle),
                moved(OrderKind::Refund),
                self.cases.0,
                self.cases.1,
            );
        }
        if self.restarts > 0 {
            let _ = write!(
                told,
                "\nstarted again because an engine was away at their start: {} times",
                self.restarts
            );
        }
        told
    }

    /// What is wrong, or that nothing is.
    pub fn verdict(&self) -> String {
        if self.violations.is_empty() {
            return "verdict: nothing was lost, doubled or made up".to_owned();
        }
        let mut told: Vec<_> = self.violations.iter().take(TOLD_MAX).map(ToString::to_string).collect();
        if self.violations.len() > TOLD_MAX {
            told.push("…".to_owned());
        }
        told.push(format!("verdict: {} violations", self.violations.len()));
        told.join("\n")
    }
}

fn seconds(us: i64) -> String {
    let tenths = us / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Errors by code, the most frequent first.
fn errors<'a>(records: impl Iterator<Item = &'a Record>) -> String {
    let mut by_code: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        if let Some(code) = record.heard.error() {
            *by_code.entry(code).or_default() += 1;
        }
    }
    let mut by_code: Vec<_> = by_code.into_iter().collect();
    by_code.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told: Vec<_> = by_code
        .into_iter()
        .map(|(code, count)| format!("{count} {code}"))
        .collect();
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts_where_it_touches() {
        let successes = Successes::new(vec![100, 0, 10, 400, 410]);
        assert_eq!(successes.longest_gap(20, 30), Some(90), "between 10 and 100");
        assert_eq!(successes.longest_gap(120, 405), Some(300));
        assert_eq!(successes.longest_gap(405, 405), Some(10));
        assert_eq!(successes.longest_gap(500, 600), None);
    }
}
