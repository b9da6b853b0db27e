//! `sync reconcile`: children compared with what their mains have decided.

use crate::handlers::Handle;
use crate::invocation::Context;
use crate::network::LinkState;
use crate::reconcile::{self, Cursor, Resolve};
use futures::future::join_all;
use wayhaven_shared::operations::job::{Job, JobKind};
use wayhaven_shared::operations::reconcile::{Reconciling, SyncReconcile};
use wayhaven_shared::value::{GuildId, Untrusted};
use wayhaven_shared::{Fault, FaultKind};

impl Handle for SyncReconcile {
    async fn handle(self, cx: &Context) -> Result<Reconciling, Fault> {
        let (guilds, main) = meant(cx, self.child)?;
        let resolve = if self.apply && !cx.invocation.dry_run { Resolve::All } else { Resolve::Show };
        let one_alone = guilds.len() == 1;
        let begun = guilds.into_iter().map(|guild| compare(cx, guild, Cursor::new(resolve, main), one_alone));
        let mut jobs = Vec::new();
        for begun in join_all(begun).await {
            jobs.push(begun?);
        }
        Ok(Reconciling { guild_id: Some(cx.guild()?), jobs })
    }
}

/// Which guilds are compared, and with which main: a main looks at its children, a child at itself.
fn meant(cx: &Context, child: Option<GuildId>) -> Result<(Vec<GuildId>, Option<GuildId>), Fault> {
    let guild = cx.guild()?;
    let topology = cx.daemon.store().topology();
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

async fn compare(cx: &Context, guild: GuildId, cursor: Cursor, one_alone: bool) -> Result<Job, Fault> {
    let (asked_by, main) = (cx.invocation.actor.audit_name(), cursor.main);
    match reconcile::begin(&cx.daemon, guild, asked_by, cursor).await {
        // Of many, one that is looked at already is shown as it is.
        Err(fault) if fault.kind == FaultKind::Conflict && !one_alone => {
            let running =
                move |view: &crate::store::View<'_>| Ok(view.running_job(JobKind::Reconcile, Some(guild))?);
            let job = cx.daemon.store().read(running).await?.ok_or(fault)?;
            Ok(if job.main_guild_id == main { job } else { of_others(job) })
        }
        outcome => outcome,
    }
}
