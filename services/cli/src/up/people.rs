//! The demo users: some people with some money, and a group with all of them.

use id::{GroupId, UserId};
use money::Fen;

use crate::{
    client::Client,
    command::{account, group},
    failure::Failure,
};

/// User ids and display names; the first one owns the group.
pub const PEOPLE: [(&str, &str); 4] = [
    ("alice", "阿丽丝"),
    ("bob", "小波"),
    ("carol", "可柔"),
    ("dave", "大伟"),
];
/// The group with all of them.
pub const GROUP: (&str, &str) = ("friends", "朋友们");
/// What each of them starts with: 1,000 yuan.
const START: Fen = Fen::new(100_000);
/// Name of the deposit: always the same, so that a restart gives nobody more (ID-1).
const DEPOSIT: &str = "demo-users";

/// Brings them in, with their money and their group. Safe to repeat.
pub async fn arrive(client: &Client) -> Result<(), Failure> {
    let mut people = Vec::new();
    for (user_id, name) in PEOPLE {
        let user: UserId = user_id.parse().map_err(anyhow::Error::from)?;
        account::open(client, &user, name).await?;
        let deposit = account::Deposit {
            user: user.clone(),
            amount: START,
            request_id: Some(DEPOSIT.parse().map_err(anyhow::Error::from)?),
        };
        deposit.run(client).await?;
        people.push(user);
    }
    let group: GroupId = GROUP.0.parse().map_err(anyhow::Error::from)?;
    group::create(&client.acting_as(&people[0]), &group, GROUP.1, &people[1..]).await?;
    Ok(())
}
