//! Bots of other makers.

use serde_json::json;

use super::{Event, Role, World, action};
use crate::Refusal;

/// Beside the role of the bot under test, which is older and so ranks above: such a bot can moderate everybody's
/// staff, and be moderated by the one under test.
const POSITION: i64 = 5;

impl World {
    /// A bot of another maker, new in the sandbox, that is in no guild.
    pub fn another_bot(&mut self) -> u64 {
        let name = format!("other-bot-{:04}", self.users.len());
        self.person_named(&name, true)
    }

    /// The owner invites another bot, new in the sandbox, with a role of its own that grants these bits: the role,
    /// the member and an entry.
    ///
    /// # Errors
    /// 10004.
    pub fn invite_other_bot(&mut self, guild: u64, permissions: u64) -> Result<u64, Refusal> {
        let owner = self.guild(guild)?.owner;
        let bot = self.another_bot();
        let name = self.users.get(&bot).map(|user| user.name.clone()).unwrap_or_default();
        let role = self.id();
        let found = Role {
            id: role,
            name,
            position: POSITION,
            permissions,
            color: 0,
            bot: Some(bot),
            hoist: false,
            mentionable: false,
        };
        if let Some(guild) = self.guilds.get_mut(&guild) {
            guild.roles.insert(role, found);
        }
        self.add_member(guild, bot, vec![role]);
        let data = json!({"guild_id": guild.to_string(), "role": self.role_json(guild, role)});
        let made = Event::in_guild("GUILD_ROLE_CREATE", guild, data);
        let joined = self.member_joined(guild, bot);
        let entry = self.entry(action::BOT_ADD, Some(owner), bot, None);
        let audit = self.write_audit(guild, entry);
        self.emit(vec![made, joined, audit]);
        Ok(bot)
    }
}
