//! Which roles a mute gives, and which an unmute takes.

use super::{NO_MUTE_ROLE, Stop, Tools};
use crate::store::Queued;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::RoleId;

/// The roles of a mute or an unmute, the guild's mute role of now last; none for other actions. An unmute takes those too
/// with which the guild muted them before it named another.
pub(super) async fn of(tools: &Tools, delivery: &Queued) -> Result<Vec<RoleId>, Stop> {
    if delivery.action.measure() != Action::Mute {
        return Ok(Vec::new());
    }
    let (guild, user, undo) = (delivery.guild, delivery.user, delivery.action.is_undo());
    let roles = tools.store.read(move |view| {
        let now = view.config(guild)?.mute_role_id;
        let mut roles = if undo { view.former_mute_roles(guild, user)? } else { Vec::new() };
        roles.retain(|role| Some(*role) != now);
        roles.extend(now);
        Ok(roles)
    });
    match roles.await {
        Ok(roles) if roles.is_empty() => Err(Stop::Missing(NO_MUTE_ROLE.to_owned())),
        Ok(roles) => Ok(roles),
        Err(fault) => Err(Stop::Store(fault)),
    }
}

/// What an unmute has taken is not taken once more. Should that be lost, it is: which is harmless.
pub(super) async fn taken(tools: &Tools, delivery: &Queued, roles: &[RoleId]) {
    if delivery.action != Action::Unmute || roles.len() < 2 {
        return;
    }
    let (guild, user) = (delivery.guild, delivery.user);
    let work = move |change: &crate::store::Change<'_>| Ok(change.forget_former_mute_roles(guild, user)?);
    tools.store.write_later("former mute roles", work).await;
}
