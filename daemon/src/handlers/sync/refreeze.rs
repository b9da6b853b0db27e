//! What a freeze stops, and its end lets go.

use crate::network::Freeze;
use crate::store::{Change, FreezeStep, View};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::GuildId;

/// How many deliveries would be stopped, or go on.
///
/// # Errors
/// Where the store fails.
pub(in crate::handlers) fn planned(
    view: &View<'_>,
    main: GuildId,
    freeze: Option<Freeze>,
) -> Result<u64, Fault> {
    Ok(counted(&view.moved_by_freeze(main, freeze)?, freeze))
}

/// Stops a main's propagation, changes how, or lets it go on; how many deliveries that moves.
///
/// # Errors
/// Where the store fails.
pub(in crate::handlers) fn apply(
    change: &Change<'_>,
    main: GuildId,
    freeze: Option<Freeze>,
) -> Result<u64, Fault> {
    let moved = change.moved_by_freeze(main, freeze)?;
    change.set_freeze(main, freeze)?;
    for step in &moved {
        step.apply(change)?;
    }
    Ok(counted(&moved, freeze))
}

fn counted(moved: &[FreezeStep], freeze: Option<Freeze>) -> u64 {
    let counted = if freeze.is_some() { DeliveryState::Held } else { DeliveryState::Pending };
    moved.iter().filter(|step| step.to == counted).count() as u64
}
