//! Which deliveries a request starts. `--wait` follows these until none of them moves.
//!
//! Operations that issue one punishment are followed by [`crate::operation::Reported::pending`]; every other operation
//! that starts deliveries has its row here.

use super::exception::ExceptionChanged;
use super::incident::IncidentChanged;
use super::job::{Job, JobResult};
use super::protect::Protected;
use super::setup::LinkChanged;
use super::sync::{SyncDeliveries, SyncRetry};
use super::{Reply, Request};
use crate::value::{GuildId, HoldId, PageSize, Timestamp};

/// Queries that count the deliveries a request started, each in the guild it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// The guild to ask in: the main, or the child that started deliveries to itself.
    pub guild: GuildId,
    /// One query per hold, otherwise one in all.
    pub queries: Vec<SyncDeliveries>,
}

/// What the request started, given its reply. `at` is the daemon's time when it received the request: deliveries that
/// last changed before are not of this request. Without it (an older daemon) only holds can be followed.
pub fn started(request: &Request, reply: &Reply, at: Option<Timestamp>) -> Option<Started> {
    let since = |guild: GuildId, query: SyncDeliveries| {
        let query = SyncDeliveries { since: Some(at?), ..query };
        Some(Started { guild, queries: vec![counting(query)] })
    };
    let all = SyncDeliveries::default;
    match (request, reply) {
        (_, Reply::SyncApprove(decided)) if !decided.dry_run => {
            of_holds(decided.main_guild_id, decided.holds.iter().map(|hold| hold.id))
        }
        (_, Reply::SyncImport(job)) => of_import(job),
        (Request::SyncRetry(SyncRetry { child, user, punishment, .. }), Reply::SyncRetry(retried))
            if !retried.dry_run && retried.deliveries.total() > 0 =>
        {
            let (child, user, punishment) = (*child, *user, *punishment);
            since(retried.main_guild_id, SyncDeliveries { child, user, punishment, ..all() })
        }
        (_, Reply::SyncResume(changed)) if !changed.dry_run && changed.deliveries > 0 => {
            since(changed.main_guild_id, all())
        }
        (_, Reply::IncidentClose(IncidentChanged { dry_run: false, deliveries: Some(1..), detail, .. })) => {
            since(detail.as_ref()?.incident.guild_id, all())
        }
        (_, Reply::PunishmentRevert(reverted)) if !reverted.dry_run && reverted.changed() > 0 => {
            since(reverted.guild_id, all())
        }
        (Request::SyncReconcile(asked), Reply::SyncReconcile(reconciling)) if asked.apply => {
            let main = reconciling.jobs.iter().find_map(|job| job.main_guild_id)?;
            since(main, SyncDeliveries { child: asked.child, ..all() })
        }
        (_, Reply::SyncExceptionAdd(changed) | Reply::SyncExceptionRemove(changed)) => {
            let ExceptionChanged { guild_id, user_id, dry_run, .. } = changed;
            let query = SyncDeliveries { user: Some(*user_id), ..all() };
            (!dry_run).then(|| since(*guild_id, query)).flatten()
        }
        (_, Reply::ProtectRemove(changed)) if !changed.dry_run && changed.changed => {
            let user = match changed.protected {
                Protected::User(id) => Some(id),
                Protected::Role(_) => None,
            };
            since(changed.guild_id, SyncDeliveries { user, ..all() })
        }
        (_, Reply::SetupRemoveChild(changed) | Reply::SetupLeave(changed)) => {
            let LinkChanged { main_guild_id, child_guild_id, undo, dry_run, .. } = changed;
            let query = SyncDeliveries { child: Some(*child_guild_id), ..all() };
            (!dry_run && undo.is_some()).then(|| since(*main_guild_id, query)).flatten()
        }
        _ => None,
    }
}

/// An import that was applied delivers through the hold that it opened.
fn of_import(job: &Job) -> Option<Started> {
    match &job.result {
        Some(JobResult::Imported(imported)) if imported.apply && !imported.dry_run => {
            of_holds(imported.main_guild_id, imported.hold)
        }
        _ => None,
    }
}

fn of_holds(guild: GuildId, holds: impl IntoIterator<Item = HoldId>) -> Option<Started> {
    let of = |hold| counting(SyncDeliveries { hold: Some(hold), ..SyncDeliveries::default() });
    let queries: Vec<_> = holds.into_iter().map(of).collect();
    (!queries.is_empty()).then_some(Started { guild, queries })
}

/// The same query for its count alone.
fn counting(query: SyncDeliveries) -> SyncDeliveries {
    SyncDeliveries { count: true, limit: PageSize::try_from(1).ok(), ..query }
}
