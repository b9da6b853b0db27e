//! `sync`: what is on its way, and what stops it.

mod export;
mod import;
mod reconcile;
pub(super) mod refreeze;

use super::setup::main_guild;
use super::{Handle, PAGE};
use crate::context::Context;
use crate::discord::directory::Presence;
use crate::network::{Freeze, LinkState, Topology};
use crate::store::{Change, Decided, DeliveryFilter, RetryFilter, StoreError, View};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::sync::{
    Deliveries, DeliveriesRetried, FreezeChanged, Lane, Matching, SyncDeliveries, SyncFreeze, SyncResume,
    SyncRetry, SyncState, SyncStatus,
};
use wayhaven_shared::value::{DeliveryId, GuildId, PageSize};

impl Handle for SyncStatus {
    async fn handle(self, cx: &Context) -> Result<SyncState, Fault> {
        let scope = cx.scope();
        let (deliveries, open) = cx
            .services
            .store()
            .read(move |view| Ok((view.delivery_counts(scope)?, view.unfinished_by_guild(None)?)))
            .await?;
        let topology = cx.services.store().topology();
        // A main sees the lanes to its children, a child its own.
        let visible =
            |guild| scope.is_none_or(|scope| scope == guild || topology.link(scope, guild).is_some());
        let lanes = open
            .into_iter()
            .filter(|open| open.deliveries.open() > 0 && visible(open.guild))
            .map(|open| {
                let reason = open.reason.or_else(|| waits_for_discord(cx, open.guild));
                Lane { guild_id: open.guild, deliveries: open.deliveries, reason }
            })
            .collect();
        let budget = cx.services.rest().budget();
        let requests_per_second = budget.per_second();
        let paused_seconds = budget.paused_for().map(|left| left.as_secs() + 1);
        let concerned = |main: &GuildId| {
            scope.is_none_or(|scope| scope == *main || topology.link(*main, scope).is_some())
        };
        let frozen = topology.mains().filter(|main| topology.freeze(*main).is_some() && concerned(main));
        let mut frozen: Vec<_> = frozen.collect();
        frozen.sort();
        Ok(SyncState { deliveries, requests_per_second, paused_seconds, frozen, lanes })
    }
}

/// Why nothing moves to a guild of whose deliveries none has a reason of its own.
fn waits_for_discord(cx: &Context, guild: GuildId) -> Option<String> {
    let outage = cx.services.directory().presence(guild) == Some(Presence::Outage);
    outage.then(|| "Discord has an outage for the guild".to_owned())
}

impl Handle for SyncDeliveries {
    async fn handle(self, cx: &Context) -> Result<Deliveries, Fault> {
        let limit = self.limit.map_or(PAGE, PageSize::get);
        let topology = cx.services.store().topology();
        // Asked for in a main: what it sends. In a child: what it is sent.
        let (source, own) = match cx.scope() {
            Some(guild) if topology.is_main(guild) => (Some(guild), None),
            other => (None, other),
        };
        if own.is_some() && self.child.is_some() && own != self.child {
            return Err(Fault::denied("this guild is a child, and sees its own deliveries only"));
        }
        let filter = DeliveryFilter {
            source,
            child: own.or(self.child),
            user: self.user,
            state: self.state,
            punishment: self.punishment,
            hold: self.hold,
            since: self.since,
            before: self.cursor,
        };
        let count = self.count;
        let (deliveries, counted) = cx
            .services
            .store()
            .read(move |view| {
                let counted = if count { Some(matching(view, &topology, filter.clone())?) } else { None };
                Ok((view.deliveries(&filter, limit)?, counted))
            })
            .await?;
        let next = deliveries.last().map(|last| last.id).filter(|_| deliveries.len() == usize::from(limit));
        Ok(Deliveries { deliveries, next, counted })
    }
}

/// All deliveries that match, whatever page is shown of them.
fn matching(view: &View<'_>, topology: &Topology, filter: DeliveryFilter) -> Result<Matching, StoreError> {
    let (children, own) = view.count_deliveries(&DeliveryFilter { before: None, ..filter })?;
    // A hold that was approved is sent guild by guild, a closing link stores its undos in steps: both have more to come.
    let hold = filter.hold.map(|hold| view.hold(hold)).transpose()?.flatten();
    let approved = hold.is_some_and(|hold| matches!(hold.decided, Some((Decided::Approved, ..))));
    let frozen = filter.source.is_some_and(|main| topology.freeze(main).is_some());
    let closing = filter.source.zip(filter.child).is_some_and(|(main, child)| {
        topology.link(main, child).is_some_and(|link| link.state == LinkState::Closing)
    });
    let waits_for_people = children.blocked > 0;
    Ok(Matching {
        children,
        own,
        more: approved && !frozen && children.held > 0 || closing && !waits_for_people,
    })
}

