//! A punishment and its deliveries, stored in one transaction: the outbox.

use super::overrides::taken_back_here;
use super::plan::plan_for;
use crate::store::{Change, NewPunishment, Queued, Scope, StoreError};
use std::sync::Arc;
use wayhaven_shared::operations::punishment::{
    Action, DeliveryCounts, DeliveryState, Origin, OriginOutcome, Punishment,
};
use wayhaven_shared::value::GuildId;

/// What was stored.
#[derive(Debug)]
pub struct Recorded {
    /// The decision.
    pub punishment: Punishment,
    /// How it stands where it was decided.
    pub origin: OriginOutcome,
    /// The deliveries to children, counted by state.
    pub deliveries: DeliveryCounts,
}

/// How a punishment stands in its own guild before anything was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtOrigin {
    /// We have to do it there.
    ToDo,
    /// Somebody did it there by hand.
    Done,
}

/// Stores a punishment, one delivery per active link, and ends older open deliveries of the same measure and user. What
/// is to be sent goes to the engine with the commit. A warning makes no request anywhere: it is recorded, and so done.
///
/// # Errors
/// Where the store fails; then nothing of it is stored.
pub fn record(change: &Change<'_>, new: &NewPunishment, at_origin: AtOrigin) -> Result<Recorded, StoreError> {
    let topology = change.topology_here()?;
    let punishment = change.insert_punishment(new)?;
    change.tell(&wayhaven_shared::event::Change::Punishment { punishment: punishment.clone() })?;

    let reason = new.reason.clone().map(Arc::new);
    let add = |guild: GuildId, scope: Scope, state: DeliveryState, why: Option<&str>| {
        change.supersede(guild, new.user, new.guild, new.action)?;
        let id = change.insert_delivery(&punishment, guild, scope, state, why)?;
        if state == DeliveryState::Pending {
            change.send_after_commit(Queued {
                id,
                punishment: punishment.id,
                source: new.guild,
                guild,
                scope,
                action: new.action,
                user: new.user,
                reason: reason.clone(),
                delete_seconds: new.delete_seconds,
                until: new.expires_at,
                attempts: 0,
                state: DeliveryState::Pending,
                not_before: None,
                because: new.because,
                instead_of: None,
            });
        }
        Ok::<_, StoreError>(())
    };
    let origin_state = match at_origin {
        AtOrigin::ToDo if new.action == Action::Warn => DeliveryState::Applied,
        AtOrigin::ToDo => {
            add(new.guild, Scope::Origin, DeliveryState::Pending, None)?;
            DeliveryState::Pending
        }
        AtOrigin::Done => DeliveryState::Applied,
    };
    let mut deliveries = DeliveryCounts::default();
    for step in plan_for(&topology, new.guild, new.user, new.action) {
        let state = match step.state {
            DeliveryState::Pending if new.action == Action::Warn => DeliveryState::Applied,
            state => state,
        };
        add(step.guild, Scope::Child(step.link), state, step.reason.as_deref())?;
        *deliveries.of(state) += 1;
    }
    if at_origin == AtOrigin::Done {
        // What we still had to do there was overtaken by hand.
        change.supersede(new.guild, new.user, new.guild, new.action)?;
    }
    if at_origin == AtOrigin::ToDo && new.origin != Origin::System {
        taken_back_here(change, new.guild, new.user, new.action, new.moderator)?;
    }
    #[cfg(test)]
    crate::failpoint::reach(crate::failpoint::Point::Record, Some(new.user));
    let origin = OriginOutcome { guild_id: new.guild, state: origin_state, reason: None };
    Ok(Recorded { punishment, origin, deliveries })
}
