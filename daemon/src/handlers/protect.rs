//! `protect`: users and roles that nobody may punish.

use super::config::{self, check_role};
use super::setup::sees_members;
use super::{Handle, PAGE};
use crate::context::Context;
use crate::discord::directory::Presence;
use crate::invocation::Actor;
use crate::network::{LinkRow, LinkState};
use crate::reconcile::{Cursor, Resolve, new_job};
use crate::services::Services;
use crate::store::{Change, NewProtection, View};
use crate::sync::desired::{LASTING, bring_all_about};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::JobKind;
use wayhaven_shared::operations::protect::{
    ProtectAdd, ProtectList, ProtectRemove, Protected, ProtectionChanged, Protections,
};
use wayhaven_shared::value::{GuildId, JobId, PageSize, RoleId, UserId};

impl Handle for ProtectAdd {
    async fn handle(self, cx: &Context) -> Result<ProtectionChanged, Fault> {
        let guild = cx.guild()?;
        let protected = exactly_one(self.user, self.role)?;
        let mut holders_unknown = false;
        if let Protected::Role(role) = protected {
            check_role(cx, guild, role)?;
            let config = cx.services.store().read(move |view| Ok(view.config(guild)?)).await?;
            if config.mute_role_id == Some(role) {
                return Err(Fault::conflict(
                    "this is the guild's mute role: whoever is muted could not be punished any more",
                )
                .hint("config muterole names another role for mutes"));
            }
            // Where Discord does not answer, nobody knows, and the warning says what that would mean.
            holders_unknown = !sees_members(cx).await.unwrap_or(false);
        }
        let (store, dry_run) = (cx.services.store(), cx.invocation.dry_run);
        let changed = if dry_run {
            store.read(move |view| Ok(!view.is_protected(guild, protected)?)).await?
        } else {
            let new = NewProtection { guild, protected, note: self.note, by: cx.invocation.actor.user() };
            store.write(move |change| Ok(change.protect(&new)?)).await?
        };
        if let (Protected::Role(_), false) = (protected, dry_run) {
            cx.systems.ingest.holders().fill(guild);
        }
        let outcome = outcome(cx, guild, protected, changed);
        Ok(ProtectionChanged { is_protected: true, holders_unknown, ..outcome })
    }
}

impl Handle for ProtectRemove {
    async fn handle(self, cx: &Context) -> Result<ProtectionChanged, Fault> {
        let guild = cx.guild()?;
        // Also a role that is gone: its line would stay for ever otherwise.
        let protected = exactly_one(self.user, self.role)?;
        check_below_caller(cx, guild, protected).await?;
        let (store, dry_run) = (cx.services.store(), cx.invocation.dry_run);
        let again = Again { services: cx.services.clone(), asked_by: cx.invocation.actor.audit_name() };
        let (changed, undelivered, jobs) = if dry_run {
            let look = move |view: &View<'_>| {
                Ok((view.is_protected(guild, protected)?, view.kept_away_by(guild, protected)?, Vec::new()))
            };
            store.read(look).await?
        } else {
            let remove = move |change: &Change<'_>| {
                let changed = change.unprotect(guild, protected)?;
                let jobs = match changed {
                    true => again.bring_about(change, guild, protected)?,
                    false => Vec::new(),
                };
                Ok((changed, change.kept_away_by(guild, protected)?, jobs))
            };
            store.write(remove).await?
        };
        Ok(ProtectionChanged { undelivered, jobs, ..outcome(cx, guild, protected, changed) })
    }
}

/// A member exposes nobody who ranks beside or above them. Who is no member has no rank.
async fn check_below_caller(cx: &Context, guild: GuildId, protected: Protected) -> Result<(), Fault> {
    let user = match protected {
        Protected::Role(role) if cx.services.directory().has_role(guild, role) == Some(false) => {
            return Ok(());
        }
        Protected::Role(role) => return config::check_below_caller(cx, guild, role),
        Protected::User(user) => user,
    };
    let Actor::Member { user: caller, roles, .. } = &cx.invocation.actor else { return Ok(()) };
    let directory = cx.services.directory();
    if directory.owner(guild) == Some(*caller) || *caller == user {
        return Ok(());
    }
    let theirs = cx.services.rest().member(guild, user).await?.map(|member| member.roles);
    let above = theirs.and_then(|theirs| directory.ranks_above(guild, roles, &theirs));
    if directory.owner(guild) == Some(user) || above == Some(false) {
        return Err(Fault::denied(format!("user {user} does not rank below you in this guild"))
            .hint("the guild's owner can do this, or a member whose highest role ranks above theirs"));
    }
    Ok(())
}

