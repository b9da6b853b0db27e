//! A punishment and its deliveries, stored in one transaction: the outbox.

use super::containment::{Imports, contain, contain_imported, counts};
use super::plan::{Step, plan};
use crate::direct::wording;
use crate::network::Shield;
use crate::store::{
    Cause, Change, First, NewPunishment, OUTLASTED, Queued, Scope, StoreError, Telling, View, lasts_longer,
    overlaps, protected_by,
};
use std::sync::Arc;
use wayhaven_shared::operations::punishment::{
    Action, DeliveryCounts, DeliveryState, Origin, OriginOutcome, Punishment,
};
use wayhaven_shared::operations::told::Told;
use wayhaven_shared::value::{GuildId, HoldId};

/// What was stored.
#[derive(Debug)]
pub struct Recorded {
    /// The decision.
    pub punishment: Punishment,
    /// How it stands where it was decided.
    pub origin: OriginOutcome,
    /// The deliveries to children, counted by state.
    pub deliveries: DeliveryCounts,
    /// Whether the user is told before it is done.
    pub told: Option<Told>,
    /// What its deliveries wait for: somebody's approval.
    pub hold: Option<HoldId>,
    /// What it has replaced: those of the guild that lasted longer.
    pub replaced: Vec<Punishment>,
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

/// The guild's punishment of the user that lasts at least as long as one that the daemon has decided by itself: that one
/// then changes nothing anywhere. Nothing where somebody has asked for the new one.
///
/// # Errors
/// Where the store fails.
pub fn outlasting(view: &View<'_>, new: &NewPunishment) -> Result<Option<Cause>, StoreError> {
    Ok(all_outlasting(view, new)?.pop())
}

/// All of those, the one that lasts longest last.
fn all_outlasting(view: &View<'_>, new: &NewPunishment) -> Result<Vec<Cause>, StoreError> {
    if new.origin != Origin::System || !overlaps(new.action) {
        return Ok(Vec::new());
    }
    let mut longer = view.overlapping(new.guild, new.user, new.action, view.now())?;
    longer.retain(|one| !lasts_longer(new.expires_at, one.until));
    Ok(longer)
}

/// The reason by which the longer ones outlast it in a child: those that a protection keeps from the child do not.
fn outlasted_in(
    view: &View<'_>,
    action: Action,
    longer: &[Cause],
    child: GuildId,
) -> Result<Option<String>, StoreError> {
    for one in longer.iter().rev() {
        if !view.is_kept_from(one.id, child)? {
            return Ok(Some(outlasted_by(action, one)));
        }
    }
    Ok(None)
}

/// Stores a punishment, one delivery per active link, and ends older open deliveries of the same measure and user. A warning
/// makes no request anywhere: it is recorded, and so done.
///
/// Where we have to act in the main itself, only that delivery goes to the engine with the commit, or once the user was
/// told. Those to children follow once Discord has answered to it: a main's refusal holds them. What the daemon decides by
/// itself is not carried out where a longer punishment of the guild stands.
///
/// # Errors
/// Where the store fails; then nothing of it is stored.
pub fn record(change: &Change<'_>, new: &NewPunishment, at_origin: AtOrigin) -> Result<Recorded, StoreError> {
    store(change, new, at_origin, |steps| contain(change, new, steps))
}

/// As [`record`]; what would reach a child waits in the hold of the import that it is a part of.
///
/// # Errors
/// Where the store fails; then nothing of it is stored.
pub fn record_imported(
    change: &Change<'_>,
    new: &NewPunishment,
    at_origin: AtOrigin,
    imports: &mut Imports,
) -> Result<Recorded, StoreError> {
    store(change, new, at_origin, |steps| contain_imported(change, new, steps, imports))
}

fn store(
    change: &Change<'_>,
    new: &NewPunishment,
    at_origin: AtOrigin,
    hold_back: impl FnOnce(&mut [Step]) -> Result<Option<HoldId>, StoreError>,
) -> Result<Recorded, StoreError> {
    let topology = change.topology_here()?;
    let all_longer = all_outlasting(change, new)?;
    let longer = all_longer.last().map(|one| outlasted_by(new.action, one));
    let punishment = change.insert_punishment(new)?;
    let replaced = change.replaced_by(punishment.id)?;
    change.tell(&wayhaven_shared::event::Change::Punishment { punishment: punishment.clone() })?;

    let mut steps = plan(&topology, new.guild, new.action, new.user);
    for step in steps.iter_mut().filter(|step| !step.state.is_final()) {
        if let Some(why) = outlasted_in(change, new.action, &all_longer, step.guild)? {
            (step.state, step.reason, step.spares_older) = (DeliveryState::Skipped, Some(why), true);
        }
    }
    if let Some(shield) = topology.protection().shield(new.guild, new.guild, new.user)
        && !matches!(shield, Shield::Owner { .. })
        && topology.is_main(new.guild)
        && !new.action.is_undo()
    {
        change.keep_from_children(punishment.id, &protected_by(shield))?;
    }
    // What this one makes of the budgets is for those after it.
    let hold = hold_back(&mut steps)?;
    if counts(new, &steps) {
        change.count_propagated(punishment.id)?;
    }
    let told = match at_origin {
        AtOrigin::ToDo if longer.is_none() => tell(change, new, &punishment, &steps)?,
        _ => None,
    };
    let waits = new.action != Action::Warn && told.as_ref().is_some_and(Told::is_waiting);

    // Whose first punishment this is has nothing open anywhere.
    let is_first = change.is_first_of(&punishment)?;
    let supersede = |guild: GuildId| match is_first {
        true => Ok(()),
        false => change.supersede(guild, new.user, new.guild, new.action).map(drop),
    };
    let mut firsts = Vec::with_capacity(steps.len() + 1);
    let own = |state, reason: Option<&str>| First {
        guild: new.guild,
        scope: Scope::Origin,
        state,
        reason: reason.map(ToOwned::to_owned),
        hold: None,
    };
    let mut awaits = false;
    let origin_state = match at_origin {
        AtOrigin::ToDo if new.action == Action::Warn => DeliveryState::Applied,
        AtOrigin::ToDo if longer.is_some() => {
            firsts.push(own(DeliveryState::Skipped, longer.as_deref()));
            DeliveryState::Skipped
        }
        AtOrigin::ToDo => {
            if topology.is_main(new.guild) && !new.action.is_undo() {
                change.await_origin(punishment.id)?;
                awaits = true;
            }
            supersede(new.guild)?;
            firsts.push(own(DeliveryState::Pending, None));
            DeliveryState::Pending
        }
        AtOrigin::Done => {
            // What we still had to do there was overtaken by hand.
            supersede(new.guild)?;
            if !new.action.is_undo() {
                change.done_in_main(new.guild, new.user, new.action)?;
            }
            DeliveryState::Applied
        }
        // Nothing is decided against the others, so nothing of theirs is superseded.
        AtOrigin::Kept(why) => {
            firsts.push(own(DeliveryState::Skipped, Some(why)));
            DeliveryState::Skipped
        }
    };
    let mut deliveries = DeliveryCounts::default();
    for step in steps {
        let state = match step.state {
            DeliveryState::Pending if new.action == Action::Warn => DeliveryState::Applied,
            state => state,
        };
        match step.hold {
            _ if step.spares_older || is_first => {}
            Some(_) => change.supersede_for_held(step.guild, new.user, new.guild, new.action)?,
            None => supersede(step.guild)?,
        }
        let (guild, scope, hold) = (step.guild, Scope::Child(step.link), step.hold);
        firsts.push(First { guild, scope, state, reason: step.reason, hold });
        *deliveries.of(state) += 1;
    }
    let reason = new.reason.clone().map(Arc::new);
    for (id, first) in change.insert_deliveries(&punishment, &firsts)?.into_iter().zip(firsts) {
        if first.state == DeliveryState::Pending && !waits && (!awaits || first.scope == Scope::Origin) {
            change.send_after_commit(Queued {
                id,
                punishment: punishment.id,
                source: new.guild,
                guild: first.guild,
                scope: first.scope,
                action: new.action,
                user: new.user,
                reason: reason.clone(),
                delete_seconds: new.delete_seconds,
                until: new.expires_at,
                attempts: 0,
                state: DeliveryState::Pending,
                not_before: None,
                trickle: false,
                alone: false,
                because: new.because,
                hold: None,
                instead_of: None,
                doubt: crate::store::Doubt::default(),
            });
        }
    }
    #[cfg(test)]
    crate::failpoint::reach(crate::failpoint::Point::Record, Some(new.user));
    let reason = match at_origin {
        AtOrigin::Kept(why) => Some(why.to_owned()),
        _ => longer,
    };
    let origin = OriginOutcome { guild_id: new.guild, state: origin_state, reason };
    Ok(Recorded { punishment, origin, deliveries, told, hold, replaced })
}

/// Why a punishment is not carried out: a longer one stands.
fn outlasted_by(action: Action, longer: &Cause) -> String {
    let end = longer.until.map_or_else(|| "without an end".to_owned(), |until| format!("until {until}"));
    format!("{OUTLASTED}: {action} #{} {end}", longer.id)
}

/// Stores what the user is told, where somebody asked for it, or why they are not.
fn tell(
    change: &Change<'_>,
    new: &NewPunishment,
    punishment: &Punishment,
    steps: &[Step],
) -> Result<Option<Told>, StoreError> {
    Ok(match &new.tell {
        Some(Telling::Now { guild_name }) => {
            // What is held may never come.
            let reaches = |step: &Step| step.state == DeliveryState::Pending;
            let body = wording::message(punishment, guild_name.as_ref(), steps.iter().any(reaches));
            Some(change.insert_direct_message(punishment, &body)?)
        }
        Some(Telling::Not(reason)) => Some(change.tell_nobody(punishment, reason)?),
        None => None,
    })
}
