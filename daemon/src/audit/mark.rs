//! The mark: where the chain ended, noted beside the store, so that a cut tail shows.
//!
//! A chain alone cannot tell that rows at its end are missing. So count and head are noted in a file of the state directory
//! and in the log. Whoever can write to all three is not kept from anything; that is why `status` shows the mark, and
//! `audit verify --noted` takes one that was noted elsewhere.

use crate::services::Services;
use crate::store::{ChainHead, Severity, View};
use crate::tasks::{Task, Trigger};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::audit::Amiss;
use wayhaven_shared::value::ChainMark;

/// How long rows may go without being noted. A crash of the machine may then lose no more of what was noted.
pub const PAUSE: Duration = Duration::from_secs(10);

/// After how many rows the log is told too.
const LOGGED: u64 = 10_000;

/// What lies in the way of a mark.
#[derive(Debug)]
pub enum Unreadable {
    /// The file cannot be read.
    Io(io::Error),
    /// It holds something else.
    Odd,
}

/// The mark in a file; nothing where there is no such file.
///
/// # Errors
/// Where it cannot be read, or is no mark.
pub fn read(path: &Path) -> Result<Option<ChainMark>, Unreadable> {
    match std::fs::read_to_string(path) {
        Ok(text) => text.trim_end().parse().map(Some).map_err(|_| Unreadable::Odd),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(Unreadable::Odd),
        Err(error) => Err(Unreadable::Io(error)),
    }
}

/// Puts a mark in the place of the one before: whole, or not at all.
fn write(path: &Path, mark: ChainMark) -> io::Result<()> {
    let beside = path.with_extension("next");
    // What a kill has left there may be anybody's to read.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    writeln!(file, "{mark}")?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// What of a mark is not so any more; nothing where the chain still has it.
///
/// # Errors
/// Where the store fails.
pub fn amiss(view: &View<'_>, mark: ChainMark, noted: &str) -> Result<Option<Amiss>, Fault> {
    let Some(last) = mark.rows().checked_sub(1) else { return Ok(None) };
    let what = match view.audit_hash(mark.rows())? {
        Some(hash) if hash == mark.hash() => return Ok(None),
        Some(_) => format!("it is not the row of which {noted} has the hash: the end was written anew"),
        None => {
            let head = view.chain_head()?;
            let row = head.rows + 1;
            let what = format!("{noted} has {} rows: what followed row {} was cut off", last + 1, head.rows);
            return Ok(Some(Amiss { row, what }));
        }
    };
    Ok(Some(Amiss { row: mark.rows(), what }))
}

/// How the noted end is called.
pub const NOTED: &str = "the mark beside the store";

/// Notes where the chain ends, again and again: the task `audit-mark`. A chain that lacks what was noted raises an alert,
/// and the mark stays as it is: nothing that came after it is vouched for.
pub struct Marking {
    services: Services,
    path: PathBuf,
    pause: Duration,
    rows: watch::Receiver<u64>,
    logged: Option<u64>,
    is_over: bool,
}

impl Marking {
    /// Notes it at most once every `pause`.
    pub fn new(services: Services, pause: Duration) -> Self {
        let (path, rows) = (services.layout().audit_mark(), services.store().audited());
        Self { services, path, pause, rows, logged: None, is_over: false }
    }

    async fn mark(&mut self) -> Result<(), Fault> {
        self.rows.mark_unchanged();
        match note(&self.services, &self.path).await? {
            Noted::Gone(details) => {
                raise(&self.services, &self.path, details).await;
                self.is_over = true;
            }
            Noted::Here(head) => {
                if self.logged.is_none_or(|at| head.rows >= at + LOGGED) {
                    self.logged = Some(head.rows);
                    tell(&head);
                }
            }
        }
        Ok(())
    }
}

impl Task for Marking {
    fn name(&self) -> &'static str {
        "audit-mark"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.mark().boxed()
    }

    fn next(&mut self) -> Trigger {
        if self.is_over {
            return Trigger::Never;
        }
        let (mut rows, pause) = (self.rows.clone(), self.pause);
        let change = async move {
            // The store, and with it the sender, lives as long as the daemon.
            let _ = rows.changed().await;
            tokio::time::sleep(pause).await;
        };
        Trigger::Event(change.boxed())
    }
}

/// Notes the end of all: nothing is audited any more.
pub async fn note_last(services: &Services) {
    match note(services, &services.layout().audit_mark()).await {
        Ok(Noted::Here(head)) => tell(&head),
        // An alert of it stands, or the next start raises one.
        Ok(Noted::Gone(details)) => tracing::error!("the audit does not hold: {details}"),
        Err(fault) => tracing::warn!("the end of the audit is not noted: {fault}"),
    }
}

/// What came of noting the end.
enum Noted {
    /// It is this.
    Here(ChainHead),
    /// What was noted before is not there any more.
    Gone(String),
}

/// Notes the end, where the chain still has what was noted before.
async fn note(services: &Services, path: &Path) -> Result<Noted, Fault> {
    let before = match read(path) {
        Ok(mark) => mark,
        Err(Unreadable::Odd) => {
            return Ok(Noted::Gone(format!("{NOTED} was changed: it is none any more")));
        }
        Err(Unreadable::Io(error)) => {
            return Err(Fault::unavailable(format!("{NOTED} cannot be read: {error}")));
        }
    };
    // One reading: what is there of the one before, and what is noted now, belong together.
    let looked = services.store().read(move |view| {
        let gone = before.map(|mark| amiss(view, mark, NOTED)).transpose()?.flatten();
        Ok((gone, view.chain_head()?))
    });
    let (gone, head) = looked.await?;
    if let Some(amiss) = gone {
        return Ok(Noted::Gone(format!("row {}: {}", amiss.row, amiss.what)));
    }
    if let Some(mark) = head.mark().filter(|mark| before != Some(*mark)) {
        let path = path.to_owned();
        let written = tokio::task::spawn_blocking(move || write(&path, mark)).await;
        let written = written.map_err(|_| Fault::internal("writing the mark failed"))?;
        written.map_err(|error| Fault::unavailable(format!("{NOTED} cannot be written: {error}")))?;
    }
    Ok(Noted::Here(head))
}

fn tell(head: &ChainHead) {
    tracing::info!(rows = head.rows, head = %head.hex(), "the audit ends here");
}

/// Says that rows are gone that were there.
async fn raise(services: &Services, path: &Path, details: String) {
    tracing::error!("the audit does not hold: {details}; {}", way_out(path));
    let work = move |change: &crate::store::Change<'_>| {
        Ok(change.alert("audit_cut", Severity::Critical, None, None, &details)?)
    };
    if let Err(fault) = services.store().write(work).await {
        tracing::error!("that the audit does not hold is no alert: {fault}");
    }
}

/// What to do where the mark is of a chain that is gone.
pub fn way_out(path: &Path) -> String {
    format!(
        "if an older store was put back on purpose, remove {} and restart: from then on a new mark is noted",
        path.display()
    )
}
