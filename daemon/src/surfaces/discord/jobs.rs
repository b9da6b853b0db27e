//! Answers that change while jobs go on, until they are over.

use super::{Answer, BETWEEN_EDITS};
use crate::handlers::job::as_members_see;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::job::{Job, JobResult, JobState, Jobs};
use wayhaven_shared::report::{Report, Tone};
use wayhaven_shared::value::JobId;

/// The jobs as this guild's members may see them; nothing where the store fails.
async fn read(answer: &Answer, ids: &[JobId]) -> Option<Vec<Job>> {
    let ids = ids.to_vec();
    let read = move |view: &crate::store::View<'_>| {
        let mut jobs = Vec::with_capacity(ids.len());
        for id in ids {
            jobs.extend(view.job(id)?);
        }
        Ok(jobs)
    };
    let jobs = answer.systems.services.store().read(read).await.ok()?;
    Some(jobs.into_iter().map(as_members_see).collect())
}

/// The jobs of a plan once all have ended, or as they are after the longest wait; nothing where the
/// daemon stops before.
pub(super) async fn planned(answer: &Answer, ids: &[JobId], longest_wait: Duration) -> Option<Vec<Job>> {
    let mut changes = answer.systems.services.store().sequence();
    let mut stopping = answer.systems.services.lifecycle().stopping();
    let deadline = Instant::now() + longest_wait;
    loop {
        changes.mark_unchanged();
        let jobs = read(answer, ids).await?;
        if !jobs.iter().any(Job::is_running) || Instant::now() >= deadline {
            return Some(jobs);
        }
        tokio::select! {
            changed = changes.changed() => changed.ok()?,
            () = tokio::time::sleep_until(deadline) => {}
            () = stopping.raised() => return None,
        }
    }
}

/// What is shown of a reply while its jobs go on, and once they are over.
fn report(reply: &mut Reply, jobs: &[Job]) -> Report {
    match (reply, jobs) {
        (Reply::SyncReconcile(compared), _) => {
            compared.update(jobs);
            compared.report()
        }
        // The jobs are only a part of what was done.
        (Reply::ProtectRemove(changed), _) => {
            let mut report = changed.report();
            report.tables.extend(Jobs { jobs: jobs.to_vec() }.report().tables);
            if jobs.iter().any(|job| !matches!(job.state, JobState::Running | JobState::Done)) {
                report.tone = Tone::Warning;
            }
            report
        }
        // One tells what it has found, several how they stand.
        (_, [job]) => job.report(),
        _ => Jobs { jobs: jobs.to_vec() }.report(),
    }
}

/// Shows how the jobs of a reply go on; the last word once none does.
pub(super) async fn follow(answer: &Answer, mut reply: Reply) {
    let ids = reply.jobs();
    let mut changes = answer.systems.services.store().sequence();
    let mut stopping = answer.systems.services.lifecycle().stopping();
    let mut shown: Option<Vec<Job>> = None;
    loop {
        changes.mark_unchanged();
        let Some(jobs) = read(answer, &ids).await else { return };
        let over = !jobs.iter().any(Job::is_running);
        let changed = shown.as_ref().is_none_or(|shown| *shown != jobs);
        let message = answer.message(report(&mut reply, &jobs)).await;
        match (over, changed) {
            (true, _) => {
                return match jobs.as_slice() {
                    [job] if job.result.as_ref().and_then(JobResult::written).is_some() => {
                        answer.give_job(job.clone()).await
                    }
                    _ => answer.give(message).await,
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
