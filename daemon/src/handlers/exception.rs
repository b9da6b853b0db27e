//! `sync exception`: what a child does not apply to somebody.

use super::{Handle, PAGE};
use crate::authority;
use crate::context::Context;
use crate::invocation::Actor;
use crate::network::{LinkState, Topology};
use crate::store::{Change, NewException, View};
use crate::sync::exceptions;
use std::sync::Arc;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::exception::{
    Exception, ExceptionChanged, Exceptions, SyncExceptionAdd, SyncExceptionList, SyncExceptionRemove,
};
use wayhaven_shared::operations::punishment::{Action, DeliveryCounts, DeliveryState};
use wayhaven_shared::operations::setup::SecurityLevel;
use wayhaven_shared::value::{GuildId, PageSize, Span, Timestamp, Until, UserId};

impl Handle for SyncExceptionAdd {
    async fn handle(self, cx: &Context) -> Result<ExceptionChanged, Fault> {
        let guild = cx.guild()?;
        check_child(cx, guild)?;
        let until = self.until.map(|until| end(until, cx.services.clock().now())).transpose()?;
        let new = NewException {
            guild,
            user: self.user,
            measure: self.measure.unwrap_or_default().action(),
            until,
            reason: self.reason,
            by: cx.invocation.actor.user(),
            lift: self.lift,
        };
        if new.lift {
            authority::check_action(cx, new.measure)?;
        }
        let is_member = cx.is_member();
        let store = cx.services.store();
        if cx.invocation.dry_run {
            let plan = move |view: &View<'_>| {
                check_levels(view, &view.topology()?, guild, new.measure, is_member)?;
                Ok(ExceptionChanged { dry_run: true, ..plan(view, &new)? })
            };
            return store.read(plan).await;
        }
        let work = move |change: &Change<'_>| {
            check_levels(change, &*change.topology_here()?, guild, new.measure, is_member)?;
            let outcome = add(change, &new)?;
            #[cfg(test)]
            crate::failpoint::reach(crate::failpoint::Point::Exception, Some(new.user));
            Ok(outcome)
        };
        let (changed, waiting) = store.write(work).await?;
        // What waits for something else meets the exception now.
        super::sync::try_now(cx, waiting).await?;
        Ok(changed)
    }
}

/// When it ends, if that is to come.
fn end(until: Until, now: Timestamp) -> Result<Timestamp, Fault> {
    let at = until.from(now);
    if at <= now {
        return Err(Fault::usage(format!("--until={until} has passed: it is {} UTC now", now.short()))
            .hint("a span like 3d counts from now; without --until it does not end by itself"));
    }
    let longest = now.millis().saturating_add_unsigned(Span::LONGEST * 1_000);
    if at.millis() > longest {
        return Err(Fault::usage(format!("--until={until} is more than ten years away"))
            .hint("without --until it does not end by itself"));
    }
    Ok(at)
}

fn check_child(cx: &Context, guild: GuildId) -> Result<(), Fault> {
    let topology = cx.services.store().topology();
    if topology.is_child(guild) {
        return Ok(());
    }
    let fault = Fault::conflict(format!("guild {guild} is no child of any main: nothing is applied there"));
    Err(if topology.is_main(guild) {
        fault.hint("an exception is asked for in the child that is to have it; protect add keeps somebody from being punished by this main anywhere")
    } else {
        fault.hint("setup dashboard lists the networks and their children")
    })
}

/// A main whose security level is above standard has its say in its children, and their members no other.
fn check_levels(
    view: &View<'_>,
    topology: &Topology,
    guild: GuildId,
    measure: Action,
    is_member: bool,
) -> Result<(), Fault> {
    if !is_member {
        return Ok(());
    }
    let mut mains: Vec<GuildId> = topology.mains().collect();
    mains.sort();
    for main in mains {
        let link = topology.link(main, guild).filter(|link| link.state != LinkState::Proposed);
        if link.is_none() {
            continue;
        }
        let level = view.security_level_in(main, guild)?;
        if level != SecurityLevel::Standard {
            return Err(Fault::denied(format!(
                "main {main} has the security level {}: members of its children make no exceptions from what it decides",
                level.word()
            ))
            .hint(format!(
                "an operator can, on the machine: wayhaven --guild={guild} sync exception add USER --measure={measure}"
            ))
            .hint(format!("an administrator of main {main} can take the {measure} back, or lower the level with setup security-level")));
        }
    }
    Ok(())
}

