//! What follows from a try: where the delivery stands, and what the lane does next.

use super::obstacle::Obstacle;
use super::{NON_MEMBER_WAIT, Next, STORE_WAIT, Stop, Tools, everybody, settled};
use crate::discord::directory::Presence;
use crate::discord::rest::{Outcome, RestError};
use crate::store::{BOT_ABSENT, Queued, Settlement};
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
            let reason = BOT_ABSENT;
            let settlement = settled(DeliveryState::Blocked, Some(reason.into()), delivery.attempts);
            (Some(settlement), Next::Shut(reason.into()))
        }
        Err(Stop::Unfit(reason)) => {
            let settlement = settled(DeliveryState::Blocked, Some(reason.clone()), delivery.attempts);
            (Some(settlement), Next::Park(reason))
        }
        Err(Stop::Missing(reason)) => {
            let settlement = settled(DeliveryState::Blocked, Some(reason.clone()), delivery.attempts);
            (Some(settlement), Next::Bar(reason))
        }
        Err(Stop::OutOfReach { why, refused, .. }) => {
            let reason = format!("403 {}", why.words());
            let attempts = delivery.attempts + u32::from(refused);
            (Some(settled(DeliveryState::Blocked, Some(reason.clone()), attempts)), Next::Park(reason))
        }
        // The request that was refused has done nothing, and is none that left.
        Err(Stop::Needless) => {
            (Some(settled(DeliveryState::Applied, None, delivery.attempts)), Next::Forward)
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
    if unknown && tools.services.directory().presence(delivery.guild) == Some(Presence::Outage) {
        return (None, Next::Away);
    }
    let attempts = delivery.attempts + 1;
    let refused = everybody::of(tools, delivery, error);
    let reason = match (error.code(), &refused) {
        (_, Some(refused)) => refused.reason.clone(),
        (Some(50013), None) => format!("403 {}", Obstacle::NoPermission(delivery.action).words()),
        (Some(10011), None) if delivery.action.measure() == Action::Mute => {
            "404 the mute role is gone: config muterole names another".to_owned()
        }
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
            RestError::Refused { code: 40333, .. } => (settle(waiting), Next::Turned(reason)),
            _ => (settle(waiting), Next::Failed(reason)),
        },
        Outcome::Unknown if *error == RestError::Stumbled(403) => {
            (settle(DeliveryState::Unknown), Next::Turned(reason))
        }
        Outcome::Unknown => (settle(DeliveryState::Unknown), Next::Failed(reason)),
        Outcome::Blocked => {
            let next = refused.map_or_else(|| Next::Bar(reason.clone()), Next::Refuse);
            (settle(DeliveryState::Blocked), next)
        }
        Outcome::Failed => (settle(DeliveryState::Failed), Next::Forward),
        Outcome::Stopped => (None, Next::Halt),
    }
}
