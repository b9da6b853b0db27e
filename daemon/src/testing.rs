//! A daemon inside a test's process, on a sandbox Discord: started by the real start, in a home of its own.

mod asking;

pub(crate) use asking::{asked, by_member, by_operator, confirmed, unconfirmed};

use crate::clock::Clock;
use crate::invocation::Invocation;
use crate::network::{Budget, Budgets, LinkState};
use crate::reload::SettingsSource;
use crate::settings::{Settings, Sources};
use crate::startup;
use crate::store::{AuditFilter, AuditFrom, Terms, View};
use crate::surfaces::discord::connection;
use crate::surfaces::discord::{Questions, SlashCommands};
use crate::surfaces::socket;
use crate::systems::Pauses;
use crate::systems::Systems;
use crate::{pipeline, store};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use wayhaven_sandbox::{Options, Sandbox};
use wayhaven_shared::Fault;
use wayhaven_shared::control::Role;
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::audit::AuditEntry;
use wayhaven_shared::operations::ban::{Ban, Unban};
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::{Action, Delivery, DeliveryState};
use wayhaven_shared::operations::setup::{AllowedActions, Mode};
use wayhaven_shared::operations::status::ConnectionState;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::paths::{Environment, Layout};
use wayhaven_shared::value::{GuildId, PunishmentId, Span, UserId};

/// How long a test waits for what has to come; nothing is measured by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Sooner than in earnest: no test is about how long it takes.
pub(crate) const PAUSES: Pauses = Pauses {
    alerts: Duration::from_millis(20),
    audit_mark: Duration::from_secs(1),
    health: Duration::from_secs(60),
    away: Duration::from_secs(60),
    names: Duration::from_millis(100),
    notices: Duration::from_millis(100),
    schedule: Duration::from_millis(20),
};

/// After how long it is looked again at what a test waits for, where nothing is committed.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A sandbox with so many children and no limits.
pub(crate) async fn sandbox(children: usize) -> Sandbox {
    Sandbox::start(Options { children, global_limit: 0, ..Options::default() }).await.unwrap()
}

/// Makes a child of the main a main itself, with a link to another of them.
pub(crate) async fn make_second_main(test: &TestDaemon, main: u64, other: u64, child: u64) {
    let second_main = test.systems.services.store().write(move |change: &store::Change<'_>| {
        if let Some(link) = change.link(guild(main), guild(other))? {
            change.close_link(link.id, guild(main), guild(other))?;
        }
        change.make_main(guild(other))?;
        Ok(change.activate_link(guild(other), guild(child), Mode::Active)?)
    });
    second_main.await.unwrap();
}

pub(crate) fn guild(id: u64) -> GuildId {
    GuildId::new(id).unwrap()
}

pub(crate) fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

/// A home of its own for a daemon: in memory where there is a place for it, since what is lost with the power is not
/// tried here, and a commit waits milliseconds for a disk.
pub(crate) fn home() -> TempDir {
    let memory = Path::new("/dev/shm");
    let home = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    home.unwrap()
}

/// The settings of a daemon on that sandbox, and its place in that home, whose directories are made and which has an
/// empty store where it has none.
pub(crate) fn prepare(sandbox: &Sandbox, home: &Path) -> (Settings, Layout) {
    let mut settings = Settings::load(&sources(sandbox)).unwrap();
    // Beyond what the settings take, so that tests do not wait for what they do not test.
    settings.discord.requests_per_second = 5_000;
    // Most tests are about deliveries, which would wait for these; those about direct messages turn them on.
    settings.moderation.direct_messages = false;
    // Nor are they about how much is propagated before somebody has to approve it.
    let lifted = Budget { most: 10_000, seconds: 1 };
    settings.network.budgets = Budgets { moderator: lifted, network: lifted };
    let place = Environment { home: Some(home.into()), runtime: None };
    let layout = Layout::new(&place).unwrap();
    for directory in [&layout.data, &layout.state, &layout.logs] {
        std::fs::create_dir_all(directory).unwrap();
    }
    store::tests::lay(&layout.store());
    (settings, layout)
}

