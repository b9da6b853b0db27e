//! What a punishment would come to, without doing anything.

use super::{Asked, warnings};
use crate::context::Context;
use crate::direct::telling;
use crate::discord::accounts::Kind;
use crate::discord::budget::Priority;
use crate::discord::rest::MemberView;
use crate::invocation::Actor;
use crate::network::Topology;
use crate::store::{BOT_ABSENT, Judged, NewPunishment, ORIGIN_REFUSED, Telling, UNKNOWN_USER, View};
use crate::sync::attempt::obstacle::{Known, Obstacle};
use crate::sync::attempt::whose;
use crate::sync::containment::why_held;
use crate::sync::foresight::{self, Foresight};
use crate::sync::plan::{Step, plan};
use futures::future::join_all;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punished::{Punished, Replaced};
use wayhaven_shared::operations::punishment::{Action, DeliveryState, OriginOutcome, PlannedDelivery};
use wayhaven_shared::operations::told::{Told, ToldState};
use wayhaven_shared::value::{GuildId, Timestamp, UserId};

/// The plan, which is also what would be sent: an unban lifts nothing where it was not ours to lift.
pub(super) async fn preview(
    cx: &Context,
    topology: &Topology,
    guild: GuildId,
    asked: &Asked,
    kind: Kind,
) -> Result<Punished, Fault> {
    let (action, user) = (asked.action, asked.user);
    let until = asked.span.map(|span| cx.services.clock().now() + span);
    let mut steps = plan(topology, guild, action, user);
    if action.is_undo() {
        let sees_log = |step: &Step| cx.services.directory().shows_log(step.guild) != Some(false);
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
        steps = cx.services.store().read(judge).await?;
    }
    let held = hold_foreseen(cx, guild, (action, user, kind == Kind::Bot), steps.clone()).await?;
    for step in steps.iter_mut().filter(|step| !step.state.is_final()) {
        if let Some(why) = &held {
            (step.state, step.reason) = (DeliveryState::Held, Some(why.clone()));
        }
    }
    let member = member_of(cx, guild, action, user).await;
    let known = member.as_ref().map_or(Known::Nothing, Known::of);
    let told = telling(&cx.systems.direct, guild, (action, user), known.clone(), false).await?;
    let foresight = Foresight::of(&cx.services, guild, Some(user), known).await?;
    let shown = member.flatten().and_then(|member| member.communication_disabled_until);
    let mut origin = here(guild, foresight.obstacle(&cx.services, action));
    if kind == Kind::Nobody {
        (origin.state, origin.reason) = (DeliveryState::Failed, Some(UNKNOWN_USER.to_owned()));
        for step in steps.iter_mut().filter(|step| !step.state.is_final()) {
            (step.state, step.reason) = (DeliveryState::Failed, Some(UNKNOWN_USER.to_owned()));
        }
    }
    let refused = origin.state == DeliveryState::Blocked && origin.reason.as_deref() != Some(BOT_ABSENT);
    if topology.is_main(guild) && refused && !action.is_undo() {
        for step in steps.iter_mut().filter(|step| step.state == DeliveryState::Pending) {
            (step.state, step.reason) = (DeliveryState::Held, Some(ORIGIN_REFUSED.to_owned()));
        }
    }
    // Of a timeout that is shown there, the end comes with the end of the new one.
    let is_cut_short = action == Action::Timeout && origin.state == DeliveryState::Pending;
    let cuts_short = until.filter(|_| is_cut_short).and_then(|until| ends_early(shown, until));
    // Of what is held no child is asked, whatever it would meet there.
    foresee(cx, &mut steps, action, user).await?;
    let replaces =
        cx.services.store().read(move |view| Ok(view.would_replace(guild, user, action, until)?)).await?;
    let mut warnings = None;
    if action == Action::Warn {
        let now = cx.services.clock().now();
        warnings = cx.services.store().read(move |view| warnings::count(view, guild, user, now, 1)).await?;
    }
    let planned = |step: Step| PlannedDelivery {
        guild_id: step.guild,
        guild_name: cx.services.directory().name(step.guild),
        state: step.state,
        reason: step.reason,
    };
    Ok(Punished {
        punishment: None,
        dry_run: true,
        network: topology.is_main(guild),
        origin,
        deliveries: steps.iter().map(|step| step.state).collect(),
        told: told.map(would_be_told),
        expires_at: until,
        replaces: replaces.iter().map(Replaced::from).collect(),
        cuts_short,
        action: Some(action),
        hold: None,
        plan: steps.into_iter().map(planned).collect(),
        warnings,
        escalation: None,
    })
}

