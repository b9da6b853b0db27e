//! What became of an earlier try that had no answer, asked before anything is sent again.

use super::{Stop, Tools, priority};
use crate::discord::rest::{AuditLogEntry, Rest};
use crate::store::{Queued, Scope};
use crate::sync::batch::is_in_question;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::Timestamp;

/// How much earlier than the mark a kick's audit entry may seem to be, in milliseconds: the two clocks differ.
const CLOCKS_DIFFER: i64 = 60_000;

/// Discord's epoch, in milliseconds since 1970 (FACTS 0).
const DISCORD_EPOCH: i64 = 1_420_070_400_000;

/// Whether the delivery was carried out by an earlier try. What can be repeated without harm, and costs as much as the
/// question, is not asked for.
pub(super) async fn is_done(tools: &Tools, delivery: &Queued) -> Result<bool, Stop> {
    match delivery.action {
        Action::Ban | Action::Unban if is_in_question(delivery) => is_banned_as_wanted(tools, delivery).await,
        Action::Kick if is_in_question(delivery) => is_kicked(tools, delivery).await,
        _ => Ok(false),
    }
}

async fn is_banned_as_wanted(tools: &Tools, delivery: &Queued) -> Result<bool, Stop> {
    let route = Rest::banned_route(delivery.guild);
    let slot =
        tools.rest.slot_now(priority(delivery.scope == Scope::Origin), route).await?.ok_or(Stop::Route)?;
    let banned = tools.rest.is_banned(slot, delivery.guild, delivery.user).await.map_err(Stop::Asking)?;
    Ok(banned == (delivery.action == Action::Ban))
}

/// A kick is settled from the guild's audit log; where that cannot be read, from whether they are a member since before
/// it was marked. Whoever has joined again since is not kicked once more.
async fn is_kicked(tools: &Tools, delivery: &Queued) -> Result<bool, Stop> {
    let (id, guild, user) = (delivery.id, delivery.guild, delivery.user);
    let known = tools.store.read(move |view| {
        let Some(marked) = view.sent_at(id)? else { return Ok(None) };
        let since = Timestamp::from_millis(marked.millis() - CLOCKS_DIFFER);
        Ok(Some((marked, view.other_kicks(guild, user, id, since)?)))
    });
    let Some((marked, others)) = known.await.map_err(Stop::Store)? else { return Ok(false) };
    // Those of before may lie in the same minute, each with an entry of its own.
    if in_the_log(tools, delivery, marked).await > others {
        return Ok(true);
    }
    let route = Rest::member_route(delivery.guild);
    let slot =
        tools.rest.slot_now(priority(delivery.scope == Scope::Origin), route).await?.ok_or(Stop::Route)?;
    let member = tools.rest.member_now(slot, delivery.guild, delivery.user).await.map_err(Stop::Asking)?;
    let not = |reason: &str| Err(Stop::Not(DeliveryState::Skipped, reason.to_owned()));
    match member.map(|member| member.joined_at) {
        None => not("no member there any more: they were kicked, or left"),
        Some(Some(joined)) if joined.millis() > marked.millis() + CLOCKS_DIFFER => {
            not("they have joined again since it was sent: not kicked twice")
        }
        Some(_) => Ok(false),
    }
}

/// How many kicks of the user by us the guild's audit log tells of since the mark. What cannot be read tells nothing.
async fn in_the_log(tools: &Tools, delivery: &Queued, marked: Timestamp) -> usize {
    let me = tools.directory.me();
    let Some(kind) = crate::discord::event::entry_kind(Action::Kick) else { return 0 };
    let Ok(entries) = tools.rest.audit_log(delivery.guild, kind).await else { return 0 };
    let is_ours = |entry: &AuditLogEntry| {
        let at = entry.id.parse::<i64>().map_or(0, |id| (id >> 22) + DISCORD_EPOCH);
        entry.user_id.is_some()
            && entry.user_id == me
            && entry.target_id == Some(delivery.user.to_string())
            && at + CLOCKS_DIFFER >= marked.millis()
    };
    entries.iter().filter(|entry| is_ours(entry)).count()
}
