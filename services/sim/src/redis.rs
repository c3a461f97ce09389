//! The Redis of grab's gate: the way to it, and what becomes of it. Nothing in it is needed to get the money right, so that it
//! may lose, repeat and invent whatever it likes.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use simredis::{Fate, Mood, Request, Server, Weather};
use tokio::time::sleep;

use crate::{clock::HostClock, dice::Dice, host::Host, mesh::Mesh, world::World};

/// How long a call may take: grab's own default.
pub const TIMEOUT: Duration = Duration::from_millis(250);

/// Likelihoods in permille, each per request; zero where the seed leaves a kind of fault out.
#[derive(Clone, Debug)]
pub struct Climate {
    /// A request is slow, by up to [`Climate::slow_ms`].
    pub slow: u32,
    /// The longest delay of a request. Some are longer than callers wait.
    pub slow_ms: u64,
    /// A connection breaks before a request arrives.
    pub cut: u32,
    /// A connection breaks before an answer arrives.
    pub answer_lost: u32,
    /// A request never arrives, and nobody says so.
    pub swallowed: u32,
    /// A request takes effect, and nobody says so.
    pub unanswered: u32,
    /// Times that something becomes of the server itself.
    pub turns: u64,
}

impl Climate {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        Self {
            slow: 0,
            slow_ms: 0,
            cut: 0,
            answer_lost: 0,
            swallowed: 0,
            unanswered: 0,
            turns: 0,
        }
    }

    /// The climate of a seed.
    pub fn draw(dice: &Dice) -> Self {
        let stormy = !dice.chance(200);
        let some = |likely: u32, strongest: u64| {
            let strength = dice.number(1..=strongest);
            if stormy && dice.chance(likely) { strength } else { 0 }
        };
        let permille = |likely, strongest| u32::try_from(some(likely, strongest)).unwrap_or(0);
        Self {
            slow: permille(500, 200),
            slow_ms: dice.number(5..=600),
            cut: permille(400, 40),
            answer_lost: permille(400, 40),
            swallowed: permille(300, 30),
            unanswered: permille(300, 30),
            turns: some(600, 6),
        }
    }
}

/// A server in a world, empty and well. Its keys expire by an hour of its own.
pub fn server(world: &World) -> Server {
    Server::new(HostClock::new(world.began).shared())
}

/// Under what a host reaches Redis.
pub struct RedisWeather {
    /// The world.
    pub world: Arc<World>,
    /// Whose way.
    pub host: Arc<Host>,
}

impl RedisWeather {
    async fn delay(&self) {
        let (world, dice) = (&self.world, &self.world.redis_dice);
        if world.strikes(dice, world.climate.redis.slow) {
            world.coverage.fault("slow Redis");
            sleep(dice.ms(0..=world.climate.redis.slow_ms)).await;
        }
        self.host.awake().await;
    }
}

#[async_trait]
impl Weather for RedisWeather {
    async fn dial(&self) -> io::Result<()> {
        self.host.awake().await;
        Ok(())
    }

    async fn before(&self, request: Request<'_>) -> Fate {
        self.delay().await;
        let (world, climate) = (&self.world, &self.world.climate.redis);
        for (name, permille, fate) in [
            ("Redis request cut", climate.cut, Fate::Cut),
            ("Redis answer lost", climate.answer_lost, Fate::AnswerLost),
            ("Redis request swallowed", climate.swallowed, Fate::Swallowed),
            ("Redis unanswered", climate.unanswered, Fate::Unanswered),
        ] {
            if world.strikes(&world.redis_dice, permille) {
                let command = request.name().escape_ascii();
                world.fault(name, &self.host.name, format_args!("{command}"));
                return fate;
            }
        }
        Fate::Fair
    }

    async fn after(&self, _: Request<'_>) {
        self.delay().await;
    }
}

/// Starts what becomes of the server: each turn at a moment within `active`.
pub fn brew(mesh: &Mesh, server: &Server, active: Duration) {
    let active_ms = u64::try_from(active.as_millis()).unwrap_or(u64::MAX);
    let dice = &mesh.world.redis_dice;
    for _ in 0..mesh.world.climate.redis.turns {
        let (seen, at) = (dice.ms(0..=active_ms), dice.ms(0..=active_ms));
        tokio::spawn(turn(mesh.world.clone(), server.clone(), seen.min(at), seen.max(at)));
    }
}

/// One turn at `at`; what the server had at `seen` may come back then.
async fn turn(world: Arc<World>, server: Server, seen: Duration, at: Duration) {
    sleep(seen).await;
    let past = server.snapshot();
    sleep(at.saturating_sub(seen)).await;
    if world.is_calm() {
        return;
    }
    let dice = &world.redis_dice;
    let note = |name, what| world.fault(name, "redis", format_args!("{what}"));
    let mood = match dice.number(0..=7) {
        0 => {
            note("Redis emptied", "while it runs");
            return server.flush();
        }
        1 => {
            note("Redis emptied", "by a restart");
            return server.restart(None);
        }
        2 | 3 => {
            let age_ms = at.saturating_sub(seen).as_millis();
            world.fault("Redis back in time", "redis", format_args!("by {age_ms} ms"));
            return server.restart(Some(&past));
        }
        4 => {
            note("Redis cut", "all connections");
            return server.cut();
        }
        5 => Mood::Hung,
        6 => Mood::Down,
        _ => *dice.pick(&[Mood::ReadOnly, Mood::Full]),
    };
    let for_ = dice.ms(100..=20_000);
    let name = match mood {
        Mood::Hung => "Redis hangs",
        Mood::Down => "Redis down",
        _ => "Redis takes no writes",
    };
    world.fault(name, "redis", format_args!("for {} ms", for_.as_millis()));
    server.set_mood(mood);
    sleep(for_).await;
    server.set_mood(Mood::Well);
}

/// What a server was asked that it does not know is a hole in the simulation.
pub fn judge(world: &World, server: &Server) {
    let unknown = server.misunderstood();
    if !unknown.is_empty() {
        world.violated(
            "REDIS",
            format!("the simulated Redis does not know {}", unknown.join("; ")),
        );
    }
}
