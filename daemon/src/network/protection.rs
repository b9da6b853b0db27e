//! Who may not be punished where: the one place that decides it. It is published with the commit that changed it, as a
//! part of the topology, so that a command, a plan, a request about to leave and what was done by hand all see the same.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use wayhaven_shared::operations::protect::Protected;
use wayhaven_shared::value::{GuildId, RoleId, UserId};

/// What protects somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shield {
    /// A guild's list.
    Listed {
        /// On whose list.
        guild: GuildId,
        /// Which line of it.
        line: Protected,
    },
    /// They own the guild in which it is decided.
    Owner {
        /// Which guild.
        guild: GuildId,
        /// Who.
        user: UserId,
    },
    /// It is Wayhaven's own account.
    Wayhaven(UserId),
    /// It is a bot that `network.bots` names.
    ListedBot(UserId),
}

impl Shield {
    /// The guild whose affair it is; nothing for accounts that are protected everywhere.
    pub fn guild(&self) -> Option<GuildId> {
        match self {
            Self::Listed { guild, .. } | Self::Owner { guild, .. } => Some(*guild),
            Self::Wayhaven(_) | Self::ListedBot(_) => None,
        }
    }
}

impl fmt::Display for Shield {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed { guild, line: Protected::User(user) } => {
                write!(out, "user {user} is protected in guild {guild}")
            }
            Self::Listed { guild, line: Protected::Role(role) } => {
                write!(out, "they hold the role {role}, which is protected in guild {guild}")
            }
            Self::Owner { guild, user } => write!(out, "user {user} owns guild {guild}"),
            Self::Wayhaven(user) => write!(out, "user {user} is Wayhaven itself"),
            Self::ListedBot(user) => write!(out, "user {user} is one of network.bots"),
        }
    }
}

/// The accounts that nobody punishes anywhere: Wayhaven's own, and the bots of `network.bots`. They change while topologies
/// are published, so every topology shares them.
#[derive(Debug, Default)]
pub struct OwnAccounts {
    me: OnceLock<UserId>,
    bots: RwLock<Vec<UserId>>,
}

impl OwnAccounts {
    /// Wayhaven's own account, once Discord has told which one that is.
    pub fn me(&self) -> Option<UserId> {
        self.me.get().copied()
    }

    /// Remembers Wayhaven's own account.
    pub fn set_me(&self, me: UserId) {
        // It never changes while a token is in use; the first word stands.
        let _ = self.me.set(me);
    }

    /// Replaces the bots of `network.bots`.
    pub fn set_bots(&self, bots: Vec<UserId>) {
        *self.bots.write().unwrap_or_else(PoisonError::into_inner) = bots;
    }

    /// What protects the user everywhere, if anything does.
    pub fn shield(&self, user: UserId) -> Option<Shield> {
        if self.me() == Some(user) {
            return Some(Shield::Wayhaven(user));
        }
        let bots = self.bots.read().unwrap_or_else(PoisonError::into_inner);
        bots.contains(&user).then_some(Shield::ListedBot(user))
    }
}

/// The guilds' lists, and who was last seen with a role that stands on one.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    lists: HashMap<GuildId, HashSet<Protected>>,
    holders: HashMap<(GuildId, UserId), Vec<RoleId>>,
    owners: HashMap<GuildId, UserId>,
    own: Arc<OwnAccounts>,
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

    /// The same with the guilds' owners.
    #[must_use]
    pub fn owned_by(self, owners: HashMap<GuildId, UserId>) -> Self {
        Self { owners, ..self }
    }

    /// The same with the accounts that are protected everywhere.
    #[must_use]
    pub fn with_own(self, own: Arc<OwnAccounts>) -> Self {
        Self { own, ..self }
    }

    /// What protects a user in `target` from what is decided in `source`, as far as it can be told without asking
    /// Discord: that it is one of our own accounts, that they own `source`, both guilds' lists of users, and in `source`
    /// who was last seen with a protected role. Whoever has left `source` since counts as a holder still: a kick by hand
    /// has taken them out of it. Of the owner of `target` Discord itself refuses everything, until it is another one.
    pub fn shield(&self, source: GuildId, target: GuildId, user: UserId) -> Option<Shield> {
        let line = Protected::User(user);
        let owner =
            || (self.owners.get(&source) == Some(&user)).then_some(Shield::Owner { guild: source, user });
        let listed = || {
            let lists = |guild: &GuildId| self.lists.get(guild).is_some_and(|list| list.contains(&line));
            [source, target].into_iter().find(lists).map(|guild| Shield::Listed { guild, line })
        };
        let holds = || self.by_roles(source, self.holders.get(&(source, user))?);
        self.own.shield(user).or_else(owner).or_else(listed).or_else(holds)
    }

    /// What protects in `guild` whoever has these roles there.
    pub fn by_roles(&self, guild: GuildId, roles: &[RoleId]) -> Option<Shield> {
        let list = self.lists.get(&guild)?;
        let line = roles.iter().map(|role| Protected::Role(*role)).find(|line| list.contains(line))?;
        Some(Shield::Listed { guild, line })
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
        let shield = Some(Shield::Listed { guild: guild(1), line: Protected::User(user) });
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
        assert_eq!(
            protection.shield(guild(1), guild(2), user),
            Some(Shield::Listed { guild: guild(1), line })
        );
        assert_eq!(protection.shield(guild(2), guild(1), user), None, "there their roles are asked for");
        assert_eq!(protection.by_roles(guild(1), &[role]), Some(Shield::Listed { guild: guild(1), line }));
        assert_eq!(Protection::new(Vec::new(), holders).shield(guild(1), guild(2), user), None);
    }

    #[test]
    fn our_own_accounts_are_protected_everywhere_and_an_owner_where_they_own() {
        let (guild, user) = (|id| GuildId::new(id).unwrap(), |id| UserId::new(id).unwrap());
        let own = Arc::new(OwnAccounts::default());
        let protection =
            Protection::default().owned_by([(guild(1), user(9))].into()).with_own(Arc::clone(&own));
        let of = |source, target, who| protection.shield(guild(source), guild(target), user(who));
        let owner = Some(Shield::Owner { guild: guild(1), user: user(9) });
        assert_eq!((of(1, 2, 9), of(1, 1, 9), of(2, 1, 9)), (owner, owner, None));
        assert_eq!((of(1, 2, 5), of(2, 3, 6)), (None, None));
        own.set_me(user(5));
        own.set_bots(vec![user(6)]);
        assert_eq!(
            (of(1, 2, 5), of(2, 3, 5)),
            (Some(Shield::Wayhaven(user(5))), Some(Shield::Wayhaven(user(5))))
        );
        assert_eq!(of(2, 3, 6), Some(Shield::ListedBot(user(6))), "also by what was published before");
        own.set_bots(Vec::new());
        assert_eq!(of(2, 3, 6), None);
    }
}