impl Handle for SyncRetry {
    async fn handle(self, cx: &Context) -> Result<DeliveriesRetried, Fault> {
        let guild = cx.guild()?;
        let wanted = RetryFilter {
            source: guild,
            child: self.child,
            user: self.user,
            punishment: self.punishment,
            failed: self.failed,
        };
        let mut waiting = cx.services.store().read(move |view| Ok(view.retriable(&wanted)?)).await?;
        let is_main = cx.services.store().topology().is_main(guild);
        // What a guild has decided for itself is its own; everything else is its mains'.
        waiting.retain(|one| is_main || one.guild == guild);
        if is_main || waiting.is_empty() {
            check_retry(&self, cx, main_guild(cx).await?).await?;
        }
        let dry_run = cx.invocation.dry_run;
        let deliveries = waiting.iter().map(|one| one.state).collect();
        if !dry_run {
            // What is open the engine has; what has ended is opened again, and comes to it with the commit.
            let (ended, open): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| one.state.is_final());
            if !ended.is_empty() {
                let reopen = move |change: &Change<'_>| {
                    for one in &ended {
                        change.reopen(one.id)?;
                    }
                    Ok(())
                };
                cx.services.store().write(reopen).await?;
            }
            try_now(cx, open.iter().map(|one| (one.guild, one.id)).collect()).await?;
        }
        let frozen = cx.services.store().topology().freeze(guild).is_some();
        Ok(DeliveriesRetried { main_guild_id: guild, deliveries, frozen, dry_run })
    }
}

/// Has open deliveries tried now. When this returns, each counts as changed since the request came, also where it stays
/// as it was: `--wait` counts what changed since then.
///
/// # Errors
/// Where the store fails.
pub(super) async fn try_now(cx: &Context, deliveries: Vec<(GuildId, DeliveryId)>) -> Result<(), Fault> {
    cx.systems.engine.retry_recorded(deliveries.iter().copied()).await;
    let touch =
        move |change: &Change<'_>| deliveries.iter().try_for_each(|(_, id)| Ok(change.touch_delivery(*id)?));
    cx.services.store().write(touch).await
}

/// What nothing was found for has to be there.
async fn check_retry(retry: &SyncRetry, cx: &Context, main: GuildId) -> Result<(), Fault> {
    if let Some(child) = retry.child
        && cx.services.store().topology().link(main, child).is_none()
    {
        return Err(Fault::not_found(format!("guild {child} is no child of guild {main}"))
            .hint("setup dashboard lists the children"));
    }
    if let Some(id) = retry.punishment {
        let known = cx.services.store().read(move |view| Ok(view.punishment(id)?)).await?;
        if known.is_none_or(|punishment| punishment.guild_id != main) {
            return Err(Fault::not_found(format!("guild {main} has no punishment {id}"))
                .hint("punishment list shows its punishments"));
        }
    }
    Ok(())
}

impl Handle for SyncFreeze {
    async fn handle(self, cx: &Context) -> Result<FreezeChanged, Fault> {
        let freeze = if self.except_reversals { Freeze::ExceptReversals } else { Freeze::Everything };
        change_freeze(cx, Some(freeze)).await
    }
}

impl Handle for SyncResume {
    async fn handle(self, cx: &Context) -> Result<FreezeChanged, Fault> {
        change_freeze(cx, None).await
    }
}

async fn change_freeze(cx: &Context, freeze: Option<Freeze>) -> Result<FreezeChanged, Fault> {
    let main = main_guild(cx).await?;
    let dry_run = cx.invocation.dry_run;
    let already = cx.services.store().topology().freeze(main) == freeze;
    let moved = if dry_run || already {
        cx.services.store().read(move |view| refreeze::planned(view, main, freeze)).await?
    } else {
        cx.services.store().write(move |change| refreeze::apply(change, main, freeze)).await?
    };
    Ok(FreezeChanged {
        main_guild_id: main,
        frozen: freeze.is_some(),
        except_reversals: freeze == Some(Freeze::ExceptReversals),
        already,
        deliveries: moved.counted,
        released: moved.released,
        dry_run,
    })
}
