//! What was there before the bot came: the state alone, of which nothing tells how it came to be.

use super::World;
use crate::Refusal;

impl World {
    /// A ban without an event or an entry, as one that was there before.
    ///
    /// # Errors
    /// 10004, 10013.
    pub fn had_banned(&mut self, guild: u64, user: u64, reason: Option<&str>) -> Result<(), Refusal> {
        if !self.users.contains_key(&user) {
            return Err(Refusal::unknown(10013));
        }
        let found = self.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
        found.members.remove(&user);
        found.bans.insert(user, reason.map(str::to_owned));
        Ok(())
    }

    /// A role of a member without an event or an entry.
    ///
    /// # Errors
    /// 10004, 10007, 10011.
    pub fn had_given_role(&mut self, guild: u64, user: u64, role: u64) -> Result<(), Refusal> {
        let found = self.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
        found.roles.get(&role).ok_or_else(|| Refusal::unknown(10011))?;
        let member = found.members.get_mut(&user).ok_or_else(|| Refusal::unknown(10007))?;
        if !member.roles.contains(&role) {
            member.roles.push(role);
        }
        Ok(())
    }

    /// A timeout until a moment (Unix milliseconds) without an event or an entry.
    ///
    /// # Errors
    /// 10004, 10007, 50035 beyond 28 days.
    pub fn had_timed_out(&mut self, guild: u64, user: u64, until_ms: u64) -> Result<(), Refusal> {
        self.check_timeout(Some(until_ms))?;
        let found = self.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
        let member = found.members.get_mut(&user).ok_or_else(|| Refusal::unknown(10007))?;
        member.timeout_ms = Some(until_ms);
        Ok(())
    }
}
