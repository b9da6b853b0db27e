//! `ban`, `unban`, `punishment list`, `punishment show`.

use super::{Handle, PAGE};
use crate::invocation::Context;
use crate::network::Topology;
use crate::store::{NewPunishment, View};
use crate::sync::plan::{Step, plan};
use crate::sync::record::{AtOrigin, record};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::ban::{Ban, Punished, Unban};
use wayhaven_shared::operations::punishment::{
    Action, DeliveryState, OriginOutcome, PlannedDelivery, PunishmentDetail, PunishmentList, PunishmentShow,
    Punishments,
};
use wayhaven_shared::value::{GuildId, PageSize, PunishmentId, Untrusted, UserId};

/// A day, in seconds.
const DAY: u32 = 86_400;

impl Handle for Ban {
    async fn handle(self, cx: &Context) -> Result<Punished, Fault> {
        let days = self.delete_days.map_or(0, |days| u32::from(days.get()));
        punish(cx, Action::Ban, self.user, self.reason, days * DAY).await
    }
}

impl Handle for Unban {
    async fn handle(self, cx: &Context) -> Result<Punished, Fault> {
        punish(cx, Action::Unban, self.user, self.reason, 0).await
    }
}

async fn punish(
    cx: &Context,
    action: Action,
    user: UserId,
    reason: Option<Untrusted>,
    delete_seconds: u32,
) -> Result<Punished, Fault> {
    let guild = cx.guild()?;
    let topology = cx.daemon.store().topology();
    if cx.invocation.dry_run {
        return preview(cx, &topology, guild, action, user).await;
    }
    let new = NewPunishment {
        guild,
        user,
        action,
        reason,
        moderator: cx.invocation.actor.user(),
        origin: cx.invocation.actor.origin(),
        delete_seconds,
        audit_entry: None,
    };
    let recorded = cx.daemon.store().write(move |change| Ok(record(change, &new, AtOrigin::ToDo)?)).await?;
    Ok(Punished {
        punishment: Some(recorded.punishment),
        dry_run: false,
        network: topology.is_main(guild),
        origin: recorded.origin,
        deliveries: recorded.deliveries,
        plan: Vec::new(),
    })
}

/// The plan, which is also what would be sent: an unban lifts nothing where it was not ours to lift.
async fn preview(
    cx: &Context,
    topology: &Topology,
    guild: GuildId,
    action: Action,
    user: UserId,
) -> Result<Punished, Fault> {
    let mut steps = plan(topology, guild, action);
    if action == Action::Unban {
        let judge = move |view: &View<'_>| {
            for step in steps.iter_mut().filter(|step| step.state == DeliveryState::Pending) {
                if let Some(reason) = view.why_not_lift(step.guild, user, guild, None)? {
                    (step.state, step.reason) = (DeliveryState::Skipped, Some(reason.to_owned()));
                }
            }
            Ok(steps)
        };
        steps = cx.daemon.store().read(judge).await?;
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
        plan: steps.into_iter().map(planned).collect(),
    })
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
            reason: Some("made there by hand".into()),
        },
    };
    Ok(PunishmentDetail { punishment, origin, deliveries })
}
