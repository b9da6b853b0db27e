//! What each operation starts, and what `--wait` follows of it.
//!
//! [`Request::starts`] has one row per operation, without a row for all others: a new operation
//! does not compile before its row is there.

use super::exception::ExceptionChanged;
use super::incident::IncidentChanged;
use super::job::{Job, JobResult};
use super::protect::Protected;
use super::setup::{Backfill, LinkChanged};
use super::sync::{SyncDeliveries, SyncRetry};
use super::{Reply, Request};
use crate::value::{GuildId, HoldId, PageSize, Timestamp};

#[cfg(test)]
mod tests;

/// What an operation can start, and how `--wait` follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Starts {
    /// Nothing that goes on after the reply.
    Nothing,
    /// Jobs alone, named by [`crate::operation::Reported::jobs`].
    Jobs,
    /// One punishment, named by [`crate::operation::Reported::pending`].
    Punishment,
    /// Deliveries of many punishments, counted as [`started`] says; jobs that store them come
    /// first.
    Deliveries,
    /// A start of the daemon itself.
    Restart,
}

impl Request {
    /// What the operation can start.
    pub fn starts(&self) -> Starts {
        match self {
            Self::Ban(_)
            | Self::Unban(_)
            | Self::Kick(_)
            | Self::Mute(_)
            | Self::Unmute(_)
            | Self::Timeout(_)
            | Self::Untimeout(_)
            // The step that the warning reaches is followed too.
            | Self::Warn(_) => Starts::Punishment,
            // A link that is opened for something is backfilled.
            Self::SetupAddChild(_) | Self::SetupAccept(_) | Self::SetupMode(_) | Self::SetupActions(_)
            // With --undo.
            | Self::SetupRemoveChild(_) | Self::SetupLeave(_)
            | Self::PunishmentRevert(_)
            | Self::ProtectRemove(_)
            | Self::SyncRetry(_)
            // --except-reversals releases the undos that a freeze without it held.
            | Self::SyncFreeze(_)
            | Self::SyncResume(_)
            | Self::SyncImport(_)
            | Self::SyncReconcile(_)
            | Self::SyncExceptionAdd(_)
            | Self::SyncExceptionRemove(_)
            | Self::SyncApprove(_)
            | Self::IncidentClose(_)
            // Mutes that waited for the role are retried.
            | Self::ConfigMuterole(_) => Starts::Deliveries,
            Self::SyncExport(_) | Self::AuditExport(_) | Self::AuditVerify(_) | Self::DrillRun(_)
            | Self::JobShow(_) => Starts::Jobs,
            Self::DaemonRestart(_) => Starts::Restart,
            // Reads.
            Self::PunishmentList(_)
            | Self::PunishmentShow(_)
            | Self::ProtectList(_)
            | Self::SetupTestConnection(_)
            | Self::SetupDoctor(_)
            | Self::SetupDashboard(_)
            | Self::SyncStatus(_)
            | Self::SyncDeliveries(_)
            | Self::SyncHolds(_)
            | Self::SyncExceptionList(_)
            | Self::JobList(_)
            | Self::ConfigShow(_)
            | Self::AuditLog(_)
            | Self::AuditStats(_)
            | Self::AuditWarnings(_)
            | Self::AlertList(_)
            | Self::AlertShow(_)
            | Self::IncidentList(_)
            | Self::IncidentShow(_)
            | Self::DrillList(_)
            | Self::DrillShow(_)
            | Self::Status(_)
            | Self::Paths(_)
            | Self::SettingsShow(_)
            | Self::DaemonShow(_)
            // Changes that stop deliveries, or that only later requests and events heed.
            | Self::PunishmentAmend(_)
            | Self::ProtectAdd(_)
            | Self::SetupMainGuild(_)
            | Self::SetupUnsetMain(_)
            | Self::SetupDecline(_)
            | Self::SetupSecurityLevel(_)
            | Self::SetupLock(_)
            | Self::SetupUnlock(_)
            | Self::SyncDiscard(_)
            | Self::JobCancel(_)
            | Self::ConfigNotifications(_)
            | Self::ConfigLogchannel(_)
            | Self::ConfigStaffrole(_)
            | Self::ConfigWarnings(_)
            | Self::ConfigAudit(_)
            | Self::AlertResolve(_)
            | Self::IncidentOpen(_)
            | Self::SettingsSet(_)
            | Self::SettingsUnset(_)
            | Self::DaemonReload(_)
            | Self::DaemonStop(_) => Starts::Nothing,
        }
    }
}

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
    if request.starts() != Starts::Deliveries {
        return None;
    }
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
        (_, Reply::SyncFreeze(changed)) if !changed.dry_run && changed.released > 0 => {
            since(changed.main_guild_id, all())
        }
        (_, Reply::IncidentClose(IncidentChanged { dry_run: false, deliveries: Some(1..), detail, .. })) => {
            since(detail.as_ref()?.incident.guild_id, all())
        }
        (_, Reply::PunishmentRevert(reverted)) if !reverted.dry_run && reverted.changed() > 0 => {
            since(reverted.guild_id, all())
        }
        (Request::SyncReconcile(asked), Reply::SyncReconcile(reconciling)) if asked.apply => {
            // A dry run's comparisons are plans, whatever was asked for.
            let applied = reconciling.jobs.iter().any(|job| !job.dry_run);
            // A daemon that does not say where it was asked: the main, where the comparisons are of
            // one main.
            let main = || reconciling.jobs.iter().find_map(|job| job.main_guild_id);
            let guild = reconciling.guild_id.or_else(main)?;
            applied.then(|| since(guild, SyncDeliveries { child: asked.child, ..all() })).flatten()
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
        (_, Reply::ConfigMuterole(changed)) if !changed.dry_run && changed.after.mute_role_id.is_some() => {
            let guild = changed.guild_id;
            since(guild, SyncDeliveries { child: Some(guild), ..all() })
        }
        (
            _,
            Reply::SetupAddChild(changed)
            | Reply::SetupAccept(changed)
            | Reply::SetupMode(changed)
            | Reply::SetupActions(changed),
        ) => {
            let LinkChanged { main_guild_id, child_guild_id, backfill, dry_run, .. } = changed;
            let fills = backfill.as_ref().is_some_and(|Backfill { job, .. }| job.is_some());
            let query = SyncDeliveries { child: Some(*child_guild_id), ..all() };
            (!dry_run && fills).then(|| since(*main_guild_id, query)).flatten()
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
