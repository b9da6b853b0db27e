//! What punishes (`ban` to `warn`), `punishment list`, `punishment show`.

mod expiry;
mod preview;
pub(super) mod warnings;

use super::{Handle, PAGE};
pub(crate) use preview::hold_foreseen;

use crate::context::Context;
use crate::direct::telling;
use crate::discord::accounts::Kind;
use crate::invocation::{Actor, operator_name};
use crate::network::Topology;
use crate::store::{Change, NewPunishment, StoreError, View};
use crate::sync::attempt::obstacle::Known;
use crate::sync::plan::reached;
use crate::sync::record::{AtOrigin, record};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::ban::{Ban, Unban};
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::mute::{Mute, Unmute};
use wayhaven_shared::operations::punished::{Punished, Replaced};
use wayhaven_shared::operations::punishment::{
    Action, DeliveryState, Origin, OriginOutcome, Punishment, PunishmentDetail, PunishmentList,
    PunishmentShow, Punishments,
};
use wayhaven_shared::operations::timeout::{Timeout, Untimeout};
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
    let topology = cx.services.store().topology();
    if asked.action.measure() == Action::Mute {
        check_mute_role(cx, guild, &asked).await?;
    }
    let kind = whose(cx, &topology, guild, asked.action, asked.user).await?;
    if cx.invocation.dry_run {
        return preview::preview(cx, &topology, guild, &asked, kind).await;
    }
    let expires_at = asked.span.map(|span| cx.services.clock().now() + span);
    let cut_short = preview::cut_short(cx, guild, (asked.action, asked.user), expires_at);
    let known = known_of(cx, asked.user);
    let tell = telling(&cx.systems.direct, guild, (asked.action, asked.user), known, true).await?;
    let new = NewPunishment {
        of_bot: kind == Kind::Bot,
        reason: asked.reason,
        moderator: cx.invocation.actor.user(),
        operator: cx.invocation.actor.uid(),
        delete_seconds: asked.delete_seconds,
        expires_at,
        evidence: asked.evidence,
        because: cx.invocation.because,
        tell,
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
    // The answer waits for what Discord shows, and the punishment does not.
    let (stored, cut_short) = tokio::join!(cx.services.store().write(work), cut_short);
    let (recorded, warnings) = stored?;
    let is_done = recorded.origin.state == DeliveryState::Pending;
    Ok(Punished {
        punishment: Some(recorded.punishment),
        dry_run: false,
        network: topology.is_main(guild),
        origin: recorded.origin,
        deliveries: recorded.deliveries,
        told: recorded.told,
        expires_at: None,
        replaces: recorded.replaced.iter().map(Replaced::from).collect(),
        cuts_short: cut_short.filter(|_| is_done),
        action: None,
        hold: recorded.hold,
        plan: Vec::new(),
        warnings,
        escalation: None,
    })
}

/// What came with the request of the user's roles.
fn known_of(cx: &Context, user: UserId) -> Known {
    match &cx.invocation.actor {
        Actor::Member { resolved, .. } => resolved
            .iter()
            .find(|(named, _)| *named == user)
            .map_or(Known::Nothing, |(_, roles)| Known::Member(roles.clone())),
        Actor::Operator { .. } | Actor::System => Known::Nothing,
    }
}

/// The kind of the user's account. Punishments of bots need approval before they reach a child, and a user
/// whom Discord does not know is refused: to all but a ban Discord answers only "no member".
/// Discord is asked only where one of the two matters; otherwise the answer is a person.
///
/// # Errors
/// Discord knows no such user.
async fn whose(
    cx: &Context,
    topology: &Topology,
    guild: GuildId,
    action: Action,
    user: UserId,
) -> Result<Kind, Fault> {
    let by_itself = matches!(cx.invocation.actor, Actor::System);
    let propagates = action != Action::Warn && !reached(topology, guild, action).is_empty();
    let must_exist = action.measure() != Action::Ban && !by_itself;
    if action.is_undo() || !(propagates || must_exist) {
        return Ok(Kind::Person);
    }
    let kind = cx.services.directory().accounts().ask(cx.services.rest(), user).await;
    if kind == Kind::Nobody && must_exist {
        return Err(Fault::not_found(format!("Discord knows no user {user}")).hint(
            "an id copied from a message, a role or a channel is none of a user: copy it from their profile",
        ));
    }
    Ok(kind)
}

/// Without a mute role nobody can be muted where it is asked for, and only those unmuted who were given one that was the
/// mute role then. A child without one is blocked until it has one.
async fn check_mute_role(cx: &Context, guild: GuildId, asked: &Asked) -> Result<(), Fault> {
    let (user, undo) = (asked.user, asked.action.is_undo());
    let role = cx.services.store().read(move |view| {
        let former = if undo { view.former_mute_roles(guild, user)?.pop() } else { None };
        Ok(view.config(guild)?.mute_role_id.or(former))
    });
    match role.await? {
        Some(_) => Ok(()),
        None => Err(Fault::conflict("this guild has no mute role")
            .hint("config muterole ROLE sets it; timeout does without one")),
    }
}

impl Handle for PunishmentList {
    async fn handle(self, cx: &Context) -> Result<Punishments, Fault> {
        let limit = self.limit.map_or(PAGE, PageSize::get);
        let guild = cx.scope();
        let names_operators = !cx.is_member();
        let read = move |view: &View<'_>| {
            let mut punishments = view.punishments(guild, self.user, self.cursor, limit)?;
            if names_operators {
                punishments.iter_mut().try_for_each(|one| name_operator(view, one))?;
            }
            Ok(punishments)
        };
        let punishments = cx.services.store().read(read).await?;
        let next = punishments.last().map(|last| last.id).filter(|_| punishments.len() == usize::from(limit));
        Ok(Punishments { punishments, next })
    }
}

impl Handle for PunishmentShow {
    async fn handle(self, cx: &Context) -> Result<PunishmentDetail, Fault> {
        // A member sees what was decided in their guild as a whole, and of others' what reached it.
        let only = cx.invocation.guild.filter(|_| cx.is_member());
        let names_operators = !cx.is_member();
        let read = move |view: &View<'_>| {
            let mut detail = detail(view, self.id, only)?;
            if names_operators {
                name_operator(view, &mut detail.punishment)?;
            }
            Ok(detail)
        };
        cx.services.store().read(read).await
    }
}

/// Fills in which operator issued a punishment.
fn name_operator(view: &View<'_>, punishment: &mut Punishment) -> Result<(), StoreError> {
    let uid = view.operator_of(punishment.id)?;
    punishment.operator = uid.map(|uid| Untrusted::clipped(&operator_name(uid)));
    Ok(())
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
    let escalation = match punishment.action {
        Action::Warn => Some(view.escalation_of(&punishment)?),
        _ => None,
    };
    Ok(PunishmentDetail { punishment, origin, told, deliveries, amendments, escalation })
}
