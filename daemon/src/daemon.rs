//! The daemon: what its parts share, and its life.

use crate::clock::Clock;
use crate::direct::Pace;
use crate::discord::directory::Directory;
use crate::discord::rest::Rest;
use crate::discord::surface::Questions;
use crate::jobs::Registry;
use crate::lists::staging::Uploads;
use crate::operators::{Lookup, Operators};
use crate::pipeline::{Folding, WINDOW};
use crate::reload::Reload;
use crate::restart;
use crate::settings::Settings;
use crate::store::Store;
use crate::sync::Engine;
use crate::sync::ingest::Ingest;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::status::{Connection, ConnectionState};
use wayhaven_shared::paths::Layout;
use wayhaven_shared::value::Timestamp;

/// The parts a daemon is made of.
pub struct Parts {
    /// Where everything lies.
    pub layout: Layout,
    /// Time.
    pub clock: Clock,
    /// Where the settings come from.
    pub reload: Reload,
    /// The store.
    pub store: Store,
    /// The way to Discord.
    pub rest: Arc<Rest>,
    /// What is known of the guilds.
    pub directory: Arc<Directory>,
    /// The sync engine.
    pub engine: Engine,
    /// What takes in events.
    pub ingest: Ingest,
}

/// Something that happens once.
pub struct Flag(watch::Receiver<bool>);

impl Flag {
    /// Waits until it has happened.
    pub async fn raised(&mut self) {
        // Where the daemon is gone, it has happened too.
        let _ = self.0.wait_for(|raised| *raised).await;
    }
}

/// What comes after a daemon's orderly end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing.
    Stop,
    /// This program, in the same process.
    Restart(PathBuf),
}

/// A running daemon.
pub struct Daemon {
    parts: Parts,
    settings: RwLock<Arc<Settings>>,
    started: Instant,
    started_at: Timestamp,
    /// What tells this start from every other.
    start: String,
    program: Option<PathBuf>,
    /// How it ends, once somebody has asked for that.
    end: Mutex<Option<End>>,
    connection: RwLock<Connection>,
    application: OnceLock<String>,
    questions: Questions,
    pace: Pace,
    uploads: Uploads,
    jobs: Registry,
    folding: Arc<Folding>,
    operators: Operators,
    stopping: watch::Sender<bool>,
    closing: watch::Sender<bool>,
    socket_checks: watch::Sender<()>,
}

impl Daemon {
    /// A daemon of these parts with these settings, not yet connected.
    pub fn new(settings: Settings, parts: Parts) -> Self {
        let connection = Connection { state: ConnectionState::Connecting, reason: Some("starting".into()) };
        let started_at = parts.clock.now();
        parts.directory.accounts().listen_to(settings.network.bots.clone());
        parts.store.own_accounts().set_bots(settings.network.bots.clone());
        let uploads = Uploads::at(parts.layout.state.join("uploads"));
        Self {
            parts,
            settings: RwLock::new(Arc::new(settings)),
            started: Instant::now(),
            started_at,
            start: name_of_start(),
            program: restart::program(),
            end: Mutex::default(),
            connection: RwLock::new(connection),
            application: OnceLock::new(),
            questions: Questions::default(),
            pace: Pace::default(),
            uploads,
            jobs: Registry::default(),
            folding: Folding::new(WINDOW),
            operators: Operators::new(Lookup::default()),
            stopping: watch::Sender::new(false),
            closing: watch::Sender::new(false),
            socket_checks: watch::Sender::new(()),
        }
    }

