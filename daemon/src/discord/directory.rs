//! The guilds as the gateway tells of them: names, owners, roles and the bot's own permissions. No members and
//! no messages are kept, so that memory stays flat.

use crate::discord::accounts::Accounts;
use crate::discord::channel::ChannelView;
use crate::discord::event::{GatewayEvent, GuildView, RoleView, shard_of};
use crate::discord::mute_role::{RoleFacts, Unfit};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::watch;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, RoleId, Untrusted, UserId};

/// ADMINISTRATOR (FACTS A1).
pub const ADMINISTRATOR: u64 = 1 << 3;
/// MANAGE_GUILD (FACTS A1): what a bulk ban needs beside BAN_MEMBERS.
const MANAGE_GUILD: u64 = 1 << 5;
/// What only staff is given: kick, ban, administrator, manage channels, server, messages and roles, timeouts (FACTS A1).
const OF_STAFF: u64 = 1 << 1 | 1 << 2 | ADMINISTRATOR | 1 << 4 | MANAGE_GUILD | 1 << 13 | 1 << 28 | 1 << 40;
/// VIEW_AUDIT_LOG (FACTS A1).
pub const VIEW_AUDIT_LOG: u64 = 1 << 7;

/// Whether the bot sees a guild now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is there.
    Here,
    /// Discord has an outage for it.
    Outage,
    /// The bot is not in it.
    Absent,
}

impl Presence {
    /// The word for it, as in the dashboard.
    pub fn word(self) -> &'static str {
        match self {
            Self::Here => "ok",
            Self::Outage => "unavailable",
            Self::Absent => "absent",
        }
    }
}

#[derive(Debug)]
struct Guild {
    presence: Presence,
    name: Option<Untrusted>,
    owner: Option<UserId>,
    roles: HashMap<RoleId, Role>,
    /// The bot's own roles.
    mine: Vec<RoleId>,
    /// Whether the guild requires two-factor authentication of its moderators.
    two_factor: bool,
}

/// What is kept of a role.
#[derive(Clone, Copy, Debug)]
struct Role {
    position: i64,
    permissions: u64,
    managed: bool,
}

impl From<&RoleView> for Role {
    fn from(view: &RoleView) -> Self {
        Self { position: view.position, permissions: view.permissions, managed: view.managed }
    }
}

/// What is known of the guilds right now.
#[derive(Debug, Default)]
pub struct Directory {
    me: OnceLock<UserId>,
    accounts: Arc<Accounts>,
    guilds: RwLock<HashMap<GuildId, Guild>>,
    touched: watch::Sender<HashSet<GuildId>>,
}

/// Where a role stands among a guild's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Height {
    /// Its position; 0 is everyone's.
    pub position: i64,
    /// The highest position of any role.
    pub highest: i64,
    /// How many roles rank above it.
    pub above: usize,
    /// How many of those have none of a moderator's permissions.
    pub ordinary: usize,
}

/// What an event changed, for those who act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// Nothing that matters.
    Nothing,
    /// The guild came, went, or was renamed.
    Guild(GuildId),
    /// What the bot may do in the guild may have changed.
    Permissions(GuildId),
    /// The bot is not in these guilds any more.
    Gone(Vec<GuildId>),
}

impl Guild {
    fn bare(presence: Presence) -> Self {
        Self { presence, name: None, owner: None, roles: HashMap::new(), mine: Vec::new(), two_factor: false }
    }

    fn permissions(&self, guild: GuildId, user: UserId, roles: &[RoleId]) -> u64 {
        if self.owner == Some(user) {
            return u64::MAX;
        }
        // @everyone is the role with the guild's own id (FACTS A1).
        let everyone = RoleId::new(guild.get());
        let bits = everyone
            .iter()
            .chain(roles)
            .filter_map(|role| self.roles.get(role))
            .fold(0, |all, role| all | role.permissions);
        if bits & ADMINISTRATOR != 0 { u64::MAX } else { bits }
    }

