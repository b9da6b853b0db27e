//! People and two-factor authentication.

use super::{Done, People};

impl People {
    /// The owner of a guild requires two-factor authentication of its moderators, or does so no more: GUILD_UPDATE.
    ///
    /// # Errors
    /// No such guild.
    pub fn require_two_factor(&self, guild: u64, required: bool) -> Done {
        self.act(|world| world.set_two_factor(guild, required))
    }

    /// The bot's owner begins or ceases to use two-factor authentication for their account: no event tells of it.
    pub fn owner_uses_two_factor(&self, uses: bool) {
        self.discord.change(|world| world.set_owner_two_factor(uses));
    }
}
