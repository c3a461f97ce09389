//! Posting a batch of transfers.

use clock::Clock;

use super::Result;
use crate::{
    domain::ledger::{Item, Posting},
    store::Ledger,
};

/// Posts 1 to [`MAX_BATCH`](crate::domain::ledger::MAX_BATCH) items; a verdict for each, in order. It may be repeated:
/// what was posted before is told, not posted again (MONEY-3).
pub async fn post_transfers(ledger: &dyn Ledger, clock: &dyn Clock, items: &[Item]) -> Result<Vec<Posting>> {
    Ok(ledger.post(items, clock.now()).await?)
}
