//! The people of a drill: who they are, what they own, and the load that they make.
//!
//! - [`person`]: what one of them does.
//! - [`board`]: the packets that they know of.
//! - [`orders`]: what they send.

pub mod board;
pub mod orders;
pub mod person;

use std::sync::Arc;

use anyhow::Context;
use futures::future::try_join_all;
use id::{GroupId, UserId};
use money::Fen;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{sync::watch, task::JoinSet};

use self::{board::Board, person::Person};
use super::history::History;
use crate::{
    client::Client,
    command::{account, group},
    failure::Failure,
};

/// What each person begins with: 1,000,000.00 yuan, more than a drill can spend.
pub const START: Fen = Fen::new(100_000_000);
/// The group that three of four are in.
pub const GROUP: &str = "crowd";
/// How many people share a connection to the gateway, as the users of one app server do.
const ON_ONE_CONNECTION: usize = 8;
/// How many accounts are opened at once.
const AT_ONCE: usize = 16;

/// The user id of the n-th person.
pub fn name(n: usize) -> String {
    format!("u{n:03}")
}

/// Whether the n-th person is in the group.
pub fn is_member(n: usize) -> bool {
    n % 4 != 3
}

/// Brings `people` in, with their money and their group.
pub async fn gather(client: &Client, people: usize) -> Result<(), Failure> {
    let users: Vec<UserId> = (0..people)
        .map(|n| name(n).parse().context("a user id"))
        .collect::<Result<_, _>>()?;
    for some in users.chunks(AT_ONCE) {
        try_join_all(some.iter().map(async |user| {
            account::open(client, user, "").await?;
            let deposit = account::Deposit {
                user: user.clone(),
                amount: START,
                request_id: Some("start".parse().map_err(anyhow::Error::from)?),
            };
            deposit.run(client).await
        }))
        .await?;
    }
    let group: GroupId = GROUP.parse().map_err(anyhow::Error::from)?;
    let members = users.iter().enumerate().filter(|(n, _)| is_member(*n));
    let members: Vec<_> = members.map(|(_, user)| user.clone()).collect();
    let [owner, others @ ..] = &members[..] else {
        return Ok(());
    };
    group::create(&client.acting_as(owner), &group, "", others).await?;
    Ok(())
}

/// People who ask, until they are told to stop.
pub struct Load {
    tasks: JoinSet<()>,
    alive: watch::Sender<bool>,
}

impl Load {
    /// Lets `people` loose on the gateway at `url`. What each of them does follows from `seed` and from what is answered.
    pub fn start(url: &str, people: usize, seed: u64, history: &Arc<History>) -> Result<Self, Failure> {
        let alive = watch::Sender::new(true);
        let board = Arc::new(Board::default());
        let mut rng = StdRng::seed_from_u64(seed);
        let mut tasks = JoinSet::new();
        let mut client = Client::new(url)?;
        for n in 0..people {
            if n % ON_ONE_CONNECTION == 0 {
                client = Client::new(url)?;
            }
            let user: UserId = name(n).parse().map_err(anyhow::Error::from)?;
            let person = Person::new(
                n,
                people,
                &client.acting_as(&user),
                StdRng::seed_from_u64(rng.random()),
                board.clone(),
                history.clone(),
            )?;
            tasks.spawn(person.live(alive.subscribe()));
        }
        Ok(Self { tasks, alive })
    }

    /// Ends it; returns when the last answer is there.
    pub async fn end(mut self) -> Result<(), Failure> {
        self.alive.send_replace(false);
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("a person of the crowd")?;
        }
        Ok(())
    }
}
