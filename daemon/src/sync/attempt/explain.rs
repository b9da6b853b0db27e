//! Why Discord refused: 50013 stands for a missing permission, for a user or a role that ranks above the bot, for a ban that
//! does not exist, and for what concerns everybody in the guild. One question tells which.

use super::{Stop, Tools, not_there, priority_of, roles};
use crate::discord::rest::{MemberView, Rest, RestError};
use crate::discord::routes::Route;
use crate::store::Queued;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::RoleId;

/// The least time before a route is looked at again: it may open at this very moment.
const LEAST_WAIT: Duration = Duration::from_millis(50);

/// Why the mute role cannot be given or taken.
pub const MUTE_ROLE_ABOVE: &str = "403 the mute role ranks above the bot";

/// What one question has found.
enum Cause {
    /// It is so already.
    Done,
    /// The user is no member there.
    NotThere,
    /// The user cannot be punished there.
    User(Stop),
    /// Nothing about this user.
    Everybody,
}

/// What follows from a try, with the true cause where Discord answered 50013 although the bot has the permission.
pub(super) async fn explained(
    tools: &Tools,
    delivery: &Queued,
    tried: Result<bool, Stop>,
) -> Result<bool, Stop> {
    let refused = match tried {
        Err(Stop::Rest(error)) if is_unclear(tools, delivery, &error) => error,
        tried => return tried,
    };
    // It was found before the request left that the roles are known.
    let roles = roles::of(tools, delivery).await?;
    match cause(tools, delivery, &roles, true).await {
        Ok(Cause::Done) => Err(Stop::Needless),
        Ok(Cause::NotThere) => Err(not_there(delivery)),
        Ok(Cause::User(stop)) => Err(stop),
        Ok(Cause::Everybody) => Err(Stop::Rest(refused)),
        // The question is refused as well.
        Err(Stop::Roles(RestError::Refused { .. })) => Err(Stop::Rest(refused)),
        Err(stop) => Err(stop),
    }
}

/// Whether it is done already, asked before a delivery that Discord refused before is sent again.
pub(super) async fn before(tools: &Tools, delivery: &Queued, roles: &[RoleId]) -> Result<bool, Stop> {
    match cause(tools, delivery, roles, false).await {
        Ok(Cause::Done) => Ok(true),
        Ok(Cause::NotThere) => Err(not_there(delivery)),
        Ok(Cause::User(stop)) => Err(stop),
        // What is sent next tells it.
        Ok(Cause::Everybody) | Err(Stop::Roles(RestError::Refused { .. })) => Ok(false),
        Err(stop) => Err(stop),
    }
}

fn is_unclear(tools: &Tools, delivery: &Queued, error: &RestError) -> bool {
    error.code() == Some(50013) && tools.directory.may(delivery.guild, delivery.action) == Some(true)
}

async fn cause(
    tools: &Tools,
    delivery: &Queued,
    mute_roles: &[RoleId],
    refused: bool,
) -> Result<Cause, Stop> {
    let (guild, user, action) = (delivery.guild, delivery.user, delivery.action);
    if action == Action::Unban {
        let route = Rest::banned_route(guild);
        let slot = slot(tools, delivery, route).await?;
        let banned = tools.rest.is_banned(slot, guild, user).await.map_err(Stop::Roles)?;
        return Ok(if banned { Cause::Everybody } else { Cause::Done });
    }
    let above = |role: &RoleId| tools.directory.i_rank_above(guild, *role) == Some(false);
    if mute_roles.iter().any(above) {
        return Ok(Cause::User(Stop::Missing(MUTE_ROLE_ABOVE.to_owned())));
    }
    let out_of_reach = |roles: Option<&[RoleId]>| {
        let why = tools.directory.out_of_reach(guild, user, action, roles)?;
        let roles = roles.unwrap_or_default().to_vec();
        Some(Cause::User(Stop::OutOfReach { why, roles, refused }))
    };
    if let Some(owner) = out_of_reach(None) {
        return Ok(owner);
    }
    let slot = slot(tools, delivery, Rest::member_route(guild)).await?;
    let member = tools.rest.member_now(slot, guild, user).await.map_err(Stop::Roles)?;
    let Some(member) = member else {
        return Ok(if action == Action::Ban { Cause::Everybody } else { Cause::NotThere });
    };
    if is_undone(tools, action, &member, mute_roles) {
        return Ok(Cause::Done);
    }
    Ok(out_of_reach(Some(&member.roles)).unwrap_or(Cause::Everybody))
}

/// Whether what the undo takes back is not there.
fn is_undone(tools: &Tools, action: Action, member: &MemberView, mute_roles: &[RoleId]) -> bool {
    match action {
        Action::Unmute => !mute_roles.iter().any(|role| member.roles.contains(role)),
        Action::Untimeout => {
            member.communication_disabled_until.is_none_or(|until| until <= tools.clock.now())
        }
        _ => false,
    }
}

async fn slot(
    tools: &Tools,
    delivery: &Queued,
    route: Route,
) -> Result<crate::discord::budget::Slot, Stop> {
    match tools.rest.slot_now(priority_of(delivery), route).await? {
        Some(slot) => Ok(slot),
        None => {
            let opens = tools.rest.opens_at(route).unwrap_or_else(Instant::now);
            Err(Stop::Later(opens.saturating_duration_since(Instant::now()).max(LEAST_WAIT)))
        }
    }
}
