//! Who may not be punished where: the one place that decides it. It is published with the commit that changed it, as a
//! part of the topology, so that a command, a plan, a request about to leave and what was done by hand all see the same.

use std::collections::{HashMap, HashSet};
use std::fmt;
use wayhaven_shared::operations::protect::Protected;
use wayhaven_shared::value::{GuildId, RoleId, UserId};

/// What protects somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shield {
    /// On whose list.
    pub guild: GuildId,
    /// Which line of it.
    pub line: Protected,
}

impl fmt::Display for Shield {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Protected::User(user) => write!(out, "user {user} is protected in guild {}", self.guild),
            Protected::Role(role) => {
                write!(out, "they hold the role {role}, which is protected in guild {}", self.guild)
            }
        }
    }
}

/// The guilds' lists, and who was last seen with a role that stands on one.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    lists: HashMap<GuildId, HashSet<Protected>>,
    holders: HashMap<(GuildId, UserId), Vec<RoleId>>,
}

impl Protection {
    /// From the lists' lines and the holders of their roles.
    pub fn new(lines: Vec<(GuildId, Protected)>, holders: Vec<(GuildId, UserId, RoleId)>) -> Self {
        let mut protection = Self::default();
        for (guild, line) in lines {
            protection.lists.entry(guild).or_default().insert(line);
        }
        for (guild, user, role) in holders {
            protection.holders.entry((guild, user)).or_default().push(role);
        }
        protection
    }

    /// What protects a user in `target` from what is decided in `source`, as far as it can be told without asking
    /// Discord: both guilds' lists of users, and in `source` who was last seen with a protected role. Whoever has left
    /// `source` since counts as a holder still: a kick by hand has taken them out of it.
    pub fn shield(&self, source: GuildId, target: GuildId, user: UserId) -> Option<Shield> {
        let line = Protected::User(user);
        [source, target]
            .into_iter()
            .find(|guild| self.lists.get(guild).is_some_and(|list| list.contains(&line)))
            .map(|guild| Shield { guild, line })
            .or_else(|| self.by_roles(source, self.holders.get(&(source, user))?))
    }

    /// What protects in `guild` whoever has these roles there.
    pub fn by_roles(&self, guild: GuildId, roles: &[RoleId]) -> Option<Shield> {
        let list = self.lists.get(&guild)?;
        let line = roles.iter().map(|role| Protected::Role(*role)).find(|line| list.contains(line))?;
        Some(Shield { guild, line })
    }

    /// Those of these roles that the guild protects.
    pub fn protected_of(&self, guild: GuildId, roles: &[RoleId]) -> Vec<RoleId> {
        let is_protected = |role: &RoleId| self.by_roles(guild, &[*role]).is_some();
        roles.iter().copied().filter(is_protected).collect()
    }

    /// Whether the guild protects roles, so that it has to be known who holds them.
    pub fn has_roles(&self, guild: GuildId) -> bool {
        let is_role = |line: &Protected| matches!(line, Protected::Role(_));
        self.lists.get(&guild).is_some_and(|list| list.iter().any(is_role))
    }

    /// The guilds that protect roles.
    pub fn with_roles(&self) -> impl Iterator<Item = GuildId> {
        self.lists.keys().copied().filter(|guild| self.has_roles(*guild))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_counts_where_it_is_decided_and_where_it_is_done_and_nowhere_else() {
        let (guild, user) = (|id| GuildId::new(id).unwrap(), UserId::new(9).unwrap());
        let protection = Protection::new(vec![(guild(1), Protected::User(user))], Vec::new());
        let of = |source, target| protection.shield(guild(source), guild(target), user);
        let shield = Some(Shield { guild: guild(1), line: Protected::User(user) });
        assert_eq!((of(1, 2), of(2, 1), of(1, 1)), (shield, shield, shield));
        assert_eq!(of(2, 3), None);
        assert_eq!(protection.shield(guild(1), guild(1), UserId::new(8).unwrap()), None);
    }

    #[test]
    fn holders_count_in_the_deciding_guild_and_only_while_their_role_is_on_the_list() {
        let (guild, user) = (|id| GuildId::new(id).unwrap(), UserId::new(9).unwrap());
        let role = RoleId::new(5).unwrap();
        let line = Protected::Role(role);
        let holders = vec![(guild(1), user, role)];
        let protection = Protection::new(vec![(guild(1), line)], holders.clone());
        assert_eq!(protection.shield(guild(1), guild(2), user), Some(Shield { guild: guild(1), line }));
        assert_eq!(protection.shield(guild(2), guild(1), user), None, "there their roles are asked for");
        assert_eq!(protection.by_roles(guild(1), &[role]), Some(Shield { guild: guild(1), line }));
        assert_eq!(Protection::new(Vec::new(), holders).shield(guild(1), guild(2), user), None);
    }
}