/// What its settings are read from, now and whenever they are read again.
pub(crate) fn sources(sandbox: &Sandbox) -> Sources {
    let (main, owner) = (sandbox.main_guild().to_string(), sandbox.owner().to_string());
    let environment = [
        ("BOT_TOKEN", sandbox.token()),
        ("DISCORD_API_BASE", sandbox.api_base()),
        ("MAIN_GUILD_ID", &main),
        ("BOT_OWNER_ID", &owner),
    ];
    let environment: BTreeMap<_, _> =
        environment.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Sources { environment, ..Sources::default() }
}

/// A running daemon; it is told to stop when it is dropped.
pub(crate) struct TestDaemon {
    pub(crate) systems: Arc<Systems>,
    pub(crate) questions: Arc<Questions>,
    home: Arc<TempDir>,
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        self.systems.services.lifecycle().stop();
        self.systems.services.lifecycle().close();
    }
}

impl TestDaemon {
    /// A daemon on that sandbox, connected, whose main has all the children.
    pub(crate) async fn start(sandbox: &Sandbox) -> Self {
        Self::start_with(sandbox, |_| {}).await
    }

    /// Like [`start`](Self::start), with other settings.
    pub(crate) async fn start_with(sandbox: &Sandbox, set: impl FnOnce(&mut Settings)) -> Self {
        let started = Self::start_in(sandbox, Arc::new(home()), set).await;
        started.link(sandbox, Mode::Active).await;
        started.until_ready().await;
        started
    }

    /// A daemon on that sandbox in that home, connecting.
    pub(crate) async fn start_at(sandbox: &Sandbox, home: Arc<TempDir>) -> Self {
        Self::start_in(sandbox, home, |_| {}).await
    }

    /// Like [`start_at`](Self::start_at), with other settings.
    pub(crate) async fn start_in(
        sandbox: &Sandbox,
        home: Arc<TempDir>,
        set: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::start_then(sandbox, home, Clock::default(), set).await
    }

    /// Like [`start_at`](Self::start_at), at another time than the machine's.
    pub(crate) async fn start_then(
        sandbox: &Sandbox,
        home: Arc<TempDir>,
        clock: Clock,
        set: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::start_paced(sandbox, home, (clock, PAUSES), set).await
    }

    /// Like [`start_then`](Self::start_then), with tasks that wait so long.
    pub(crate) async fn start_paced(
        sandbox: &Sandbox,
        home: Arc<TempDir>,
        (clock, pauses): (Clock, Pauses),
        set: impl FnOnce(&mut Settings),
    ) -> Self {
        let (mut settings, layout) = prepare(sandbox, home.path());
        set(&mut settings);
        let source = SettingsSource::fixed(sources(sandbox));
        let (systems, listener) = startup::start(settings, source, layout, clock).await.unwrap();
        tokio::spawn(socket::serve(Arc::clone(&systems), listener));
        let questions = Arc::new(Questions::default());
        let slash = SlashCommands { systems: Arc::clone(&systems), questions: Arc::clone(&questions) };
        tokio::spawn(connection::keep(slash));
        startup::run_tasks(&systems, &pauses).await;
        Self { systems, questions, home }
    }

    /// A daemon that was started, and where it keeps everything.
    pub(crate) fn of(systems: Arc<Systems>, home: Arc<TempDir>) -> Self {
        Self { systems, questions: Arc::default(), home }
    }

    /// Where it keeps everything.
    pub(crate) fn home(&self) -> Arc<TempDir> {
        Arc::clone(&self.home)
    }

    /// Links every child of the sandbox.
    pub(crate) async fn link(&self, sandbox: &Sandbox, mode: Mode) {
        let (main, children) = (guild(sandbox.main_guild()), sandbox.children());
        self.systems
            .services
            .store()
            .write(move |change| {
                for child in children {
                    change.activate_link(main, guild(child), mode)?;
                }
                Ok(())
            })
            .await
            .unwrap();
    }

    /// Puts one child back to where it is only proposed.
    pub(crate) async fn propose(&self, main: u64, child: u64) {
        let (main, child) = (guild(main), guild(child));
        let terms = Terms { mode: Mode::Active, actions: AllowedActions::all() };
        self.systems
            .services
            .store()
            .write(move |change| {
                if let Some(link) = change.link(main, child)? {
                    change.close_link(link.id, main, child)?;
                }
                Ok(change.put_link(main, child, LinkState::Proposed, &terms)?)
            })
            .await
            .unwrap();
    }

