//! A punishment is taken back, or ends, while others of its guild and measure remain. In a child where each of those waits for
//! approval, was refused it, or is kept away by a protection, it was the only one: there it is taken back alone.

use super::containment::contain;
use super::plan::{Step, plan};
use crate::network::Topology;
use crate::store::{Change, First, NewPunishment, Scope, StoreError, View};
use wayhaven_shared::operations::punishment::{DeliveryState, Origin, Punishment};
use wayhaven_shared::value::{PunishmentId, UserId};

/// What taking it back there comes to, a step for each of those children.
///
/// # Errors
/// Where the store fails.
pub fn alone_in(
    view: &View<'_>,
    topology: &Topology,
    one: &Punishment,
    remaining: &[PunishmentId],
) -> Result<Vec<Step>, StoreError> {
    let Some(undo) = one.action.undo() else { return Ok(Vec::new()) };
    let mut steps = Vec::new();
    for step in plan(topology, one.guild_id, undo, one.user_id) {
        let Some(stand) = view.stand(one.id, step.guild, one.action)? else { continue };
        let never = matches!(stand.state, DeliveryState::Skipped | DeliveryState::Failed);
        if never || remaining.is_empty() || view.is_taken_back_along_its_link(stand.id)? {
            continue;
        }
        let mut alone = true;
        for other in remaining {
            let kept_back = view.is_not_approved(*other, step.guild, one.action)?
                || view.is_kept_from(*other, step.guild)?;
            alone = alone && kept_back;
        }
        // It may wait for the same itself, and then nothing of it is there.
        if alone && !view.is_not_approved(one.id, step.guild, one.action)? {
            steps.push(step);
        }
    }
    Ok(steps)
}

/// Takes it back there. Whoever asks for it, at security level maximum somebody approves it first.
///
/// # Errors
/// Where the store fails.
pub fn take_back_alone(
    change: &Change<'_>,
    topology: &Topology,
    one: &Punishment,
    remaining: &[PunishmentId],
    (moderator, origin): (Option<UserId>, Origin),
) -> Result<(), StoreError> {
    let Some(undo) = one.action.undo() else { return Ok(()) };
    let mut steps = alone_in(change, topology, one, remaining)?;
    let new = NewPunishment {
        moderator,
        because: Some(one.id),
        reverts: true,
        ..NewPunishment::new(one.guild_id, one.user_id, undo, origin)
    };
    contain(change, &new, &mut steps)?;
    for Step { guild, link, state, reason, hold, .. } in steps {
        let first = First { guild, scope: Scope::Child(link), state, reason, hold };
        change.take_back_in_one(one, undo, first)?;
    }
    Ok(())
}
