//! Integrations that moderate: a subscription that ends removes its member, or takes a role from them.

use serde_json::json;

use super::moderation::guild_and_user;
use super::{Event, World, action};
use crate::Refusal;

impl World {
    /// An integration of this kind (`twitch`, `youtube`, …) removes a member. Discord names the kind in the entry's options.
    /// The actor is nobody, or whoever set the integration up (from memory).
    ///
    /// # Errors
    /// 10004, 10007.
    pub fn integration_kick(
        &mut self,
        guild: u64,
        kind: &str,
        actor: Option<u64>,
        target: u64,
    ) -> Result<(), Refusal> {
        self.guild(guild)?.members.get(&target).ok_or_else(|| Refusal::unknown(10007))?;
        let mut entry = self.entry(action::KICK, actor, target, None);
        entry.options = Some(json!({ "integration_type": kind }));
        self.remove_member(guild, target);
        let user = self.user_json(target);
        let gone = Event::in_guild("GUILD_MEMBER_REMOVE", guild, guild_and_user(guild, &user));
        let audit = self.write_audit(guild, entry);
        self.emit(vec![gone, audit]);
        Ok(())
    }

    /// An integration of this kind gives a member a role, or takes it.
    ///
    /// # Errors
    /// 10004, 10007, 10011.
    pub fn integration_role(
        &mut self,
        guild: u64,
        kind: &str,
        actor: Option<u64>,
        target: u64,
        (role, give): (u64, bool),
    ) -> Result<(), Refusal> {
        let found = self.guild(guild)?;
        let member = found.members.get(&target).ok_or_else(|| Refusal::unknown(10007))?;
        let name = found.roles.get(&role).ok_or_else(|| Refusal::unknown(10011))?.name.clone();
        if member.roles.contains(&role) == give {
            return Ok(());
        }
        let mut entry = self.entry(action::MEMBER_ROLE_UPDATE, actor, target, None);
        entry.options = Some(json!({ "integration_type": kind }));
        entry.changes.push(json!({
            "key": if give { "$add" } else { "$remove" },
            "new_value": [{"id": role.to_string(), "name": name}],
        }));
        if let Some(member) = self.guilds.get_mut(&guild).and_then(|found| found.members.get_mut(&target)) {
            if give { member.roles.push(role) } else { member.roles.retain(|id| *id != role) }
        }
        let update = self.member_update(guild, target);
        let audit = self.write_audit(guild, entry);
        self.emit(vec![update, audit]);
        Ok(())
    }

    /// A webhook or an application without a bot, as an id that no user has.
    pub fn nameless_application(&mut self) -> u64 {
        self.id()
    }

    /// Something writes an entry that Discord shows under an id that is no user's: a member was removed.
    ///
    /// # Errors
    /// 10004, 10007.
    pub fn application_kick(&mut self, guild: u64, application: u64, target: u64) -> Result<(), Refusal> {
        self.guild(guild)?.members.get(&target).ok_or_else(|| Refusal::unknown(10007))?;
        let entry = self.entry(action::KICK, Some(application), target, None);
        self.remove_member(guild, target);
        let user = self.user_json(target);
        let gone = Event::in_guild("GUILD_MEMBER_REMOVE", guild, guild_and_user(guild, &user));
        let audit = self.write_audit(guild, entry);
        self.emit(vec![gone, audit]);
        Ok(())
    }
}
