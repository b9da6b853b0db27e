//! The store: one SQLite file in WAL mode, one writer thread, a few readers.
//!
//! Only this module names rusqlite. Its families (punishments, deliveries, links, audit, events …) add methods
//! to [`View`], which reads, and to [`Change`], which also writes; everything else in the daemon passes closures
//! to [`Store::read`] and [`Store::write`].

mod alerts;
mod amendments;
mod audit;
mod closing;
mod config;
mod deliveries;
mod direct;
mod drills;
mod events;
mod examinations;
mod exceptions;
mod freeze;
mod gap;
mod guilds;
mod health;
mod holds;
mod identifies;
mod incidents;
mod inspection;
mod jobs;
mod journal;
mod links;
mod lists;
mod local_causes;
mod locks;
mod log_file;
mod meta;
mod migrations;
mod names;
mod notices;
mod operators;
mod overlaps;
mod protected;
mod punishments;
mod readers;
mod refusals;
mod rows;
mod schedule;
mod settings;
mod warnings;
mod writer;

pub use crate::delivery::{Doubt, Queued, Scope, UNKNOWN_USER};
pub use alerts::{AlertFilter, BY_ITSELF, Circumstances, MANY_IDENTIFIES, Severity};
pub use audit::{AuditFilter, AuditFrom, AuditRow, ChainHead, ChainWalk, Personal, Walked};
pub use closing::Delivered;
pub use deliveries::{
    Asked, BOT_ABSENT, DISCARDED, DeliveryFilter, Echo, First, Footing, Judged, LONGEST_TIMEOUT, Leave,
    LostBulkBan, ORIGIN_REFUSED, Overridden, PROTECTED, Pace, RetryFilter, Settlement, Stand, Stopped,
    Stretch, TRIED_ALONE, Traffic, Unfinished, WHEN_THEY_JOIN, done_by_staff, protected_by,
};
pub use direct::{DirectMessage, Directs, Leaving, Telling};
pub use exceptions::NewException;
pub use freeze::FreezeStep;
pub use gap::AuditCursor;
pub use guilds::GuildSettings;
pub use holds::{Carried, Decided, HoldOf, HoldRow, OPEN_IN_A_GUILD, Opened, Reached};
pub use identifies::Identified;
pub use inspection::{Inspection, inspect};
pub use jobs::NewJob;
pub use journal::Awaited;
pub use links::Terms;
pub use lists::Entry;
pub use local_causes::ShownMember;
pub use names::{MOST_NAMES, SeenName};
pub use notices::{NewNotice, Notice, NoticeCursor, Owed, Place};
pub use overlaps::{Cause, OUTLASTED, OUTLASTED_THERE, lasts_longer, overlaps};
pub use protected::NewProtection;
pub use punishments::NewPunishment;
pub use refusals::GuildRefusal;
pub use schedule::Ending;
pub use warnings::Escalation;
pub use writer::{Change, Released};

use crate::clock::{Clock, Skew};
use crate::network::{Budgets, OwnAccounts, Topology};
use futures::future::BoxFuture;
use readers::Readers;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use wayhaven_shared::value::Timestamp;
use wayhaven_shared::{Fault, FaultKind};
use writer::Writer;

/// How long a statement waits for another process that has the file locked.
const BUSY: Duration = Duration::from_secs(5);

/// How many prepared statements a connection keeps: more than the store has, so that each is parsed once (SQLite's parser
/// took a sixth of the time of a busy store with the 16 that `rusqlite` keeps by itself).
const STATEMENTS: usize = 512;

/// How many KiB of pages the writer keeps. A raid's deliveries lie all over the indexes, and what does not fit is
/// written and read again before the commit.
const CACHE: i64 = 16_384;

/// How long a reading may hold its transaction: while it does, the log only grows. Verifying a large store's audit takes
/// minutes.
const READ_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The size in bytes to which the log's file shrinks again, once it has been carried over: what [`LOG_PAGES`] fill.
const LOG_BYTES: i64 = LOG_PAGES * 4_096;

/// After how many pages the log is carried over into the file, at the writer's cost: the same pages are written many
/// times in a raid, and carried over once.
const LOG_PAGES: i64 = 8_192;