    /// The rank of the highest of these roles: position first, then the older id (FACTS A2).
    fn rank(&self, roles: &[RoleId]) -> (i64, u64) {
        let of = |id: &RoleId| self.roles.get(id).map(|role| (role.position, u64::MAX - id.get()));
        roles.iter().filter_map(of).max().unwrap_or((0, 0))
    }
}

/// Why Discord lets the bot do nothing to a member, whatever the bot's permissions are (FACTS A2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfReach {
    /// They own the guild.
    Owner,
    /// They are an administrator, whom nobody can time out.
    Administrator,
    /// Their highest role is not below the bot's.
    Rank,
}

impl OutOfReach {
    /// Why, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Owner => "the user owns the guild",
            Self::Administrator => "the user is an administrator, and nobody can time out an administrator",
            Self::Rank => "the user ranks above the bot",
        }
    }
}

/// The permission that an action's request needs (FACTS A3): its bit, and Discord's name for it. A warning makes no
/// request, and needs none.
pub fn needed(action: Action) -> (u64, &'static str) {
    match action.measure() {
        Action::Kick => (1 << 1, "Kick Members"),
        Action::Mute => (1 << 28, "Manage Roles"),
        Action::Timeout => (1 << 40, "Timeout Members"),
        Action::Warn => (0, "none"),
        _ => (1 << 2, "Ban Members"),
    }
}

impl Directory {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<GuildId, Guild>> {
        self.guilds.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bot's own id, once Discord has told.
    pub fn me(&self) -> Option<UserId> {
        self.me.get().copied()
    }

    /// Remembers the bot's own id.
    pub fn set_me(&self, me: UserId) {
        // It never changes while a token is in use; the first word stands.
        let _ = self.me.set(me);
    }

    /// Whose accounts they are.
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// How many guilds the bot sees.
    pub fn count(&self) -> u64 {
        self.read().values().filter(|guild| guild.presence == Presence::Here).count() as u64
    }

    /// Whether the bot sees the guild; nothing where it was never heard of.
    pub fn presence(&self, guild: GuildId) -> Option<Presence> {
        self.read().get(&guild).map(|guild| guild.presence)
    }

    /// The guild's name.
    pub fn name(&self, guild: GuildId) -> Option<Untrusted> {
        self.read().get(&guild)?.name.clone()
    }

    /// The guilds whose names are known.
    pub fn names(&self) -> Vec<(GuildId, Untrusted)> {
        let guilds = self.read();
        guilds.iter().filter_map(|(guild, view)| Some((*guild, view.name.clone()?))).collect()
    }

    /// The guild's owner.
    pub fn owner(&self, guild: GuildId) -> Option<UserId> {
        self.read().get(&guild)?.owner
    }

    /// What the bot may do in the guild; nothing where that is not known.
    pub fn my_permissions(&self, guild: GuildId) -> Option<u64> {
        let guilds = self.read();
        let view = guilds.get(&guild).filter(|view| view.presence == Presence::Here)?;
        Some(view.permissions(guild, self.me()?, &view.mine))
    }

    /// Whether the guild shows its audit log to the bot; nothing where that is not known.
    pub fn shows_log(&self, guild: GuildId) -> Option<bool> {
        Some(self.my_permissions(guild)? & VIEW_AUDIT_LOG != 0)
    }

    /// What the bot may do in a channel of the guild; nothing where that is not known.
    pub fn my_permissions_in(&self, guild: GuildId, channel: &ChannelView) -> Option<u64> {
        let (base, me) = (self.my_permissions(guild)?, self.me()?);
        let guilds = self.read();
        Some(channel.permissions(base, guild, me, &guilds.get(&guild)?.mine))
    }

    /// Whether the guild has a role; nothing where its roles are not known.
    pub fn has_role(&self, guild: GuildId, role: RoleId) -> Option<bool> {
        let guilds = self.read();
        let view = guilds.get(&guild).filter(|view| view.presence == Presence::Here)?;
        Some(view.roles.contains_key(&role))
    }

