//! From `wayhavend run` to a running daemon, in eight steps, and to its end.

use crate::clock::Clock;
use crate::discord::budget::Budget;
use crate::discord::directory::Directory;
use crate::discord::rest::Rest;
use crate::disk;
use crate::lifecycle::End;
use crate::lock;
use crate::log::{self, Log};
use crate::reload::{SettingsSource, designate};
use crate::restart;
use crate::secrets::{Vault, modes};
use crate::services::Services;
use crate::settings::{Settings, SettingsWriter, Sources};
use crate::store::{Store, StoreError};
use crate::surfaces::discord::connection;
use crate::surfaces::discord::registration::Registering;
use crate::surfaces::discord::{Questions, SlashCommands};
use crate::surfaces::schedule::{self, Schedule};
use crate::surfaces::socket;
use crate::sync::Engine;
use crate::sync::attempt::Tools;
use crate::sync::ingest::Ingest;
use crate::sync::unread::Unread;
use crate::systems::{Pauses, Systems};
use crate::{alerts, audit, health, names, notices};
use futures::FutureExt;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tracing::Level;
use wayhaven_shared::Fault;
use wayhaven_shared::paths::Layout;

/// How long what is on its way may take once the daemon was asked to stop (FAULTS 41).
const DRAIN: Duration = Duration::from_secs(10);

/// The last part of it, in which nothing new leaves: what has left gets its answer, and is not sent again at the next
/// start.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// `wayhavend run`.
pub(crate) fn run(layout: Layout, config: Option<&Path>) -> Result<(), Fault> {
    // 1. Where everything lies and who may look into it, and the settings.
    modes::check(&layout)?;
    let sources = Sources::of_process(config, &layout)?;
    let settings = Settings::complete(&sources, &layout)?;
    settings.check_token()?;
    // 2. The directories and the lock.
    for directory in [&layout.data, &layout.state, &layout.logs] {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|error| disk::fault(directory, "cannot be made", &error))?;
    }
    let lock = lock::take(&layout)?;
    // 3. The log.
    let clock = Clock::default();
    let log = log::start(&layout.logs, settings.log.level, clock.clone());
    for warning in settings.warnings.iter().chain(&modes::loose_logs(&layout)) {
        tracing::warn!("{warning}");
    }
    if let Err(fault) = Vault::of(&layout).settle() {
        // The token was opened, so that nothing is lost by waiting for the next start.
        tracing::warn!("a rotation of the key that was interrupted is not finished: {fault}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .enable_all()
        .build()
        .map_err(|error| Fault::internal(format!("no runtime: {error}")))?;
    let source = SettingsSource::of_process(config, &layout, sources, log.handle());
    let logs = layout.logs.clone();
    let ended = runtime.block_on(live(settings, source, layout, clock.clone()));
    runtime.shutdown_timeout(Duration::from_millis(200));
    match ended {
        Ok(End::Restart(program)) => {
            tracing::info!("restarting: {}", program.display());
            drop(log);
            let fault = restart::replace(&program, lock);
            log::last_line(&logs, &clock, Level::ERROR, &fault.message);
            Err(fault)
        }
        Ok(End::Stop) => {
            finish(lock, log);
            Ok(())
        }
        Err(fault) => {
            finish(lock, log);
            Err(fault)
        }
    }
}

/// The log is written out, and only then may another daemon start here.
fn finish(lock: File, log: Log) {
    tracing::info!("stopped");
    drop(log);
    drop(lock);
}

async fn live(
    settings: Settings,
    source: SettingsSource,
    layout: Layout,
    clock: Clock,
) -> Result<End, Fault> {
    // First of all: a signal that comes during the start is not lost, and does not end the process half-way.
    let mut signals = Signals::listen()?;
    let (systems, listener) = start(settings, source, layout, clock).await?;
    // 7. The control socket: before Discord, so that an operator can ask why Discord does not answer.
    let socket = tokio::spawn(socket::serve(Arc::clone(&systems), listener));
    // 8. Discord.
    let slash = SlashCommands { systems: Arc::clone(&systems), questions: Arc::new(Questions::default()) };
    let discord = tokio::spawn(connection::keep(slash));
    run_tasks(&systems, &PAUSES).await;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "started");

    signals.until_asked(&systems).await;
    tracing::info!("stopping: what is on its way has {} s", DRAIN.as_secs());
    let until = Instant::now() + DRAIN;
    let _ = discord.await;
    drain(&systems, until).await;
    systems.services.lifecycle().close();
    let _ = socket.await;
    systems.runner.ended().await;
    systems.audit.refusals().close().await;
    // One last write, so that every outcome before it is committed.
    systems.services.store().write(|_| Ok(())).await?;
    systems.audit.note_last().await;
    if let Err(fault) = systems.services.store().empty_log().await {
        tracing::warn!("the store's log was not carried over: {fault}");
    }
    // Whoever wants it gone by now does not want it back.
    Ok(if signals.has_come() { End::Stop } else { systems.services.lifecycle().end() })
}

/// How long the tasks gather what happens.
const PAUSES: Pauses = Pauses {
    alerts: alerts::PAUSE,
    audit_mark: audit::mark::PAUSE,
    health: health::PAUSE,
    away: health::MAX_AWAY,
    names: names::PAUSE,
    notices: notices::PAUSE,
    schedule: schedule::PAUSE,
};

/// Starts what the daemon does by itself. It ends with the daemon, and is waited for.
pub(crate) async fn run_tasks(systems: &Arc<Systems>, pauses: &Pauses) {
    let mut tasks = systems.tasks(pauses);
    tasks.push(Box::new(Schedule::new(Arc::clone(systems), pauses.schedule)));
    tasks.push(Box::new(Registering::new(systems.services.clone())));
    systems.runner.start(tasks).await;
}

