//! What punishes (`ban` to `warn`), `punishment list`, `punishment show`.

mod expiry;
mod warnings;

use super::{Handle, PAGE};
use crate::direct::telling;
use crate::discord::directory::needed;
use crate::invocation::{Actor, Context};
use crate::network::Topology;
use crate::store::{Change, Judged, NewPunishment, Telling, View};
use crate::sync::attempt::{NO_MUTE_ROLE, whose};
use crate::sync::plan::{Step, plan};
use crate::sync::record::{AtOrigin, record};
use std::collections::HashMap;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::ban::{Ban, Unban};
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::mute::{Mute, Unmute};
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::{
    Action, DeliveryState, Origin, OriginOutcome, PlannedDelivery, PunishmentDetail, PunishmentList,
    PunishmentShow, Punishments,
};
use wayhaven_shared::operations::timeout::{Timeout, Untimeout};
use wayhaven_shared::operations::told::{Told, ToldState};
use wayhaven_shared::operations::warn::Warn;
use wayhaven_shared::value::{Evidence, GuildId, PageSize, PunishmentId, Span, Untrusted, UserId};

/// A day, in seconds.
const DAY: u32 = 86_400;

/// A punishment as it is asked for, before it is known where and by whom.
struct Asked {
    action: Action,
    user: UserId,
    reason: Option<Untrusted>,
    delete_seconds: u32,
    span: Option<Span>,
    evidence: Option<Evidence>,
}

impl Asked {
    fn new(action: Action, user: UserId, reason: Option<Untrusted>) -> Self {
        Self { action, user, reason, delete_seconds: 0, span: None, evidence: None }
    }
}

impl Handle for Ban {
    async fn handle(self, cx: &Context) -> Result<Punished, Fault> {
        let days = self.delete_days.map_or(0, |days| u32::from(days.get()));
        let asked = Asked::new(Action::Ban, self.user, self.reason);
        let asked = Asked { delete_seconds: days * DAY, span: self.span, evidence: self.evidence, ..asked };
        punish(cx, asked).await
    }
}

impl Handle for Unban {
    async fn handle(self, cx: &Context) -> Result<Punished, Fault> {
        punish(cx, Asked::new(Action::Unban, self.user, self.reason)).await
    }
}

impl Handle for Kick {
    async fn handle(self, cx: &Context) -> Result<Punished, Fault> {
        let asked = Asked::new(Action::Kick, self.user, self.reason);
        punish(cx, Asked { evidence: self.evidence, ..asked }).await
    }
}

impl Handle for Mute {
    async fn handle(self, cx: &Context) -> Result<Punished, Fault> {
        let asked = Asked::new(Action::Mute, self.user, self.reason);
        punish(cx, Asked { span: self.span, evidence: self.evidence, ..asked }).await
    }
}

impl Handle for Unmute {
    async fn handle(self, cx: &Context) -> Result<Punished, Fault> {
        punish(cx, Asked::new(Action::Unmute, self.user, self.reason)).await
    }
}

impl Handle for Timeout {
    async fn handle(self, cx: &Context) -> Result<Punished, Fault> {
        let asked = Asked::new(Action::Timeout, self.user, self.reason);
        punish(cx, Asked { span: Some(self.span), evidence: self.evidence, ..asked }).await
    }
}

impl Handle for Untimeout {
    async fn handle(self, cx: &Context) -> Result<Punished, Fault> {
        punish(cx, Asked::new(Action::Untimeout, self.user, self.reason)).await
    }
}

impl Handle for Warn {
    async fn handle(self, cx: &Context) -> Result<Punished, Fault> {
        let asked = Asked::new(Action::Warn, self.user, Some(self.reason));
        punish(cx, Asked { evidence: self.evidence, ..asked }).await
    }
}

