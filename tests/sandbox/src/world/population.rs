//! Who and what a fresh sandbox holds. The same options give the same people in the same places.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::{Channel, Guild, Role, User, World};
use crate::clock::Clock;
use crate::fault::Faults;
use crate::options::Options;
use crate::permissions::{self, BAN_MEMBERS, MANAGE_GUILD};
use crate::record::Log;
use crate::rest::limits::Limits;
use crate::snowflake::{Mint, Noise, base64};

const CHILD_NAMES: [&str; 12] = [
    "ru-gaming",
    "art-hub",
    "night-owls",
    "pixel-forge",
    "book-nook",
    "synth-cellar",
    "trail-mix",
    "speedrunners",
    "mod-academy",
    "tea-house",
    "retro-arcade",
    "film-club",
];
const FIRST_NAMES: [&str; 10] =
    ["robin", "kasia", "tomas", "amara", "felix", "noor", "sven", "ines", "dmitri", "yuki"];

/// The names of the roles of every guild, lowest first. The bot's own ranks above them.
const ROLES: [(&str, u64); 4] = [
    ("Muted", 0),
    ("Regular", 0),
    ("Moderator", permissions::MODERATOR),
    ("Admin", MANAGE_GUILD | BAN_MEMBERS),
];

/// A prime, so that the shards take turns whatever their number.
const BETWEEN_GUILDS_MS: u64 = 997;

impl World {
    /// A world as the options say.
    #[must_use]
    pub fn populate(options: Options, clock: Arc<Clock>) -> Self {
        let seed = options.seed;
        let faults = Faults::default();
        let mut world = Self {
            clock,
            faults,
            mint: Mint::default(),
            noise: Noise::new(seed),
            users: HashMap::new(),
            guilds: BTreeMap::new(),
            channels: HashMap::new(),
            bot: 0,
            application: 0,
            token: String::new(),
            resume_url: String::new(),
            owner: 0,
            owner_two_factor: true,
            main: 0,
            children: Vec::new(),
            moderator: 0,
            admin: 0,
            child_moderators: HashMap::new(),
            commands: BTreeMap::new(),
            command_creates: HashMap::new(),
            interactions: HashMap::new(),
            interaction_tokens: HashMap::new(),
            files: HashMap::new(),
            files_url: String::new(),
            sessions: BTreeMap::new(),
            dm_opens: VecDeque::new(),
            session_starts: VecDeque::new(),
            identifies: HashMap::new(),
            log: Log::default(),
            limits: Limits::default(),
            member_requests: HashMap::new(),
            muted: false,
            late: Vec::new(),
            delayed: Vec::new(),
            options,
        };
        world.settle();
        world
    }

    fn settle(&mut self) {
        let mut founded = self.founding_ids().into_iter();
        // An application and its bot share their id, as every application made since 2016 does.
        self.bot = self.person_named("wayhaven", true);
        self.application = self.bot;
        self.token = self.fresh_token();
        self.owner = self.person_named("harbourmaster", false);
        self.moderator = self.person_named("main-moderator", false);
        self.admin = self.person_named("main-admin", false);
        let ordinary: Vec<u64> = (0..self.options.members).map(|at| self.ordinary(at)).collect();

        self.main = self.found_guild(founded.next(), "Wayhaven", 0);
        let (moderator, admin) = (self.moderator, self.admin);
        self.seat(self.main, moderator, Some("Moderator"));
        self.seat(self.main, admin, Some("Admin"));
        for user in &ordinary {
            self.seat(self.main, *user, Some("Regular"));
        }
        let denied: HashMap<usize, u64> = self.options.without_permission.iter().copied().collect();
        for index in 0..self.options.children {
            let name = CHILD_NAMES
                .get(index)
                .map_or_else(|| format!("child-{:03}", index + 1), |name| (*name).to_owned());
            let guild = self.found_guild(founded.next(), &name, denied.get(&index).copied().unwrap_or(0));
            let moderator = self.person_named(&format!("{name}-moderator"), false);
            self.seat(guild, moderator, Some("Moderator"));
            for user in ordinary.iter().skip(index % 3).step_by(3) {
                self.seat(guild, *user, None);
            }
            self.child_moderators.insert(guild, moderator);
            self.children.push(guild);
        }
    }

    /// A token of the real shape, also used when Discord resets it.
    pub fn fresh_token(&mut self) -> String {
        let bot = base64(self.bot.to_string().as_bytes());
        let (stamp, secret) = (self.noise.text(6), self.noise.text(38));
        format!("{bot}.{stamp}.{secret}")
    }