    /// Waits until something in the store holds; it is looked at again after every commit.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&View<'_>) -> bool + Send + Sync + 'static) {
        let holds = Arc::new(holds);
        let mut commits = self.systems.services.store().commits();
        let wait = async {
            loop {
                commits.mark_unchanged();
                let look = Arc::clone(&holds);
                if self.systems.services.store().read(move |view| Ok(look(view))).await.unwrap() {
                    return;
                }
                // What is only in memory changes without a commit.
                let _ = tokio::time::timeout(LOOK_AGAIN, commits.changed()).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "it never came: {what}");
        // It may be seen before its commit has told the engine of it. Where the store takes no writes, there is nothing.
        let _ = self.systems.services.store().write(|_| Ok(())).await;
    }

    /// Waits until Discord has told of all guilds, the event that says so is stored, and the audit logs are read:
    /// nothing of the start comes after it.
    pub(crate) async fn until_ready(&self) {
        let systems = Arc::clone(&self.systems);
        self.until("ready", move |view| {
            let (events, _) = view.events_after(0, usize::MAX).unwrap();
            let last = events.into_iter().rev().find_map(|event| match event.change {
                Change::Discord { connection } => Some(connection.state),
                _ => None,
            });
            systems.services.gateway().is_ready() && last == Some(ConnectionState::Ready)
        })
        .await;
        self.systems.ingest.gaps().idle().await;
    }

    /// Waits until a user's newest deliveries to children stand so.
    pub(crate) async fn until_counted(&self, punishment: PunishmentId, state: DeliveryState, count: usize) {
        self.until(&format!("{count} deliveries {state}"), move |view| {
            let deliveries = view.deliveries_of(punishment).unwrap();
            deliveries.iter().filter(|delivery| delivery.state == state).count() == count
        })
        .await;
    }

    /// The latest punishment of a user, once there are so many.
    pub(crate) async fn punishment(&self, of: u64, count: usize) -> PunishmentId {
        self.until("a punishment", move |view| {
            view.punishments(None, Some(user(of)), None, 50).unwrap().len() >= count
        })
        .await;
        let all = self.read(move |view| view.punishments(None, Some(user(of)), None, 50).unwrap()).await;
        assert_eq!(all.len(), count, "{all:?}");
        all[0].id
    }

    /// The delivery of a punishment to a guild.
    pub(crate) async fn delivery(&self, punishment: PunishmentId, child: u64) -> Delivery {
        let all = self.read(move |view| view.deliveries_of(punishment).unwrap()).await;
        all.into_iter().find(|delivery| delivery.guild_id == guild(child)).unwrap()
    }

    /// Waits until no event waits for its audit entry any more, and everything that followed was sent.
    pub(crate) async fn until_worked_off(&self) {
        self.until("an empty journal", |view| view.awaited().unwrap().is_empty()).await;
        self.systems.engine.drain().await;
        self.systems.services.store().write(|_| Ok(())).await.unwrap();
    }

    /// Waits until what was decided so far is carried out, and what became of it is stored.
    pub(crate) async fn settled(&self) {
        let mut commits = self.systems.services.store().commits();
        loop {
            commits.mark_unchanged();
            // What was approved follows as there is room; what followed last is waited for too.
            let all = self.read(|view| view.unfinished_holds().unwrap().is_empty()).await;
            self.systems.engine.drain().await;
            self.systems.services.store().write(|_| Ok(())).await.unwrap();
            if all {
                return;
            }
            commits.changed().await.unwrap();
        }
    }

