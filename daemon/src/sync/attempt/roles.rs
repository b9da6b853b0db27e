//! Which roles a mute gives, and which an unmute takes. A role that is managed or grants a power is never given, and is taken
//! only from people to whom Wayhaven gave it.

use super::{NO_MUTE_ROLE, Stop, Tools, priority_of};
use crate::discord::mute_role::Unfit;
use crate::discord::rest::Rest;
use crate::store::Queued;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, RoleId};

/// The least time before the route is tried again: it may open at this very moment.
const LEAST_WAIT: Duration = Duration::from_millis(50);

/// The roles of a mute or an unmute, the guild's mute role of now last; none for other actions. An unmute takes those too
/// with which the guild muted them before it named another.
pub(super) async fn of(tools: &Tools, delivery: &Queued) -> Result<Vec<RoleId>, Stop> {
    if delivery.action.measure() != Action::Mute {
        return Ok(Vec::new());
    }
    let (guild, user, undo) = (delivery.guild, delivery.user, delivery.action.is_undo());
    let roles = tools.services.store().read(move |view| {
        let now = view.config(guild)?.mute_role_id;
        let mut roles = if undo { view.former_mute_roles(guild, user)? } else { Vec::new() };
        roles.retain(|role| Some(*role) != now);
        roles.extend(now);
        Ok((roles, undo && view.was_muted_by_us(guild, user)?))
    });
    let (mut roles, given_by_us) = roles.await.map_err(Stop::Store)?;
    if roles.is_empty() {
        return Err(Stop::Missing(NO_MUTE_ROLE.to_owned()));
    }
    if undo && !given_by_us {
        // Otherwise an unmute would take an office from somebody whom nobody has muted.
        let mut refused = None;
        for role in std::mem::take(&mut roles) {
            match judge(tools, delivery, role).await?.filter(Unfit::is_of_the_role) {
                Some(unfit) => refused = Some(format!("{}; not muted by Wayhaven", unfit.reason(role))),
                None => roles.push(role),
            }
        }
        if let Some(reason) = refused.filter(|_| roles.is_empty()) {
            return Err(Stop::Unfit(reason));
        }
    }
    Ok(roles)
}

/// Refuses a mute whose role is not fit to be given now, whatever was so when it was named.
pub(super) async fn check_fit(tools: &Tools, delivery: &Queued, roles: &[RoleId]) -> Result<(), Stop> {
    if delivery.action != Action::Mute {
        return Ok(());
    }
    let guild = delivery.guild;
    let staff = tools
        .services
        .store()
        .read(move |view| Ok(view.config(guild)?.staff_role_id))
        .await
        .map_err(Stop::Store)?;
    let topology = tools.services.store().topology();
    for role in roles {
        if let Some(unfit) = judge(tools, delivery, *role).await? {
            return Err(refusal(&unfit, *role));
        }
        // Both setters refuse it; a store may be older than that.
        if staff == Some(*role) {
            return Err(Stop::Unfit(format!("the mute role {role} is also the guild's staff role")));
        }
        if topology.protection().by_roles(guild, &[*role]).is_some() {
            return Err(Stop::Unfit(format!("the mute role {role} is also protected in the guild")));
        }
    }
    Ok(())
}

/// The same once more as the request leaves, without a request of its own: the role may have changed while the slot was
/// waited for.
pub(super) fn check_still_fit(tools: &Tools, delivery: &Queued, role: Option<RoleId>) -> Result<(), Stop> {
    let Some(role) = role.filter(|_| delivery.action == Action::Mute) else { return Ok(()) };
    match tools.services.directory().judge_mute_role(delivery.guild, role) {
        Some(Err(unfit)) => Err(refusal(&unfit, role)),
        Some(Ok(())) | None => Ok(()),
    }
}

/// An undo of an unfit role goes on, so that only this delivery waits. Where the role is gone or out of the bot's reach,
/// nothing of the measure can be done.
fn refusal(unfit: &Unfit, role: RoleId) -> Stop {
    match unfit.is_of_the_role() {
        true => Stop::Unfit(unfit.reason(role)),
        false => Stop::Missing(unfit.reason(role)),
    }
}

/// Why the role cannot mute. Where the gateway has not described the guild's roles, Discord is asked for them; whether the
/// bot ranks above the role its answer to the mute tells then.
async fn judge(tools: &Tools, delivery: &Queued, role: RoleId) -> Result<Option<Unfit>, Stop> {
    let guild: GuildId = delivery.guild;
    if let Some(judged) = tools.services.directory().judge_mute_role(guild, role) {
        return Ok(judged.err());
    }
    let route = Rest::roles_route(guild);
    let Some(slot) = tools.services.rest().slot_now(priority_of(delivery), route).await? else {
        let opens = tools.services.rest().opens_at(route).unwrap_or_else(Instant::now);
        return Err(Stop::Later(opens.saturating_duration_since(Instant::now()).max(LEAST_WAIT)));
    };
    let roles = tools.services.rest().roles_now(slot, guild).await.map_err(Stop::Roles)?;
    Ok(Unfit::among(&roles, guild, role))
}

/// What an unmute has taken is not taken once more. Should that be lost, it is: which is harmless.
pub(super) async fn taken(tools: &Tools, delivery: &Queued, roles: &[RoleId]) {
    if delivery.action != Action::Unmute || roles.len() < 2 {
        return;
    }
    let (guild, user) = (delivery.guild, delivery.user);
    let work = move |change: &crate::store::Change<'_>| Ok(change.forget_former_mute_roles(guild, user)?);
    tools.services.store().write_later("former mute roles", work).await;
}
