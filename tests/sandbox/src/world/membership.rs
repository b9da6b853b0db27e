//! Coming and going: joins, leaves, prunes, and what of a member outlasts their absence.

use serde_json::json;

use super::moderation::guild_and_user;
use super::{Event, Member, World, action};
use crate::Refusal;
use crate::permissions::{KICK_MEMBERS, MANAGE_GUILD};

/// What Discord's own dialogue offers first.
const PRUNED_AFTER_DAYS: u32 = 7;

impl World {
    /// Makes somebody a member of whom nobody is told; a timeout that still runs holds again.
    pub(super) fn add_member(&mut self, guild: u64, user: u64, roles: Vec<u64>) {
        let (joined_ms, survives) = (self.clock.unix_ms(), self.options.timeout_survives_rejoin);
        let Some(found) = self.guilds.get_mut(&guild) else { return };
        let left = found.left_timed_out.remove(&user);
        let timeout_ms = left.filter(|until| survives && *until > joined_ms);
        found.members.insert(user, Member { user, roles, joined_ms, nick: None, timeout_ms, flags: 0 });
    }

    /// Removes a member of whom nobody is told; says whether they were one. Discord keeps the timeout of whoever goes,
    /// so that leaving is no way out of it (from memory; that it is so after a kick or a ban is a guess).
    pub(super) fn remove_member(&mut self, guild: u64, user: u64) -> bool {
        let now = self.clock.unix_ms();
        let Some(found) = self.guilds.get_mut(&guild) else { return false };
        let Some(member) = found.members.remove(&user) else { return false };
        if let Some(until) = member.timeout_ms.filter(|until| *until > now) {
            found.left_timed_out.insert(user, until);
        }
        true
    }

    fn member_removed(&self, guild: u64, user: u64) -> Event {
        Event::in_guild("GUILD_MEMBER_REMOVE", guild, guild_and_user(guild, &self.user_json(user)))
    }

    /// Somebody joins.
    ///
    /// # Errors
    /// 10004, 10013, 40007 for a banned user.
    pub fn join(&mut self, guild: u64, user: u64) -> Result<(), Refusal> {
        if !self.users.contains_key(&user) {
            return Err(Refusal::unknown(10013));
        }
        let found = self.guild(guild)?;
        if found.bans.contains_key(&user) {
            return Err(Refusal::new(403, 40007, "The user is banned from this guild."));
        }
        if found.members.contains_key(&user) {
            return Ok(());
        }
        self.add_member(guild, user, vec![]);
        let joined = self.member_joined(guild, user);
        self.emit(vec![joined]);
        Ok(())
    }

    /// The event that tells of a new member.
    pub(super) fn member_joined(&self, guild: u64, user: u64) -> Event {
        let mut data = self.member_json(guild, user);
        data["guild_id"] = json!(guild.to_string());
        Event::in_guild("GUILD_MEMBER_ADD", guild, data)
    }

    /// Somebody leaves of their own will: no audit entry.
    ///
    /// # Errors
    /// 10004, 10007.
    pub fn leave(&mut self, guild: u64, user: u64) -> Result<(), Refusal> {
        self.guild(guild)?;
        if !self.remove_member(guild, user) {
            return Err(Refusal::unknown(10007));
        }
        let removed = self.member_removed(guild, user);
        self.emit(vec![removed]);
        Ok(())
    }

    /// Removes inactive members: an event each, and one entry that counts them and names nobody (FACTS B5). Which of
    /// them are inactive is the caller's to say; where nobody is, nothing is written.
    ///
    /// # Errors
    /// 10004, 10007, 50013; then nobody is removed.
    pub fn prune(&mut self, guild: u64, actor: u64, users: &[u64]) -> Result<(), Refusal> {
        let found = self.guild(guild)?;
        found.require(actor, KICK_MEMBERS | MANAGE_GUILD)?;
        for user in users {
            found.members.get(user).ok_or_else(|| Refusal::unknown(10007))?;
            found.require_above(actor, *user)?;
        }
        let gone: Vec<u64> = users.iter().copied().filter(|user| self.remove_member(guild, *user)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let mut events: Vec<Event> = gone.iter().map(|user| self.member_removed(guild, *user)).collect();
        let mut entry = self.entry(action::PRUNE, Some(actor), 0, None);
        entry.target = None;
        entry.options = Some(json!({
            "members_removed": gone.len().to_string(),
            "delete_member_days": PRUNED_AFTER_DAYS.to_string(),
        }));
        events.push(self.write_audit(guild, entry));
        self.emit(events);
        Ok(())
    }
}
