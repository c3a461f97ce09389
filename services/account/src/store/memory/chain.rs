//! The chain of seals.

use ::sql::Result;
use async_trait::async_trait;
use clock::Timestamp;

use super::{MemoryStore, tables::Tables};
use crate::{
    domain::chain::{Head, MAX_MEMBERS, Member, Sealing},
    store::Chain,
};

#[async_trait]
impl Chain for MemoryStore {
    async fn seal(&self, _: Timestamp) -> Result<Sealing> {
        self.link.write("chain.seal", |tables| Ok(tables.seal())).await
    }

    async fn head(&self) -> Result<Head> {
        self.link.read("chain.head", |tables| Ok(tables.head())).await
    }
}

impl Tables {
    /// The end of the chain.
    pub(super) fn head(&self) -> Head {
        self.seals.last().map_or(Head::GENESIS, Head::of)
    }

    fn seal(&mut self) -> Sealing {
        let mut members: Vec<Member> = Vec::new();
        while let Some(posting) = self
            .unsealed
            .pop_front_if(|posting| members.len() + posting.len() <= MAX_MEMBERS)
        {
            members.extend(posting);
        }
        if members.is_empty() {
            return Sealing::Idle;
        }
        let seal = self.head().seal(&members);
        self.seals.push(seal);
        self.seal_members.extend(members);
        Sealing::Sealed(seal.member_count)
    }
}
