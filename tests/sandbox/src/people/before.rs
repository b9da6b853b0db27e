//! What was there before the bot came: the state alone, without the events and audit entries that made it.

use std::time::Duration;

use super::{Done, People};
use crate::Refusal;
use crate::world::Member;

impl People {
    /// A ban that was there before; whom it concerns is no member.
    ///
    /// # Errors
    /// No such guild or user.
    pub fn had_banned(&self, guild: u64, user: u64, reason: Option<&str>) -> Done {
        self.act(|world| world.had_banned(guild, user, reason))
    }

    /// A ban that is there no more, and nobody knows since when.
    ///
    /// # Errors
    /// No such guild.
    pub fn had_lifted(&self, guild: u64, user: u64) -> Done {
        self.act(|world| {
            let found = world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
            found.bans.remove(&user);
            Ok(())
        })
    }

    /// Somebody who was a member before; nothing where they are one.
    ///
    /// # Errors
    /// No such guild.
    pub fn had_joined(&self, guild: u64, user: u64) -> Done {
        self.act(|world| {
            let joined_ms = world.clock.unix_ms();
            let found = world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
            let fresh = Member { user, roles: vec![], joined_ms, nick: None, timeout_ms: None, flags: 0 };
            found.members.entry(user).or_insert(fresh);
            Ok(())
        })
    }

    /// A role that a member had before.
    ///
    /// # Errors
    /// No such guild, member or role.
    pub fn had_given_role(&self, guild: u64, user: u64, role: u64) -> Done {
        self.act(|world| world.had_given_role(guild, user, role))
    }

    /// A timeout that a member was under before, for so long from now on.
    ///
    /// # Errors
    /// No such guild or member, or a length beyond 28 days.
    pub fn had_timed_out(&self, guild: u64, user: u64, length: Duration) -> Done {
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX / 2);
        self.act(|world| {
            let until = world.clock.unix_ms() + millis;
            world.had_timed_out(guild, user, until)
        })
    }
}
