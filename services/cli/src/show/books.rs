//! What operators see of the books: reconciliation and the ledger's verification.

use proto::{account::v1 as account, transfer::v1 as transfer};
use serde::Serialize;

use super::{View, rows, value::yuan};

/// Differences that are kept to be shown, of however many there are.
const MAX_SHOWN: usize = 1_000;

/// What reconciliation found.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Reconciled {
    pub packet_count: i64,
    pub claim_count: i64,
    pub transfer_count: i64,
    pub unsettled_count: i64,
    pub open_case_count: i64,
    /// How many differences there are.
    pub difference_count: usize,
    /// The first 1,000 of them.
    pub differences: Vec<Difference>,
}

/// Two records that should agree and do not.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Difference {
    pub kind: String,
    pub subject: String,
    pub description: String,
    pub packet_id: String,
    pub transfer_id: String,
    pub difference_fen: i64,
    pub case_id: String,
}

impl Reconciled {
    /// Adds a slice to what was found before it.
    pub fn add(&mut self, slice: transfer::ReconcileResponse) {
        self.packet_count += slice.packet_count;
        self.claim_count += slice.claim_count;
        self.transfer_count += slice.transfer_count;
        self.unsettled_count += slice.unsettled_count;
        self.open_case_count = slice.open_case_count;
        self.difference_count += slice.differences.len();
        let room = MAX_SHOWN.saturating_sub(self.differences.len());
        let differences = slice.differences.into_iter().take(room);
        self.differences.extend(differences.map(|difference| Difference {
            kind: difference.kind,
            subject: difference.subject,
            description: difference.description,
            packet_id: difference.packet_id,
            transfer_id: difference.transfer_id,
            difference_fen: difference.difference_fen,
            case_id: difference.case_id,
        }));
    }
}

impl View for Reconciled {
    /// The last line is `reconciled: N differences`, whatever N is.
    fn human(&self) -> String {
        let mut lines = vec![format!(
            "held against each other: {} packets, {} claims, {} transfers; unsettled {}, open repair cases {}",
            self.packet_count, self.claim_count, self.transfer_count, self.unsettled_count, self.open_case_count
        )];
        if !self.differences.is_empty() {
            let differences = self.differences.iter().map(|difference| {
                [
                    difference.kind.clone(),
                    difference.subject.clone(),
                    yuan(difference.difference_fen),
                    difference.description.clone(),
                    difference.case_id.clone(),
                ]
            });
            let columns = ["what", "about", "#yuan apart", "description", "repair case"];
            lines.push(rows(columns, differences, ""));
        }
        lines.push(format!("reconciled: {} differences", self.difference_count));
        lines.join("\n")
    }
}

/// What a verification of the ledger found.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct Verified {
    pub account_count: i64,
    pub transfer_count: i64,
    pub sealed_count: i64,
    pub balance_sum_fen: i64,
    /// The end of the chain, as `--known-head` takes it.
    pub head: String,
    /// How many differences there are.
    pub difference_count: usize,
    /// The first 1,000 of them.
    pub differences: Vec<LedgerDifference>,
}

/// Something in the ledger that does not add up.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "fields are named and documented in the proto")]
pub struct LedgerDifference {
    pub kind: String,
    pub description: String,
    pub account_id: String,
    pub transfer_id: String,
    pub seal_no: i64,
    pub difference_fen: i64,
}

impl Verified {
    /// Adds a slice to what was found before it.
    pub fn add(&mut self, slice: account::VerifyLedgerResponse) {
        self.account_count += slice.account_count;
        self.transfer_count += slice.transfer_count;
        self.sealed_count += slice.sealed_count;
        self.balance_sum_fen = self.balance_sum_fen.saturating_add(slice.balance_sum_fen);
        let head = slice.head.unwrap_or_default();
        self.head = format!("{}:{}", head.seal_no, hex::encode(head.hash));
        self.difference_count += slice.differences.len();
        let room = MAX_SHOWN.saturating_sub(self.differences.len());
        let differences = slice.differences.into_iter().take(room);
        self.differences.extend(differences.map(|difference| LedgerDifference {
            kind: difference.kind,
            description: difference.description,
            account_id: difference.account_id,
            transfer_id: difference.transfer_id,
            seal_no: difference.seal_no,
            difference_fen: difference.difference_fen,
        }));
    }
}

