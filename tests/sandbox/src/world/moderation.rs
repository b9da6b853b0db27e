//! What moderation does to a guild. The same functions serve the bot's requests and what people do.

use std::time::Duration;

use serde_json::{Value, json};

use super::{AuditEntry, Event, World, action};
use crate::permissions::{BAN_MEMBERS, KICK_MEMBERS, MANAGE_GUILD, MANAGE_ROLES, MODERATE_MEMBERS};
use crate::{FormErrors, Refusal, snowflake};

/// The longest timeout: 28 days.
const LONGEST_TIMEOUT_MS: u64 = 28 * 24 * 3_600 * 1_000;
const DAY: Duration = Duration::from_secs(24 * 3_600);

impl World {
    pub(super) fn entry(
        &mut self,
        action: u32,
        actor: Option<u64>,
        target: u64,
        reason: Option<&str>,
    ) -> AuditEntry {
        AuditEntry {
            id: self.id(),
            action,
            actor,
            target: Some(target),
            reason: reason.map(str::to_owned),
            changes: Vec::new(),
            options: None,
        }
    }

    /// Bans somebody. An existing ban stays as it is, without a new event.
    ///
    /// # Errors
    /// 10004, 10013, 50013, 30035.
    pub fn ban(&mut self, guild: u64, actor: u64, target: u64, reason: Option<&str>) -> Result<(), Refusal> {
        self.guild(guild)?.require(actor, BAN_MEMBERS)?;
        self.ban_one(guild, actor, Some(actor), target, reason).map(|_| ())
    }

    fn ban_one(
        &mut self,
        guild: u64,
        actor: u64,
        shown_actor: Option<u64>,
        target: u64,
        reason: Option<&str>,
    ) -> Result<bool, Refusal> {
        if !self.users.contains_key(&target) {
            return Err(Refusal::unknown(10013));
        }
        let found = self.guild(guild)?;
        found.require_above(actor, target)?;
        if found.bans.contains_key(&target) {
            return Ok(false);
        }
        if !found.members.contains_key(&target) {
            self.spend_non_member_ban(guild)?;
        }
        let entry = self.entry(action::BAN_ADD, shown_actor, target, reason);
        let Some(found) = self.guilds.get_mut(&guild) else { return Err(Refusal::unknown(10004)) };
        found.bans.insert(target, reason.map(str::to_owned));
        let was_member = self.remove_member(guild, target);
        let user = self.user_json(target);
        let mut events = vec![Event::in_guild("GUILD_BAN_ADD", guild, guild_and_user(guild, &user))];
        if was_member {
            events.push(Event::in_guild("GUILD_MEMBER_REMOVE", guild, guild_and_user(guild, &user)));
        }
        events.push(self.write_audit(guild, entry));
        self.emit(events);
        Ok(true)
    }

    /// Bans of people outside the guild have a budget of their own (FACTS C2).
    fn spend_non_member_ban(&mut self, guild: u64) -> Result<(), Refusal> {
        if self.options.global_limit == 0 {
            return Ok(());
        }
        let (now, budget) = (self.clock.now(), self.options.non_member_bans as usize);
        let Some(found) = self.guilds.get_mut(&guild) else { return Ok(()) };
        while found.non_member_bans.front().is_some_and(|at| *at + DAY <= now) {
            found.non_member_bans.pop_front();
        }
        if found.non_member_bans.len() >= budget {
            return Err(Refusal::new(
                self.options.guesses.non_member_bans,
                30035,
                "Maximum number of bans for non-guild members have been exceeded.",
            ));
        }
        found.non_member_bans.push_back(now);
        Ok(())
    }

    /// Bans many at once; who is banned already or cannot be banned comes back as failed.
    ///
    /// # Errors
    /// 10004, 50013, and 500000 if nobody could be banned.
    pub fn bulk_ban(
        &mut self,
        guild: u64,
        actor: u64,
        targets: &[u64],
        reason: Option<&str>,
    ) -> Result<(Vec<u64>, Vec<u64>), Refusal> {
        self.guild(guild)?.require(actor, BAN_MEMBERS | MANAGE_GUILD)?;
        let shown = if self.options.bulk_ban_hides_actor { None } else { Some(actor) };
        let (mut banned, mut failed) = (Vec::new(), Vec::new());
        for target in targets {
            match self.ban_one(guild, actor, shown, *target, reason) {
                Ok(true) => banned.push(*target),
                _ => failed.push(*target),
            }
        }
        if banned.is_empty() {
            return Err(Refusal::new(self.options.guesses.bulk_ban_failed, 500_000, "Failed to ban users"));
        }
        Ok((banned, failed))
    }

    /// Lifts a ban.
    ///
    /// # Errors
    /// 10004, 50013, and 10026 (or another guess) for a ban that does not exist.
    pub fn unban(
        &mut self,
        guild: u64,
        actor: u64,
        target: u64,
        reason: Option<&str>,
    ) -> Result<(), Refusal> {
        let found = self.guild(guild)?;
        found.require(actor, BAN_MEMBERS)?;
        if !found.bans.contains_key(&target) {
            return Err(match self.options.guesses.missing_ban {
                50013 => Refusal::missing_permissions(),
                code => Refusal::unknown(code),
            });
        }
        let entry = self.entry(action::BAN_REMOVE, Some(actor), target, reason);
        if let Some(found) = self.guilds.get_mut(&guild) {
            found.bans.remove(&target);
        }
        let user = self.user_json(target);
        let gone = Event::in_guild("GUILD_BAN_REMOVE", guild, guild_and_user(guild, &user));
        let audit = self.write_audit(guild, entry);
        self.emit(vec![gone, audit]);
        Ok(())
    }

