//! What a punishment would come to, without doing anything.

use super::warnings;
use crate::direct::telling;
use crate::discord::directory::{Presence, needed};
use crate::invocation::Context;
use crate::network::Topology;
use crate::store::{Judged, NewPunishment, Telling, View};
use crate::sync::attempt::{NO_MUTE_ROLE, absent, whose};
use crate::sync::containment::why_held;
use crate::sync::plan::{Step, plan};
use std::collections::HashMap;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, OriginOutcome, PlannedDelivery};
use wayhaven_shared::operations::told::{Told, ToldState};
use wayhaven_shared::value::{GuildId, UserId};

/// How long Discord may take to say whether somebody is a member: a plan is not worth more.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// The plan, which is also what would be sent: an unban lifts nothing where it was not ours to lift.
pub(super) async fn preview(
    cx: &Context,
    topology: &Topology,
    guild: GuildId,
    (action, user, of_bot): (Action, UserId, bool),
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
    foresee_hold(cx, guild, (action, user, of_bot), &mut steps).await?;
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
        origin: here(cx, guild, action, user).await,
        deliveries: steps.iter().map(|step| step.state).collect(),
        told: telling(&cx.daemon, guild, action, false).map(would_be_told),
        action: Some(action),
        hold: None,
        plan: steps.into_iter().map(planned).collect(),
        warnings,
    })
}

/// What would become of it in the guild itself. There it costs one question whether the user is a member; in the children
/// it would cost one each, and is not asked.
async fn here(cx: &Context, guild: GuildId, action: Action, user: UserId) -> OriginOutcome {
    let directory = cx.daemon.directory();
    let outcome = |state, reason| OriginOutcome { guild_id: guild, state, reason };
    if action != Action::Warn && directory.may(guild, action) == Some(false) {
        return outcome(DeliveryState::Blocked, Some(lacks(action)));
    }
    let of_members = !matches!(action.measure(), Action::Ban | Action::Warn);
    if of_members && directory.presence(guild) == Some(Presence::Here) {
        let member = tokio::time::timeout(ANSWERS_WITHIN, cx.daemon.rest().member(guild, user)).await;
        // Where Discord does not say, it is not known.
        if let Ok(Ok(None)) = member {
            return outcome(DeliveryState::Skipped, Some(absent(action).to_owned()));
        }
    }
    outcome(DeliveryState::Pending, None)
}

fn lacks(action: Action) -> String {
    format!("missing permission {}", needed(action).1)
}

/// What goes beyond a budget would be held for approval.
async fn foresee_hold(
    cx: &Context,
    guild: GuildId,
    (action, user, of_bot): (Action, UserId, bool),
    steps: &mut [Step],
) -> Result<(), Fault> {
    let actor = &cx.invocation.actor;
    let moderator = actor.user();
    let new = NewPunishment { moderator, of_bot, ..NewPunishment::new(guild, user, action, actor.origin()) };
    let (budgets, planned) = (cx.daemon.store().budgets(), steps.to_vec());
    let look = move |view: &View<'_>| Ok(why_held(view, budgets, &new, &planned)?);
    let Some(kind) = cx.daemon.store().read(look).await? else { return Ok(()) };
    for step in steps.iter_mut().filter(|step| !step.state.is_final()) {
        (step.state, step.reason) =
            (DeliveryState::Held, Some(format!("{}: somebody has to approve it", kind.why())));
    }
    Ok(())
}

/// What is known to be missing in a child would block it there.
async fn foresee(cx: &Context, steps: &mut [Step], action: Action) -> Result<(), Fault> {
    let sent = || |step: &&mut Step| step.state == DeliveryState::Pending;
    for step in steps.iter_mut().filter(sent()) {
        if action != Action::Warn && cx.daemon.directory().may(step.guild, action) == Some(false) {
            (step.state, step.reason) = (DeliveryState::Blocked, Some(lacks(action)));
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
