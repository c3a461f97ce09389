//! What happens on a host's way to its disk.

use std::sync::Arc;

use async_trait::async_trait;
use disk::{Call, Fate, Weather};

use crate::{audit::Auditor, host::Host, mishap::Kind, storms, world::World};

/// Under what a host reaches its disk. The auditor looks after every transaction that may have changed something.
pub struct HostWeather {
    /// The world.
    pub world: Arc<World>,
    /// Whose way.
    pub host: Arc<Host>,
    /// Who looks.
    pub auditor: Arc<Auditor>,
    /// At which books.
    pub books: crate::audit::Books,
}

impl HostWeather {
    /// The host may die here; then nothing follows.
    async fn may_crash(&self, when: &str, call: Call) {
        let world = &self.world;
        let due = call.writes && world.mishap(Kind::Crash);
        if (due || world.strikes(&world.disk_dice, world.climate.crash_at_disk))
            && self.host.crash(world, &format!("{when} {}", call.name))
        {
            std::future::pending::<()>().await;
        }
    }

    /// The host may stand still here, as a storm has planned it.
    fn may_stall(&self, call: Call) {
        if let Some(for_) = self.host.stall(call.name) {
            let name = storms::name_of_stall(call.name);
            self.world
                .fault(name, &self.host.name, format_args!("for {} ms", for_.as_millis()));
            self.host.freeze(for_);
        }
    }

    async fn delay(&self) {
        let (world, dice) = (&self.world, &self.world.disk_dice);
        let slow = world.strikes(dice, world.climate.slow);
        let delay = if slow {
            world.coverage.fault("slow transaction");
            dice.ms(0..=world.climate.slow_ms)
        } else {
            dice.ms(0..=2)
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    fn fate(&self, call: Call) -> Fate {
        let (world, dice) = (&self.world, &self.world.disk_dice);
        let climate = &world.climate;
        let fates = [
            ("transaction cut", climate.cut, Fate::Cut),
            ("transaction contended", climate.contended, Fate::Contended),
            ("disk full", climate.full, Fate::Full),
            ("commit answer lost", climate.commit_answer_lost, Fate::AnswerLost),
            ("commit lost", climate.commit_lost, Fate::CommitLost),
        ];
        for (name, permille, fate) in fates {
            if (call.writes || fate == Fate::Cut) && world.strikes(dice, permille) {
                world.fault(name, &self.host.name, format_args!("{}", call.name));
                return fate;
            }
        }
        Fate::Fair
    }
}

#[async_trait]
impl Weather for HostWeather {
    async fn before(&self, call: Call) -> Fate {
        self.delay().await;
        self.may_stall(call);
        self.host.awake().await;
        self.may_crash("before", call).await;
        if self.host.is_cut_off() {
            return Fate::Cut;
        }
        self.fate(call)
    }

    async fn after(&self, call: Call) {
        if call.writes {
            self.world.trace.step(&self.host.name, format_args!("{}", call.name));
            self.auditor.look(self.books);
        }
        self.may_crash("after", call).await;
        self.delay().await;
        self.host.awake().await;
    }
}