    /// Whether the role may mute in the guild, and why not; nothing where the guild's roles are not known.
    pub fn judge_mute_role(&self, guild: GuildId, role: RoleId) -> Option<Result<(), Unfit>> {
        let guilds = self.read();
        let view = guilds.get(&guild).filter(|view| view.presence == Presence::Here)?;
        if role.get() == guild.get() {
            return Some(Err(Unfit::Everyone));
        }
        let Some(found) = view.roles.get(&role) else { return Some(Err(Unfit::Gone)) };
        let everyone = RoleId::new(guild.get()).and_then(|id| view.roles.get(&id));
        let facts = RoleFacts {
            permissions: found.permissions,
            managed: found.managed,
            everyone: everyone.map_or(0, |role| role.permissions),
        };
        Some(match facts.unfit() {
            Some(unfit) => Err(unfit),
            None if view.rank(&view.mine) <= view.rank(&[role]) => Err(Unfit::AboveBot),
            None => Ok(()),
        })
    }

    /// Whether the bot ranks above somebody with these roles there; nothing where that is not known.
    pub fn i_outrank(&self, guild: GuildId, roles: &[RoleId]) -> Option<bool> {
        let guilds = self.read();
        let view = guilds.get(&guild).filter(|view| view.presence == Presence::Here)?;
        Some(view.rank(&view.mine) > view.rank(roles))
    }

    /// Why the bot can do this to nobody with these roles there, `None` of them where the user is no member; nothing where it
    /// can, or where the guild is not known.
    pub fn out_of_reach(
        &self,
        guild: GuildId,
        user: UserId,
        action: Action,
        roles: Option<&[RoleId]>,
    ) -> Option<OutOfReach> {
        let guilds = self.read();
        let view = guilds.get(&guild).filter(|view| view.presence == Presence::Here)?;
        // Of a mute the rank of its role counts, and a warning makes no request (FACTS A2).
        if matches!(action.measure(), Action::Mute | Action::Warn) || action == Action::Unban {
            return None;
        }
        if view.owner == Some(user) {
            return Some(OutOfReach::Owner);
        }
        let roles = roles?;
        if action.measure() == Action::Timeout && view.permissions(guild, user, roles) & ADMINISTRATOR != 0 {
            return Some(OutOfReach::Administrator);
        }
        (view.rank(&view.mine) <= view.rank(roles)).then_some(OutOfReach::Rank)
    }

    /// Whether the guild requires two-factor authentication of its moderators.
    pub fn requires_two_factor(&self, guild: GuildId) -> bool {
        self.read().get(&guild).is_some_and(|view| view.two_factor)
    }

    /// What decides whether Discord lets the bot moderate in the guild, as one word to compare: where it is another than
    /// before, what Discord refused is worth a try. Nothing where the guild is not known.
    pub fn footing(&self, guild: GuildId) -> Option<String> {
        let bits = self.my_permissions(guild)?;
        let guilds = self.read();
        let view = guilds.get(&guild)?;
        let owner = view.owner.map_or(0, UserId::get);
        Some(format!("{bits:x} {:?} {owner} {}", view.rank(&view.mine), view.two_factor))
    }

    /// Whether the bot has the permission that an action needs; nothing where that is not known.
    pub fn may(&self, guild: GuildId, action: Action) -> Option<bool> {
        Some(self.my_permissions(guild)? & needed(action).0 != 0)
    }

    /// Whether the bot may ban many by one request there (FACTS A3).
    pub fn may_bulk_ban(&self, guild: GuildId) -> bool {
        let needed = needed(Action::Ban).0 | MANAGE_GUILD;
        self.my_permissions(guild).is_some_and(|bits| bits & needed == needed)
    }

    /// What a member with these roles may do in the guild; nothing where the guild is not known.
    pub fn permissions(&self, guild: GuildId, user: UserId, roles: &[RoleId]) -> Option<u64> {
        Some(self.read().get(&guild)?.permissions(guild, user, roles))
    }

