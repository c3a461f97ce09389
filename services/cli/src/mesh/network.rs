//! What lies between instances and engines where connections are to fail on demand.

use engines::Proxy;

use super::{Layout, engine::Engines};

/// Each instance's own line to each engine that it uses. Empty unless the layout asks for lines.
#[derive(Debug, Default)]
pub struct Network {
    lines: Vec<Line>,
}

/// What one instance reaches one engine through.
#[derive(Debug)]
pub struct Line {
    /// The instance, such as `grab-2`.
    pub member: String,
    /// The engine, such as `postgres`.
    pub engine: &'static str,
    /// What passes it, or does not.
    pub proxy: Proxy,
}

impl Network {
    /// `urls` as `member` is to be told them: through a line of its own, where the layout asks for lines and the engine of
    /// these URLs can have one.
    pub(super) async fn route(
        &mut self,
        layout: &Layout,
        engines: &Engines,
        member: &str,
        urls: String,
    ) -> anyhow::Result<String> {
        let scheme = |engine: &&super::engine::Engine| urls.starts_with(engine.scheme());
        let Some(engine) = engines.iter().find(scheme).filter(|_| layout.lines) else {
            return Ok(urls);
        };
        let Some(proxy) = engine.line().await.transpose()? else {
            return Ok(urls);
        };
        let routed = proxy.url(&urls);
        self.lines.push(Line {
            member: member.to_owned(),
            engine: engine.name(),
            proxy,
        });
        Ok(routed)
    }

    /// The lines to an engine: those of all instances, or of one.
    pub fn to<'a>(&'a self, engine: &'a str, of: Option<&'a str>) -> impl Iterator<Item = &'a Line> {
        let wanted = move |line: &&Line| line.engine == engine && of.is_none_or(|member| line.member == member);
        self.lines.iter().filter(wanted)
    }

    /// All lines.
    pub fn iter(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }
}
