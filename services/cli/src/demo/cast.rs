//! Who plays, and what they own.

use futures::future::try_join_all;
use id::{GroupId, UserId};
use money::Fen;

use crate::{
    client::Client,
    command::{
        account::{self, Deposit, Wallet},
        group,
    },
    failure::Failure,
    show::line,
};

/// Who sends.
const SENDER: (&str, &str) = ("laoban", "老板");
/// Who belongs to no group.
const STRANGER: (&str, &str) = ("luren", "路人");
/// Who grabs: the group's twenty other members.
const MEMBERS: [(&str, &str); 20] = [
    ("xiaoming", "小明"),
    ("xiaohong", "小红"),
    ("xiaogang", "小刚"),
    ("xiaoli", "小丽"),
    ("awei", "阿伟"),
    ("amei", "阿美"),
    ("dazhuang", "大壮"),
    ("erya", "二丫"),
    ("guoqing", "国庆"),
    ("chunhua", "春花"),
    ("qiuyue", "秋月"),
    ("donglai", "冬来"),
    ("jianguo", "建国"),
    ("lanlan", "兰兰"),
    ("meimei", "梅梅"),
    ("zhuzi", "竹子"),
    ("juhua", "菊华"),
    ("fugui", "富贵"),
    ("pingan", "平安"),
    ("jixiang", "吉祥"),
];
/// Their group.
const GROUP: (&str, &str) = ("office", "办公室");
/// What the sender starts with: 1,000 yuan.
const START: Fen = Fen::new(100_000);

/// Someone who plays: a user, and the client to act as that user.
#[derive(Clone)]
pub struct Person {
    /// The user.
    pub id: UserId,
    /// What others see.
    pub name: &'static str,
    /// Acts as the user.
    pub client: Client,
}

/// Everyone.
pub struct Cast {
    /// Who sends.
    pub sender: Person,
    /// Who belongs to no group.
    pub stranger: Person,
    /// The group's twenty other members.
    pub members: Vec<Person>,
    /// The group of sender and members.
    pub group: GroupId,
    /// Acts for operators.
    pub operator: Client,
}

impl Cast {
    /// Opens everyone's account, makes the group, and gives the sender money.
    pub async fn gather(client: &Client) -> Result<Self, Failure> {
        let sender = Person::enter(client, SENDER).await?;
        let stranger = Person::enter(client, STRANGER).await?;
        let members = try_join_all(MEMBERS.map(|who| Person::enter(client, who))).await?;
        let deposit = Deposit {
            user: sender.id.clone(),
            amount: START,
            request_id: None,
        };
        deposit.run(client).await?;
        let group: GroupId = GROUP.0.parse().map_err(anyhow::Error::from)?;
        let ids: Vec<_> = members.iter().map(|person| person.id.clone()).collect();
        group::create(&sender.client, &group, GROUP.1, &ids).await?;
        line(&format!(
            "{} ({}) has {START} yuan, and a group of {} others who have nothing yet",
            sender.name,
            sender.id,
            members.len()
        ))?;
        Ok(Self {
            sender,
            stranger,
            members,
            group,
            operator: client.clone(),
        })
    }

    /// What everyone has, in order: sender, members, stranger.
    pub async fn balances(&self) -> Result<Vec<(&Person, Fen)>, Failure> {
        let everyone = std::iter::once(&self.sender)
            .chain(&self.members)
            .chain(std::iter::once(&self.stranger));
        try_join_all(everyone.map(async |person| Ok((person, person.balance().await?)))).await
    }
}

impl Person {
    async fn enter(client: &Client, (user_id, name): (&str, &'static str)) -> Result<Self, Failure> {
        let id: UserId = user_id.parse().map_err(anyhow::Error::from)?;
        account::open(client, &id, name).await?;
        let client = client.acting_as(&id);
        Ok(Self { id, name, client })
    }

    async fn balance(&self) -> Result<Fen, Failure> {
        let wallet = Wallet { entries: 0 }.run(&self.client).await?;
        Ok(Fen::new(wallet.owner.account.balance_fen))
    }
}