    /// Whether one of these roles grants a permission that only staff is given; not where the guild is not known.
    pub fn moderates(&self, guild: GuildId, roles: &[RoleId]) -> bool {
        let guilds = self.read();
        let Some(view) = guilds.get(&guild) else { return false };
        roles.iter().filter_map(|role| view.roles.get(role)).any(|role| role.permissions & OF_STAFF != 0)
    }

    /// What an id belongs to, if it is that of a guild or role which the bot sees.
    pub fn place(&self, id: u64) -> Option<&'static str> {
        let guilds = self.read();
        if GuildId::new(id).is_some_and(|id| guilds.contains_key(&id)) {
            return Some("a guild");
        }
        let role = RoleId::new(id)?;
        guilds.values().any(|view| view.roles.contains_key(&role)).then_some("a role")
    }

    /// Whether somebody with `roles` ranks above somebody with `others` there; nothing where the guild is not
    /// known. Equal ranks are not above each other.
    pub fn ranks_above(&self, guild: GuildId, roles: &[RoleId], others: &[RoleId]) -> Option<bool> {
        let guilds = self.read();
        let view = guilds.get(&guild)?;
        Some(view.rank(roles) > view.rank(others))
    }

    /// Where the highest of the bot's roles stands in the guild, or of these where they are known to be its roles;
    /// nothing where the guild is not known.
    pub fn my_height(&self, guild: GuildId, roles: Option<&[RoleId]>) -> Option<Height> {
        let guilds = self.read();
        let view = guilds.get(&guild).filter(|view| view.presence == Presence::Here)?;
        let mine = view.rank(roles.unwrap_or(&view.mine));
        let highest = view.roles.values().map(|role| role.position).max().unwrap_or(0);
        let above = || view.roles.iter().filter(|(role, _)| view.rank(&[**role]) > mine);
        let ordinary = above().filter(|(_, role)| role.permissions & OF_STAFF == 0).count();
        Some(Height { position: mine.0, highest, above: above().count(), ordinary })
    }

    /// Follows the guilds of which something has changed that decides what the bot may do there, until they are taken.
    pub fn touched(&self) -> watch::Receiver<HashSet<GuildId>> {
        self.touched.subscribe()
    }

    /// Says that something of the guild has changed that the gateway does not tell of.
    pub fn touch(&self, guild: GuildId) {
        self.touched.send_modify(|touched| {
            touched.insert(guild);
        });
    }

    /// Takes the guilds that were touched.
    pub fn take_touched(&self) -> HashSet<GuildId> {
        let mut taken = HashSet::new();
        self.touched.send_if_modified(|touched| {
            taken = std::mem::take(touched);
            false
        });
        taken
    }

    /// Learns from an event.
    pub fn learn(&self, event: &GatewayEvent) -> Noticed {
        let noticed = self.take_in(event);
        match &noticed {
            Noticed::Nothing => {}
            Noticed::Guild(guild) | Noticed::Permissions(guild) => self.touch(*guild),
            Noticed::Gone(guilds) => guilds.iter().for_each(|guild| self.touch(*guild)),
        }
        noticed
    }

