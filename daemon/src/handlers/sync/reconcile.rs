//! `sync reconcile`: children compared with what their mains have decided.

use crate::context::Context;
use crate::handlers::Handle;
use crate::handlers::job::discreet;
use crate::network::LinkState;
use crate::reconcile::{Cursor, Resolve};
use crate::store::{Change, View};
use futures::future::join_all;
use std::time::Duration;
use wayhaven_shared::operations::job::{Job, JobKind, JobState};
use wayhaven_shared::operations::reconcile::{Reconciling, SyncReconcile};
use wayhaven_shared::value::{GuildId, JobId, Untrusted};
use wayhaven_shared::{Fault, FaultKind};

/// The longest wait for the end of a plan that was cancelled.
const LONGEST_END: Duration = Duration::from_secs(5);

impl Handle for SyncReconcile {
    async fn handle(self, cx: &Context) -> Result<Reconciling, Fault> {
        let (guilds, main) = meant(cx, self.child)?;
        let resolve = if self.apply && !cx.invocation.dry_run { Resolve::All } else { Resolve::Show };
        let one_alone = guilds.len() == 1;
        let begun = guilds.into_iter().map(|guild| compare(cx, guild, Cursor::new(resolve, main), one_alone));
        let (mut jobs, mut others) = (Vec::new(), Vec::new());
        for begun in join_all(begun).await {
            let (job, whose) = begun?;
            if whose == Whose::Other {
                others.push(job.id);
            }
            jobs.push(discreet(cx, job));
        }
        Ok(Reconciling { guild_id: Some(cx.guild()?), jobs, others })
    }
}

/// Which guilds are compared, and with which main: a main looks at its children, a child at itself.
fn meant(cx: &Context, child: Option<GuildId>) -> Result<(Vec<GuildId>, Option<GuildId>), Fault> {
    let guild = cx.guild()?;
    let topology = cx.services.store().topology();
    if !topology.is_main(guild) {
        let no_child =
            || Fault::conflict(format!("guild {guild} is in no network")).hint("setup dashboard lists them");
        if !topology.is_child(guild) {
            return Err(no_child());
        }
        return match child.filter(|child| *child != guild) {
            Some(other) => {
                Err(Fault::denied(format!("guild {guild} is a child, and may not look at guild {other}"))
                    .hint("it is asked for in the main"))
            }
            None => Ok((vec![guild], None)),
        };
    }
    let active = |link: &&crate::network::LinkRow| link.state == LinkState::Active;
    let children = topology.links(guild).iter().filter(active).map(|link| link.child);
    match child {
        None => Ok((children.collect(), Some(guild))),
        Some(child) if topology.link(guild, child).is_some_and(|link| link.state == LinkState::Active) => {
            Ok((vec![child], Some(guild)))
        }
        Some(child) => Err(Fault::not_found(format!("guild {child} is no active child of guild {guild}"))
            .hint("setup dashboard lists the children")),
    }
}

/// That somebody else has it compared, and nothing of what they find: other mains' users are not this one's.
fn of_others(job: Job) -> Job {
    let note = Untrusted::clipped("somebody else has the guild compared: ask again when that is over");
    Job {
        main_guild_id: None,
        asked_by: "somebody else".to_owned(),
        done: 0,
        total: None,
        note: Some(note),
        result: None,
        ..job
    }
}

/// Which request began a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// This one, or the same caller who asked for the same plan before.
    Own,
    /// Another one.
    Other,
}

async fn compare(
    cx: &Context,
    guild: GuildId,
    cursor: Cursor,
    one_alone: bool,
) -> Result<(Job, Whose), Fault> {
    let begin = || cx.systems.reconcile.begin(guild, cx.invocation.actor.audit_name(), cursor.clone());
    let fault = match begin().await {
        Err(fault) if fault.kind == FaultKind::Conflict => fault,
        outcome => return Ok((outcome?, Whose::Own)),
    };
    let Some(job) = running_in(cx, guild).await? else { return Ok((begin().await?, Whose::Own)) };
    if is_own_plan(cx, &job, cursor.main) {
        if cursor.resolve == Resolve::Show {
            return Ok((job, Whose::Own));
        }
        // The plan was confirmed before it was complete: it must not keep the repair waiting.
        end_plan(cx, job.id).await?;
        return Ok((begin().await?, Whose::Own));
    }
    match one_alone {
        true => Err(fault),
        // Of many, one that is looked at already is shown as it is.
        false if job.main_guild_id == cursor.main => Ok((job, Whose::Other)),
        false => Ok((of_others(job), Whose::Other)),
    }
}

async fn running_in(cx: &Context, guild: GuildId) -> Result<Option<Job>, Fault> {
    let running = move |view: &View<'_>| Ok(view.running_job(JobKind::Reconcile, Some(guild))?);
    cx.services.store().read(running).await
}

/// Whether the job is a plan that the same caller has asked for about the same main.
fn is_own_plan(cx: &Context, job: &Job, main: Option<GuildId>) -> bool {
    job.dry_run && job.main_guild_id == main && job.asked_by == cx.invocation.actor.audit_name()
}

/// Ends a plan, and waits for its end.
async fn end_plan(cx: &Context, id: JobId) -> Result<(), Fault> {
    let mut changes = cx.services.store().sequence();
    if !cx.systems.jobs.cancel(id) {
        let end =
            move |change: &Change<'_>| Ok(change.end_job(id, JobState::Cancelled, None, None).map(drop)?);
        cx.services.store().write(end).await?;
    }
    let ended = async {
        loop {
            changes.mark_unchanged();
            let job = cx.services.store().read(move |view| Ok(view.job(id)?)).await?;
            if !job.is_some_and(|job| job.is_running()) || changes.changed().await.is_err() {
                return Ok(());
            }
        }
    };
    // Where it does not end, the new comparison is refused because of it.
    tokio::time::timeout(LONGEST_END, ended).await.unwrap_or(Ok(()))
}
