//! Audit-log entries that punish or take back: by whom, why, and what was done.

use super::{Unreadable, field, optional, unreadable};
use crate::discord::rest::AuditLogEntry;
use serde_json::Value;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, RoleId, Timestamp, Untrusted, UserId};

/// An audit-log entry of a kind that punishes, or takes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where.
    pub guild: GuildId,
    /// Its snowflake: what decides which of two came first.
    pub id: u64,
    /// Whom it is about.
    pub user: UserId,
    /// By whom; nothing for bulk bans (FACTS B5).
    pub actor: Option<UserId>,
    /// Why.
    pub reason: Option<Untrusted>,
    /// What was done.
    pub deed: Deed,
    /// The kind of integration that did it (`twitch`, `youtube`, …), or `automod`. Then no person and no bot did, whoever is
    /// named: an integration acts under nobody's name, or under that of whoever set it up.
    pub integration: Option<Untrusted>,
    /// Whether it was done to a bot: no entry says so, it is found out beside it. Nothing where
    /// Discord does not tell.
    pub of_bot: Option<bool>,
}

/// What an audit-log entry says was done. What a role means is the guild's own affair, so it is decided where that
/// is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Banned, unbanned or kicked.
    Done(Action),
    /// Timed out until then, or no longer. `before` is the end that it had, where it had one.
    Timeout {
        /// The end from now on.
        until: Option<Timestamp>,
        /// The end until now.
        before: Option<Timestamp>,
    },
    /// Roles were given and taken.
    Roles {
        /// Given.
        added: Vec<RoleId>,
        /// Taken.
        removed: Vec<RoleId>,
    },
}

/// The kind of an integration that the event does not name.
const UNNAMED: &str = "of unknown kind";

impl Entry {
    /// Whether something besides a person or a bot may have done it, which only the log itself tells: serenity drops the
    /// options that name an integration.
    pub fn has_unread_options(&self) -> bool {
        self.integration.as_ref().is_some_and(|kind| kind.raw() == UNNAMED)
    }

    /// The audit-log event type that it is of.
    pub fn log_kind(&self) -> Option<u64> {
        entry_kind(match self.deed {
            Deed::Done(action) => action,
            Deed::Timeout { .. } => Action::Timeout,
            Deed::Roles { .. } => Action::Mute,
        })
    }

    /// When it was made.
    pub fn at(&self) -> Timestamp {
        Timestamp::of_snowflake(self.id)
    }

    /// An entry as the log itself has it; nothing for kinds that are not used, and for what is odd.
    pub fn from_log(guild: GuildId, entry: AuditLogEntry) -> Option<Self> {
        Some(Self {
            guild,
            id: entry.id.parse().ok()?,
            user: entry.target_id?.parse().ok()?,
            actor: entry.user_id,
            reason: entry.reason.as_deref().map(Untrusted::clipped),
            deed: deed(entry.action_type, &entry.changes)?,
            integration: integration(&entry.options),
            of_bot: Some(false),
        })
    }
}

/// Audit-log event types (FACTS B5).
const MEMBER_KICK: u64 = 20;
const MEMBER_BAN_ADD: u64 = 22;
const MEMBER_BAN_REMOVE: u64 = 23;
const MEMBER_UPDATE: u64 = 24;
const MEMBER_ROLE_UPDATE: u64 = 25;

/// The audit-log event type of an action; nothing for a warning, which Discord knows nothing of.
pub fn entry_kind(action: Action) -> Option<u64> {
    match action {
        Action::Ban => Some(MEMBER_BAN_ADD),
        Action::Unban => Some(MEMBER_BAN_REMOVE),
        Action::Kick => Some(MEMBER_KICK),
        Action::Timeout | Action::Untimeout => Some(MEMBER_UPDATE),
        Action::Mute | Action::Unmute => Some(MEMBER_ROLE_UPDATE),
        Action::Warn => None,
    }
}

/// What an entry of this kind with these changes says; nothing for what is not used: prunes name nobody, and most
/// changes of a member are no punishment.
fn deed(kind: u64, changes: &Value) -> Option<Deed> {
    let changes = || changes.as_array().into_iter().flatten();
    match kind {
        MEMBER_BAN_ADD => Some(Deed::Done(Action::Ban)),
        MEMBER_BAN_REMOVE => Some(Deed::Done(Action::Unban)),
        MEMBER_KICK => Some(Deed::Done(Action::Kick)),
        MEMBER_UPDATE => {
            let change = changes().find(|change| change["key"] == "communication_disabled_until")?;
            let time = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
            Some(Deed::Timeout { until: time(&change["new_value"]), before: time(&change["old_value"]) })
        }
        MEMBER_ROLE_UPDATE => {
            let roles = |key: &str| -> Vec<RoleId> {
                let changes = changes().filter(|change| change["key"] == key);
                let roles = changes.filter_map(|change| change["new_value"].as_array()).flatten();
                roles.filter_map(|role| role["id"].as_str()?.parse().ok()).collect()
            };
            Some(Deed::Roles { added: roles("$add"), removed: roles("$remove") })
        }
        _ => None,
    }
}

