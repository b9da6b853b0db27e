//! Why Discord refused: 50013 stands for a missing permission, for a user or a role that ranks above the bot, for a ban that
//! does not exist, and for what concerns everybody in the guild. One question tells which.

use super::obstacle::{Facts, Known, Obstacle, obstacle};
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
        Ok(Cause::Everybody) => Ok(false),
        // Where the question is refused, so would be what follows, and both would count.
        Err(Stop::Roles(error @ RestError::Refused { status: 403, .. })) => Err(Stop::Asking(error)),
        Err(Stop::Roles(RestError::Refused { .. })) => Ok(false),
        Err(stop) => Err(stop),
    }
}

fn is_unclear(tools: &Tools, delivery: &Queued, error: &RestError) -> bool {
    error.code() == Some(50013)
        && tools.services.directory().may(delivery.guild, delivery.action) == Some(true)
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
        let banned = tools.services.rest().is_banned(slot, guild, user).await.map_err(Stop::Roles)?;
        return Ok(if banned { Cause::Everybody } else { Cause::Done });
    }
    let found = |known: &Known| {
        let facts = Facts {
            directory: tools.services.directory(),
            guild,
            action,
            user: Some(user),
            known,
            protected: false,
            mute_roles,
            refused: None,
        };
        let roles = match known {
            Known::Member(roles) => roles.clone(),
            Known::Nothing | Known::NotThere => Vec::new(),
        };
        match obstacle(&facts)? {
            Obstacle::NotThere(_) => Some(Cause::NotThere),
            Obstacle::OutOfReach(why) => Some(Cause::User(Stop::OutOfReach { why, roles, refused })),
            unfit @ Obstacle::UnfitMuteRole(_) => {
                Some(Cause::User(Stop::Missing(format!("403 {}", unfit.words()))))
            }
            _ => None,
        }
    };
    // What the gateway has told costs no request.
    if let Some(cause) = found(&Known::Nothing) {
        return Ok(cause);
    }
    let slot = slot(tools, delivery, Rest::member_route(guild)).await?;
    let member = super::local::member(tools, delivery, slot).await.map_err(Stop::Roles)?;
    if member.as_ref().is_some_and(|member| is_undone(tools, action, member, mute_roles)) {
        return Ok(Cause::Done);
    }
    let known = member.map_or(Known::NotThere, |member| Known::Member(member.roles));
    Ok(found(&known).unwrap_or(Cause::Everybody))
}

/// Whether what the undo takes back is not there.
fn is_undone(tools: &Tools, action: Action, member: &MemberView, mute_roles: &[RoleId]) -> bool {
    match action {
        Action::Unmute => !mute_roles.iter().any(|role| member.roles.contains(role)),
        Action::Untimeout => {
            member.communication_disabled_until.is_none_or(|until| until <= tools.services.clock().now())
        }
        _ => false,
    }
}

async fn slot(tools: &Tools, delivery: &Queued, route: Route) -> Result<crate::discord::budget::Slot, Stop> {
    match tools.services.rest().slot_now(priority_of(delivery), route).await? {
        Some(slot) => Ok(slot),
        None => {
            let opens = tools.services.rest().opens_at(route).unwrap_or_else(Instant::now);
            Err(Stop::Later(opens.saturating_duration_since(Instant::now()).max(LEAST_WAIT)))
        }
    }
}
