//! What follows from a try: where the delivery stands, and what the lane does next.

use super::{NON_MEMBER_WAIT, Next, STORE_WAIT, Stop, Tools, settled};
use crate::discord::directory::{Presence, needed};
use crate::discord::rest::{Outcome, RestError};
use crate::store::{Queued, Settlement};
use std::time::Duration;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};

/// What follows from a try.
pub(super) fn conclude(
    tools: &Tools,
    delivery: &Queued,
    tried: Result<bool, Stop>,
) -> (Option<Settlement>, Next) {
    match tried {
        Ok(sent) => {
            let attempts = delivery.attempts + u32::from(sent);
            (Some(settled(DeliveryState::Applied, None, attempts)), Next::Forward)
        }
        Err(Stop::Not(state, reason)) => {
            (Some(settled(state, Some(reason), delivery.attempts)), Next::Forward)
        }
        Err(Stop::Store(fault)) => {
            tracing::error!(delivery = %delivery.id, "not tried: {fault}");
            (None, Next::Again(STORE_WAIT))
        }
        Err(Stop::Route) => (None, Next::Route),
        Err(Stop::Wait(wait)) => (None, Next::Again(wait)),
        Err(Stop::Away) => (None, Next::Away),
        Err(Stop::Absent) => {
            let reason = "the bot is not in the guild";
            let settlement = settled(DeliveryState::Blocked, Some(reason.into()), delivery.attempts);
            (Some(settlement), Next::Shut(reason.into()))
        }
        Err(Stop::Missing(reason)) => {
            let settlement = settled(DeliveryState::Blocked, Some(reason.clone()), delivery.attempts);
            (Some(settlement), Next::Bar(reason))
        }
        Err(Stop::Rest(error)) => after(tools, delivery, &error, DeliveryState::Pending),
        // Nobody knows more of it than before: of one that a bulk ban came back without, that it has not left.
        Err(Stop::Asking(error)) => {
            let before = waiting_as(delivery);
            let (settlement, next) = after(tools, delivery, &error, before);
            let as_before = |one: Settlement| match one.state {
                DeliveryState::Unknown => Settlement { state: before, ..one },
                _ => one,
            };
            (settlement.map(as_before), next)
        }
        // Nothing of it has left: that the question had no answer makes nothing of it unknown.
        Err(Stop::Roles(error)) if error.outcome() == Outcome::Unknown => {
            let reason = error.reason();
            let waits = settled(DeliveryState::Pending, Some(reason.clone()), delivery.attempts + 1);
            (Some(waits), Next::Failed(reason))
        }
        Err(Stop::Roles(error)) => after(tools, delivery, &error, DeliveryState::Pending),
        Err(Stop::Later(wait)) => (None, Next::Again(wait)),
    }
}

/// How it stands while it waits and nothing new is known of it.
pub fn waiting_as(delivery: &Queued) -> DeliveryState {
    match delivery.state {
        DeliveryState::Unknown | DeliveryState::Sending => DeliveryState::Unknown,
        _ => DeliveryState::Pending,
    }
}

/// What follows from Discord's refusal. `waiting` is how it stands where it is tried again.
pub(super) fn after(
    tools: &Tools,
    delivery: &Queued,
    error: &RestError,
    waiting: DeliveryState,
) -> (Option<Settlement>, Next) {
    // A guild that Discord has an outage of is unknown to it, and so is everybody in it.
    let unknown = matches!(error, RestError::Refused { status: 404, .. });
    if unknown && tools.directory.presence(delivery.guild) == Some(Presence::Outage) {
        return (None, Next::Away);
    }
    let attempts = delivery.attempts + 1;
    let permitted = tools.directory.may(delivery.guild, delivery.action) == Some(true);
    let mutes = delivery.action.measure() == Action::Mute;
    // Discord says 50013 for a missing permission, and for a user or a role that ranks above the bot alike. Where the
    // bot has the permission it is the second, and only this user is concerned, or only the role.
    let outranked = error.code() == Some(50013) && permitted && !mutes;
    let reason = match error.code() {
        Some(50013) if outranked => "403 the user ranks above the bot".to_owned(),
        Some(50013) if permitted => "403 the mute role ranks above the bot".to_owned(),
        Some(50013) => format!("403 missing permission {}", needed(delivery.action).1),
        Some(10011) if mutes => "404 the mute role is gone: config muterole names another".to_owned(),
        _ => error.reason(),
    };
    let settle = |state| Some(settled(state, Some(reason.clone()), attempts));
    match error.outcome() {
        Outcome::Retry => match error {
            // Other routes of the guild go on: this one is shut for as long.
            RestError::RateLimited { wait, everything } => {
                (settle(waiting), Next::Limited(if *everything { *wait } else { Duration::ZERO }))
            }
            RestError::Refused { code: 30035, .. } => {
                let settlement = Settlement {
                    wait: Some(NON_MEMBER_WAIT),
                    ..settled(waiting, Some(reason.clone()), attempts)
                };
                (Some(settlement), Next::Defer(reason))
            }
            _ => (settle(waiting), Next::Failed(reason)),
        },
        Outcome::Unknown => (settle(DeliveryState::Unknown), Next::Failed(reason)),
        Outcome::Blocked if outranked => (settle(DeliveryState::Blocked), Next::Park(reason)),
        Outcome::Blocked if matches!(error.code(), Some(50013 | 10011)) => {
            (settle(DeliveryState::Blocked), Next::Bar(reason))
        }
        Outcome::Blocked => (settle(DeliveryState::Blocked), Next::Shut(reason)),
        Outcome::Failed => (settle(DeliveryState::Failed), Next::Forward),
        Outcome::Stopped => (None, Next::Halt),
    }
}
