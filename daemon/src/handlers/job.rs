//! `job`: what takes its time in the background.

use super::{Handle, PAGE};
use crate::context::Context;
use crate::invocation::concealed;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::{
    Job, JobCancel, JobCancelled, JobList, JobResult, JobShow, JobState, Jobs,
};
use wayhaven_shared::value::{PageSize, Untrusted};

impl Handle for JobList {
    async fn handle(self, cx: &Context) -> Result<Jobs, Fault> {
        let (scope, limit) = (cx.scope(), self.limit.map_or(PAGE, PageSize::get));
        let jobs = cx.services.store().read(move |view| Ok(view.jobs(scope, self.running, limit)?)).await?;
        Ok(Jobs { jobs: jobs.into_iter().map(|job| discreet(cx, job)).collect() })
    }
}

impl Handle for JobShow {
    async fn handle(self, cx: &Context) -> Result<Job, Fault> {
        cx.systems.jobs.named(self.id, cx.scope()).await.map(|job| discreet(cx, job))
    }
}

impl Handle for JobCancel {
    async fn handle(self, cx: &Context) -> Result<JobCancelled, Fault> {
        let dry_run = cx.invocation.dry_run;
        let job = discreet(cx, cx.systems.jobs.named(self.id, cx.scope()).await?);
        if !job.is_running() || dry_run {
            return Ok(JobCancelled { already: !job.is_running(), job, dry_run });
        }
        if !cx.systems.jobs.cancel(job.id) {
            // Nobody works at it: it waits for the start that takes it up.
            let id = job.id;
            let end = move |change: &crate::store::Change<'_>| {
                Ok(change.end_job(id, JobState::Cancelled, None, None).map(drop)?)
            };
            cx.services.store().write(end).await?;
            // It may have been taken up in between.
            cx.systems.jobs.cancel(id);
        }
        Ok(JobCancelled { job, already: false, dry_run })
    }
}

/// The job as the caller may see it.
pub(super) fn discreet(cx: &Context, job: Job) -> Job {
    if cx.is_member() { as_members_see(job) } else { job }
}

/// In a guild nobody learns which operator it was.
pub(crate) fn as_members_see(mut job: Job) -> Job {
    job.asked_by = concealed(&Untrusted::clipped(&job.asked_by)).raw().to_owned();
    if let Some(JobResult::Drilled(drill)) = &mut job.result {
        drill.asked_by = concealed(&drill.asked_by);
    }
    job
}