async fn punish(cx: &Context, asked: Asked) -> Result<Punished, Fault> {
    // What the daemon asks for by itself follows from a punishment: its undo is its end, anything else escalates it.
    let because = cx.invocation.because.filter(|_| matches!(cx.invocation.actor, Actor::System));
    if let Some(ended) = because.filter(|_| asked.action.is_undo()) {
        return expiry::expire(cx, ended, asked.reason).await;
    }
    let guild = cx.guild()?;
    let topology = cx.daemon.store().topology();
    if asked.action.measure() == Action::Mute {
        check_mute_role(cx, guild, &asked).await?;
    }
    if cx.invocation.dry_run {
        return preview(cx, &topology, guild, asked.action, asked.user).await;
    }
    let new = NewPunishment {
        reason: asked.reason,
        moderator: cx.invocation.actor.user(),
        delete_seconds: asked.delete_seconds,
        expires_at: asked.span.map(|span| cx.daemon.clock().now() + span),
        evidence: asked.evidence,
        because: cx.invocation.because,
        tell: telling(&cx.daemon, guild, asked.action, true),
        ..NewPunishment::new(guild, asked.user, asked.action, cx.invocation.actor.origin())
    };
    let work = move |change: &Change<'_>| {
        if let Some(warning) = because {
            warnings::settle(change, warning)?;
        }
        let recorded = record(change, &new, AtOrigin::ToDo)?;
        let warnings = match new.action {
            Action::Warn => warnings::escalate(change, recorded.punishment.id, guild, new.user)?,
            _ => None,
        };
        #[cfg(test)]
        if because.is_some() {
            crate::failpoint::reach(crate::failpoint::Point::Expiry, Some(new.user));
        }
        Ok((recorded, warnings))
    };
    let (recorded, warnings) = cx.daemon.store().write(work).await?;
    Ok(Punished {
        punishment: Some(recorded.punishment),
        dry_run: false,
        network: topology.is_main(guild),
        origin: recorded.origin,
        deliveries: recorded.deliveries,
        told: recorded.told,
        plan: Vec::new(),
        warnings,
    })
}

/// Without a mute role nobody can be muted where it is asked for, and only those unmuted who were given one that was the
/// mute role then. A child without one is blocked until it has one.
async fn check_mute_role(cx: &Context, guild: GuildId, asked: &Asked) -> Result<(), Fault> {
    let (user, undo) = (asked.user, asked.action.is_undo());
    let role = cx.daemon.store().read(move |view| {
        let former = if undo { view.former_mute_roles(guild, user)?.pop() } else { None };
        Ok(view.config(guild)?.mute_role_id.or(former))
    });
    match role.await? {
        Some(_) => Ok(()),
        None => Err(Fault::conflict("this guild has no mute role")
            .hint("config muterole ROLE sets it; timeout does without one")),
    }
}

/// The plan, which is also what would be sent: an unban lifts nothing where it was not ours to lift.
async fn preview(
    cx: &Context,
    topology: &Topology,
    guild: GuildId,
    action: Action,
    user: UserId,
) -> Result<Punished, Fault> {
    let mut steps = plan(topology, guild, action, user);
    if action.is_undo() {
        let sees_log = |step: &Step| cx.daemon.directory().shows_log(step.guild) != Some(false);
        let unseen_in: Vec<GuildId> =
            steps.iter().filter(|step| !sees_log(step)).map(|step| step.guild).collect();
        let judge = move |view: &View<'_>| {
            for step in steps.iter_mut().filter(|step| step.state == DeliveryState::Pending) {
                match view.judge_undo(step.guild, user, guild, action, None)? {
                    Judged::TakeBack => {}
                    Judged::Leave(reason) => {
                        (step.state, step.reason) = (DeliveryState::Skipped, Some(reason));
                    }
                    // What Discord will not say is left; otherwise its answer decides.
                    Judged::Ask(_) if unseen_in.contains(&step.guild) => {
                        (step.state, step.reason) = (DeliveryState::Skipped, Some(whose::unseen(action)));
                    }
                    Judged::Ask(_) => step.reason = Some(whose::IS_ASKED.to_owned()),
                }
            }
            Ok(steps)
        };
        steps = cx.daemon.store().read(judge).await?;
    }
    foresee(cx, &mut steps, action).await?;
    let mut warnings = None;
    if action == Action::Warn {
        let now = cx.daemon.clock().now();
        warnings = cx.daemon.store().read(move |view| warnings::count(view, guild, user, now, 1)).await?;
    }
    let planned = |step: Step| PlannedDelivery {
        guild_id: step.guild,
        guild_name: cx.daemon.directory().name(step.guild),
        state: step.state,
        reason: step.reason,
    };
    Ok(Punished {
        punishment: None,
        dry_run: true,
        network: topology.is_main(guild),
        origin: OriginOutcome { guild_id: guild, state: DeliveryState::Pending, reason: None },
        deliveries: steps.iter().map(|step| step.state).collect(),
        told: telling(&cx.daemon, guild, action, false).map(would_be_told),
        plan: steps.into_iter().map(planned).collect(),
        warnings,
    })
}

