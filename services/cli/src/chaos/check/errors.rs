//! Which errors the faults explain.

use super::Violation;
use crate::chaos::history::{Asked, Heard, Record};

/// How long after a fault is undone and everything serves again its effects may still be felt: longer than a connection
/// to a dead peer is avoided, than pools take to find their connections stale, and than a gate takes to trust Redis again.
const AFTERMATH_US: i64 = 5_000_000;

/// When what was wrong, in microseconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Excuses {
    /// From the beginning of each fault until what it hit served again.
    pub faults: Vec<(i64, i64)>,
    /// The same, of those that cut clients off.
    pub door: Vec<(i64, i64)>,
    /// Whose wallet was frozen, and when.
    pub frozen: Vec<(String, i64, i64)>,
}

impl Excuses {
    /// The errors that nothing explains.
    pub fn unexplained(&self, records: &[Record]) -> Vec<Violation> {
        let unexplained = records.iter().filter(|record| !self.explain(record));
        unexplained.cloned().map(Violation::Unexplained).collect()
    }

    /// Whether what was heard is no error, or one that may be.
    fn explain(&self, record: &Record) -> bool {
        let Heard::Error { code, reason, .. } = &record.heard else {
            return true;
        };
        let during = |times: &[(i64, i64)]| times.iter().any(|(from, to)| meet(record, *from, *to));
        match (*code, reason.as_str()) {
            ("UNAVAILABLE" | "RESOURCE_EXHAUSTED" | "DEADLINE_EXCEEDED", _) => during(&self.faults),
            // What the transport says of a connection that broke under a call.
            ("UNKNOWN" | "CANCELLED", "") => during(&self.door),
            // Somebody opened too late, which some of the crowd do.
            ("FAILED_PRECONDITION", "VOUCHER_LAPSED") => matches!(record.asked, Asked::Open { .. }),
            ("FAILED_PRECONDITION", "ACCOUNT_FROZEN" | "DEBIT_FROZEN") => {
                matches!(record.asked, Asked::Send { .. })
                    && self
                        .frozen
                        .iter()
                        .any(|(user, from, to)| *user == record.user && meet(record, *from, *to))
            }
            // A packet for others may be seen by nobody else.
            ("PERMISSION_DENIED", _) => matches!(record.asked, Asked::Look("packet" | "claims")),
            _ => false,
        }
    }
}

/// Whether a call was under way between `from` and some time after `to`.
fn meet(record: &Record, from: i64, to: i64) -> bool {
    record.began_us <= to.saturating_add(AFTERMATH_US) && from <= record.ended_us
}