/// When the timeout that Discord shows in the guild would have ended, where a new one ends it
/// early. Nobody has asked for what the daemon decides by itself, and that cuts none short.
pub(super) async fn cut_short(
    cx: &Context,
    guild: GuildId,
    (action, user): (Action, UserId),
    until: Option<Timestamp>,
) -> Option<Timestamp> {
    let until = until?;
    if action != Action::Timeout || matches!(cx.invocation.actor, Actor::System) {
        return None;
    }
    let member = foresight::member_soon(&cx.services, Priority::Interactive, guild, user).await??;
    ends_early(member.communication_disabled_until, until)
}

/// The end that is shown, where it is later than the new one.
fn ends_early(shown: Option<Timestamp>, until: Timestamp) -> Option<Timestamp> {
    // What is shown may be the new timeout already, which Discord may have rounded.
    shown.filter(|shown| shown.millis() > until.millis().saturating_add(1_000))
}

/// What would become of it in the guild itself.
fn here(guild: GuildId, obstacle: Option<Obstacle>) -> OriginOutcome {
    let (state, reason) = match obstacle {
        Some(obstacle) => (obstacle.state(), Some(obstacle.words())),
        None => (DeliveryState::Pending, None),
    };
    OriginOutcome { guild_id: guild, state, reason }
}

/// What Discord says of the user in a guild, in one question; nothing where it does not matter or is not said.
async fn member_of(cx: &Context, guild: GuildId, action: Action, user: UserId) -> Option<Option<MemberView>> {
    match foresight::depends_on_member(action) {
        true => foresight::member_soon(&cx.services, Priority::Upkeep, guild, user).await,
        false => None,
    }
}

/// What an attempt would meet in a child.
async fn would_meet(
    cx: &Context,
    guild: GuildId,
    action: Action,
    user: UserId,
) -> Result<Option<Obstacle>, Fault> {
    let member = member_of(cx, guild, action, user).await;
    let known = member.as_ref().map_or(Known::Nothing, Known::of);
    let foresight = Foresight::of(&cx.services, guild, Some(user), known).await?;
    Ok(foresight.obstacle(&cx.services, action))
}

/// Why what goes beyond a budget, or is about a bot, would be held for approval; nothing where it would not.
///
/// # Errors
/// Where the store fails.
pub(crate) async fn hold_foreseen(
    cx: &Context,
    guild: GuildId,
    (action, user, of_bot): (Action, UserId, bool),
    planned: Vec<Step>,
) -> Result<Option<String>, Fault> {
    let actor = &cx.invocation.actor;
    let moderator = actor.user();
    let new = NewPunishment { moderator, of_bot, ..NewPunishment::new(guild, user, action, actor.origin()) };
    let budgets = cx.services.store().budgets();
    let look = move |view: &View<'_>| Ok(why_held(view, budgets, &new, &planned)?);
    let kind = cx.services.store().read(look).await?;
    Ok(kind.map(|kind| format!("{}: somebody has to approve it", kind.why())))
}

/// What an attempt would meet in each child.
async fn foresee(cx: &Context, steps: &mut [Step], action: Action, user: UserId) -> Result<(), Fault> {
    let sent: Vec<&mut Step> = steps.iter_mut().filter(|step| step.state == DeliveryState::Pending).collect();
    let looks = sent.iter().map(|step| would_meet(cx, step.guild, action, user));
    let met = join_all(looks).await;
    for (step, obstacle) in sent.into_iter().zip(met) {
        if let Some(obstacle) = obstacle? {
            (step.state, step.reason) = (obstacle.state(), Some(obstacle.words()));
        }
    }
    Ok(())
}

/// What a dry run says of it.
fn would_be_told(telling: Telling) -> Told {
    match telling {
        Telling::Now { .. } => Told::new(ToldState::Waiting, None),
        Telling::Not(reason) => Told::new(ToldState::NotTold, Some(&reason)),
    }
}
