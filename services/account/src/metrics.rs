//! What the service counts. Names and alarms are in `docs/metrics.md`.

use runtime::{
    Metrics,
    metrics::{Counter, KeyValue},
};

use crate::domain::ledger::{Posting, Verdict};

/// Counts what became of postings.
#[derive(Clone, Debug)]
pub struct Postings(Counter<u64>);

impl Postings {
    /// Counts from now on.
    pub fn new(metrics: &Metrics) -> Self {
        let postings = metrics.meter().u64_counter("hongbao.account.postings");
        Self(postings.with_description("Transfers asked for, by verdict").build())
    }

    /// A batch was answered.
    pub fn count(&self, postings: &[Posting]) {
        let mut left = postings;
        while let Some(first) = left.first() {
            let run = left
                .iter()
                .take_while(|posting| posting.verdict == first.verdict)
                .count();
            self.0.add(run as u64, &[KeyValue::new("verdict", name(first.verdict))]);
            left = &left[run..];
        }
    }
}

const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::InvalidId => "INVALID_ID",
        Verdict::InvalidField => "INVALID_FIELD",
        Verdict::InvalidAmount => "INVALID_AMOUNT",
        Verdict::SameAccount => "SAME_ACCOUNT",
        Verdict::IdReused => "ID_REUSED",
        Verdict::AlreadyPosted => "ALREADY_POSTED",
        Verdict::WrongAccounts => "WRONG_ACCOUNTS",
        Verdict::DebitNotFound => "DEBIT_NOT_FOUND",
        Verdict::CreditNotFound => "CREDIT_NOT_FOUND",
        Verdict::DebitFrozen => "DEBIT_FROZEN",
        Verdict::CreditFrozen => "CREDIT_FROZEN",
        Verdict::InsufficientFunds => "INSUFFICIENT_FUNDS",
        Verdict::BalanceOverflow => "BALANCE_OVERFLOW",
        Verdict::Posted => "POSTED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use money::Fen;

    #[tokio::test]
    async fn verdicts_are_counted_each_by_itself() {
        let metrics = Metrics::default();
        let postings = Postings::new(&metrics);
        let batch = [Verdict::Posted, Verdict::Posted, Verdict::CreditFrozen, Verdict::Posted].map(|verdict| Posting {
            verdict,
            debit_balance: Fen::ZERO,
        });
        postings.count(&batch);
        postings.count(&[]);
        let told = metrics.render().await;
        assert!(
            told.contains("hongbao_account_postings_total{verdict=\"POSTED\"} 3"),
            "{told}"
        );
        assert!(
            told.contains("hongbao_account_postings_total{verdict=\"CREDIT_FROZEN\"} 1"),
            "{told}"
        );
    }
}
