//! What people and operators do in a world: drawn from the seed, through the services' own protos.
//!
//! - [`people`]: accounts, deposits, freezes.
//! - [`sending`]: packets, each request once or several times at once.
//! - [`grabbing`]: grabs and opens, each in several ways, and asking again.
//! - [`operating`]: repair cases, reconciliation.

mod caller;
mod course;
mod grabbing;
mod operating;
mod people;
mod sending;

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use crate::{audit::Auditor, dice::Dice, mesh::Mesh};

use caller::Caller;

/// Everybody who does something. They end by themselves some time after the world's active time.
pub struct Clients {
    caller: Caller,
    doing: JoinSet<()>,
}

impl Clients {
    /// Returns when the last one is done.
    ///
    /// # Panics
    ///
    /// If one of them did.
    pub async fn over(&mut self) {
        while let Some(done) = self.doing.join_next().await {
            if let Err(fault) = done {
                std::panic::resume_unwind(fault.into_panic());
            }
        }
    }

    /// Reconciles once more, when everything is at rest.
    pub async fn reconcile(&self) {
        while !operating::reconcile(&self.caller).await {
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Sets everybody to work for about as long as `active`.
pub fn start(mesh: &Mesh, auditor: &Arc<Auditor>, dice: &Dice, active: Duration) -> Clients {
    let caller = Caller::new(mesh, auditor, dice, active);
    let mut doing = JoinSet::new();
    doing.spawn(people::live(caller.clone()));
    Clients { caller, doing }
}

/// Sets somebody on the course through every saga.
pub fn walk(mesh: &Mesh, auditor: &Arc<Auditor>, dice: &Dice, active: Duration) -> Clients {
    let caller = Caller::new(mesh, auditor, dice, active);
    let mut doing = JoinSet::new();
    doing.spawn(course::walk(caller.clone()));
    Clients { caller, doing }
}