/// Steps 4 to 6: everything but the sockets and Discord.
pub(crate) async fn start(
    settings: Settings,
    source: SettingsSource,
    layout: Layout,
    clock: Clock,
) -> Result<(Arc<Systems>, UnixListener), Fault> {
    // The state lock keeps away only daemons with the same state directory.
    if let socket::Listening::Other(pid) = socket::who_listens(&layout.socket).await {
        return Err(taken(&layout, pid));
    }
    // 4. The store.
    let store = Store::open(&layout.store(), clock.clone()).map_err(|error| unopened(&layout, error))?;
    let settings = source.begin(settings, &store).await?;
    store.set_budgets(settings.network.budgets);
    store.set_undo_limit(settings.network.undo_limit);
    let interrupted = store.write(|change| Ok(change.audit_interrupted()?)).await?;
    if interrupted > 0 {
        tracing::warn!("{interrupted} requests were interrupted when the daemon ended last");
    }
    if let Some(main) = settings.network.main_guild {
        designate(&store, main).await?;
    }
    // 5. The way to Discord and the engine, which goes on with what is open.
    let token = settings.discord.token.clone().unwrap_or_default();
    let budget = Budget::new(settings.discord.requests_per_second);
    let timeout = settings.discord.request_timeout;
    let rest =
        Arc::new(Rest::new(&settings.discord.api_base, &token, budget, timeout)?.with_clock(clock.clone()));
    let directory = Arc::new(Directory::new(Arc::clone(store.own_accounts())));
    directory.accounts().names().tell_time_by(clock.clone());
    let (unread, wanted) = Unread::new(Arc::clone(directory.sight()));
    let group = settings.control.group.clone();
    let writer = SettingsWriter::new(settings);
    let services = Services::new((clock, layout), store, (rest, directory), writer.live());
    let tools = Tools { services: services.clone(), readings: Arc::default(), unread: Arc::new(unread) };
    let engine = Engine::start(tools.clone()).await?;
    let ingest = Ingest::start(tools, engine.clone(), wanted).await?;
    // 6. The socket's place.
    let socket = &services.layout().socket;
    let listener = socket::bind(socket)
        .map_err(|error| disk::fault(socket, "is no place for the control socket", &error))?;
    if let Some(group) = &group {
        socket::give(socket, group)?;
    }
    let systems = Systems::new(services, (engine, ingest), (source, writer));
    if let Err(error) = systems.uploads.clear() {
        tracing::warn!("files that another life has left are not removed: {error}");
    }
    systems.lists.sweep().await?;
    systems.resume_jobs().await?;
    Ok((Arc::new(systems), listener))
}

/// Delivers what can be delivered in the time there is, and leaves the rest for the next start.
async fn drain(systems: &Systems, until: Instant) {
    if tokio::time::timeout_at(until - LAST_ANSWERS, systems.engine.drain()).await.is_ok() {
        return;
    }
    systems.services.rest().budget().stop();
    if tokio::time::timeout(LAST_ANSWERS, systems.engine.drain()).await.is_err() {
        systems.engine.abandon().await;
    }
    tracing::warn!("not everything was delivered in time; the rest goes on at the next start");
}

/// The signals that a running daemon obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Fault> {
        let listen = |kind| signal(kind).map_err(|error| Fault::internal(format!("no signals: {error}")));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits until somebody wants the daemon to stop; reads the settings again as often as they want that.
    async fn until_asked(&mut self, systems: &Systems) {
        let mut stopping = systems.services.lifecycle().stopping();
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                () = stopping.raised() => return,
                _ = self.hangup.recv() => {
                    systems.services.lifecycle().hang_up();
                    systems.reload.hang_up().await;
                }
            }
        }
        systems.services.lifecycle().stop();
    }

    /// Whether one came that asks for the end, since somebody else has asked for it.
    fn has_come(&mut self) -> bool {
        let come = |signal: &mut Signal| signal.recv().now_or_never().flatten().is_some();
        come(&mut self.terminate) || come(&mut self.interrupt)
    }
}

/// A daemon with another state directory has this one's socket.
fn taken(layout: &Layout, pid: Option<u32>) -> Fault {
    let pid = pid.map_or_else(String::new, |pid| format!(", pid {pid},"));
    Fault::conflict(format!(
        "another daemon{pid} listens on {}, and does not run on {}",
        layout.socket.display(),
        layout.state.display()
    ))
    .hint("stop the other daemon: wayhaven daemon stop")
    .hint("start this one elsewhere: WAYHAVEN_HOME=/path/to/another wayhavend run")
}

pub(crate) fn unopened(layout: &Layout, error: StoreError) -> Fault {
    let path = layout.store();
    match error {
        StoreError::Newer { .. } => Fault::conflict(format!("{}: {error}", path.display()))
            .hint("run the newer wayhavend that wrote it"),
        StoreError::Foreign => Fault::conflict(format!("{}: {error}", path.display()))
            .hint("move the file away, or name another place with WAYHAVEN_HOME"),
        error => {
            // SQLite says "disk I/O error" for a full disk too.
            let is_of_disk = matches!(error, StoreError::Sqlite(_)) && !error.is_about_content();
            if let Some(fault) = is_of_disk.then(|| disk::probe(&layout.data).err()).flatten() {
                let message = format!("{} cannot be opened: {}", path.display(), fault.message);
                return Fault { message, ..fault };
            }
            let fault = Fault::from(error);
            Fault { message: format!("{}: {}", path.display(), fault.message), ..fault }
        }
    }
}