/// What made an entry with these options, where it was no person and no bot.
fn integration(options: &Value) -> Option<Untrusted> {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(kind) => Some(Untrusted::clipped(kind)),
        other => Some(Untrusted::clipped(&other.to_string())),
    };
    let automod = !options["auto_moderation_rule_name"].is_null();
    text(&options["integration_type"]).or_else(|| automod.then(|| Untrusted::clipped("automod")))
}

/// The same of an entry that the gateway sent. Kicks and changes of roles have options where an integration made them, and
/// serenity keeps only that there were some.
fn integration_told(kind: u64, options: &Value) -> Option<Untrusted> {
    let unread = options.is_object() && matches!(kind, MEMBER_KICK | MEMBER_ROLE_UPDATE);
    integration(options).or_else(|| unread.then(|| Untrusted::clipped(UNNAMED)))
}

/// Reads an entry that the gateway sent; nothing for kinds that are not used.
pub(super) fn entry(kind: &str, data: &Value) -> Result<Option<Entry>, Unreadable> {
    let deed = data["action_type"].as_u64().and_then(|kind| deed(kind, &data["changes"]));
    let Some(deed) = deed else { return Ok(None) };
    let id: String = field(kind, data, "id")?;
    let id = id.parse().map_err(|_| unreadable(kind, "id is no snowflake"))?;
    let actor = optional(kind, data, "user_id")?;
    let reason: Option<String> = optional(kind, data, "reason")?;
    Ok(Some(Entry {
        guild: field(kind, data, "guild_id")?,
        id,
        user: field(kind, data, "target_id")?,
        actor,
        reason: reason.as_deref().map(Untrusted::clipped),
        deed,
        integration: integration_told(data["action_type"].as_u64().unwrap_or(0), &data["options"]),
        of_bot: Some(false),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::{GatewayEvent, read};
    use super::*;
    use serde_json::json;

    #[test]
    fn fault_16_an_entry_without_an_actor_is_read() {
        let data =
            json!({"guild_id": "100", "id": "905", "action_type": 22, "user_id": null, "target_id": "55"});
        let Ok(Some(GatewayEvent::Entry(entry))) = read("GUILD_AUDIT_LOG_ENTRY_CREATE", &data) else {
            panic!("not read")
        };
        assert_eq!((entry.actor, entry.user.get(), entry.deed), (None, 55, Deed::Done(Action::Ban)));
    }

    #[test]
    fn an_entry_of_an_integration_says_of_which_kind_whoever_is_named() {
        let kind = |actor: Value, options: Value| {
            let data = json!({"guild_id": "1", "id": "9", "action_type": 20, "user_id": actor, "target_id": "3",
                "options": options});
            match read("GUILD_AUDIT_LOG_ENTRY_CREATE", &data).unwrap() {
                Some(GatewayEvent::Entry(entry)) => entry.integration.map(|kind| kind.raw().to_owned()),
                other => panic!("{other:?}"),
            }
        };
        for actor in [Value::Null, json!("2")] {
            assert_eq!(kind(actor.clone(), json!({"integration_type": "twitch"})).as_deref(), Some("twitch"));
            assert_eq!(
                kind(actor.clone(), json!({"integration_type": 3})).as_deref(),
                Some("3"),
                "of an odd form"
            );
            let rule = json!({"auto_moderation_rule_name": "No slurs"});
            assert_eq!(kind(actor.clone(), rule).as_deref(), Some("automod"));
            let unread = kind(actor.clone(), json!({"integration_type": null, "channel_id": null}));
            assert_eq!(unread.as_deref(), Some(UNNAMED), "the log tells which");
            assert_eq!(kind(actor, Value::Null), None);
        }
    }

    #[test]
    fn timeouts_and_roles_are_read_from_their_changes_and_other_changes_are_nothing() {
        let read = |kind: u64, changes: Value| {
            let data = json!({"guild_id": "1", "id": "9", "action_type": kind, "user_id": "2", "target_id": "3", "changes": changes});
            match read("GUILD_AUDIT_LOG_ENTRY_CREATE", &data).unwrap() {
                Some(GatewayEvent::Entry(entry)) => Some(entry.deed),
                _ => None,
            }
        };
        let until = "2026-01-02T00:00:00.000+00:00".parse().unwrap();
        let change =
            json!([{"key": "communication_disabled_until", "new_value": "2026-01-02T00:00:00.000+00:00"}]);
        assert_eq!(read(24, change), Some(Deed::Timeout { until: Some(until), before: None }));
        let change =
            json!([{"key": "communication_disabled_until", "old_value": "2026-01-02T00:00:00.000+00:00"}]);
        assert_eq!(read(24, change), Some(Deed::Timeout { until: None, before: Some(until) }));
        assert_eq!(read(24, json!([{"key": "nick", "new_value": "x"}])), None);
        let change = json!([{"key": "$add", "new_value": [{"id": "77", "name": "muted"}]}, {"key": "$remove", "new_value": [{"id": "78", "name": "x"}]}]);
        let role = |id| RoleId::new(id).unwrap();
        assert_eq!(read(25, change), Some(Deed::Roles { added: vec![role(77)], removed: vec![role(78)] }));
        assert_eq!(read(20, json!([])), Some(Deed::Done(Action::Kick)));
        assert_eq!(read(21, json!([])), None, "a prune names nobody");
    }
}
