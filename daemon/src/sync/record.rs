//! A punishment and its deliveries, stored in one transaction: the outbox.

use super::plan::plan;
use crate::store::{Change, NewPunishment, Queued, Scope, StoreError};
use std::sync::Arc;
use wayhaven_shared::operations::punishment::{
    Action, DeliveryCounts, DeliveryState, OriginOutcome, Punishment,
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
    /// It is not done there, for this reason: what somebody else did there stands.
    Kept(&'static str),
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
        AtOrigin::Kept(why) => {
            // Nothing is decided against the others, so nothing of theirs is superseded.
            let (scope, state) = (Scope::Origin, DeliveryState::Skipped);
            change.insert_delivery(&punishment, new.guild, scope, state, Some(why))?;
            state
        }
    };
    let mut deliveries = DeliveryCounts::default();
    for step in plan(&topology, new.guild, new.action) {
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
    #[cfg(test)]
    crate::failpoint::reach(crate::failpoint::Point::Record, Some(new.user));
    let reason = match at_origin {
        AtOrigin::Kept(why) => Some(why.to_owned()),
        _ => None,
    };
    let origin = OriginOutcome { guild_id: new.guild, state: origin_state, reason };
    Ok(Recorded { punishment, origin, deliveries })
}
