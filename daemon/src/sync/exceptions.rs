//! Where an exception ends, what the mains have decided applies again.

use crate::network::{LinkState, Topology, authorise_for};
use crate::store::{Change, DISCARDED, Scope, StoreError, View, WHEN_THEY_JOIN};
use wayhaven_shared::operations::punishment::{Action, DeliveryCounts, DeliveryState, Punishment};
use wayhaven_shared::value::{DeliveryId, GuildId, LinkId, UserId};

/// What applies again of one main.
enum Again {
    /// It never came there.
    New(Punishment, LinkId),
    /// Its delivery, which has ended.
    Row(DeliveryId),
}

/// One that applies again, and how it starts.
struct Step {
    what: Again,
    state: DeliveryState,
    reason: Option<String>,
}

/// What applies again where the guild's exception ends, or would. `topology` is without it.
///
/// # Errors
/// Where the store fails.
pub fn foresee(
    view: &View<'_>,
    topology: &Topology,
    guild: GuildId,
    user: UserId,
    measure: Action,
) -> Result<DeliveryCounts, StoreError> {
    let undone = view.open_undo(guild, user, measure)?.is_some();
    Ok(steps(view, topology, guild, user, measure, undone)?.iter().map(|step| step.state).collect())
}

/// Has what the mains have decided about the user apply again in the guild, each through its gates as they are now. An undo
/// that the exception has asked for and that is still open ends.
///
/// # Errors
/// Where the store fails.
pub fn apply_again(
    change: &Change<'_>,
    guild: GuildId,
    user: UserId,
    measure: Action,
) -> Result<DeliveryCounts, StoreError> {
    let undone = change.open_undo(guild, user, measure)?.is_some();
    change.end_lifts(guild, user, measure)?;
    let topology = change.topology_here()?;
    let steps = steps(change, &topology, guild, user, measure, undone)?;
    let counts = steps.iter().map(|step| step.state).collect();
    for Step { what, state, reason } in steps {
        match what {
            Again::New(punishment, link) => {
                change.add_delivery(&punishment, guild, Scope::Child(link), state, reason.as_deref())?;
            }
            Again::Row(id) => {
                // From now on it is the later word, whatever has taken it back.
                change.note_handed_over(id)?;
                change.apply_again(id, state, reason.as_deref())?;
            }
        }
    }
    Ok(counts)
}

/// Of each main that is linked to the guild its newest punishment in force. `undone` is whether an undo is open there, which
/// may be on its way: then nothing that stands is sure to stay.
fn steps(
    view: &View<'_>,
    topology: &Topology,
    guild: GuildId,
    user: UserId,
    measure: Action,
    undone: bool,
) -> Result<Vec<Step>, StoreError> {
    let mut mains: Vec<GuildId> = topology.mains().collect();
    mains.sort();
    let mut steps = Vec::new();
    for main in mains {
        let Some(link) = topology.link(main, guild).filter(|link| link.state == LinkState::Active) else {
            continue;
        };
        let Some(punishment) = view.in_force(main, guild, user, measure)? else { continue };
        let (state, reason) = match authorise_for(topology, main, guild, measure, user) {
            // It is put into its hold when it is stored.
            Ok(_) if view.needs_approval(&punishment)? => (DeliveryState::Held, None),
            Ok(_) => (DeliveryState::Pending, None),
            Err(refusal) => (refusal.state(), Some(refusal.to_string())),
        };
        let Some(stand) = view.stand(punishment.id, guild, measure)? else {
            let (state, reason, _) = view.begins_late(punishment.id, state, reason.as_deref())?;
            steps.push(Step { what: Again::New(punishment, link.id), state, reason });
            continue;
        };
        let wanted = match stand.state {
            // A mute or a timeout may have been shaken off meanwhile, and nobody did it again.
            DeliveryState::Applied => {
                let stays =
                    measure == Action::Ban && !undone && view.stands(stand.id, guild, user, measure)?;
                !stays && state != DeliveryState::Skipped
            }
            // What somebody has discarded stays so.
            DeliveryState::Skipped => view
                .delivery_reason(stand.id)?
                .is_none_or(|why| why != WHEN_THEY_JOIN && !why.starts_with(DISCARDED)),
            DeliveryState::Superseded => state != DeliveryState::Skipped,
            // What Discord has refused for good it would refuse again, and what is open goes on.
            _ => false,
        };
        if wanted && !view.is_discarded_for_others(stand.id)? {
            let waits = !state.is_final() && view.waits_with_others(stand.id)?;
            let state = if waits { DeliveryState::Held } else { state };
            steps.push(Step { what: Again::Row(stand.id), state, reason });
        }
    }
    Ok(steps)
}