impl LedgerDifference {
    fn subject(&self) -> String {
        let seal = format!("seal {}", self.seal_no);
        match (self.account_id.as_str(), self.transfer_id.as_str(), self.seal_no) {
            ("", "", _) => seal,
            ("", transfer, 0) => format!("transfer {transfer}"),
            ("", transfer, _) => format!("transfer {transfer} under {seal}"),
            (account, _, _) => format!("account {account}"),
        }
    }
}

impl View for Verified {
    /// The last line is `verified: N differences`, whatever N is.
    fn human(&self) -> String {
        let mut lines = vec![
            format!(
                "recomputed: {} accounts, {} transfers, {} of them under seals; all balances sum to {}",
                self.account_count,
                self.transfer_count,
                self.sealed_count,
                yuan(self.balance_sum_fen)
            ),
            format!("head of the chain: {}", self.head),
        ];
        if !self.differences.is_empty() {
            let differences = self.differences.iter().map(|difference| {
                [
                    difference.kind.clone(),
                    difference.subject(),
                    yuan(difference.difference_fen),
                    difference.description.clone(),
                ]
            });
            lines.push(rows(["what", "about", "#yuan", "description"], differences, ""));
        }
        lines.push(format!("verified: {} differences", self.difference_count));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_the_differences_of_all_slices() {
        let mut found = Reconciled::default();
        let last = |found: &Reconciled| found.human().lines().last().map(str::to_owned);
        found.add(transfer::ReconcileResponse {
            claim_count: 3,
            open_case_count: 7,
            ..transfer::ReconcileResponse::default()
        });
        assert_eq!(last(&found).as_deref(), Some("reconciled: 0 differences"));
        let difference = transfer::Difference {
            kind: "CLAIM_WITHOUT_TRANSFER".to_owned(),
            subject: "claim 3 of partition 5".to_owned(),
            difference_fen: 12,
            ..transfer::Difference::default()
        };
        found.add(transfer::ReconcileResponse {
            claim_count: 4,
            open_case_count: 8,
            differences: vec![difference; 1_001],
            ..transfer::ReconcileResponse::default()
        });
        assert_eq!(last(&found).as_deref(), Some("reconciled: 1001 differences"));
        assert_eq!(
            (found.claim_count, found.open_case_count, found.differences.len()),
            (7, 8, 1_000)
        );
        let human = found.human();
        for part in ["CLAIM_WITHOUT_TRANSFER", "claim 3 of partition 5", "0.12"] {
            assert!(human.contains(part), "{part}");
        }
    }

    #[test]
    fn a_verification_tells_the_head_as_it_is_noted() {
        let mut found = Verified::default();
        found.add(account::VerifyLedgerResponse {
            sealed_count: 2,
            head: Some(account::ChainHead {
                seal_no: 17,
                hash: vec![0xab; 32],
                transfer_count: 2,
            }),
            differences: vec![account::LedgerDifference {
                kind: "TRANSFER_CHANGED".to_owned(),
                transfer_id: "t".to_owned(),
                seal_no: 9,
                ..account::LedgerDifference::default()
            }],
            ..account::VerifyLedgerResponse::default()
        });
        let human = found.human();
        assert!(
            human.contains(&format!("head of the chain: 17:{}", "ab".repeat(32))),
            "{human}"
        );
        assert!(human.contains("transfer t under seal 9"), "{human}");
        assert!(human.ends_with("\nverified: 1 differences"), "{human}");
    }
}
