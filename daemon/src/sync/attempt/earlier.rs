//! What became of an earlier try that had no answer, asked before anything is sent again.

use super::{Stop, Tools, priority_of};
use crate::discord::rest::{AuditLogEntry, Rest, RestError};
use crate::store::{Queued, View};
use crate::sync::batch::is_in_question;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::Timestamp;

/// How much earlier than the mark a kick's audit entry may seem to be, in milliseconds: the two clocks differ.
const CLOCKS_DIFFER: i64 = 60_000;

/// Whether the delivery was carried out by an earlier try. What can be repeated without harm, and costs as much as the
/// question, is not asked for.
pub(super) async fn is_done(tools: &Tools, delivery: &Queued) -> Result<bool, Stop> {
    match delivery.action {
        Action::Ban | Action::Unban if is_in_question(delivery) => is_banned_as_wanted(tools, delivery).await,
        Action::Kick if is_in_question(delivery) => is_kicked(tools, delivery).await,
        _ => Ok(false),
    }
}

pub(super) async fn is_banned_as_wanted(tools: &Tools, delivery: &Queued) -> Result<bool, Stop> {
    let route = Rest::banned_route(delivery.guild);
    let slot = tools.services.rest().slot_now(priority_of(delivery), route).await?.ok_or(Stop::Route)?;
    let banned =
        tools.services.rest().is_banned(slot, delivery.guild, delivery.user).await.map_err(Stop::Asking)?;
    Ok(banned == (delivery.action == Action::Ban))
}

/// A kick is settled from the guild's audit log; where that cannot be read, from whether they are a member since before
/// it was marked. Whoever has joined again since is not kicked once more.
async fn is_kicked(tools: &Tools, delivery: &Queued) -> Result<bool, Stop> {
    let (id, guild, user) = (delivery.id, delivery.guild, delivery.user);
    let look = move |view: &View<'_>| {
        let Some(marked) = view.sent_at(id)? else { return Ok(None) };
        let since = Timestamp::from_millis(marked.millis().saturating_sub(CLOCKS_DIFFER));
        Ok(Some((marked, since, view.other_kicks(guild, user, id, since)?)))
    };
    let Some((marked, since, others)) = tools.services.store().read(look).await.map_err(Stop::Store)? else {
        return Ok(false);
    };
    let logged = in_the_log(tools, delivery, since).await?;
    // What tells of another kick of theirs tells nothing of this one.
    if logged.is_some_and(|entries| entries > others) {
        return Ok(true);
    }
    let route = Rest::member_route(guild);
    let slot = tools.services.rest().slot_now(priority_of(delivery), route).await?.ok_or(Stop::Route)?;
    let member = tools.services.rest().member_now(slot, guild, user).await.map_err(Stop::Asking)?;
    let not = |reason: &str| Err(Stop::Not(DeliveryState::Skipped, reason.to_owned()));
    // A log that has no entry of it tells that it was not done; without one, it may have been.
    let latest = match logged {
        Some(_) => marked.millis().saturating_add(CLOCKS_DIFFER),
        None => since.millis(),
    };
    match member.map(|member| member.joined_at) {
        None => not("no member there any more: they were kicked, or left"),
        Some(Some(joined)) if joined.millis() > latest => {
            not("they have joined again since it was sent, or just before: not kicked twice")
        }
        Some(_) => Ok(false),
    }
}

/// How many entries of ours in the guild's audit log tell of a kick of the user since then; nothing where the bot may not
/// read it.
async fn in_the_log(tools: &Tools, delivery: &Queued, since: Timestamp) -> Result<Option<usize>, Stop> {
    let Some(kind) = crate::discord::event::entry_kind(Action::Kick) else { return Ok(None) };
    // Right after the start Discord has not told yet who the bot is.
    let me = match tools.services.directory().me() {
        Some(me) => me,
        None => tools.services.rest().current_user().await.map_err(Stop::Asking)?.id,
    };
    let entries = match tools.services.rest().latest_audit_log_by(delivery.guild, kind, me).await {
        Ok(entries) => entries,
        Err(RestError::Refused { status: 403, .. }) => return Ok(None),
        Err(error) => return Err(Stop::Asking(error)),
    };
    let skew = tools.services.clock().skew();
    let tells = |entry: &AuditLogEntry| {
        entry.user_id == Some(me)
            && entry.target_id == Some(delivery.user.to_string())
            && entry.id.parse().is_ok_and(|id| skew.made_at(id) >= since)
    };
    Ok(Some(entries.into_iter().filter(tells).count()))
}
