//! What was so before anybody listened, and what others than people do: Discord itself, and other bots.

use std::time::Duration;

use super::{Done, People};
use crate::Refusal;
use crate::world::{AuditEntry, Member, User, action};

impl People {
    /// Somebody is banned since long ago: nobody is told, and the audit log has forgotten it.
    ///
    /// # Errors
    /// No such guild.
    pub fn was_banned_before(&self, guild: u64, user: u64) -> Done {
        self.act(|world| {
            let found = world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
            found.members.remove(&user);
            found.bans.insert(user, None);
            Ok(())
        })
    }

    /// A member holds a role since long ago; they are made one where they are none.
    ///
    /// # Errors
    /// No such guild.
    pub fn held_role_before(&self, guild: u64, user: u64, role: u64) -> Done {
        self.as_member(guild, user, |member| member.roles.push(role))
    }

    /// A member is timed out since long ago, for so long from now on; they are made one where they are none.
    ///
    /// # Errors
    /// No such guild.
    pub fn was_timed_out_before(&self, guild: u64, user: u64, left: Duration) -> Done {
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX / 2);
        let until = self.discord.clock.unix_ms() + left;
        self.as_member(guild, user, |member| member.timeout_ms = Some(until))
    }

    /// A member since long ago: nobody is told.
    ///
    /// # Errors
    /// No such guild.
    pub fn was_member_before(&self, guild: u64, user: u64) -> Done {
        self.as_member(guild, user, |_| {})
    }

    fn as_member(&self, guild: u64, user: u64, make: impl FnOnce(&mut Member)) -> Done {
        self.act(|world| {
            let joined_ms = world.clock.unix_ms();
            let found = world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
            let fresh = Member { user, roles: vec![], joined_ms, nick: None, timeout_ms: None, flags: 0 };
            make(found.members.entry(user).or_insert(fresh));
            Ok(())
        })
    }

    /// Another bot in a guild, with a role there.
    ///
    /// # Errors
    /// No such guild.
    pub fn other_bot(&self, guild: u64, role: u64) -> Result<u64, String> {
        let bot = self.discord.change(|world| {
            let id = world.id();
            world.users.insert(id, User { id, name: format!("bot-{id}"), bot: true, accepts_dms: false });
            id
        });
        self.as_member(guild, bot, |member| member.roles.push(role)).map(|()| bot)
    }

    /// `AutoMod` times a member out: an entry of its own kind, by whoever made the rule (FACTS B5).
    ///
    /// # Errors
    /// No such guild or member.
    pub fn automod_timeout(&self, guild: u64, by: u64, user: u64, length: Duration) -> Done {
        let until = self.discord.clock.unix_ms() + u64::try_from(length.as_millis()).unwrap_or(u64::MAX / 2);
        self.act(|world| {
            let found = world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
            let member = found.members.get_mut(&user).ok_or_else(|| Refusal::unknown(10007))?;
            member.timeout_ms = Some(until);
            let (update, entry) = (world.member_update(guild, user), (action::AUTOMOD_TIMEOUT, Some(user)));
            let audit = world.told_in_log(guild, entry, by);
            world.emit(vec![update, audit]);
            Ok(())
        })
    }

    /// Somebody prunes whoever holds no role: the entry names nobody (FACTS B5).
    ///
    /// # Errors
    /// No such guild.
    pub fn prune(&self, guild: u64, by: u64) -> Done {
        self.act(|world| {
            let found = world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
            let owner = found.owner;
            found.members.retain(|user, member| *user == owner || !member.roles.is_empty());
            let audit = world.told_in_log(guild, (action::MEMBER_PRUNE, None), by);
            world.emit(vec![audit]);
            Ok(())
        })
    }
}

impl crate::world::World {
    fn told_in_log(&mut self, guild: u64, entry: (u32, Option<u64>), by: u64) -> crate::world::Event {
        let (action, target) = entry;
        let id = self.id();
        let entry =
            AuditEntry { id, action, actor: Some(by), target, reason: None, changes: vec![], options: None };
        self.write_audit(guild, entry)
    }
}
