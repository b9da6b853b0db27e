//! `job`: what takes its time in the background.

use super::{Handle, PAGE};
use crate::invocation::Context;
use crate::jobs;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::{Job, JobCancel, JobCancelled, JobList, JobShow, JobState, Jobs};
use wayhaven_shared::value::PageSize;

impl Handle for JobList {
    async fn handle(self, cx: &Context) -> Result<Jobs, Fault> {
        let (scope, limit) = (cx.scope(), self.limit.map_or(PAGE, PageSize::get));
        let jobs = cx.daemon.store().read(move |view| Ok(view.jobs(scope, self.running, limit)?)).await?;
        Ok(Jobs { jobs })
    }
}

impl Handle for JobShow {
    async fn handle(self, cx: &Context) -> Result<Job, Fault> {
        jobs::named(&cx.daemon, self.id, cx.scope()).await
    }
}

impl Handle for JobCancel {
    async fn handle(self, cx: &Context) -> Result<JobCancelled, Fault> {
        let dry_run = cx.invocation.dry_run;
        let job = jobs::named(&cx.daemon, self.id, cx.scope()).await?;
        if !job.is_running() || dry_run {
            return Ok(JobCancelled { already: !job.is_running(), job, dry_run });
        }
        if !cx.daemon.jobs().cancel(job.id) {
            // Nobody works at it: it waits for the start that takes it up.
            let id = job.id;
            let end = move |change: &crate::store::Change<'_>| {
                Ok(change.end_job(id, JobState::Cancelled, None, None).map(drop)?)
            };
            cx.daemon.store().write(end).await?;
            // It may have been taken up in between.
            cx.daemon.jobs().cancel(id);
        }
        Ok(JobCancelled { job, already: false, dry_run })
    }
}
