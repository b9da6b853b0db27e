//! Two-factor authentication: a guild may require it of its moderators, and of a bot Discord means its owner's account
//! (FACTS A1).

use serde_json::json;

use super::{Event, Guild, World, action};
use crate::Refusal;
use crate::permissions::{
    ADMINISTRATOR, BAN_MEMBERS, KICK_MEMBERS, MANAGE_CHANNELS, MANAGE_GUILD, MANAGE_MESSAGES, MANAGE_ROLES,
    MANAGE_WEBHOOKS,
};

/// The permissions that need it. To time members out does not.
const ELEVATED: u64 = KICK_MEMBERS
    | BAN_MEMBERS
    | ADMINISTRATOR
    | MANAGE_CHANNELS
    | MANAGE_GUILD
    | MANAGE_MESSAGES
    | MANAGE_ROLES
    | MANAGE_WEBHOOKS;

impl Guild {
    /// Refuses an actor whose account does not use what the guild requires.
    pub(super) fn require_two_factor(&self, actor: u64, bits: u64) -> Result<(), Refusal> {
        match self.without_two_factor {
            Some((bot, code)) if self.two_factor && bot == actor && bits & ELEVATED != 0 => {
                let message = if code == 60003 { "Two factor is required" } else { "Missing Permissions" };
                Err(Refusal::new(403, code, message))
            }
            _ => Ok(()),
        }
    }
}

impl World {
    /// The owner of a guild requires two-factor authentication of its moderators, or does so no more: GUILD_UPDATE.
    ///
    /// # Errors
    /// No such guild.
    pub fn set_two_factor(&mut self, guild: u64, required: bool) -> Result<(), Refusal> {
        let found = self.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
        let owner = found.owner;
        let before = std::mem::replace(&mut found.two_factor, required);
        self.tell_bot_owner_two_factor();
        let mut entry = self.entry(action::GUILD_UPDATE, Some(owner), guild, None);
        entry.changes.push(json!({
            "key": "mfa_level", "old_value": u8::from(before), "new_value": u8::from(required),
        }));
        let audit = self.write_audit(guild, entry);
        let update = Event::in_guild("GUILD_UPDATE", guild, self.guild_json(guild, false));
        self.emit(vec![update, audit]);
        Ok(())
    }

    /// The bot's owner begins or ceases to use two-factor authentication. Nobody is told.
    pub fn set_owner_two_factor(&mut self, uses: bool) {
        self.owner_two_factor = uses;
        self.tell_bot_owner_two_factor();
    }

    fn tell_bot_owner_two_factor(&mut self) {
        let code = self.options.guesses.without_two_factor;
        let without = (!self.owner_two_factor).then_some((self.bot, code));
        self.guilds.values_mut().for_each(|guild| guild.without_two_factor = without);
    }
}
