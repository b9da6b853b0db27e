//! What exists: users, guilds, roles, members, bans, channels, commands, interactions, sessions.
//!
//! One value behind one mutex ([`crate::Discord`]). Nothing in here awaits; what changes returns or emits events.

mod audit;
mod authority;
mod automod;
mod before;
mod bots;
mod dispatch;
mod guild;
mod integrations;
mod membership;
mod moderation;
mod population;
mod render;
mod two_factor;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::attachment::Attached;
use crate::clock::Clock;
use crate::fault::Faults;
use crate::gateway::session::Session;
use crate::interaction::Interaction;
use crate::options::Options;
use crate::record::Log;
use crate::rest::Late;
use crate::rest::limits::Limits;
use crate::snowflake::{Mint, Noise};

pub use audit::action;
pub use dispatch::Event;

/// A person or a bot.
#[derive(Debug, Clone)]
pub struct User {
    /// Id.
    pub id: u64,
    /// Name, unique in the sandbox.
    pub name: String,
    /// Whether it is a bot account.
    pub bot: bool,
    /// Whether the bot may write to them (else 50007).
    pub accepts_dms: bool,
}

/// A role; the one with the guild's own id is `@everyone`.
#[derive(Debug, Clone)]
pub struct Role {
    /// Id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Rank; greater is higher, equal ones rank by id.
    pub position: i64,
    /// Permission bits.
    pub permissions: u64,
    /// Colour, 0 for none.
    pub color: u32,
    /// The bot whose integration owns it: such a role cannot be given by hand.
    pub bot: Option<u64>,
    /// Shown apart.
    pub hoist: bool,
    /// Whether anybody may mention it.
    pub mentionable: bool,
}

/// A channel's exception to the guild's permissions.
#[derive(Debug, Clone)]
pub struct Overwrite {
    /// Role or user id.
    pub id: u64,
    /// Whether `id` is a user.
    pub member: bool,
    /// Bits added.
    pub allow: u64,
    /// Bits removed.
    pub deny: u64,
}

/// A guild's text channel or a DM.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Id.
    pub id: u64,
    /// The guild, or none for a DM.
    pub guild: Option<u64>,
    /// The other person of a DM.
    pub recipient: Option<u64>,
    /// Name, empty for a DM.
    pub name: String,
    /// Order in the guild.
    pub position: i64,
    /// Exceptions.
    pub overwrites: Vec<Overwrite>,
    /// Messages as sent, oldest first.
    pub messages: Vec<Value>,
    /// Nonces of the last minutes with the message each made.
    pub nonces: Vec<(Duration, String, u64)>,
}

/// A member of a guild.
#[derive(Debug, Clone)]
pub struct Member {
    /// Whose membership.
    pub user: u64,
    /// Role ids without `@everyone`.
    pub roles: Vec<u64>,
    /// Unix milliseconds.
    pub joined_ms: u64,
    /// Nickname.
    pub nick: Option<String>,
    /// Unix milliseconds until which they are timed out; may lie in the past.
    pub timeout_ms: Option<u64>,
    /// Member flags.
    pub flags: u64,
}

/// One line of a guild's audit log.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// Id, growing.
    pub id: u64,
    /// Kind, see [`action`].
    pub action: u32,
    /// Who did it, where Discord says.
    pub actor: Option<u64>,
    /// Whom or what it concerns.
    pub target: Option<u64>,
    /// Reason given.
    pub reason: Option<String>,
    /// `[{key, old_value?, new_value?}]`.
    pub changes: Vec<Value>,
    /// Further facts by kind.
    pub options: Option<Value>,
}

/// A guild.
#[derive(Debug, Clone)]
pub struct Guild {
    /// Id, also the id of `@everyone`.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Owner.
    pub owner: u64,
    /// Roles by id.
    pub roles: BTreeMap<u64, Role>,
    /// Members by user id.
    pub members: BTreeMap<u64, Member>,
    /// Bans by user id, with the reason.
    pub bans: BTreeMap<u64, Option<String>>,
    /// Banned users whom the ban list does not show: their entry has `"user": null`.
    pub bans_without_user: BTreeSet<u64>,
    /// Until when those who left are timed out, Unix milliseconds; it holds again when they rejoin.
    pub left_timed_out: BTreeMap<u64, u64>,
    /// Channel ids in order.
    pub channels: Vec<u64>,
    /// Audit log, oldest first.
    pub audit: Vec<AuditEntry>,
    /// Whether the guild is in an outage.
    pub unavailable: bool,
    /// Whether it requires two-factor authentication of its moderators.
    pub two_factor: bool,
    /// The bot, where its owner's account does not use that, and the code that such a request is refused with.
    pub without_two_factor: Option<(u64, u32)>,
    /// When bans of non-members were made, for their budget.
    pub non_member_bans: VecDeque<Duration>,
}

