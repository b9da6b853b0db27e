//! Imports as jobs: begun by a request, and taken up again at a start.

use super::Lists;
use super::import::{self, Import, Progress};
use crate::jobs::{Running, Stop};
use crate::services::Services;
use crate::store::{Change, NewJob, StoreError, View};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::{Job, JobKind, JobResult, JobState};
use wayhaven_shared::operations::sync::Imported;
use wayhaven_shared::value::{JobId, UploadId};

/// What a job of this kind is stored with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// What is imported.
    import: Import,
    /// The file, by the name it has in the state directory.
    file: UploadId,
    /// How far it has come.
    #[serde(default)]
    progress: Progress,
}

impl Cursor {
    fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Begins an import of a file that was sent, or only looks at what it would do.
///
/// # Errors
/// Where one goes on in that main, or the file is no list.
pub(super) async fn begin(
    lists: &Lists,
    import: Import,
    file: UploadId,
    asked_by: String,
    dry_run: bool,
) -> Result<Job, Fault> {
    let cursor = Cursor { import, file, progress: Progress::default() };
    let main = cursor.import.main;
    let new = NewJob {
        kind: JobKind::Import,
        guild: Some(main),
        main: Some(main),
        asked_by,
        dry_run,
        cursor: cursor.to_json(),
    };
    // Whoever still waits hears the whole fault, with its way out; a job keeps its words only.
    let refused: Arc<Mutex<Option<Fault>>> = Arc::default();
    let heard = Arc::clone(&refused);
    let hear = move |outcome: Result<JobResult, Stop>| {
        if let Err(Stop::Failed(fault)) = &outcome {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.clone());
        }
        outcome
    };
    let begun = if dry_run {
        let file = lists.uploads.open(file)?;
        let plan = move |running: Running, _| async move {
            let plan = import::preview(&running.services, &cursor.import, file);
            let planned = running.unless_cancelled(plan).await.and_then(|plan| Ok(plan?));
            hear(planned.map(JobResult::Imported))
        };
        lists.jobs.begin(new, plan).await
    } else {
        let path = path(&lists.services, file);
        make_directory(&lists.services)?;
        lists.uploads.take(file, &path)?;
        let begun =
            lists.jobs.begin(new, move |running, cursor| async move { hear(work(running, cursor).await) });
        let begun = begun.await;
        if begun.is_err() {
            remove(&path);
        }
        begun
    };
    let job = begun?;
    let refused = refused.lock().unwrap_or_else(PoisonError::into_inner).take();
    match refused.filter(|_| job.state == JobState::Failed) {
        Some(fault) => {
            // Nobody applies a file that is refused, and the place is wanted for the next.
            lists.uploads.forget(file);
            Err(fault)
        }
        None => Ok(job),
    }
}

/// Resumes an import that was running when the daemon stopped.
///
/// # Errors
/// Where the store fails.
pub(super) async fn resume(lists: &Lists, id: JobId) -> Result<(), Fault> {
    let cursor = lists.services.store().read(move |view| Ok(view.job_cursor(id)?)).await?;
    drop(lists.jobs.go_on(id, cursor, work));
    Ok(())
}

/// Removes files that belong to no running import. Called at the start, before imports resume.
///
/// # Errors
/// Where the store fails.
pub(super) async fn sweep(lists: &Lists) -> Result<(), Fault> {
    let running = |view: &View<'_>| {
        let jobs = view.running_jobs_anywhere(JobKind::Import)?;
        let cursors = jobs.iter().map(|job| view.job_cursor(job.id));
        Ok(cursors.collect::<Result<Vec<Value>, StoreError>>()?)
    };
    let cursors = lists.services.store().read(running).await?;
    let wanted = |cursor| serde_json::from_value(cursor).ok().map(|Cursor { file, .. }| file);
    let wanted: HashSet<PathBuf> =
        cursors.into_iter().filter_map(wanted).map(|file| path(&lists.services, file)).collect();
    let files = std::fs::read_dir(directory(&lists.services)).into_iter().flatten().flatten();
    files.map(|file| file.path()).filter(|path| !wanted.contains(path)).for_each(|path| remove(&path));
    Ok(())
}

/// The job: it is over with its file.
async fn work(mut running: Running, cursor: Value) -> Result<JobResult, Stop> {
    let Cursor { import, file, progress } = serde_json::from_value(cursor)
        .map_err(|error| Fault::internal(format!("where the import goes on is not understood: {error}")))?;
    let (services, id, path) = (running.services.clone(), running.id, path(&running.services, file));
    let open = || {
        File::open(&path)
            .map_err(|error| Fault::unavailable(format!("the list is not there any more: {error}")))
    };
    let described = import.clone();
    let save = move |change: &Change<'_>, progress: &Progress, so_far: Imported| {
        let cursor = Cursor { import: described.clone(), file, progress: progress.clone() };
        change.save_job_cursor(id, &cursor.to_json())?;
        // Complete as of here: should it be cancelled, that is what it has done.
        let so_far = JobResult::Imported(so_far);
        Ok(change.job_progress(id, progress.lines, None, Some(&so_far))?)
    };
    let imported = async {
        let judged = import::judge(&mut running, &import, open()?).await?;
        Ok(running.unless_cancelled(import::run(&services, &import, judged, open, progress, save)).await??)
    };
    let outcome: Result<Imported, Stop> = imported.await;
    // Not before: a kill in between would begin it again, and find no list.
    running.once_over(move || remove(&path));
    outcome.map(JobResult::Imported)
}

fn make_directory(services: &Services) -> Result<(), Fault> {
    let directory = directory(services);
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(|error| {
        Fault::unavailable(format!("{} cannot be made: {error}", directory.display()))
            .hint("the daemon's user must own the state directory")
    })
}

fn directory(services: &Services) -> PathBuf {
    services.layout().state.join("imports")
}

fn path(services: &Services, file: UploadId) -> PathBuf {
    directory(services).join(file.to_string())
}

fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("a list that nobody needs any more is not removed: {error}");
        }
        _ => {}
    }
}
