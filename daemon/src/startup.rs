//! From `wayhavend run` to a running daemon, in eight steps, and to its end.

use crate::alerts;
use crate::audit;
use crate::clock::Clock;
use crate::control;
use crate::daemon::{Daemon, End, Parts};
use crate::direct;
use crate::discord::budget::Budget;
use crate::discord::connection;
use crate::discord::directory::Directory;
use crate::discord::rest::Rest;
use crate::disk;
use crate::doctor;
use crate::health;
use crate::lists::{running, staging};
use crate::lock;
use crate::log::{self, Log};
use crate::names;
use crate::notices;
use crate::reconcile;
use crate::reload::Reload;
use crate::restart;
use crate::schedule;
use crate::secrets::{Vault, modes};
use crate::settings::{Settings, Sources};
use crate::store::{Store, StoreError};
use crate::sync::Engine;
use crate::sync::attempt::Tools;
use crate::sync::ingest::Ingest;
use crate::sync::unread::Unread;
use crate::sync::{closing, containment};
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
use wayhaven_shared::value::GuildId;

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
    let reload = Reload::of_process(config, &layout, sources, log.handle());
    let logs = layout.logs.clone();
    let ended = runtime.block_on(live(settings, reload, layout, clock.clone()));
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

async fn live(settings: Settings, reload: Reload, layout: Layout, clock: Clock) -> Result<End, Fault> {
    // First of all: a signal that comes during the start is not lost, and does not end the process half-way.
    let mut signals = Signals::listen()?;
    let (daemon, listener) = start(settings, reload, layout, clock).await?;
    // 7. The control socket: before Discord, so that an operator can ask why Discord does not answer.
    let socket = tokio::spawn(control::serve(Arc::clone(&daemon), listener));
    // 8. Discord.
    let discord = tokio::spawn(connection::keep(Arc::clone(&daemon)));
    // They end by themselves when the daemon is asked to stop, and nobody waits for them: what waits is stored.
    tokio::spawn(notices::keep(Arc::clone(&daemon), notices::PAUSE));
    tokio::spawn(schedule::keep(Arc::clone(&daemon), schedule::PAUSE));
    tokio::spawn(doctor::keep(Arc::clone(&daemon)));
    tokio::spawn(alerts::run(Arc::clone(&daemon), alerts::PAUSE));
    tokio::spawn(reconcile::keep(Arc::clone(&daemon)));
    tokio::spawn(health::keep(Arc::clone(&daemon), health::PAUSE, health::MAX_AWAY));
    tokio::spawn(names::keep(Arc::clone(&daemon), names::PAUSE));
    tokio::spawn(audit::mark::keep(Arc::clone(&daemon), audit::mark::PAUSE));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "started");

    signals.until_asked(&daemon).await;
    tracing::info!("stopping: what is on its way has {} s", DRAIN.as_secs());
    let until = Instant::now() + DRAIN;
    let _ = discord.await;
    drain(&daemon, until).await;
    daemon.close();
    let _ = socket.await;
    daemon.folding().close(&daemon).await;
    // One last write, so that every outcome before it is committed.
    daemon.store().write(|_| Ok(())).await?;
    audit::mark::note_last(&daemon).await;
    if let Err(fault) = daemon.store().empty_log().await {
        tracing::warn!("the store's log was not carried over: {fault}");
    }
    // Whoever wants it gone by now does not want it back.
    Ok(if signals.has_come() { End::Stop } else { daemon.end() })
}

/// Steps 4 to 6: everything but the sockets and Discord.
pub(crate) async fn start(
    settings: Settings,
    reload: Reload,
    layout: Layout,
    clock: Clock,
) -> Result<(Arc<Daemon>, UnixListener), Fault> {
    // The state lock keeps away only daemons with the same state directory.
    if let control::Listening::Other(pid) = control::who_listens(&layout.socket).await {
        return Err(taken(&layout, pid));
    }
    // 4. The store.
    let store = Store::open(&layout.store(), clock.clone()).map_err(|error| unopened(&layout, error))?;
    let settings = reload.begin(settings, &store).await?;
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
    let tools = Tools {
        clock: clock.clone(),
        store: store.clone(),
        rest: Arc::clone(&rest),
        readings: Arc::default(),
        unread: Arc::new(unread),
        directory: Arc::clone(&directory),
    };
    let engine = Engine::start(tools.clone()).await?;
    let ingest = Ingest::start(tools, engine.clone(), wanted).await?;
    // It ends with the store, and nobody waits for it: a link that is not closed goes on at the next start.
    tokio::spawn(closing::keep(store.clone(), engine.clone(), clock.clone()));
    // 6. The socket's place.
    let listener = control::bind(&layout.socket)
        .map_err(|error| disk::fault(&layout.socket, "is no place for the control socket", &error))?;
    if let Some(group) = &settings.control.group {
        control::give(&layout.socket, group)?;
    }
    let parts = Parts { layout, clock, reload, store, rest, directory, engine, ingest };
    let daemon = Arc::new(Daemon::new(settings, parts));
    if let Err(error) = daemon.uploads().clear() {
        tracing::warn!("files that another life has left are not removed: {error}");
    }
    tokio::spawn(containment::keep(Arc::clone(&daemon)));
    running::resume(&daemon).await?;
    tokio::spawn(staging::keep(daemon.uploads().clone()));
    // With the engine, since deliveries wait for it. It ends once what is on its way has come as far as it will.
    tokio::spawn(direct::keep(Arc::clone(&daemon)));
    Ok((daemon, listener))
}

/// MAIN_GUILD_ID names the main of a new installation: it becomes one the first time it is named, and what an
/// operator decides afterwards stands.
pub(crate) async fn designate(store: &Store, main: GuildId) -> Result<(), Fault> {
    if store.topology().is_child(main) {
        tracing::warn!("MAIN_GUILD_ID names guild {main}, which is a child: a child becomes no main");
        return Ok(());
    }
    let name = format!("designated.{main}");
    store
        .write(move |change| {
            if change.meta(&name)?.is_none() {
                change.make_main(main)?;
                change.set_meta(&name, "1")?;
            }
            Ok(())
        })
        .await
}

/// Delivers what can be delivered in the time there is, and leaves the rest for the next start.
async fn drain(daemon: &Daemon, until: Instant) {
    if tokio::time::timeout_at(until - LAST_ANSWERS, daemon.engine().drain()).await.is_ok() {
        return;
    }
    daemon.rest().budget().stop();
    if tokio::time::timeout(LAST_ANSWERS, daemon.engine().drain()).await.is_err() {
        daemon.engine().abandon().await;
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
    async fn until_asked(&mut self, daemon: &Arc<Daemon>) {
        let mut stopping = daemon.stopping();
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                () = stopping.raised() => return,
                _ = self.hangup.recv() => {
                    daemon.check_socket();
                    daemon.reload().hang_up(daemon).await;
                }
            }
        }
        daemon.stop();
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
            let is_of_disk = matches!(&error, StoreError::Sqlite(error) if !is_about_content(error));
            if let Some(fault) = is_of_disk.then(|| disk::probe(&layout.data).err()).flatten() {
                let message = format!("{} cannot be opened: {}", path.display(), fault.message);
                return Fault { message, ..fault };
            }
            let fault = Fault::from(error);
            Fault { message: format!("{}: {}", path.display(), fault.message), ..fault }
        }
    }
}

/// Whether SQLite found fault with what is in the file, and not with writing it.
fn is_about_content(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
    !matches!(error.sqlite_error_code(), Some(CannotOpen | DiskFull | ReadOnly | SystemIoFailure))
}
