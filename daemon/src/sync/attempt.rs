//! One delivery, tried once: its gates, its request, and what follows from the answer.

use super::backoff;
use crate::discord::budget::Priority;
use crate::discord::directory::{ADMINISTRATOR, Directory};
use crate::discord::rest::{Outcome, Rest, RestError};
use crate::network::permit_for;
use crate::store::{Queued, Scope, Settlement, Store};
use std::sync::Arc;
use std::time::Duration;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::{Authority, Fault};

/// What a delivery is tried with.
#[derive(Clone)]
pub struct Tools {
    /// The store.
    pub store: Store,
    /// The way to Discord.
    pub rest: Arc<Rest>,
    /// What the bot may do where.
    pub directory: Arc<Directory>,
}

/// What the lane does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This one is done with: go on.
    Forward,
    /// Try this one again after so long, and none of this user's before it.
    Again(Duration),
    /// This one waits for somebody to mend the guild; others go on.
    Park,
    /// Nothing in this guild can go on before somebody mends it.
    Shut(String),
    /// Nothing at all leaves any more.
    Halt,
}

/// Tries a delivery once.
pub async fn attempt(tools: &Tools, delivery: &Queued) -> (Option<Settlement>, Next) {
    match try_once(tools, delivery).await {
        Ok(()) => (Some(settled(DeliveryState::Applied, None, delivery.attempts + 1)), Next::Forward),
        Err(Stop::Not(state, reason)) => {
            (Some(settled(state, Some(reason), delivery.attempts)), Next::Forward)
        }
        Err(Stop::Store(fault)) => {
            tracing::error!(delivery = %delivery.id, "not tried: {fault}");
            (None, Next::Again(backoff(4)))
        }
        Err(Stop::Rest(error)) => after(tools, delivery, &error),
    }
}

/// Why it was not applied.
enum Stop {
    /// It is not to be sent.
    Not(DeliveryState, String),
    /// The store could not say whether it is.
    Store(Fault),
    /// Discord did not do it.
    Rest(RestError),
}

impl From<RestError> for Stop {
    fn from(error: RestError) -> Self {
        Self::Rest(error)
    }
}

async fn try_once(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    if delivery.action == Action::Unban && delivery.scope != Scope::Origin {
        may_lift(tools, delivery).await?;
    }
    let priority = match delivery.scope {
        Scope::Origin => Priority::Interactive,
        Scope::Child(_) => Priority::Enforcement,
    };
    let route = Rest::punishment_route(delivery.guild, delivery.action);
    let slot = tools.rest.slot(priority, route).await?;
    // The gates once more, now that the request is about to leave: the link may be gone by now.
    let permit = permit_for(&tools.store.topology(), delivery)
        .map_err(|refusal| Stop::Not(refusal.state(), refusal.to_string()))?;
    let reason = delivery.reason.as_ref().map(|reason| reason.audit_reason());
    Ok(tools.rest.punish(slot, &permit, delivery.user, reason, delivery.delete_seconds).await?)
}

/// Provenance: in a child only what Wayhaven did is undone, and only when no other cause remains.
async fn may_lift(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    let (guild, user, source) = (delivery.guild, delivery.user, delivery.source);
    let id = delivery.id;
    // Asked of the writer, which has taken in by now what became of the deliveries before this one.
    let why_not = tools.store.write(move |change| Ok(change.why_not_lift(guild, user, source, Some(id))?));
    match why_not.await {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(Stop::Not(DeliveryState::Skipped, reason.to_owned())),
        Err(fault) => Err(Stop::Store(fault)),
    }
}

fn settled(state: DeliveryState, reason: Option<String>, attempts: u32) -> Settlement {
    Settlement { state, reason, attempts }
}

/// What follows from Discord's refusal.
fn after(tools: &Tools, delivery: &Queued, error: &RestError) -> (Option<Settlement>, Next) {
    let attempts = delivery.attempts + 1;
    let outranked = ranks_too_high(tools, delivery, error);
    let reason = match error.code() {
        Some(50013) if outranked => "403 the user ranks above the bot".to_owned(),
        Some(50013) => "403 missing permission Ban Members".to_owned(),
        _ => error.reason(),
    };
    let settle = |state| Some(settled(state, Some(reason.clone()), attempts));
    match error.outcome() {
        Outcome::Retry => {
            let wait = match error {
                RestError::RateLimited { wait, .. } => *wait,
                // The budget of bans of non-members comes back within hours, not seconds.
                RestError::Refused { code: 30035 | 30037, .. } => Duration::from_secs(3_600),
                _ => backoff(attempts),
            };
            (settle(DeliveryState::Pending), Next::Again(wait))
        }
        Outcome::Unknown => (settle(DeliveryState::Unknown), Next::Again(backoff(attempts))),
        Outcome::Blocked if outranked => (settle(DeliveryState::Blocked), Next::Park),
        Outcome::Blocked => (settle(DeliveryState::Blocked), Next::Shut(reason.clone())),
        Outcome::Failed => (settle(DeliveryState::Failed), Next::Forward),
        Outcome::Stopped => (None, Next::Halt),
    }
}

/// Discord says 50013 for a missing permission and for a user who ranks above the bot alike. Where the bot has
/// the permission it is the second, and only this user is concerned.
fn ranks_too_high(tools: &Tools, delivery: &Queued, error: &RestError) -> bool {
    let needed = Authority::Ban.permission().unwrap_or(ADMINISTRATOR);
    error.code() == Some(50013)
        && tools.directory.my_permissions(delivery.guild).is_some_and(|bits| bits & needed != 0)
}
