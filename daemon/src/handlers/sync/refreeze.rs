//! What a freeze stops, and its end lets go.

use crate::network::Freeze;
use crate::store::{Change, FreezeStep, View};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::GuildId;

/// What a freeze, a narrower one, or its end moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::handlers) struct Moved {
    /// Deliveries that a freeze stops, or its end sends.
    pub(in crate::handlers) counted: u64,
    /// Deliveries that a freeze releases: undos that a wider one held.
    pub(in crate::handlers) released: u64,
}

/// How many deliveries would be stopped, or go on.
///
/// # Errors
/// Where the store fails.
pub(in crate::handlers) fn planned(
    view: &View<'_>,
    main: GuildId,
    freeze: Option<Freeze>,
) -> Result<Moved, Fault> {
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
) -> Result<Moved, Fault> {
    let moved = change.moved_by_freeze(main, freeze)?;
    change.set_freeze(main, freeze)?;
    for step in &moved {
        step.apply(change)?;
    }
    Ok(counted(&moved, freeze))
}

fn counted(moved: &[FreezeStep], freeze: Option<Freeze>) -> Moved {
    let count = |state| moved.iter().filter(|step| step.to == state).count() as u64;
    let (held, pending) = (count(DeliveryState::Held), count(DeliveryState::Pending));
    match freeze {
        Some(_) => Moved { counted: held, released: pending },
        None => Moved { counted: pending, released: 0 },
    }
}
