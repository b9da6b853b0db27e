//! Protected roles, asked for right before a request leaves: whether a user is on a list, the permit knows, and which
//! roles they have in a guild, only Discord.

use super::{Stop, Tools, priority_of};
use crate::discord::rest::Rest;
use crate::network::Refusal;
use crate::store::{Queued, protected_by};
use std::time::Duration;
use tokio::time::Instant;

/// Refuses what would punish somebody who holds a role that the guild protects. It costs a request where the guild
/// protects roles, and nothing elsewhere. Who is no member holds none.
pub(super) async fn check_roles(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    let guild = delivery.guild;
    if delivery.action.is_undo() || !tools.services.store().topology().protection().has_roles(guild) {
        return Ok(());
    }
    let route = Rest::member_route(guild);
    let Some(slot) = tools.services.rest().slot_now(priority_of(delivery), route).await? else {
        let opens = tools.services.rest().opens_at(route).unwrap_or_else(Instant::now);
        return Err(Stop::Later(opens.saturating_duration_since(Instant::now()).max(LEAST_WAIT)));
    };
    let member = super::local::member(tools, delivery, slot).await.map_err(Stop::Roles)?;
    let Some(member) = member else { return Ok(()) };
    match tools.services.store().topology().protection().by_roles(guild, &member.roles) {
        Some(shield) => Err(Stop::Not(Refusal::Protected.state(), protected_by(shield))),
        None => Ok(()),
    }
}

/// The least time before the route is looked at again: it may open at this very moment.
const LEAST_WAIT: Duration = Duration::from_millis(50);
