//! A delivery that meets an exception: it is not sent. Where a request of it has left before, or may have, what became of
//! that is found out, so that nothing is called skipped that was done.

use super::{Stop, Tools, earlier, priority_of, roles};
use crate::discord::directory::Presence;
use crate::discord::rest::Rest;
use crate::network::Refusal;
use crate::store::Queued;
use wayhaven_shared::operations::punishment::Action;

/// Whether it was done before the exception came; it is refused otherwise.
pub(super) async fn settle(tools: &Tools, delivery: &Queued, refusal: Refusal) -> Result<bool, Stop> {
    let id = delivery.id;
    // Asked of the writer, which has taken in by now what became of it before.
    let may_have_left = tools.services.store().write(move |change| Ok(change.may_have_left(id)?)).await;
    if !may_have_left.map_err(Stop::Store)? {
        return Err(refusal.into());
    }
    match tools.services.directory().presence(delivery.guild) {
        // Nobody can be asked there.
        Some(Presence::Absent) => return Err(refusal.into()),
        Some(Presence::Outage) => return Err(Stop::Away),
        Some(Presence::Here) | None => {}
    }
    let was_done = match delivery.action {
        Action::Ban => earlier::is_banned_as_wanted(tools, delivery).await?,
        Action::Mute | Action::Timeout => is_held_to(tools, delivery).await?,
        _ => false,
    };
    if was_done { Ok(false) } else { Err(refusal.into()) }
}

/// Whether they have the mute role there, or a timeout that lasts.
async fn is_held_to(tools: &Tools, delivery: &Queued) -> Result<bool, Stop> {
    // Without a mute role nothing was done.
    let muted = roles::of(tools, delivery).await.unwrap_or_default();
    let route = Rest::member_route(delivery.guild);
    let slot = tools.services.rest().slot_now(priority_of(delivery), route).await?.ok_or(Stop::Route)?;
    let member =
        tools.services.rest().member_now(slot, delivery.guild, delivery.user).await.map_err(Stop::Asking)?;
    Ok(member.is_some_and(|member| match delivery.action {
        Action::Timeout => {
            member.communication_disabled_until.is_some_and(|until| until > tools.services.clock().now())
        }
        _ => muted.iter().any(|role| member.roles.contains(role)),
    }))
}
