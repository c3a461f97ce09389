//! The contract, in memory.

use std::sync::Arc;

use disk::{Calm, Disk, Fate, Told};

use super::MemoryStore;
use crate::store::contract::{self, commits::Lost};

#[tokio::test]
async fn memory_keeps_the_contract() {
    let store = MemoryStore::new(Disk::default().link(Arc::new(Calm)), "memory");
    contract::everything(&store, &[(&store, &|_| true)]).await;

    let weather = Arc::new(Told::default());
    let store = MemoryStore::new(Disk::default().link(weather.clone()), "memory");
    let lose = |lost| {
        weather.next_write(match lost {
            Lost::OnItsWayBack => Fate::AnswerLost,
            Lost::OnItsWayThere => Fate::CommitLost,
        });
    };
    contract::commits::lost_answers_are_found(&store, &store, lose).await;
    assert!(weather.is_over());
}