    /// Reads the store.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> T {
        self.systems.services.store().read(move |view| Ok(look(view))).await.unwrap()
    }

    /// Everything that was told so far.
    pub(crate) async fn told(&self) -> Vec<Change> {
        let events = self.read(|view| view.events_after(0, 100_000).unwrap().0).await;
        events.into_iter().map(|event| event.change).collect()
    }

    /// The alerts that were raised so far, by kind.
    pub(crate) async fn all_alerts(&self) -> Vec<String> {
        let told = self.told().await;
        told.into_iter()
            .filter_map(|change| match change {
                Change::Alert { kind, .. } => Some(kind),
                _ => None,
            })
            .collect()
    }

    /// The same without those that tasks raise whenever they next look: they may come before a test has ended, or after.
    pub(crate) async fn alerts(&self) -> Vec<String> {
        let mut all = self.all_alerts().await;
        all.retain(|kind| !["guild_unwell", "clock_skew"].contains(&kind.as_str()));
        all
    }

    /// The audit's outcomes, newest first, once everything before is written.
    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        self.systems.services.store().write(|_| Ok(())).await.unwrap();
        self.read(|view| {
            view.audit_entries(&AuditFilter::default(), AuditFrom::Below(u64::MAX), 500).unwrap()
        })
        .await
    }

    /// Lets so much time pass, here and on Discord, and the scheduler look at the clock.
    pub(crate) async fn advance(&self, sandbox: &Sandbox, span: &str) {
        let span: Duration = span.parse::<Span>().unwrap().into();
        // What became of deliveries is stored at the time when it was.
        self.systems.services.store().write(|_| Ok(())).await.unwrap();
        sandbox.advance(span);
        self.systems.services.clock().shift(i64::try_from(span.as_millis()).unwrap());
        self.look().await;
    }

    /// Wakes whoever waits for something new: nothing new is told.
    pub(crate) async fn look(&self) {
        let connection = self.systems.services.gateway().connection();
        let told = self
            .systems
            .services
            .store()
            .write(move |change| Ok(change.tell(&Change::Discord { connection })?));
        told.await.unwrap();
    }

    /// Waits until the audit's newest outcomes are so, and returns the first that is.
    pub(crate) async fn until_audited(
        &self,
        what: &str,
        is: impl Fn(&AuditEntry) -> bool + Send + Sync + 'static,
    ) -> AuditEntry {
        let mut audited = self.systems.services.store().audited();
        let wait = async {
            loop {
                audited.mark_unchanged();
                if let Some(entry) = self.audit().await.into_iter().find(&is) {
                    return entry;
                }
                audited.changed().await.unwrap();
            }
        };
        let entry = tokio::time::timeout(PATIENCE, wait).await;
        // It may be seen before its commit has told the engine of what came with it.
        let _ = self.systems.services.store().write(|_| Ok(())).await;
        entry.unwrap_or_else(|_| panic!("never audited: {what}"))
    }

    /// Asks as an operator for something that punishes, or takes back, in that guild.
    pub(crate) async fn punish(&self, of: u64, request: serde_json::Value) -> Punished {
        let request: Request = serde_json::from_value(request).unwrap();
        let reply = self.ask(by_operator(Role::Owner, Some(of), request)).await.unwrap();
        reply.punished().cloned().unwrap_or_else(|| panic!("{reply:?}"))
    }

    /// A user's punishments by any guild, oldest first: what each does, and how it stands.
    pub(crate) async fn history(&self, of: u64) -> Vec<(Action, String)> {
        let all = self.read(move |view| view.punishments(None, Some(user(of)), None, 50).unwrap()).await;
        all.into_iter().rev().map(|one| (one.action, one.status)).collect()
    }

    /// Asks as somebody.
    pub(crate) async fn ask(&self, invocation: Invocation) -> Result<Reply, Fault> {
        pipeline::run(Arc::clone(&self.systems), invocation).await
    }

    /// Bans as an operator on the socket, and waits for no delivery.
    pub(crate) async fn ban(&self, guild: u64, whom: u64) -> PunishmentId {
        let request = Ban::new(user(whom)).into();
        match self.ask(by_operator(Role::Owner, Some(guild), request)).await.unwrap() {
            Reply::Ban(punished) => punished.punishment.unwrap().id,
            other => panic!("{other:?}"),
        }
    }

    /// Unbans as an operator on the socket, and waits for no delivery.
    pub(crate) async fn unban(&self, guild: u64, whom: u64) -> PunishmentId {
        let request = Unban { user: user(whom), reason: None }.into();
        match self.ask(by_operator(Role::Owner, Some(guild), request)).await.unwrap() {
            Reply::Unban(punished) => punished.punishment.unwrap().id,
            other => panic!("{other:?}"),
        }
    }
}
