//! Reading the audit log (FACTS A4).

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Answer, Call};
use crate::permissions::VIEW_AUDIT_LOG;
use crate::world::AuditEntry;
use crate::{Refusal, snowflake};

/// Entries live 45 days.
const KEPT: Duration = Duration::from_secs(45 * 24 * 3_600);

pub(crate) fn page(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let guild = call.id("guild_id")?;
    let bot = call.world.bot;
    let limit = usize::try_from(call.query_number("limit", 1, 100, 50)?).unwrap_or(50);
    let (before, after) = (call.query_id("before")?, call.query_id("after")?);
    let (actor, target) = (call.query_id("user_id")?, call.query_id("target_id")?);
    let target = target.filter(|_| call.world.options.audit_log_by_target);
    let kind = call.query_number("action_type", 0, u64::from(u32::MAX), 0)?;
    let found = call.world.guild_of_bot(guild)?;
    found.require(bot, VIEW_AUDIT_LOG)?;

    let kept_ms = u64::try_from(KEPT.as_millis()).unwrap_or(0);
    let oldest = snowflake::first_of_ms(call.world.clock.unix_ms().saturating_sub(kept_ms));
    let wanted = |entry: &&AuditEntry| {
        entry.id >= oldest
            && before.is_none_or(|before| entry.id < before)
            && after.is_none_or(|after| entry.id > after)
            && actor.is_none_or(|actor| entry.actor == Some(actor))
            && target.is_none_or(|target| entry.target == Some(target))
            && (kind == 0 || u64::from(entry.action) == kind)
    };
    // With `after` the oldest come first, otherwise the newest.
    let entries: Vec<&AuditEntry> = if after.is_some() {
        found.audit.iter().filter(wanted).take(limit).collect()
    } else {
        found.audit.iter().rev().filter(wanted).take(limit).collect()
    };
    let people: BTreeSet<u64> = entries
        .iter()
        .flat_map(|entry| [entry.actor, entry.target])
        .flatten()
        .filter(|id| call.world.users.contains_key(id))
        .collect();
    let users: Vec<Value> = people.iter().map(|user| call.world.user_json(*user)).collect();
    Answer::ok(json!({
        "audit_log_entries": entries.iter().map(|entry| entry.json()).collect::<Vec<_>>(),
        "users": users,
        "application_commands": [], "auto_moderation_rules": [], "guild_scheduled_events": [],
        "integrations": [], "threads": [], "webhooks": [],
    }))
}
