//! AutoMod: what a rule does to whom it hit.

use serde_json::json;

use super::{World, action};
use crate::Refusal;
use crate::permissions::{ADMINISTRATOR, MANAGE_GUILD};

/// `auto_moderation_rule_trigger_type` of a rule with keywords.
const KEYWORD: u32 = 1;

impl World {
    /// A rule times a member out until a moment (Unix milliseconds). The entry's actor is whom the rule hit, as its
    /// target is, and it has no `changes`: from memory, since Discord's description has a nullable user there and
    /// says no more.
    ///
    /// # Errors
    /// 10004, 10007, 50035 beyond 28 days, 50013 for those whom AutoMod spares: who manages the guild.
    pub fn automod_timeout(
        &mut self,
        guild: u64,
        target: u64,
        rule: &str,
        until_ms: u64,
    ) -> Result<(), Refusal> {
        let found = self.guild(guild)?;
        found.members.get(&target).ok_or_else(|| Refusal::unknown(10007))?;
        if found.permissions_of(target) & (ADMINISTRATOR | MANAGE_GUILD) != 0 {
            return Err(Refusal::missing_permissions());
        }
        self.check_timeout(Some(until_ms))?;
        let channel = self.channel_named(guild, "general").unwrap_or(0);
        let mut entry = self.entry(action::AUTO_MODERATION_TIMEOUT, Some(target), target, None);
        entry.options = Some(json!({
            "auto_moderation_rule_name": rule,
            "auto_moderation_rule_trigger_type": KEYWORD.to_string(),
            "channel_id": channel.to_string(),
        }));
        if let Some(member) = self.guilds.get_mut(&guild).and_then(|g| g.members.get_mut(&target)) {
            member.timeout_ms = Some(until_ms);
        }
        let update = self.member_update(guild, target);
        let audit = self.write_audit(guild, entry);
        self.emit(vec![update, audit]);
        Ok(())
    }
}
