//! Changes of a guild itself: its owner, its name, and its channels.

use serde_json::{Value, json};

use super::{Event, Overwrite, World, action};
use crate::permissions::{MANAGE_CHANNELS, MANAGE_GUILD};
use crate::{FormErrors, Refusal};

impl World {
    /// The owner gives the guild to another member. Bots cannot own a guild that a person made.
    ///
    /// # Errors
    /// 10004, 50013 for everybody but the owner, 50035 for somebody who cannot own it.
    pub fn transfer(&mut self, guild: u64, actor: u64, to: u64) -> Result<(), Refusal> {
        let found = self.guild(guild)?;
        let before = found.owner;
        if actor != before {
            return Err(Refusal::missing_permissions());
        }
        let is_person = self.users.get(&to).is_some_and(|user| !user.bot);
        if !is_person || !found.members.contains_key(&to) {
            return Err(FormErrors::one(&["owner_id"], "BASE_TYPE_BAD_VALUE", "Invalid owner."));
        }
        if to == before {
            return Ok(());
        }
        if let Some(found) = self.guilds.get_mut(&guild) {
            found.owner = to;
        }
        self.guild_changed(guild, actor, "owner_id", &json!(before.to_string()), &json!(to.to_string()));
        Ok(())
    }

    /// Somebody gives the guild another name.
    ///
    /// # Errors
    /// 10004, 50013, 50035 for a name that is too short or too long.
    pub fn rename(&mut self, guild: u64, actor: u64, name: &str) -> Result<(), Refusal> {
        let found = self.guild(guild)?;
        found.require(actor, MANAGE_GUILD)?;
        if !(2..=100).contains(&name.chars().count()) {
            return Err(FormErrors::one(&["name"], "BASE_TYPE_BAD_LENGTH", "Must be between 2 and 100."));
        }
        let before = found.name.clone();
        if before == name {
            return Ok(());
        }
        if let Some(found) = self.guilds.get_mut(&guild) {
            name.clone_into(&mut found.name);
        }
        self.guild_changed(guild, actor, "name", &json!(before), &json!(name));
        Ok(())
    }

    /// Tells of a changed guild: the guild as it is now, and the entry that says who changed what.
    fn guild_changed(&mut self, guild: u64, actor: u64, key: &str, old: &Value, new: &Value) {
        let mut entry = self.entry(action::GUILD_UPDATE, Some(actor), guild, None);
        entry.changes.push(json!({ "key": key, "old_value": old, "new_value": new }));
        let changed = Event::in_guild("GUILD_UPDATE", guild, self.guild_json(guild, false));
        let audit = self.write_audit(guild, entry);
        self.emit(vec![changed, audit]);
    }

    /// Somebody sets what a role or a member may do in a channel beside what the guild grants.
    ///
    /// # Errors
    /// 10004, 10003, 50013.
    pub fn set_overwrite(
        &mut self,
        guild: u64,
        actor: u64,
        channel: u64,
        overwrite: Overwrite,
    ) -> Result<(), Refusal> {
        self.channel_to_change(guild, actor, channel)?;
        let mut kind = action::CHANNEL_OVERWRITE_CREATE;
        if let Some(found) = self.channels.get_mut(&channel) {
            let others = found.overwrites.len();
            found.overwrites.retain(|other| (other.id, other.member) != (overwrite.id, overwrite.member));
            if found.overwrites.len() < others {
                kind = action::CHANNEL_OVERWRITE_UPDATE;
            }
            found.overwrites.push(overwrite);
        }
        self.channel_changed(guild, actor, channel, kind);
        Ok(())
    }

    /// Somebody deletes a channel.
    ///
    /// # Errors
    /// 10004, 10003, 50013.
    pub fn delete_channel(&mut self, guild: u64, actor: u64, channel: u64) -> Result<(), Refusal> {
        self.channel_to_change(guild, actor, channel)?;
        let data = self.channels.get(&channel).map_or(Value::Null, |found| self.channel_json(found));
        if let Some(found) = self.guilds.get_mut(&guild) {
            found.channels.retain(|id| *id != channel);
        }
        self.channels.remove(&channel);
        let entry = self.entry(action::CHANNEL_DELETE, Some(actor), channel, None);
        let audit = self.write_audit(guild, entry);
        self.emit(vec![Event::in_guild("CHANNEL_DELETE", guild, data), audit]);
        Ok(())
    }

    fn channel_to_change(&self, guild: u64, actor: u64, channel: u64) -> Result<(), Refusal> {
        let found = self.guild(guild)?;
        found.require(actor, MANAGE_CHANNELS)?;
        match self.channels.get(&channel).filter(|one| one.guild == Some(guild)) {
            Some(_) => Ok(()),
            None => Err(Refusal::unknown(10003)),
        }
    }

    fn channel_changed(&mut self, guild: u64, actor: u64, channel: u64, kind: u32) {
        let data = self.channels.get(&channel).map_or(Value::Null, |found| self.channel_json(found));
        let entry = self.entry(kind, Some(actor), channel, None);
        let audit = self.write_audit(guild, entry);
        self.emit(vec![Event::in_guild("CHANNEL_UPDATE", guild, data), audit]);
    }
}
