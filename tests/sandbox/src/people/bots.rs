//! Bots of other makers.

use super::{Done, People};
use crate::World;

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

    /// Another bot that is in no guild.
    #[must_use]
    pub fn another_bot(&self) -> u64 {
        self.discord.change(World::another_bot)
    }
}

/// Integrations, and applications without a bot.
impl People {
    /// An integration of this kind (`twitch`, `youtube`, …) kicks a member. `actor` is who the entry names, if anybody.
    ///
    /// # Errors
    /// No such guild or member.
    pub fn integration_kick(&self, guild: u64, kind: &str, actor: Option<u64>, user: u64) -> Done {
        self.act(|world| world.integration_kick(guild, kind, actor, user))
    }

    /// An integration of this kind gives a member a role, or takes it.
    ///
    /// # Errors
    /// No such guild, member or role.
    pub fn integration_role(
        &self,
        guild: u64,
        kind: &str,
        actor: Option<u64>,
        user: u64,
        role: (u64, bool),
    ) -> Done {
        self.act(|world| world.integration_role(guild, kind, actor, user, role))
    }

    /// An application without a bot kicks a member: the entry names an id that is no user's. Gives that id.
    ///
    /// # Errors
    /// No such guild or member.
    pub fn application_kick(&self, guild: u64, user: u64) -> Result<u64, String> {
        self.discord
            .change(|world| {
                let application = world.nameless_application();
                world.application_kick(guild, application, user).map(|()| application)
            })
            .map_err(|refusal| refusal.to_string())
    }
}