    fn take_in(&self, event: &GatewayEvent) -> Noticed {
        let mut guilds = self.guilds.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            GatewayEvent::Ready { me, shard: (shard, of), guilds: told } => {
                self.set_me(*me);
                // Known, but not there before Discord tells of each.
                for guild in told.iter() {
                    guilds.entry(*guild).or_insert_with(|| Guild::bare(Presence::Outage));
                }
                let told: HashSet<GuildId> = told.iter().copied().collect();
                let mut gone = Vec::new();
                for (guild, view) in guilds.iter_mut() {
                    let here = view.presence != Presence::Absent;
                    if here && shard_of(*guild, *of) == *shard && !told.contains(guild) {
                        view.presence = Presence::Absent;
                        gone.push(*guild);
                    }
                }
                if gone.is_empty() { Noticed::Nothing } else { Noticed::Gone(gone) }
            }
            GatewayEvent::GuildHere(view) => {
                guilds.insert(view.id, self.remembered(view));
                Noticed::Guild(view.id)
            }
            GatewayEvent::GuildGone { guild, outage } => {
                let presence = if *outage { Presence::Outage } else { Presence::Absent };
                guilds.entry(*guild).or_insert_with(|| Guild::bare(presence)).presence = presence;
                Noticed::Guild(*guild)
            }
            GatewayEvent::GuildChanged { guild, two_factor } => {
                let Some(view) = guilds.get_mut(guild) else { return Noticed::Nothing };
                view.two_factor = *two_factor;
                Noticed::Permissions(*guild)
            }
            GatewayEvent::Role { guild, role } => {
                let Some(view) = guilds.get_mut(guild) else { return Noticed::Nothing };
                view.roles.insert(role.id, role.into());
                Noticed::Permissions(*guild)
            }
            GatewayEvent::RoleGone { guild, role } => {
                let Some(view) = guilds.get_mut(guild) else { return Noticed::Nothing };
                view.roles.remove(role);
                Noticed::Permissions(*guild)
            }
            GatewayEvent::Member { guild, user, roles } if Some(*user) == self.me() => {
                let Some(view) = guilds.get_mut(guild) else { return Noticed::Nothing };
                view.mine.clone_from(roles);
                Noticed::Permissions(*guild)
            }
            _ => Noticed::Nothing,
        }
    }

    fn remembered(&self, view: &GuildView) -> Guild {
        let role = |role: &RoleView| (role.id, role.into());
        let mine = view.members.iter().find(|(user, _)| Some(*user) == self.me());
        Guild {
            presence: Presence::Here,
            name: Some(view.name.clone()),
            owner: Some(view.owner),
            roles: view.roles.iter().map(role).collect(),
            mine: mine.map(|(_, roles)| roles.clone()).unwrap_or_default(),
            two_factor: view.two_factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn directory() -> (Directory, GuildId) {
        let directory = Directory::default();
        directory.set_me(UserId::new(7).unwrap());
        let data = json!({"id": "100", "name": "x", "owner_id": "9", "members": [{"user": {"id": "7"}, "roles": ["2"]}],
            "roles": [{"id": "100", "position": 0, "permissions": "1"}, {"id": "2", "position": 5, "permissions": "4"},
                      {"id": "3", "position": 5, "permissions": "8"}]});
        directory.learn(&crate::discord::event::read("GUILD_CREATE", &data).unwrap().unwrap());
        (directory, GuildId::new(100).unwrap())
    }

    #[test]
    fn permissions_add_up_over_everyone_and_roles() {
        let (directory, guild) = directory();
        assert_eq!(directory.my_permissions(guild), Some(5));
        let role = |id| RoleId::new(id).unwrap();
        let user = |id| UserId::new(id).unwrap();
        assert_eq!(directory.permissions(guild, user(1), &[role(3)]), Some(u64::MAX), "an administrator");
        assert_eq!(directory.permissions(guild, user(9), &[]), Some(u64::MAX), "the owner");
        assert_eq!(directory.permissions(guild, user(1), &[]), Some(1));
    }

    #[test]
    fn of_equal_positions_the_older_role_ranks_above() {
        let (directory, guild) = directory();
        let role = |id| RoleId::new(id).unwrap();
        assert_eq!(directory.ranks_above(guild, &[role(2)], &[role(3)]), Some(true));
        assert_eq!(directory.ranks_above(guild, &[role(3)], &[role(2)]), Some(false));
        assert_eq!(directory.ranks_above(guild, &[role(2)], &[role(2)]), Some(false));
        assert_eq!(directory.ranks_above(guild, &[role(2)], &[]), Some(true));
    }

    #[test]
    fn losing_our_role_is_noticed() {
        let (directory, guild) = directory();
        let event = GatewayEvent::Member { guild, user: UserId::new(7).unwrap(), roles: vec![] };
        assert_eq!(directory.learn(&event), Noticed::Permissions(guild));
        assert_eq!(directory.my_permissions(guild), Some(1));
    }
}
