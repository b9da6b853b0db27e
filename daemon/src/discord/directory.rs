//! The guilds as the gateway tells of them: names, owners, roles and the bot's own permissions. No members and
//! no messages are kept, so that memory stays flat.

use crate::discord::accounts::Accounts;
use crate::discord::channel::ChannelView;
use crate::discord::event::{GatewayEvent, GuildChange, GuildView, RoleView, shard_of};
use crate::discord::gateway::Sight;
use crate::discord::grants::Grants;
use crate::discord::mute_role::{RoleFacts, Unfit};
use crate::network::OwnAccounts;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
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
    /// How often one of its channels was changed, as far as the gateway has told.
    channel_changes: u64,
    roles: HashMap<RoleId, Role>,
    /// What its channels allow to roles.
    grants: Grants,
    /// The bot's own roles.
    mine: Vec<RoleId>,
    /// Whether the guild requires two-factor authentication of its moderators.
    two_factor: bool,
}

/// What is kept of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    own: Arc<OwnAccounts>,
    accounts: Arc<Accounts>,
    guilds: RwLock<HashMap<GuildId, Guild>>,
    touched: watch::Sender<HashSet<GuildId>>,
    sight: Arc<Sight>,
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
    /// The guild came or went.
    Guild(GuildId),
    /// The guild has another name, or other rights.
    Changed {
        /// Which.
        guild: GuildId,
        /// Whether something that decides what may be done there has changed: its owner, its roles, what it asks of
        /// moderators.
        rights: bool,
    },
    /// What the bot may do in the guild may have changed.
    Permissions(GuildId),
    /// The bot is not in these guilds any more.
    Gone(Vec<GuildId>),
}

impl Guild {
    fn bare(presence: Presence) -> Self {
        Self {
            presence,
            name: None,
            owner: None,
            two_factor: false,
            channel_changes: 0,
            roles: HashMap::new(),
            grants: Grants::default(),
            mine: Vec::new(),
        }
    }

