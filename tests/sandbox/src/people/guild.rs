//! Changes of a guild itself, by its owner or its administrators.

use super::{Done, People};
use crate::world::Overwrite;

impl People {
    /// The owner gives the guild to another member: GUILD_UPDATE, and an entry of kind 1.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn transfer(&self, guild: u64, by: u64, to: u64) -> Done {
        self.act(|world| world.transfer(guild, by, to))
    }

    /// Somebody gives the guild another name: GUILD_UPDATE, and an entry of kind 1.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn rename(&self, guild: u64, by: u64, name: &str) -> Done {
        self.act(|world| world.rename(guild, by, name))
    }

    /// Somebody denies a role these permissions in a channel, and no others: CHANNEL_UPDATE.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn deny_in_channel(&self, guild: u64, by: u64, channel: u64, role: u64, deny: u64) -> Done {
        let overwrite = Overwrite { id: role, member: false, allow: 0, deny };
        self.act(|world| world.set_overwrite(guild, by, channel, overwrite))
    }

    /// Somebody allows a role these permissions in a channel, and denies none: CHANNEL_UPDATE.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn allow_in_channel(&self, guild: u64, by: u64, channel: u64, role: u64, allow: u64) -> Done {
        let overwrite = Overwrite { id: role, member: false, allow, deny: 0 };
        self.act(|world| world.set_overwrite(guild, by, channel, overwrite))
    }

    /// Somebody deletes a channel: CHANNEL_DELETE.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn delete_channel(&self, guild: u64, by: u64, channel: u64) -> Done {
        self.act(|world| world.delete_channel(guild, by, channel))
    }
}