    pub(super) fn person_named(&mut self, name: &str, bot: bool) -> u64 {
        let id = self.id();
        self.users.insert(id, User { id, name: name.to_owned(), bot, accepts_dms: true });
        id
    }

    fn ordinary(&mut self, at: usize) -> u64 {
        let name = format!("{}-{:03}", FIRST_NAMES[at % FIRST_NAMES.len()], at + 1);
        self.person_named(&name, false)
    }

    /// Somebody with this id, who is in no guild. Whoever has it already stays as they are.
    pub fn person_with_id(&mut self, id: u64) {
        let person = || User { id, name: format!("person-{id}"), bot: false, accepts_dms: true };
        self.users.entry(id).or_insert_with(person);
    }

    /// Somebody who is in no guild.
    pub fn stranger(&mut self) -> u64 {
        let at = self.users.len();
        self.person_named(&format!("stranger-{at:04}"), false)
    }

    /// Ids of the guilds to be, each of another moment before the start: a guild's shard follows from its moment, so
    /// guilds of one moment would all be of one shard.
    fn founding_ids(&mut self) -> Vec<u64> {
        let count = self.options.children as u64 + 1;
        let first = self.clock.unix_ms().saturating_sub(count * BETWEEN_GUILDS_MS);
        (0..count).map(|at| self.mint.next(first + at * BETWEEN_GUILDS_MS)).collect()
    }

    fn found_guild(&mut self, id: Option<u64>, name: &str, denied: u64) -> u64 {
        let id = id.unwrap_or_else(|| self.id());
        let mut roles = BTreeMap::new();
        let mut add = |id: u64, name: &str, position: i64, permissions: u64, bot: Option<u64>| {
            let role = Role {
                id,
                name: name.to_owned(),
                position,
                permissions,
                color: 0,
                bot,
                hoist: false,
                mentionable: false,
            };
            roles.insert(id, role);
        };
        add(id, "@everyone", 0, permissions::EVERYONE & !denied, None);
        for (at, (name, bits)) in (1..).zip(ROLES) {
            add(self.id(), name, at, bits, None);
        }
        let bot_role = self.id();
        add(bot_role, "Wayhaven", 5, self.options.bot_permissions & !denied, Some(self.bot));

        let guild = Guild {
            id,
            name: name.to_owned(),
            owner: self.owner,
            roles,
            members: BTreeMap::new(),
            bans: BTreeMap::new(),
            bans_without_user: BTreeSet::new(),
            left_timed_out: BTreeMap::new(),
            channels: Vec::new(),
            audit: Vec::new(),
            unavailable: false,
            non_member_bans: VecDeque::new(),
            two_factor: false,
            without_two_factor: None,
        };
        self.guilds.insert(id, guild);
        for (position, name) in (0..).zip(["general", "moderation-log", "wayhaven-alerts"]) {
            self.open_channel(id, name, position);
        }
        let (bot, owner) = (self.bot, self.owner);
        self.seat(id, owner, None);
        self.seat(id, bot, Some("Wayhaven"));
        id
    }

    fn open_channel(&mut self, guild: u64, name: &str, position: i64) {
        let id = self.id();
        self.channels.insert(id, Channel::empty(id, Some(guild), None, name, position));
        if let Some(found) = self.guilds.get_mut(&guild) {
            found.channels.push(id);
        }
    }

    /// Makes somebody a member without telling anybody, as only before the start.
    fn seat(&mut self, guild: u64, user: u64, role: Option<&str>) {
        let Some(found) = self.guilds.get(&guild) else { return };
        let roles = found.roles.values().filter(|r| Some(r.name.as_str()) == role).map(|r| r.id).collect();
        self.add_member(guild, user, roles);
    }

    /// Members who hold no office: no staff, no bot, not the owner.
    #[must_use]
    pub fn ordinary_members(&self, guild: u64) -> Vec<u64> {
        let staff: BTreeSet<u64> = self
            .child_moderators
            .values()
            .copied()
            .chain([self.bot, self.owner, self.moderator, self.admin])
            .collect();
        let members = self.guilds.get(&guild).map(|found| found.members.keys().copied());
        let is_bot = |user: &u64| self.users.get(user).is_some_and(|user| user.bot);
        members.into_iter().flatten().filter(|user| !staff.contains(user) && !is_bot(user)).collect()
    }
}

impl Channel {
    /// A channel nobody wrote in yet.
    #[must_use]
    pub fn empty(id: u64, guild: Option<u64>, recipient: Option<u64>, name: &str, position: i64) -> Self {
        let name = name.to_owned();
        Self { id, guild, recipient, name, position, overwrites: vec![], messages: vec![], nonces: vec![] }
    }
}
