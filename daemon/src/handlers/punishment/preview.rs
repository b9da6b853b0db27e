//! What a punishment would come to, without doing anything.

use super::warnings;
use crate::direct::telling;
use crate::discord::budget::Priority;
use crate::invocation::Context;
use crate::network::Topology;
use crate::store::{Judged, NewPunishment, Telling, View};
use crate::sync::attempt::obstacle::{Known, Obstacle};
use crate::sync::attempt::whose;
use crate::sync::containment::why_held;
use crate::sync::foresight::{self, Foresight};
use crate::sync::plan::{Step, plan};
use futures::future::join_all;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, OriginOutcome, PlannedDelivery};
use wayhaven_shared::operations::told::{Told, ToldState};
use wayhaven_shared::value::{GuildId, UserId};

/// The plan, which is also what would be sent: an unban lifts nothing where it was not ours to lift.
pub(super) async fn preview(
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
    foresee_hold(cx, guild, action, user, &mut steps).await?;
    foresee(cx, &mut steps, action, user).await?;
    let mut warnings = None;
    if action == Action::Warn {
        let now = cx.daemon.clock().now();
        warnings = cx.daemon.store().read(move |view| warnings::count(view, guild, user, now, 1)).await?;
    }
    let known = known_in(cx, guild, action, user).await;
    let told = telling(&cx.daemon, guild, (action, user), known.clone(), false).await?;
    let foresight = Foresight::of(&cx.daemon, guild, Some(user), known).await?;
    let here = here(guild, foresight.obstacle(&cx.daemon, action));
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
        origin: here,
        deliveries: steps.iter().map(|step| step.state).collect(),
        told: told.map(would_be_told),
        action: Some(action),
        hold: None,
        plan: steps.into_iter().map(planned).collect(),
        warnings,
    })
}

/// What would become of it in the guild itself.
fn here(guild: GuildId, obstacle: Option<Obstacle>) -> OriginOutcome {
    let (state, reason) = match obstacle {
        Some(obstacle) => (obstacle.state(), Some(obstacle.words())),
        None => (DeliveryState::Pending, None),
    };
    OriginOutcome { guild_id: guild, state, reason }
}

/// What is known of the user in a guild. It costs one question.
async fn known_in(cx: &Context, guild: GuildId, action: Action, user: UserId) -> Known {
    match foresight::depends_on_member(action) {
        true => foresight::ask_soon(&cx.daemon, Priority::Upkeep, guild, user).await,
        false => Known::Nothing,
    }
}

/// What an attempt would meet in a child.
async fn would_meet(
    cx: &Context,
    guild: GuildId,
    action: Action,
    user: UserId,
) -> Result<Option<Obstacle>, Fault> {
    let known = known_in(cx, guild, action, user).await;
    let foresight = Foresight::of(&cx.daemon, guild, Some(user), known).await?;
    Ok(foresight.obstacle(&cx.daemon, action))
}

/// What goes beyond a budget would be held for approval.
async fn foresee_hold(
    cx: &Context,
    guild: GuildId,
    action: Action,
    user: UserId,
    steps: &mut [Step],
) -> Result<(), Fault> {
    let actor = &cx.invocation.actor;
    let moderator = actor.user();
    let new = NewPunishment { moderator, ..NewPunishment::new(guild, user, action, actor.origin()) };
    let (budgets, planned) = (cx.daemon.store().budgets(), steps.to_vec());
    let look = move |view: &View<'_>| Ok(why_held(view, budgets, &new, &planned)?);
    let Some(kind) = cx.daemon.store().read(look).await? else { return Ok(()) };
    for step in steps.iter_mut().filter(|step| !step.state.is_final()) {
        (step.state, step.reason) =
            (DeliveryState::Held, Some(format!("{}: somebody has to approve it", kind.why())));
    }
    Ok(())
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
