//! Freezes wallets and thaws them, as an operator would: by the gateway, and again until it is done.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use proto::gateway::v1::{FreezeAccountRequest, UnfreezeAccountRequest};
use tokio::{sync::watch, task::JoinSet};

use super::{crowd, history::now_us};
use crate::client::Client;

/// Before an operator tries again what failed.
const PAUSE: Duration = Duration::from_millis(200);
/// How often at most: three minutes, more than anything takes to come back.
const TRIES: u32 = 900;
/// For the record.
const REASON: &str = "a drill";

/// A wallet that was frozen: whose, and between which microseconds since 1970 it may have been.
pub type Frozen = (String, i64, i64);

/// Freezes and thaws in the background, because the way to the wallet may itself be away.
pub struct Freezer {
    client: Client,
    tasks: JoinSet<anyhow::Result<Frozen>>,
    thaws: HashMap<usize, watch::Sender<bool>>,
    told: watch::Sender<Vec<Frozen>>,
}

impl Freezer {
    /// One that calls the gateway of `client`. What it froze is told to `told` at its end.
    pub fn new(client: Client, told: watch::Sender<Vec<Frozen>>) -> Self {
        Self {
            client,
            tasks: JoinSet::new(),
            thaws: HashMap::new(),
            told,
        }
    }

    /// Freezes the wallet of the n-th person as soon as it can be.
    pub fn freeze(&mut self, person: usize) {
        let (thaw, mut thawed) = watch::channel(false);
        self.thaws.insert(person, thaw);
        let client = self.client.clone();
        self.tasks.spawn(async move {
            let user = crowd::name(person);
            let from = now_us();
            change(&client, &user, true).await?;
            // Its sender goes with the end of the drill at the latest.
            thawed.wait_for(|thawed| *thawed).await.ok();
            change(&client, &user, false).await?;
            Ok((user, from, now_us()))
        });
    }

    /// Thaws it as soon as it can be.
    pub fn thaw(&mut self, person: usize) {
        if let Some(thaw) = self.thaws.remove(&person) {
            thaw.send_replace(true);
        }
    }

    /// Thaws all that are left; returns when everything is done.
    pub async fn end(&mut self) -> anyhow::Result<()> {
        self.thaws.clear();
        while let Some(frozen) = self.tasks.join_next().await {
            let frozen = frozen.context("an operator")??;
            self.told.send_modify(|told| told.push(frozen));
        }
        Ok(())
    }
}

/// Freezes or thaws, again until it is done.
async fn change(client: &Client, user: &str, frozen: bool) -> anyhow::Result<()> {
    let mut tries = TRIES;
    loop {
        let (user_id, reason) = (user.to_owned(), REASON.to_owned());
        let mut operations = client.operations();
        let done = if frozen {
            let request = FreezeAccountRequest { user_id, reason };
            operations.freeze_account(request).await.map(drop)
        } else {
            let request = UnfreezeAccountRequest { user_id, reason };
            operations.unfreeze_account(request).await.map(drop)
        };
        match done {
            Err(_) if tries > 1 => tries -= 1,
            done => return done.with_context(|| format!("cannot change the wallet of {user}")),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
