//! What can be done to the processes of a running mesh: ends that are not told as deaths, and starts that nobody waits for.

use anyhow::Context;

use super::{
    Mesh,
    member::{Health, Member},
};

impl Mesh {
    fn member(&mut self, name: &str) -> anyhow::Result<&mut Member> {
        let mut members = self.members.iter_mut();
        let found = members.find(|member| member.recipe().name == name);
        found.with_context(|| format!("no instance is called {name}"))
    }

    /// Stops an engine as quickly as it can be stopped, without tidying up. It stays away until [`Mesh::bring_back`].
    pub async fn take_away(&mut self, engine: &str) -> anyhow::Result<()> {
        let found = self.engine(engine)?;
        let name = found.name();
        self.engines.wonder_at(name, false);
        self.engine(engine)?.stop_immediately().await;
        Ok(())
    }

    /// Starts an engine that was taken away, on the same ports and data; returns when it takes connections.
    pub async fn bring_back(&mut self, engine: &str) -> anyhow::Result<()> {
        let found = self.engine(engine)?;
        let name = found.name();
        found.restart().await?;
        self.engines.wonder_at(name, true);
        Ok(())
    }

    /// Lets a cache forget everything.
    pub async fn flush(&mut self, engine: &str) -> anyhow::Result<()> {
        Ok(self.engine(engine)?.flush().await?)
    }

    /// SIGTERM to an instance, without waiting for its end.
    pub fn terminate(&mut self, member: &str) -> anyhow::Result<()> {
        self.member(member)?.terminate();
        Ok(())
    }

    /// Waits for the end that [`Mesh::terminate`] asked for; `false` if it was not in order, or had to be forced.
    pub async fn is_drained(&mut self, member: &str) -> anyhow::Result<bool> {
        Ok(self.member(member)?.is_drained().await)
    }

    /// SIGSTOP to an instance: it keeps its port and never answers.
    pub fn pause(&mut self, member: &str) -> anyhow::Result<()> {
        self.member(member)?.process_mut().pause();
        Ok(())
    }

    /// SIGCONT to an instance.
    pub fn resume(&mut self, member: &str) -> anyhow::Result<()> {
        self.member(member)?.process_mut().resume();
        Ok(())
    }

    /// Starts an instance that has ended again, where it was. What is returned resolves when something serves there.
    pub fn start_again(&mut self, member: &str) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
        let programs = self.programs.clone();
        let member = self.member(member)?;
        member.restart(&programs)?;
        Ok(Health::of(member.recipe().address)?.good())
    }
}