/// What is known to be missing in a child would block it there.
async fn foresee(cx: &Context, steps: &mut [Step], action: Action) -> Result<(), Fault> {
    let sent = || |step: &&mut Step| step.state == DeliveryState::Pending;
    for step in steps.iter_mut().filter(sent()) {
        if action != Action::Warn && cx.daemon.directory().may(step.guild, action) == Some(false) {
            let reason = format!("missing permission {}", needed(action).1);
            (step.state, step.reason) = (DeliveryState::Blocked, Some(reason));
        }
    }
    if action.measure() == Action::Mute {
        let guilds: Vec<GuildId> = steps.iter_mut().filter(sent()).map(|step| step.guild).collect();
        let without = move |view: &View<'_>| {
            let lacks = |guild: GuildId| Ok((guild, view.config(guild)?.mute_role_id.is_none()));
            guilds.into_iter().map(lacks).collect::<Result<HashMap<_, _>, Fault>>()
        };
        let without = cx.daemon.store().read(without).await?;
        for step in steps.iter_mut().filter(|step| without.get(&step.guild) == Some(&true)) {
            (step.state, step.reason) = (DeliveryState::Blocked, Some(NO_MUTE_ROLE.to_owned()));
        }
    }
    Ok(())
}

/// What a dry run says of it.
fn would_be_told(telling: Telling) -> Told {
    match telling {
        Telling::Now { .. } => Told::new(ToldState::Waiting, None),
        Telling::Not(reason) => Told::new(ToldState::NotTold, Some(reason)),
    }
}

impl Handle for PunishmentList {
    async fn handle(self, cx: &Context) -> Result<Punishments, Fault> {
        let limit = self.limit.map_or(PAGE, PageSize::get);
        let guild = cx.scope();
        let punishments = cx
            .daemon
            .store()
            .read(move |view| Ok(view.punishments(guild, self.user, self.cursor, limit)?))
            .await?;
        let next = punishments.last().map(|last| last.id).filter(|_| punishments.len() == usize::from(limit));
        Ok(Punishments { punishments, next })
    }
}

impl Handle for PunishmentShow {
    async fn handle(self, cx: &Context) -> Result<PunishmentDetail, Fault> {
        // A member sees what was decided in their guild as a whole, and of others' what reached it.
        let only = cx.invocation.guild.filter(|_| cx.is_member());
        cx.daemon.store().read(move |view| detail(view, self.id, only)).await
    }
}

/// A punishment with its deliveries, as `only` that guild may see it.
///
/// # Errors
/// Where there is no such punishment, or not for that guild.
pub(crate) fn detail(
    view: &View<'_>,
    id: PunishmentId,
    only: Option<GuildId>,
) -> Result<PunishmentDetail, Fault> {
    let unknown = || {
        Fault::not_found(format!("there is no punishment {id} here")).hint("punishment list shows the latest")
    };
    let punishment = view.punishment(id)?.ok_or_else(unknown)?;
    let mut deliveries = view.deliveries_of(id)?;
    if let Some(guild) = only.filter(|guild| *guild != punishment.guild_id) {
        deliveries.retain(|delivery| delivery.guild_id == guild);
        if deliveries.is_empty() {
            return Err(unknown());
        }
    }
    let origin = match view.origin_of(id)? {
        Some(origin) => {
            OriginOutcome { guild_id: punishment.guild_id, state: origin.state, reason: origin.reason }
        }
        None => OriginOutcome {
            guild_id: punishment.guild_id,
            state: DeliveryState::Applied,
            reason: (punishment.origin == Origin::Guild).then(|| "made there by hand".into()),
        },
    };
    let (told, amendments) = (view.told(id)?, view.amendments_of(id)?);
    Ok(PunishmentDetail { punishment, origin, told, deliveries, amendments })
}
