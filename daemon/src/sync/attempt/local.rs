//! What a guild's own staff did, looked at right before Wayhaven does the same: once both stand, Discord shows no difference.
//! It costs a request only where such a cause is known, and no answer to that stops a delivery for good.

use super::{Stop, Tools, priority_of};
use crate::discord::budget::Slot;
use crate::discord::rest::{MemberView, Outcome, Rest, RestError};
use crate::discord::routes::Route;
use crate::store::{Change, Queued, ShownMember};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{RoleId, Timestamp};

/// The least time before a route is looked at again: it may open at this very moment.
const LEAST_WAIT: Duration = Duration::from_millis(50);

/// Ends what the guild's own staff did and Discord does not show any more. `roles` are those that a mute gives.
pub(super) async fn look(tools: &Tools, delivery: &Queued, roles: &[RoleId]) -> Result<(), Stop> {
    let (guild, user, measure) = (delivery.guild, delivery.user, delivery.action);
    if !matches!(measure, Action::Ban | Action::Mute | Action::Timeout) {
        return Ok(());
    }
    let known =
        tools.services.store().read(move |view| Ok(view.is_done_locally(guild, user, measure)?)).await;
    if !known.map_err(Stop::Store)? {
        return Ok(());
    }
    let looked = match measure {
        Action::Ban => look_at_ban(tools, delivery).await,
        _ => look_at_member(tools, delivery, roles).await,
    };
    match looked {
        // Discord refuses the question: what is asked for next tells whether it refuses that too.
        Err(Stop::Roles(error)) if matches!(error.outcome(), Outcome::Blocked | Outcome::Failed) => Ok(()),
        looked => looked,
    }
}

async fn look_at_ban(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    let (id, guild, user) = (delivery.id, delivery.guild, delivery.user);
    let slot = slot(tools, delivery, Rest::banned_route(guild)).await?;
    let as_of = tools.services.clock().now();
    let banned = tools.services.rest().is_banned(slot, guild, user).await.map_err(Stop::Roles)?;
    let note = move |change: &Change<'_>| {
        if !banned {
            change.take_in_not_banned(guild, user, as_of)?;
        } else if change.is_done_locally(guild, user, Action::Ban)? {
            change.note_found(id)?;
        }
        Ok(())
    };
    tools.services.store().write(note).await.map_err(Stop::Store)
}

async fn look_at_member(tools: &Tools, delivery: &Queued, roles: &[RoleId]) -> Result<(), Stop> {
    let (id, guild, user, measure) = (delivery.id, delivery.guild, delivery.user, delivery.action);
    let slot = slot(tools, delivery, Rest::member_route(guild)).await?;
    let as_of = tools.services.clock().now();
    let member = tools.services.rest().member_now(slot, guild, user).await.map_err(Stop::Roles)?;
    let Some(member) = member else { return Ok(()) };
    let muted = measure == Action::Mute && roles.iter().any(|role| member.roles.contains(role));
    let shown = shown(&member, as_of);
    let note = move |change: &Change<'_>| {
        change.take_in_member(guild, user, &shown)?;
        if muted && change.is_done_locally(guild, user, measure)? {
            change.note_found(id)?;
        }
        Ok(())
    };
    tools.services.store().write(note).await.map_err(Stop::Store)
}

/// A member, asked for whatever else has to be known before the delivery leaves: what Discord shows is taken in.
pub(super) async fn member(
    tools: &Tools,
    delivery: &Queued,
    slot: Slot,
) -> Result<Option<MemberView>, RestError> {
    let (guild, user, as_of) = (delivery.guild, delivery.user, tools.services.clock().now());
    let member = tools.services.rest().member_now(slot, guild, user).await?;
    if let Some(member) = &member {
        let shown = shown(member, as_of);
        let known = tools.services.store().read(move |view| Ok(view.may_have_ended(guild, user)?)).await;
        if known.unwrap_or(false) {
            let note = move |change: &Change<'_>| Ok(change.take_in_member(guild, user, &shown)?);
            tools.services.store().write_later("what Discord shows of a member", note).await;
        }
    }
    Ok(member)
}

fn shown(member: &MemberView, as_of: Timestamp) -> ShownMember {
    ShownMember {
        roles: member.roles.clone(),
        joined_at: member.joined_at,
        timeout: Some(member.communication_disabled_until),
        as_of,
    }
}

async fn slot(tools: &Tools, delivery: &Queued, route: Route) -> Result<Slot, Stop> {
    match tools.services.rest().slot_now(priority_of(delivery), route).await? {
        Some(slot) => Ok(slot),
        None => {
            let opens = tools.services.rest().opens_at(route).unwrap_or_else(Instant::now);
            Err(Stop::Later(opens.saturating_duration_since(Instant::now()).max(LEAST_WAIT)))
        }
    }
}
