//! Answers that change while jobs go on, until they are over.

use super::{Answer, BETWEEN_EDITS};
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::job::{Job, Jobs};
use wayhaven_shared::value::JobId;

/// What came of a job that shows what would be done, once it is over; nothing where the daemon ends before.
pub(super) async fn planned(answer: &Answer, id: JobId) -> Option<Job> {
    let mut changes = answer.daemon.store().sequence();
    let mut stopping = answer.daemon.stopping();
    loop {
        changes.mark_unchanged();
        let job = answer.daemon.store().read(move |view| Ok(view.job(id)?)).await.ok()??;
        if !job.is_running() {
            return Some(job);
        }
        tokio::select! {
            changed = changes.changed() => changed.ok()?,
            () = stopping.raised() => return None,
        }
    }
}

/// Shows how the jobs go on; the last word once none does.
pub(super) async fn follow(answer: &Answer, ids: Vec<JobId>) {
    let mut changes = answer.daemon.store().sequence();
    let mut stopping = answer.daemon.stopping();
    let mut shown: Option<Vec<Job>> = None;
    loop {
        changes.mark_unchanged();
        let ids = ids.clone();
        let read = move |view: &crate::store::View<'_>| {
            let mut jobs = Vec::with_capacity(ids.len());
            for id in ids {
                jobs.extend(view.job(id)?);
            }
            Ok(jobs)
        };
        let Ok(jobs) = answer.daemon.store().read(read).await else { return };
        let over = !jobs.iter().any(Job::is_running);
        let changed = shown.as_ref().is_none_or(|shown| *shown != jobs);
        // One tells what it has found, several how they stand.
        let message = match jobs.as_slice() {
            [job] => answer.message(job.report()).await,
            _ => answer.message(Jobs { jobs: jobs.clone() }.report()).await,
        };
        match (over, changed) {
            (true, _) => {
                return match <[Job; 1]>::try_from(jobs) {
                    Ok([job]) => answer.give_job(job).await,
                    Err(_) => answer.give(message).await,
                };
            }
            (false, true) => drop(answer.show(message).await),
            (false, false) => {}
        }
        shown = Some(jobs);
        tokio::select! {
            () = tokio::time::sleep(BETWEEN_EDITS) => {}
            () = stopping.raised() => return,
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = stopping.raised() => return,
        }
    }
}