/// The whole state.
#[derive(Debug)]
pub struct World {
    /// As chosen at the start.
    pub options: Options,
    /// Time.
    pub clock: Arc<Clock>,
    /// Ids.
    pub mint: Mint,
    /// Tokens.
    pub noise: Noise,
    /// Everybody.
    pub users: HashMap<u64, User>,
    /// Guilds.
    pub guilds: BTreeMap<u64, Guild>,
    /// Channels of guilds and DMs.
    pub channels: HashMap<u64, Channel>,
    /// The bot's user.
    pub bot: u64,
    /// The application.
    pub application: u64,
    /// What READY names as the address to resume at.
    pub resume_url: String,
    /// The bot's token; changes when Discord resets it.
    pub token: String,
    /// Owner of the guilds and of the bot.
    pub owner: u64,
    /// Whether the bot's owner uses two-factor authentication.
    pub owner_two_factor: bool,
    /// The main guild.
    pub main: u64,
    /// Child guilds in order.
    pub children: Vec<u64>,
    /// A moderator of the main guild.
    pub moderator: u64,
    /// Manages the main guild, no administrator.
    pub admin: u64,
    /// A moderator of each child.
    pub child_moderators: HashMap<u64, u64>,
    /// Application commands: of all guilds (`None`) or of one.
    pub commands: BTreeMap<Option<u64>, Vec<Value>>,
    /// When commands were created, by scope, for the daily budget.
    pub command_creates: HashMap<Option<u64>, VecDeque<Duration>>,
    /// Interactions by id.
    pub interactions: HashMap<u64, Interaction>,
    /// Interaction ids by token.
    pub interaction_tokens: HashMap<String, u64>,
    /// Files that are served, by id.
    pub files: HashMap<u64, Attached>,
    /// Where they are served.
    pub files_url: String,
    /// Gateway sessions by id.
    pub sessions: BTreeMap<String, Session>,
    /// When direct messages were opened, for their window.
    pub dm_opens: VecDeque<Duration>,
    /// When sessions were started, for the daily budget.
    pub session_starts: VecDeque<Duration>,
    /// The last identifies per bucket of shards; of no bucket where there is one shard.
    pub identifies: HashMap<Option<u64>, VecDeque<Duration>>,
    /// When all members of a guild were asked for last, for the limit of opcode 8.
    pub member_requests: HashMap<u64, Duration>,
    /// Every request.
    pub log: Log,
    /// Injected faults.
    pub faults: Faults,
    /// Rate limits.
    pub limits: Limits,
    /// Whether nobody is told of what happens, as where a change is only tried.
    pub(crate) muted: bool,
    /// Requests answered and not carried out yet.
    pub(crate) late: Vec<Late>,
    /// Events held back by a fault until a moment of the clock.
    pub delayed: Vec<(Duration, Event)>,
}

impl World {
    /// A new id.
    pub fn id(&mut self) -> u64 {
        let now = self.clock.unix_ms();
        self.mint.next(now)
    }

    /// A guild the bot is in; 10004 otherwise.
    ///
    /// # Errors
    /// Unknown guild, or an outage.
    pub fn guild(&self, guild: u64) -> Result<&Guild, crate::Refusal> {
        let found = self.guilds.get(&guild).ok_or_else(|| crate::Refusal::unknown(10004))?;
        if found.unavailable {
            let status = self.options.guesses.outage;
            return Err(crate::Refusal::new(status, 0, &format!("{status}: Service Unavailable")));
        }
        Ok(found)
    }

    /// A guild for a request of the bot: it must be a member there.
    ///
    /// # Errors
    /// Unknown guild (also where the bot is no member), or an outage.
    pub fn guild_of_bot(&self, guild: u64) -> Result<&Guild, crate::Refusal> {
        let found = self.guild(guild)?;
        if !found.members.contains_key(&self.bot) {
            return Err(crate::Refusal::unknown(10004));
        }
        Ok(found)
    }

    /// The channel of a guild with that name.
    #[must_use]
    pub fn channel_named(&self, guild: u64, name: &str) -> Option<u64> {
        let guild = self.guilds.get(&guild)?;
        guild.channels.iter().copied().find(|id| self.channels.get(id).is_some_and(|c| c.name == name))
    }
}
