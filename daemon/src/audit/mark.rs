//! The mark: where the chain ended, noted beside the store, so that a cut tail shows.
//!
//! A chain alone cannot tell that rows at its end are missing. So count and head are noted in a file of the state directory
//! and in the log. Whoever can write to all three is not kept from anything; that is why `status` shows the mark, and
//! `audit verify --noted` takes one that was noted elsewhere.

use crate::daemon::Daemon;
use crate::store::{ChainHead, Severity, View};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
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
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
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

/// Notes where the chain ends, again and again, and a last time when the daemon stops. A chain that lacks what was noted
/// raises an alert, and the mark stays as it is.
pub async fn keep(daemon: Arc<Daemon>, pause: Duration) {
    let path = daemon.layout().audit_mark();
    let (mut rows, mut stopping) = (daemon.store().audited(), daemon.stopping());
    let mut logged = None;
    let mut warned = false;
    if !holds(&daemon, &path).await {
        return;
    }
    loop {
        rows.mark_unchanged();
        match daemon.store().read(|view| Ok(view.chain_head()?)).await {
            Ok(head) => {
                if logged.is_none_or(|at| head.rows >= at + LOGGED) {
                    logged = Some(head.rows);
                    tell(&head);
                }
                if let Some(mark) = head.mark() {
                    let path = path.clone();
                    let written = tokio::task::spawn_blocking(move || write(&path, mark)).await;
                    if let Ok(Err(error)) = written
                        && !std::mem::replace(&mut warned, true)
                    {
                        tracing::warn!("the end of the audit cannot be noted beside the store: {error}");
                    }
                }
            }
            Err(fault) => tracing::warn!("the end of the audit is not noted: {fault}"),
        }
        tokio::select! {
            () = stopping.raised() => break,
            changed = rows.changed() => if changed.is_err() { return },
        }
        tokio::select! {
            () = stopping.raised() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Notes the end of all: nothing is audited any more.
pub async fn note_last(daemon: &Daemon) {
    let Ok(head) = daemon.store().read(|view| Ok(view.chain_head()?)).await else { return };
    let path = daemon.layout().audit_mark();
    // What is not so any more is no reason to note something else.
    if let (Some(mark), Ok(before)) = (head.mark(), read(&path))
        && before.is_none_or(|before| before.rows() <= mark.rows())
    {
        tell(&head);
        if let Err(error) = write(&path, mark) {
            tracing::warn!("the end of the audit cannot be noted beside the store: {error}");
        }
    }
}

fn tell(head: &ChainHead) {
    tracing::info!(rows = head.rows, head = %head.hex(), "the audit ends here");
}

/// Whether the chain has what was noted.
async fn holds(daemon: &Arc<Daemon>, path: &Path) -> bool {
    let details = match read(path) {
        Ok(None) => return true,
        Ok(Some(mark)) => match daemon.store().read(move |view| amiss(view, mark, NOTED)).await {
            Ok(None) => return true,
            Ok(Some(amiss)) => format!("row {}: {}", amiss.row, amiss.what),
            Err(fault) => {
                tracing::warn!("the audit is not held against its mark: {fault}");
                return true;
            }
        },
        Err(Unreadable::Odd) => "the mark beside the store was changed: it is none any more".to_owned(),
        Err(Unreadable::Io(error)) => {
            tracing::warn!("the mark of the audit cannot be read: {error}");
            return true;
        }
    };
    tracing::error!("the audit does not hold: {details}; {}", way_out(path));
    let work = move |change: &crate::store::Change<'_>| {
        Ok(change.alert("audit_cut", Severity::Critical, None, None, &details)?)
    };
    daemon.store().write_later("an alert", work).await;
    false
}

/// What to do where the mark is of a chain that is gone.
pub fn way_out(path: &Path) -> String {
    format!(
        "if an older store was put back on purpose, remove {} and restart: from then on a new mark is noted",
        path.display()
    )
}