/// What SQLite, or the file, refused.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite's own words.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row that this version cannot read.
    #[error("a row of {table} is not understood: {what}")]
    Row {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The file is somebody else's database.
    #[error("the file is a SQLite database, but not a Wayhaven store")]
    Foreign,
    /// A newer version wrote it.
    #[error("the store has schema {found}, and this version knows up to {known}")]
    Newer {
        /// The file's schema.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The writer is gone: the daemon is stopping.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether SQLite found fault with what is in the file, and not with writing it.
    pub fn is_about_content(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
        let Self::Sqlite(error) = self else { return false };
        !matches!(error.sqlite_error_code(), Some(CannotOpen | DiskFull | ReadOnly | SystemIoFailure))
    }
}

/// The way out of a lock.
pub const UNLOCKED_BY: &str = "the owner takes the lock off with setup unlock, asked for in the locked guild";

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        use rusqlite::ErrorCode;
        let code = match &error {
            StoreError::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        };
        match (&error, code) {
            (_, Some(ErrorCode::DiskFull)) => {
                Self::unavailable("the disk is full: the store takes no changes")
                    .hint("make room on the disk that wayhaven paths shows; reading goes on meanwhile")
            }
            (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => {
                Self::unavailable("another process holds the store locked")
                    .hint("close other programs that have wayhaven.db open, sqlite3 for one, and try again")
            }
            (StoreError::Sqlite(rusqlite::Error::SqliteFailure(_, Some(message))), _)
                if message.starts_with("zero-leak:") =>
            {
                Self::denied(message.clone())
            }
            (StoreError::Sqlite(rusqlite::Error::SqliteFailure(_, Some(message))), _)
                if message.starts_with("locked:") =>
            {
                Self::conflict(message.clone()).hint(UNLOCKED_BY)
            }
            (_, Some(ErrorCode::OperationInterrupted)) => Self::unavailable(
                "reading the store took too long and was ended, since the store's log grows meanwhile",
            )
            .hint("ask for less at once, and try again"),
            (StoreError::Closed, _) => Self::unavailable(STOPPING),
            _ => Self::new(FaultKind::Unavailable, format!("the store failed: {error}")),
        }
    }
}

/// What anybody hears who asks while the daemon goes.
pub const STOPPING: &str = "the daemon is stopping";

/// A connection to read with, inside a transaction.
pub struct View<'c> {
    connection: &'c Connection,
    now: Timestamp,
    skew: Skew,
}

impl View<'_> {
    /// When this is read or changed: one time for everything in it.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// How far Discord's clock is from this machine's, which stored times are of. Ids are of Discord's.
    pub fn skew(&self) -> Skew {
        self.skew
    }
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    readers: Arc<Readers>,
    shared: Arc<Shared>,
    path: Arc<PathBuf>,
    outbox: Arc<Mutex<Option<mpsc::UnboundedReceiver<Released>>>>,
}

/// What the writer publishes after each commit, before it answers the callers.
struct Shared {
    topology: RwLock<Arc<Topology>>,
    sequence: watch::Sender<u64>,
    /// Commits, also those that tell nothing: what a test waits for may be such a one.
    #[cfg(test)]
    commits: watch::Sender<u64>,
    outbox: mpsc::UnboundedSender<Released>,
    audited: watch::Sender<u64>,
    directs: watch::Sender<Directs>,
    /// How often a comparison became due.
    due: watch::Sender<u64>,
    epoch: String,
    /// What is propagated before the rest is held. Not stored: the settings say it.
    budgets: RwLock<Budgets>,
    undo_limit: RwLock<Duration>,
    /// The accounts that nobody punishes anywhere. Not stored: Discord and the settings say it.
    own: Arc<OwnAccounts>,
}

