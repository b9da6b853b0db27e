//! Imports that go on by themselves: begun by a request, and taken up again at a start.

use super::import::{self, Import, Progress};
use crate::daemon::Daemon;
use crate::store::{Severity, StoredImport};
use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::sync::Imported;
use wayhaven_shared::value::UploadId;

/// Begins an import of a file that was sent; what comes of it is told to who waits.
///
/// # Errors
/// Where one goes on in that main, or the file is not there.
pub async fn begin(
    daemon: &Arc<Daemon>,
    import: Import,
    file: UploadId,
) -> Result<oneshot::Receiver<Result<Imported, Fault>>, Fault> {
    let main = import.main;
    let path = path(daemon, file);
    let directory = directory(daemon);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
    made.map_err(|error| {
        Fault::unavailable(format!("{} cannot be made: {error}", directory.display()))
            .hint("the daemon's user must own the state directory")
    })?;
    daemon.uploads().take(file, &path)?;
    let (described, progress) = (to_json(&import)?, to_json(&Progress::default())?);
    let begin = move |change: &crate::store::Change<'_>| {
        if change.import_in(main)?.is_some() {
            return Err(Fault::conflict(format!("an import goes on in guild {main}"))
                .hint("sync status shows what is under way; try again when it has ended"));
        }
        let id = change.begin_import(main, file, &described, &progress)?;
        Ok(StoredImport { id, main, file, import: described, progress })
    };
    match daemon.store().write(begin).await {
        Ok(stored) => Ok(go_on(daemon, stored)),
        Err(fault) => {
            remove(&path);
            Err(fault)
        }
    }
}

/// At the start: imports that were not over go on, and files that belong to none are removed.
///
/// # Errors
/// Where the store cannot be read.
pub async fn resume(daemon: &Arc<Daemon>) -> Result<(), Fault> {
    let stored = daemon.store().read(|view| Ok(view.imports()?)).await?;
    let known: HashSet<PathBuf> = stored.iter().map(|one| path(daemon, one.file)).collect();
    let files = std::fs::read_dir(directory(daemon)).into_iter().flatten().flatten();
    files.map(|file| file.path()).filter(|path| !known.contains(path)).for_each(|path| remove(&path));
    for one in stored {
        drop(go_on(daemon, one));
    }
    Ok(())
}

fn go_on(daemon: &Arc<Daemon>, stored: StoredImport) -> oneshot::Receiver<Result<Imported, Fault>> {
    let (told, waits) = oneshot::channel();
    let daemon = Arc::clone(daemon);
    tokio::spawn(async move {
        let mut stopping = daemon.stopping();
        let (id, main, path) = (stored.id, stored.main, path(&daemon, stored.file));
        let outcome = tokio::select! {
            outcome = carry_out(&daemon, &stored) => outcome,
            // It stays as it is, and the next start goes on.
            () = stopping.raised() => return,
        };
        let failed = outcome.as_ref().err().map(|fault| fault.message.clone());
        // Whoever waits hears it; after that it is only in the alerts.
        let is_heard = told.send(outcome).is_ok();
        let end = move |change: &crate::store::Change<'_>| {
            change.end_import(id)?;
            if let Some(message) = failed.filter(|_| !is_heard) {
                change.alert("import_failed", Severity::Medium, Some(main), None, &message)?;
            }
            Ok(())
        };
        match daemon.store().write(end).await {
            Ok(()) => remove(&path),
            Err(fault) => tracing::error!("that an import is over is not stored: {fault}"),
        }
    });
    waits
}

async fn carry_out(daemon: &Arc<Daemon>, stored: &StoredImport) -> Result<Imported, Fault> {
    let import: Import = from_json(&stored.import)?;
    let progress: Progress = from_json(&stored.progress)?;
    let (id, path) = (stored.id, path(daemon, stored.file));
    let open = || {
        File::open(&path)
            .map_err(|error| Fault::unavailable(format!("the list is not there any more: {error}")))
    };
    let save = move |change: &crate::store::Change<'_>, progress: &Progress| {
        Ok(change.save_import(id, &to_json(progress)?)?)
    };
    import::run(daemon, &import, open, progress, save).await
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::internal(error.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text)
        .map_err(|error| Fault::internal(format!("where an import goes on is not understood: {error}")))
}

fn directory(daemon: &Daemon) -> PathBuf {
    daemon.layout().state.join("imports")
}

fn path(daemon: &Daemon, file: UploadId) -> PathBuf {
    directory(daemon).join(file.to_string())
}

fn remove(path: &std::path::Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("a list that nobody needs any more is not removed: {error}");
        }
        _ => {}
    }
}
