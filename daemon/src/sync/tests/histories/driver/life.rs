//! A daemon's life: it starts on the file as it is, is asked, waited for, and dies.

use super::{Driver, holds};
use crate::clock::Clock;
use crate::daemon::Daemon;
use crate::discord::{connection, event};
use crate::reload::Reload;
use crate::startup;
use crate::store::{Change, View};
use crate::testing::{self, PATIENCE, user as user_id};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A daemon between two crashes.
pub(super) struct Life {
    pub(super) daemon: Arc<Daemon>,
    pub(super) runtime: Runtime,
}

impl Driver {
    /// A daemon starts on the file as it is, by the real start.
    pub(super) fn born(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (mut settings, layout) = testing::prepare(&self.stage.sandbox, self.home.path());
        let reload = Reload::fixed(testing::sources(&self.stage.sandbox));
        // Deliveries wait for them, and a crash may come meanwhile.
        settings.moderation.direct_messages = self.tells;
        settings.network.bots = [user_id(self.outsiders.listed)].into_iter().collect();
        if self.scarce {
            settings.network.budgets = holds::SCARCE;
        }
        let started = runtime.block_on(startup::start(settings, reload, layout, Clock::default()));
        let (daemon, _listener) = started.unwrap();
        if self.stage.gateway {
            // How soon it may identify again is another test's.
            runtime
                .block_on(daemon.store().write(|change| Ok(change.raw("DELETE FROM identifies")?)))
                .unwrap();
            drop(runtime.spawn(connection::keep(Arc::clone(&daemon))));
            self.life = Some(Life { daemon, runtime });
            self.until(|daemon, _| daemon.is_ready());
            return;
        }
        daemon.directory().set_me(user_id(self.stage.sandbox.bot_id()));
        // The driver is its gateway, and tells everything.
        daemon.directory().sight().begin(1);
        daemon.directory().sight().caught_up(0, 0);
        for id in self.stage.guilds {
            let data = self.stage.sandbox.read(|world| world.guild_create_json(id));
            daemon.directory().learn(&event::read("GUILD_CREATE", &data).unwrap().unwrap());
        }
        self.life = Some(Life { daemon, runtime });
        if self.describes {
            self.describe();
        }
    }

    /// Waits until something holds that makes no event.
    pub(super) fn until(&self, holds: impl Fn(&Daemon, &View<'_>) -> bool + Send + Sync + 'static) {
        let (daemon, holds) = (self.daemon(), Arc::new(holds));
        self.wait(async {
            loop {
                let (look, of) = (Arc::clone(&holds), Arc::clone(&daemon));
                if daemon.store().read(move |view| Ok(look(&of, view))).await.unwrap() {
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
        let Some(Life { daemon, runtime }) = self.life.take() else { return };
        self.deaths += 1;
        let writer = daemon.store().sequence();
        drop(daemon);
        drop(runtime);
        // The writer's thread ends with what it was handed; its end makes no event.
        while writer.has_changed().is_ok() {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    pub(super) fn life(&self) -> &Life {
        self.life.as_ref().unwrap()
    }

    pub(super) fn daemon(&self) -> Arc<Daemon> {
        Arc::clone(&self.life().daemon)
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.life().runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.expect("it hangs") })
    }

    pub(super) fn change(
        &self,
        work: impl FnOnce(&Change<'_>) -> Result<(), crate::store::StoreError> + Send + 'static,
    ) {
        let daemon = self.daemon();
        self.wait(daemon.store().write(move |change| Ok(work(change)?))).unwrap();
    }
}