/// What an exception would come to.
fn plan(view: &View<'_>, new: &NewException) -> Result<ExceptionChanged, Fault> {
    let NewException { guild, user, measure, .. } = *new;
    let topology = view.topology()?;
    let before = view.exception(guild, user, measure)?;
    let done = view.foresee_lift(&topology, guild, user, measure, new.lift)?;
    let open = view.open_for(guild, user, measure)?.len() as u64;
    let changed = !before.as_ref().is_some_and(|there| new.is(there)) || new.lift;
    Ok(ExceptionChanged {
        guild_id: guild,
        user_id: user,
        measure,
        exception: None,
        is_excepted: true,
        before,
        changed,
        until: new.until,
        open,
        done: Some(done),
        again: DeliveryCounts::default(),
        protected: topology.protection().shield(guild, guild, user).is_some(),
        dry_run: false,
    })
}

/// Stores an exception, and has what is open meet it. What of that the engine has waiting, it is to try at once.
fn add(
    change: &Change<'_>,
    new: &NewException,
) -> Result<(ExceptionChanged, Vec<(GuildId, wayhaven_shared::value::DeliveryId)>), Fault> {
    let NewException { guild, user, measure, .. } = *new;
    let planned = plan(change, new)?;
    let (exception, changed) = match planned.before.clone().filter(|there| new.is(there)) {
        Some(there) => {
            let lifts = new.lift && change.lift_with_exception(there.id)?;
            (there, lifts)
        }
        None => (change.put_exception(new)?, true),
    };
    let mut waiting = Vec::new();
    for open in change.open_for(guild, user, measure)? {
        match open.state {
            DeliveryState::Held if change.stop_held(open.delivery)? => {}
            // What a freeze holds is not the engine's: it goes there, and meets the exception before the freeze.
            DeliveryState::Held if change.reopen(open.delivery)? => {}
            _ => waiting.push((guild, open.delivery)),
        }
    }
    let done = if new.lift {
        change.lift_excepted(guild, user, measure)?
    } else {
        change.foresee_lift(&*change.topology_here()?, guild, user, measure, false)?
    };
    Ok((ExceptionChanged { exception: Some(exception), changed, done: Some(done), ..planned }, waiting))
}

impl Handle for SyncExceptionRemove {
    async fn handle(self, cx: &Context) -> Result<ExceptionChanged, Fault> {
        let is_system = matches!(cx.invocation.actor, Actor::System);
        // What has come to its end does so wherever the bot is by now.
        let guild = cx.invocation.guild.filter(|_| is_system).map_or_else(|| cx.guild(), Ok)?;
        let (user, measure) = (self.user, self.measure.unwrap_or_default().action());
        let store = cx.services.store();
        if cx.invocation.dry_run {
            let own = Arc::clone(store.own_accounts());
            let plan = move |view: &View<'_>| {
                let there = view.exception(guild, user, measure)?;
                let topology = view.topology()?.with_own(own).without_exception(guild, user, measure);
                let again = match there {
                    Some(_) => exceptions::foresee(view, &topology, guild, user, measure)?,
                    None => DeliveryCounts::default(),
                };
                Ok(ExceptionChanged { dry_run: true, ..ended(guild, user, measure, there, again) })
            };
            return store.read(plan).await;
        }
        let work = move |change: &Change<'_>| {
            let there = change.exception(guild, user, measure)?;
            let is_due = |one: &Exception| one.until.is_some_and(|until| until <= change.now());
            if is_system && !there.as_ref().is_some_and(is_due) {
                return Err(Fault::conflict(format!("no exception of guild {guild} for {user} ends now"))
                    .hint("sync exception list shows when each ends"));
            }
            let there = change.end_exception(guild, user, measure)?;
            let again = match there {
                Some(_) => exceptions::apply_again(change, guild, user, measure)?,
                None => DeliveryCounts::default(),
            };
            #[cfg(test)]
            crate::failpoint::reach(crate::failpoint::Point::Exception, Some(user));
            Ok(ended(guild, user, measure, there, again))
        };
        store.write(work).await
    }
}

fn ended(
    guild: GuildId,
    user: UserId,
    measure: Action,
    before: Option<Exception>,
    again: DeliveryCounts,
) -> ExceptionChanged {
    ExceptionChanged {
        guild_id: guild,
        user_id: user,
        measure,
        exception: None,
        is_excepted: false,
        changed: before.is_some(),
        until: None,
        before,
        open: 0,
        done: None,
        again,
        protected: false,
        dry_run: false,
    }
}

impl Handle for SyncExceptionList {
    async fn handle(self, cx: &Context) -> Result<Exceptions, Fault> {
        let limit = self.limit.map_or(PAGE, PageSize::get);
        let guild = cx.scope();
        let page = move |view: &View<'_>| Ok(view.exceptions_of(guild, self.user, self.cursor, limit)?);
        let exceptions = cx.services.store().read(page).await?;
        let next = exceptions.last().map(|last| last.id).filter(|_| exceptions.len() == usize::from(limit));
        Ok(Exceptions { exceptions, next })
    }
}

#[cfg(test)]
mod tests;
