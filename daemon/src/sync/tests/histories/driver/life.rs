//! A daemon's life: it starts on the file as it is, is asked, waited for, and dies.

use super::{Driver, holds};
use crate::clock::Clock;
use crate::discord::event;
use crate::reload::SettingsSource;
use crate::startup;
use crate::store::{Change, View};
use crate::surfaces::discord::{SlashCommands, connection};
use crate::systems::Systems;
use crate::testing::{self, PATIENCE, user as user_id};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A daemon between two crashes.
pub(super) struct Life {
    pub(super) systems: Arc<Systems>,
    pub(super) runtime: Runtime,
}

impl Driver {
    /// A daemon starts on the file as it is, by the real start.
    pub(super) fn born(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (mut settings, layout) = testing::prepare(&self.stage.sandbox, self.home.path());
        let source = SettingsSource::fixed(testing::sources(&self.stage.sandbox));
        // Deliveries wait for them, and a crash may come meanwhile.
        settings.moderation.direct_messages = self.tells;
        settings.network.bots = [user_id(self.outsiders.listed)].into_iter().collect();
        if self.scarce {
            settings.network.budgets = holds::SCARCE;
        }
        let started = runtime.block_on(startup::start(settings, source, layout, Clock::default()));
        let (systems, _listener) = started.unwrap();
        // The others look by themselves, at moments that no seed repeats.
        let mut tasks = systems.tasks(&testing::PAUSES);
        tasks.retain(|task| ["closing", "containment", "direct-messages"].contains(&task.name()));
        runtime.block_on(systems.runner.start(tasks));
        if self.stage.gateway {
            // How soon it may identify again is another test's.
            runtime
                .block_on(systems.services.store().write(|change| Ok(change.raw("DELETE FROM identifies")?)))
                .unwrap();
            let questions = Arc::default();
            let slash = SlashCommands { systems: Arc::clone(&systems), questions };
            drop(runtime.spawn(connection::keep(slash)));
            self.life = Some(Life { systems, runtime });
            self.until(|systems, _| systems.services.gateway().is_ready());
            return;
        }
        systems.services.directory().set_me(user_id(self.stage.sandbox.bot_id()));
        // The driver is its gateway, and tells everything.
        systems.services.directory().sight().begin(1);
        systems.services.directory().sight().caught_up(0, 0);
        for id in self.stage.guilds {
            let data = self.stage.sandbox.read(|world| world.guild_create_json(id));
            systems.services.directory().learn(&event::read("GUILD_CREATE", &data).unwrap().unwrap());
        }
        self.life = Some(Life { systems, runtime });
        if self.describes {
            self.describe();
        }
    }

    /// Waits until something holds that makes no event.
    pub(super) fn until(&self, holds: impl Fn(&Systems, &View<'_>) -> bool + Send + Sync + 'static) {
        let (systems, holds) = (self.systems(), Arc::new(holds));
        self.wait(async {
            loop {
                let (look, of) = (Arc::clone(&holds), Arc::clone(&systems));
                if systems.services.store().read(move |view| Ok(look(&of, view))).await.unwrap() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }

    /// Everything in memory is gone, wherever it waited. What the gateway sent is taken in before: what it was told
    /// and had not taken in would have to be read from the audit log at the next start.
    pub(super) fn die(&mut self) {
        if self.life.is_some() && self.stage.gateway {
            self.hear();
        }
        let Some(Life { systems, runtime }) = self.life.take() else { return };
        self.deaths += 1;
        let writer = systems.services.store().sequence();
        drop(systems);
        drop(runtime);
        // The writer's thread ends with what it was handed; its end makes no event.
        while writer.has_changed().is_ok() {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    pub(super) fn life(&self) -> &Life {
        self.life.as_ref().unwrap()
    }

    pub(super) fn systems(&self) -> Arc<Systems> {
        Arc::clone(&self.life().systems)
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.life().runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.expect("it hangs") })
    }

    pub(super) fn change(
        &self,
        work: impl FnOnce(&Change<'_>) -> Result<(), crate::store::StoreError> + Send + 'static,
    ) {
        let systems = self.systems();
        self.wait(systems.services.store().write(move |change| Ok(work(change)?))).unwrap();
    }
}