    /// Takes in what has changed; what of it is news: the name, and what decides what may be done.
    fn follow(&mut self, change: &GuildChange) -> (bool, bool) {
        let roles = change.roles.as_deref().map(roles_of);
        let named = change.name.as_ref().is_some_and(|name| self.name.as_ref() != Some(name));
        let rights = change.owner.is_some_and(|owner| self.owner != Some(owner))
            || change.two_factor.is_some_and(|needed| self.two_factor != needed)
            || roles.as_ref().is_some_and(|roles| self.roles != *roles);
        if let Some(name) = &change.name {
            self.name = Some(name.clone());
        }
        self.owner = change.owner.or(self.owner);
        self.two_factor = change.two_factor.unwrap_or(self.two_factor);
        if let Some(roles) = roles {
            self.roles = roles;
        }
        (named, rights)
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

/// What is kept of each role.
fn roles_of(roles: &[RoleView]) -> HashMap<RoleId, Role> {
    roles.iter().map(|role| (role.id, role.into())).collect()
}

impl Directory {
    /// With no guild yet. `own` is where the bot's own id is kept.
    pub fn new(own: Arc<OwnAccounts>) -> Self {
        Self { own, ..Self::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<GuildId, Guild>> {
        self.guilds.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bot's own id, once Discord has told.
    pub fn me(&self) -> Option<UserId> {
        self.own.me()
    }

    /// Remembers the bot's own id.
    pub fn set_me(&self, me: UserId) {
        self.own.set_me(me);
    }

    /// Whose accounts they are.
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// Which guilds tell what happens now.
    pub fn sight(&self) -> &Arc<Sight> {
        &self.sight
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

    /// Whether the guild's moderators need two-factor authentication; nothing where that is not known.
    pub fn needs_two_factor(&self, guild: GuildId) -> Option<bool> {
        let guilds = self.read();
        guilds.get(&guild).filter(|view| view.presence == Presence::Here).map(|view| view.two_factor)
    }

    /// How often channels of the guild were changed: where it is more than before, what a channel refused is worth
    /// another try.
    pub fn channel_changes(&self, guild: GuildId) -> u64 {
        self.read().get(&guild).map_or(0, |view| view.channel_changes)
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
            in_channels: view.grants.to(role, everyone.map_or(0, |role| role.permissions)),
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
            Noticed::Guild(guild) | Noticed::Changed { guild, .. } | Noticed::Permissions(guild) => {
                self.touch(*guild);
            }
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
                let channel_changes = guilds.get(&view.id).map_or(0, |before| before.channel_changes + 1);
                guilds.insert(view.id, Guild { channel_changes, ..self.remembered(view) });
                Noticed::Guild(view.id)
            }
            GatewayEvent::GuildGone { guild, outage } => {
                let presence = if *outage { Presence::Outage } else { Presence::Absent };
                guilds.entry(*guild).or_insert_with(|| Guild::bare(presence)).presence = presence;
                Noticed::Guild(*guild)
            }
            GatewayEvent::GuildChanged { guild, change } => {
                match guilds.get_mut(guild).map(|view| view.follow(change)) {
                    None | Some((false, false)) => Noticed::Nothing,
                    Some((_, rights)) => Noticed::Changed { guild: *guild, rights },
                }
            }
            GatewayEvent::Channel { guild, channel, grants } => {
                let Some(view) = guilds.get_mut(guild) else { return Noticed::Nothing };
                view.channel_changes += 1;
                match view.grants.follow(*channel, grants) {
                    true => Noticed::Permissions(*guild),
                    false => Noticed::Nothing,
                }
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
            GatewayEvent::Member { guild, user, roles, .. } if Some(*user) == self.me() => {
                let Some(view) = guilds.get_mut(guild) else { return Noticed::Nothing };
                view.mine.clone_from(roles);
                Noticed::Permissions(*guild)
            }
            _ => Noticed::Nothing,
        }
    }

    fn remembered(&self, view: &GuildView) -> Guild {
        let mine = view.members.iter().find(|(user, _)| Some(*user) == self.me());
        Guild {
            presence: Presence::Here,
            name: Some(view.name.clone()),
            owner: Some(view.owner),
            channel_changes: 0,
            roles: roles_of(&view.roles),
            grants: view.grants.clone(),
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
    fn a_changed_guild_is_followed_and_what_is_not_told_stays() {
        let (directory, guild) = directory();
        let learn =
            |data| directory.learn(&crate::discord::event::read("GUILD_UPDATE", &data).unwrap().unwrap());
        let user = |id| UserId::new(id).unwrap();
        assert_eq!(directory.needs_two_factor(guild), Some(false));
        assert_eq!(
            learn(json!({"id": "100", "owner_id": "11", "name": "y", "mfa_level": 1})),
            Noticed::Changed { guild, rights: true }
        );
        assert_eq!(directory.take_touched(), HashSet::from([guild]));
        assert_eq!((directory.owner(guild), directory.needs_two_factor(guild)), (Some(user(11)), Some(true)));
        assert_eq!(directory.name(guild).unwrap().raw(), "y");
        assert_eq!(directory.permissions(guild, user(11), &[]), Some(u64::MAX), "the new owner");
        assert_eq!(directory.permissions(guild, user(9), &[]), Some(1), "the old one");
        assert_eq!(
            learn(json!({"id": "100", "owner_id": "11", "name": "y"})),
            Noticed::Nothing,
            "nothing new"
        );
        assert_eq!(directory.my_permissions(guild), Some(5), "its roles were not told");
        let roles = json!([{"id": "100", "position": 0, "permissions": "8"}]);
        assert_eq!(learn(json!({"id": "100", "roles": roles})), Noticed::Changed { guild, rights: true });
        assert_eq!(learn(json!({"id": "100", "name": "z"})), Noticed::Changed { guild, rights: false });
        assert_eq!(directory.my_permissions(guild), Some(u64::MAX));
        assert_eq!(learn(json!({"id": "999", "name": "unknown"})), Noticed::Nothing);
    }

    #[test]
    fn channels_that_change_are_counted() {
        let (directory, guild) = directory();
        let before = directory.channel_changes(guild);
        for kind in ["CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE"] {
            let data = json!({"id": "5", "guild_id": "100", "type": 0});
            directory.learn(&crate::discord::event::read(kind, &data).unwrap().unwrap());
        }
        assert_eq!(directory.channel_changes(guild), before + 3);
        let direct = json!({"id": "5", "type": 1});
        assert!(crate::discord::event::read("CHANNEL_UPDATE", &direct).unwrap().is_none());
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
        let event = GatewayEvent::Member {
            guild,
            user: UserId::new(7).unwrap(),
            roles: vec![],
            facts: crate::discord::event::MemberFacts::default(),
        };
        assert_eq!(directory.learn(&event), Noticed::Permissions(guild));
        assert_eq!(directory.my_permissions(guild), Some(1));
    }
}
