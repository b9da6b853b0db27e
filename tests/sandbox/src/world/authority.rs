//! Who may do what to whom (FACTS A1, A2).

use super::{Channel, Guild, Member, World};
use crate::Refusal;
use crate::permissions::{self, ADMINISTRATOR, READ_MESSAGE_HISTORY, SEND_MESSAGES, VIEW_CHANNEL};

/// A rank: position, then age (of two roles at one position the older, smaller id ranks higher).
type Rank = (i64, std::cmp::Reverse<u64>);

impl Guild {
    /// Effective permissions in the guild, without channel exceptions.
    #[must_use]
    pub fn permissions_of(&self, user: u64) -> u64 {
        if self.owner == user {
            return permissions::ALL;
        }
        let Some(member) = self.members.get(&user) else { return 0 };
        let granted = self.granted(member);
        if granted & ADMINISTRATOR != 0 { permissions::ALL } else { granted }
    }

    fn granted(&self, member: &Member) -> u64 {
        let everyone = self.roles.get(&self.id).map_or(0, |role| role.permissions);
        member.roles.iter().filter_map(|id| self.roles.get(id)).fold(everyone, |bits, r| bits | r.permissions)
    }

    /// The rank of a member's highest role; people without roles, or outside, rank at the bottom.
    #[must_use]
    pub fn rank_of(&self, user: u64) -> Rank {
        let bottom = (0, std::cmp::Reverse(self.id));
        let Some(member) = self.members.get(&user) else { return bottom };
        member.roles.iter().filter_map(|id| self.rank_of_role(*id)).max().unwrap_or(bottom)
    }

    /// The rank of a role.
    #[must_use]
    pub fn rank_of_role(&self, role: u64) -> Option<Rank> {
        self.roles.get(&role).map(|role| (role.position, std::cmp::Reverse(role.id)))
    }

    /// Requires permission bits of an actor, and two-factor authentication where the guild does.
    ///
    /// # Errors
    /// 50013, or what a bot is refused with whose owner does not use two-factor authentication.
    pub fn require(&self, actor: u64, bits: u64) -> Result<(), Refusal> {
        if self.permissions_of(actor) & bits != bits {
            return Err(Refusal::missing_permissions());
        }
        self.require_two_factor(actor, bits)
    }

    /// Requires that the actor ranks above the target; the owner can never be a target, nobody their own.
    ///
    /// # Errors
    /// 50013.
    pub fn require_above(&self, actor: u64, target: u64) -> Result<(), Refusal> {
        if target == self.owner || target == actor {
            return Err(Refusal::missing_permissions());
        }
        if actor == self.owner || self.rank_of(actor) > self.rank_of(target) {
            return Ok(());
        }
        // Somebody outside the guild has no roles: only the permission counts.
        if !self.members.contains_key(&target) {
            return Ok(());
        }
        Err(Refusal::missing_permissions())
    }

    /// Requires that a role exists, is given by hand, and lies below the actor's highest.
    ///
    /// # Errors
    /// 10011, 50028, 50013.
    pub fn require_role_below(&self, actor: u64, role: u64) -> Result<(), Refusal> {
        let found = self.roles.get(&role).ok_or_else(|| Refusal::unknown(10011))?;
        if found.id == self.id {
            return Err(Refusal::new(400, 50028, "Invalid Role"));
        }
        if found.bot.is_some() {
            return Err(Refusal::missing_permissions());
        }
        let below = self.rank_of_role(role).is_some_and(|rank| rank < self.rank_of(actor));
        if actor == self.owner || below { Ok(()) } else { Err(Refusal::missing_permissions()) }
    }
}

impl World {
    /// Effective permissions in a channel, with its exceptions and with what a timeout leaves.
    #[must_use]
    pub fn permissions_in(&self, channel: &Channel, user: u64) -> u64 {
        let Some(guild) = channel.guild.and_then(|id| self.guilds.get(&id)) else {
            return VIEW_CHANNEL | SEND_MESSAGES | READ_MESSAGE_HISTORY | permissions::EMBED_LINKS;
        };
        let base = guild.permissions_of(user);
        if base & ADMINISTRATOR != 0 {
            return base;
        }
        let Some(member) = guild.members.get(&user) else { return 0 };
        let mut bits = base;
        let of = |id: u64, person: bool| {
            channel.overwrites.iter().filter(move |o| o.id == id && o.member == person)
        };
        for overwrite in of(guild.id, false) {
            bits = (bits & !overwrite.deny) | overwrite.allow;
        }
        let roles = || {
            channel
                .overwrites
                .iter()
                .filter(|o| !o.member && o.id != guild.id && member.roles.contains(&o.id))
        };
        let (deny, allow) = roles().fold((0, 0), |(deny, allow), o| (deny | o.deny, allow | o.allow));
        bits = (bits & !deny) | allow;
        for overwrite in of(user, true) {
            bits = (bits & !overwrite.deny) | overwrite.allow;
        }
        if member.timeout_ms.is_some_and(|until| until > self.clock.unix_ms()) {
            bits &= VIEW_CHANNEL | READ_MESSAGE_HISTORY;
        }
        if bits & VIEW_CHANNEL == 0 {
            return 0;
        }
        if bits & SEND_MESSAGES == 0 {
            bits &= !(permissions::MENTION_EVERYONE | permissions::ATTACH_FILES | permissions::EMBED_LINKS);
        }
        bits
    }

    /// The bot's permissions in a guild, 0 where it is no member.
    #[must_use]
    pub fn bot_permissions(&self, guild: u64) -> u64 {
        self.guilds
            .get(&guild)
            .filter(|g| g.members.contains_key(&self.bot))
            .map_or(0, |g| g.permissions_of(self.bot))
    }
}