/// Looks again at what was put off while somebody was protected.
struct Again {
    services: Services,
    /// Who has ended the protection, as the audit names them.
    asked_by: String,
}

impl Again {
    /// Looks again at what was delivered before somebody was protected, and was put off since, in
    /// the guilds that the list was for. What was not delivered because of the list stays
    /// undelivered. Only Discord knows who holds a role, so for a role those guilds are compared,
    /// by jobs that are stored here and begun when this is committed.
    fn bring_about(
        &self,
        change: &Change<'_>,
        guild: GuildId,
        protected: Protected,
    ) -> Result<Vec<JobId>, Fault> {
        let topology = change.topology_here()?;
        let is_active = |link: &LinkRow| link.state == LinkState::Active;
        let links = topology.links(guild).iter().map(|link| (link.child, is_active(link)));
        let from_mains = || topology.mains().filter_map(|main| topology.link(main, guild)).any(is_active);
        let itself = topology.is_child(guild).then(|| (guild, from_mains()));
        let children: Vec<(GuildId, bool)> = links.chain(itself).collect();
        // A main's list is in force for its own punishments alone, a child's for those of all its
        // mains.
        let main = topology.is_main(guild).then_some(guild);
        let mut jobs = Vec::new();
        for (child, is_active) in children {
            match protected {
                Protected::User(user) => drop(bring_all_about(change, child, user, &LASTING)?),
                // A link that is not active delivers nothing.
                Protected::Role(_) if !is_active => {}
                // The guild is compared as soon as the bot is there again.
                Protected::Role(_) if self.is_without_bot(child) => change.reconcile_soon(child)?,
                Protected::Role(_) => jobs.push(self.compare(change, child, main)?),
            }
        }
        Ok(jobs)
    }

    /// Whether the bot is not in the guild. An outage is only waited for.
    fn is_without_bot(&self, guild: GuildId) -> bool {
        match self.services.directory().presence(guild) {
            Some(presence) => presence == Presence::Absent,
            None => self.services.gateway().is_ready(),
        }
    }

    /// The job that compares the guild: one that has not begun yet where there is one, since it
    /// reads everything anew.
    fn compare(&self, change: &Change<'_>, child: GuildId, main: Option<GuildId>) -> Result<JobId, Fault> {
        for job in change.running_jobs(JobKind::Reconcile, child)? {
            let cursor = serde_json::from_value::<Cursor>(change.job_cursor(job.id)?);
            let is_the_same = |cursor: Cursor| {
                cursor.resolve == Resolve::ByItself && cursor.main == main && !cursor.begun_at_all
            };
            if cursor.is_ok_and(is_the_same) {
                return Ok(job.id);
            }
        }
        let cursor = Cursor::new(Resolve::ByItself, main);
        let new = new_job(JobKind::Reconcile, child, self.asked_by.clone(), &cursor);
        let id = change.begin_job(&new)?;
        change.reconcile_unless_done(child)?;
        Ok(id)
    }
}

impl Handle for ProtectList {
    async fn handle(self, cx: &Context) -> Result<Protections, Fault> {
        let limit = self.limit.map_or(PAGE, PageSize::get);
        let guild = cx.scope();
        let store = cx.services.store();
        let protected = store.read(move |view| Ok(view.protected(guild, self.cursor, limit)?)).await?;
        let next = protected.last().map(|last| last.id).filter(|_| protected.len() == usize::from(limit));
        Ok(Protections { protected, next })
    }
}

/// What is answered of a line that does not stand on the list any more.
fn outcome(cx: &Context, guild: GuildId, protected: Protected, changed: bool) -> ProtectionChanged {
    ProtectionChanged {
        guild_id: guild,
        protected,
        is_protected: false,
        changed,
        network: cx.services.store().topology().is_main(guild),
        holders_unknown: false,
        undelivered: 0,
        jobs: Vec::new(),
        dry_run: cx.invocation.dry_run,
    }
}

fn exactly_one(user: Option<UserId>, role: Option<RoleId>) -> Result<Protected, Fault> {
    match (user, role) {
        (Some(user), None) => Ok(Protected::User(user)),
        (None, Some(role)) => Ok(Protected::Role(role)),
        (Some(_), Some(_)) => Err(Fault::usage("a user and a role were named: say one of --user and --role")
            .hint("ask twice to protect both")),
        (None, None) => Err(Fault::usage("nobody was named: say either --user or --role")),
    }
}

#[cfg(test)]
mod tests;