    /// Removes a member.
    ///
    /// # Errors
    /// 10004, 50013, 10007.
    pub fn kick(&mut self, guild: u64, actor: u64, target: u64, reason: Option<&str>) -> Result<(), Refusal> {
        let found = self.guild(guild)?;
        found.require(actor, KICK_MEMBERS)?;
        found.members.get(&target).ok_or_else(|| Refusal::unknown(10007))?;
        found.require_above(actor, target)?;
        let entry = self.entry(action::KICK, Some(actor), target, reason);
        self.remove_member(guild, target);
        let user = self.user_json(target);
        let gone = Event::in_guild("GUILD_MEMBER_REMOVE", guild, guild_and_user(guild, &user));
        let audit = self.write_audit(guild, entry);
        self.emit(vec![gone, audit]);
        Ok(())
    }

    /// Times a member out until a moment (Unix milliseconds), or ends that.
    ///
    /// # Errors
    /// 10004, 50013, 10007, 50035 beyond 28 days.
    pub fn timeout(
        &mut self,
        guild: u64,
        actor: u64,
        target: u64,
        until_ms: Option<u64>,
        reason: Option<&str>,
    ) -> Result<(), Refusal> {
        let found = self.guild(guild)?;
        found.require(actor, MODERATE_MEMBERS)?;
        let member = found.members.get(&target).ok_or_else(|| Refusal::unknown(10007))?;
        if found.permissions_of(target) & crate::permissions::ADMINISTRATOR != 0 {
            return Err(Refusal::missing_permissions());
        }
        found.require_above(actor, target)?;
        self.check_timeout(until_ms)?;
        let mut change = json!({"key": "communication_disabled_until"});
        if let Some(old) = member.timeout_ms {
            change["old_value"] = json!(snowflake::timestamp(old));
        }
        if let Some(new) = until_ms {
            change["new_value"] = json!(snowflake::timestamp(new));
        }
        let mut entry = self.entry(action::MEMBER_UPDATE, Some(actor), target, reason);
        entry.changes.push(change);
        if let Some(member) = self.guilds.get_mut(&guild).and_then(|g| g.members.get_mut(&target)) {
            member.timeout_ms = until_ms;
        }
        let update = self.member_update(guild, target);
        let audit = self.write_audit(guild, entry);
        self.emit(vec![update, audit]);
        Ok(())
    }

    /// Whether a timeout until then is not too long.
    pub(super) fn check_timeout(&self, until_ms: Option<u64>) -> Result<(), Refusal> {
        let now = self.clock.unix_ms();
        if until_ms.is_some_and(|until| until > now + LONGEST_TIMEOUT_MS) {
            return Err(FormErrors::one(
                &["communication_disabled_until"],
                "BASE_TYPE_BAD_VALUE",
                "Cannot be more than 28 days in the future.",
            ));
        }
        Ok(())
    }

    /// Gives or takes one role. Nothing happens where it is as asked already.
    ///
    /// # Errors
    /// 10004, 50013, 10007, 10011, 50028.
    pub fn change_role(
        &mut self,
        guild: u64,
        actor: u64,
        target: u64,
        role: u64,
        give: bool,
        reason: Option<&str>,
    ) -> Result<(), Refusal> {
        let found = self.guild(guild)?;
        found.require(actor, MANAGE_ROLES)?;
        let member = found.members.get(&target).ok_or_else(|| Refusal::unknown(10007))?;
        found.require_role_below(actor, role)?;
        if member.roles.contains(&role) == give {
            return Ok(());
        }
        let name = found.roles.get(&role).map_or("", |role| role.name.as_str()).to_owned();
        let mut entry = self.entry(action::MEMBER_ROLE_UPDATE, Some(actor), target, reason);
        entry.changes.push(json!({
            "key": if give { "$add" } else { "$remove" },
            "new_value": [{"id": role.to_string(), "name": name}],
        }));
        if let Some(member) = self.guilds.get_mut(&guild).and_then(|g| g.members.get_mut(&target)) {
            if give { member.roles.push(role) } else { member.roles.retain(|id| *id != role) }
        }
        let update = self.member_update(guild, target);
        let audit = self.write_audit(guild, entry);
        self.emit(vec![update, audit]);
        Ok(())
    }

    /// The event that tells how a member is now.
    pub fn member_update(&self, guild: u64, user: u64) -> Event {
        let mut data = self.member_json(guild, user);
        data["guild_id"] = json!(guild.to_string());
        Event::in_guild("GUILD_MEMBER_UPDATE", guild, data)
    }

    /// Writes the audit entry of a change to a role, and tells of both.
    pub fn role_changed(&mut self, guild: u64, actor: u64, role: u64, kind: u32, reason: Option<&str>) {
        let entry = self.entry(kind, Some(actor), role, reason);
        let audit = self.write_audit(guild, entry);
        let id = guild.to_string();
        let data = match kind {
            action::ROLE_DELETE => json!({"guild_id": id, "role_id": role.to_string()}),
            _ => json!({"guild_id": id, "role": self.role_json(guild, role)}),
        };
        let name = match kind {
            action::ROLE_CREATE => "GUILD_ROLE_CREATE",
            action::ROLE_DELETE => "GUILD_ROLE_DELETE",
            _ => "GUILD_ROLE_UPDATE",
        };
        self.emit(vec![Event::in_guild(name, guild, data), audit]);
    }
}

pub(super) fn guild_and_user(guild: u64, user: &Value) -> Value {
    json!({"guild_id": guild.to_string(), "user": user})
}
