//! Bots of other makers.

use super::People;

impl People {
    /// The owner invites another bot with a role that grants these bits, and gives its id. It moderates by the acts
    /// that people have, as its own `by`.
    ///
    /// # Errors
    /// No such guild.
    pub fn invite_other_bot(&self, guild: u64, permissions: u64) -> Result<u64, String> {
        self.discord
            .change(|world| world.invite_other_bot(guild, permissions))
            .map_err(|refusal| refusal.to_string())
    }
}