impl Store {
    /// Opens the store, brings its schema up to date and starts the writer.
    ///
    /// # Errors
    /// Where the file cannot be opened, is locked, is not ours, or is a newer version's.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, StoreError> {
        Self::open_with(path, clock, READ_LIMIT)
    }

    /// The same with another limit for readings.
    fn open_with(path: &Path, clock: Clock, read_limit: Duration) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -CACHE)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
        // What a failed change would put back is kept in memory, not in a file of its own.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        migrations::run(&mut connection)?;

        let view = View { connection: &connection, now: clock.now(), skew: clock.skew() };
        let (outbox, committed) = mpsc::unbounded_channel();
        let own = Arc::<OwnAccounts>::default();
        let shared = Arc::new(Shared {
            epoch: view.epoch()?,
            budgets: RwLock::new(Budgets::STANDARD),
            undo_limit: RwLock::new(crate::network::UNDO_LIMIT),
            topology: RwLock::new(Arc::new(view.topology()?.with_own(Arc::clone(&own)))),
            own,
            sequence: watch::Sender::new(view.last_event()?),
            #[cfg(test)]
            commits: watch::Sender::default(),
            outbox,
            audited: watch::Sender::new(view.chain_head()?.rows),
            directs: watch::Sender::new(view.directs()?),
            due: watch::Sender::default(),
        });
        let readers = Arc::new(Readers::open(path, (BUSY, read_limit), clock.clone())?);
        let writer = Writer::start(connection, clock, Arc::clone(&shared))?;
        let outbox = Arc::new(Mutex::new(Some(committed)));
        Ok(Self { writer, readers, shared, path: Arc::new(path.to_owned()), outbox })
    }

    /// What is to be sent, as it is committed: for the engine, which is the only one to take it. Nothing the second
    /// time.
    pub fn outbox(&self) -> Option<mpsc::UnboundedReceiver<Released>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Runs `work` in the writer's next group of changes and answers after its commit. Where `work` fails, only
    /// its own changes are rolled back.
    ///
    /// # Errors
    /// `work`'s fault, or the store's where the group could not be committed.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Change<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        self.writer.submit(work).await?.await.map_err(|_| Fault::from(StoreError::Closed))?
    }

    /// Hands `work` to the writer, and returns what waits for its commit: whoever hands over one after the other has
    /// them done in that order, and in few commits.
    ///
    /// # Errors
    /// Where the store is closed. What waits fails as [`write`](Self::write) does.
    pub async fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Change<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<BoxFuture<'static, Result<T, Fault>>, Fault> {
        let answer = self.writer.submit(work).await?;
        Ok(Box::pin(async move { answer.await.map_err(|_| Fault::from(StoreError::Closed))? }))
    }

    /// Like [`write`](Self::write), but does not wait for the commit; what fails is logged.
    pub async fn write_later(
        &self,
        what: &'static str,
        work: impl FnOnce(&Change<'_>) -> Result<(), Fault> + Send + 'static,
    ) {
        match self.writer.submit(work).await {
            Ok(answer) => drop(tokio::spawn(async move {
                if let Ok(Err(fault)) = answer.await {
                    tracing::error!(what, "not stored: {fault}");
                }
            })),
            Err(fault) => tracing::error!(what, "not stored: {fault}"),
        }
    }

    /// Runs `work` on a reader, on a thread where blocking is allowed.
    ///
    /// # Errors
    /// `work`'s fault.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&View<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        Readers::read(Arc::clone(&self.readers), work).await
    }

    /// How long a closing link retries undos from now on.
    pub fn set_undo_limit(&self, limit: Duration) {
        *self.shared.undo_limit.write().unwrap_or_else(PoisonError::into_inner) = limit;
    }

    /// How long a closing link retries undos before it gives them up.
    pub fn undo_limit(&self) -> Duration {
        *self.shared.undo_limit.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much is propagated from now on before the rest is held.
    pub fn set_budgets(&self, budgets: Budgets) {
        *self.shared.budgets.write().unwrap_or_else(PoisonError::into_inner) = budgets;
    }

    /// How much is propagated before the rest is held.
    pub fn budgets(&self) -> Budgets {
        *self.shared.budgets.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The accounts that nobody punishes anywhere.
    pub fn own_accounts(&self) -> &Arc<OwnAccounts> {
        &self.shared.own
    }

    /// The links as they are committed.
    pub fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.shared.topology.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Follows the commits, whether they tell anything or not.
    #[cfg(test)]
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.shared.commits.subscribe()
    }

    /// Follows the sequence of the last committed event.
    pub fn sequence(&self) -> watch::Receiver<u64> {
        self.shared.sequence.subscribe()
    }

    /// Follows how many rows the committed audit has.
    pub fn audited(&self) -> watch::Receiver<u64> {
        self.shared.audited.subscribe()
    }

    /// Follows how often a comparison of a guild became due.
    pub fn due(&self) -> watch::Receiver<u64> {
        self.shared.due.subscribe()
    }

    /// Follows the direct messages that are committed.
    pub fn directs(&self) -> watch::Receiver<Directs> {
        self.shared.directs.subscribe()
    }

    /// Which store this is: a restored one has another epoch.
    pub fn epoch(&self) -> &str {
        &self.shared.epoch
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
pub(crate) mod tests;