    /// The settings as they hold now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts others in their place, for whoever asks from now on.
    pub fn set_settings(&self, settings: Settings) {
        self.directory().accounts().listen_to(settings.network.bots.clone());
        self.store().own_accounts().set_bots(settings.network.bots.clone());
        self.store().set_budgets(settings.network.budgets);
        self.store().set_undo_limit(settings.network.undo_limit);
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// Where everything lies.
    pub fn layout(&self) -> &Layout {
        &self.parts.layout
    }

    /// Time.
    pub fn clock(&self) -> &Clock {
        &self.parts.clock
    }

    /// The accounts of operators by name.
    pub fn operators(&self) -> &Operators {
        &self.operators
    }

    /// What members were refused a moment ago.
    pub fn folding(&self) -> &Arc<Folding> {
        &self.folding
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.parts.store
    }

    /// The way to Discord.
    pub fn rest(&self) -> &Arc<Rest> {
        &self.parts.rest
    }

    /// What is known of the guilds.
    pub fn directory(&self) -> &Directory {
        &self.parts.directory
    }

    /// The sync engine.
    pub fn engine(&self) -> &Engine {
        &self.parts.engine
    }

    /// How many direct messages begin.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Files on their way in or out.
    pub fn uploads(&self) -> &Uploads {
        &self.uploads
    }

    /// The jobs that go on.
    pub fn jobs(&self) -> &Registry {
        &self.jobs
    }

    /// What takes in events.
    pub fn ingest(&self) -> &Ingest {
        &self.parts.ingest
    }

    /// Since when it runs.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The same as a time.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// What tells this start from every other, of the same process too.
    pub fn start(&self) -> &str {
        &self.start
    }

    /// Where its program was when it started.
    pub fn program(&self) -> Option<&Path> {
        self.program.as_deref()
    }

    /// Where the settings come from, and how they change.
    pub fn reload(&self) -> &Reload {
        &self.parts.reload
    }

    /// Where the connection to Discord stands.
    pub fn connection(&self) -> Connection {
        self.connection.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether Discord has told of all guilds.
    pub fn is_ready(&self) -> bool {
        self.connection().state == ConnectionState::Ready
    }

    /// Remembers where the connection stands; whether that is new.
    pub fn set_connection(&self, connection: Connection) -> bool {
        let mut current = self.connection.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, connection) != *current
    }

    /// The application's id, once Discord has told.
    pub fn application(&self) -> Option<String> {
        self.application.get().cloned()
    }

    /// Remembers the application's id.
    pub fn set_application(&self, id: String) {
        // It never changes while a token is in use; the first word stands.
        let _ = self.application.set(id);
    }

    /// What members were asked on Discord and have not answered.
    pub fn questions(&self) -> &Questions {
        &self.questions
    }

    /// Asks the daemon to stop: nothing new is taken from Discord, what is on its way goes on. A restart that was asked for
    /// before is none any more.
    pub fn stop(&self) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(End::Stop);
        self.stopping.send_replace(true);
    }

    /// Asks it to stop likewise, and to start this program then.
    ///
    /// # Errors
    /// It was asked to end already.
    pub fn restart(&self, program: PathBuf) -> Result<(), Fault> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        match &*end {
            None => *end = Some(End::Restart(program)),
            Some(End::Restart(_)) => {
                return Err(Fault::conflict("the daemon is restarting already")
                    .hint("wayhaven daemon status tells when it is back"));
            }
            Some(End::Stop) => {
                return Err(
                    Fault::conflict("the daemon is stopping").hint("start it once it has: wayhavend run")
                );
            }
        }
        self.stopping.send_replace(true);
        Ok(())
    }

    /// How it ends.
    pub fn end(&self) -> End {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.clone().unwrap_or(End::Stop)
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Follows whether it was asked to stop.
    pub fn stopping(&self) -> Flag {
        Flag(self.stopping.subscribe())
    }

    /// Has the control socket's file checked now.
    pub fn check_socket(&self) {
        self.socket_checks.send_replace(());
    }

    /// Follows when the control socket's file is to be checked.
    pub fn socket_checks(&self) -> watch::Receiver<()> {
        self.socket_checks.subscribe()
    }

    /// Closes the control socket: what was on its way has come as far as it will.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Follows whether the control socket closes.
    pub fn closing(&self) -> Flag {
        Flag(self.closing.subscribe())
    }
}

/// A name that no other start has.
fn name_of_start() -> String {
    // Without chance the time is as good: nobody starts twice in a nanosecond.
    getrandom::u64().map_or_else(|_| format!("{:?}", Instant::now()), |number| format!("{number:016x}"))
}
