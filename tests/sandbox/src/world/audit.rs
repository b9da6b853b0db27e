//! The audit log: what is written, and what it looks like on the wire.

use serde_json::{Value, json};

use super::{AuditEntry, Event, World};

/// Kinds of audit entry (FACTS B5).
pub mod action {
    /// The guild itself was changed: its owner, its name.
    pub const GUILD_UPDATE: u32 = 1;
    /// A channel was deleted.
    pub const CHANNEL_DELETE: u32 = 12;
    /// A channel got an exception to the guild's permissions.
    pub const CHANNEL_OVERWRITE_CREATE: u32 = 13;
    /// Such an exception was changed.
    pub const CHANNEL_OVERWRITE_UPDATE: u32 = 14;
    /// A member was kicked.
    pub const KICK: u32 = 20;
    /// Inactive members were removed, without saying whom.
    pub const PRUNE: u32 = 21;
    /// Somebody was banned.
    pub const BAN_ADD: u32 = 22;
    /// A ban was lifted.
    pub const BAN_REMOVE: u32 = 23;
    /// A member was changed, also timed out.
    pub const MEMBER_UPDATE: u32 = 24;
    /// Roles were given or taken.
    pub const MEMBER_ROLE_UPDATE: u32 = 25;
    /// A bot was invited.
    pub const BOT_ADD: u32 = 28;
    /// A role was made.
    pub const ROLE_CREATE: u32 = 30;
    /// A role was changed.
    pub const ROLE_UPDATE: u32 = 31;
    /// A role was deleted.
    pub const ROLE_DELETE: u32 = 32;
    /// A rule of AutoMod timed a member out.
    pub const AUTO_MODERATION_TIMEOUT: u32 = 145;
}

impl AuditEntry {
    /// The entry as REST gives it.
    #[must_use]
    pub fn json(&self) -> Value {
        let text = |id: Option<u64>| id.map_or(Value::Null, |id| json!(id.to_string()));
        let mut entry = json!({
            "id": self.id.to_string(),
            "action_type": self.action,
            "user_id": text(self.actor),
            "target_id": text(self.target),
        });
        if let Some(reason) = &self.reason {
            entry["reason"] = json!(reason);
        }
        if !self.changes.is_empty() {
            entry["changes"] = json!(self.changes);
        }
        if let Some(options) = &self.options {
            entry["options"] = options.clone();
        }
        entry
    }
}

impl World {
    /// Writes an entry and returns the event that tells of it.
    pub(crate) fn write_audit(&mut self, guild: u64, entry: AuditEntry) -> Event {
        let mut data = entry.json();
        data["guild_id"] = json!(guild.to_string());
        if let Some(found) = self.guilds.get_mut(&guild) {
            found.audit.push(entry);
        }
        Event::in_guild("GUILD_AUDIT_LOG_ENTRY_CREATE", guild, data)
    }
}
