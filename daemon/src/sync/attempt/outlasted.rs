//! A timeout that would cut one that lasts longer is not sent. What the store knows costs no request. Discord is asked only
//! where the daemon sends the timeout by itself, or where the guild does not show what its staff do.

use super::{Stop, Tools, longest, not_there, priority_of};
use crate::discord::rest::Rest;
use crate::store::{OUTLASTED_THERE, Queued};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};

/// How long after a decision its timeout counts as just asked for, in milliseconds.
const RECENT_MS: i64 = 30_000;

/// How much later Discord's end has to be to count as later, in milliseconds.
const CLOCKS_DIFFER_MS: i64 = 60_000;

/// The shortest wait for the route of the question.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// Refuses a timeout where a longer one stands that is not to be cut.
pub(super) async fn check(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    let Some(until) = delivery.until.filter(|_| delivery.action == Action::Timeout) else { return Ok(()) };
    let (id, guild, user) = (delivery.id, delivery.guild, delivery.user);
    let known =
        tools.services.store().read(move |view| Ok(view.outlasting(id, (guild, user), until, RECENT_MS)?));
    let known = known.await.map_err(Stop::Store)?;
    if let Some(reason) = known.longer {
        return Err(Stop::Not(DeliveryState::Skipped, reason));
    }
    if !known.automatic && tools.services.directory().shows_log(guild) != Some(false) {
        return Ok(());
    }
    let route = Rest::member_route(guild);
    let Some(slot) = tools.services.rest().slot_now(priority_of(delivery), route).await? else {
        let opens = tools.services.rest().opens_at(route).unwrap_or_else(Instant::now);
        return Err(Stop::Later(opens.saturating_duration_since(Instant::now()).max(SHORTEST_WAIT)));
    };
    let member = super::local::member(tools, delivery, slot).await.map_err(Stop::Roles)?;
    let Some(member) = member else { return Err(not_there(delivery)) };
    let end = until.min(longest(tools)).millis().saturating_add(CLOCKS_DIFFER_MS);
    let Some(shown) = member.communication_disabled_until.filter(|shown| shown.millis() > end) else {
        return Ok(());
    };
    match tools.services.store().read(move |view| Ok(view.was_ours_until(guild, user, shown)?)).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let reason = format!("{OUTLASTED_THERE}: somebody else timed them out until {shown}");
            Err(Stop::Not(DeliveryState::Skipped, reason))
        }
        Err(fault) => Err(Stop::Store(fault)),
    }
}
