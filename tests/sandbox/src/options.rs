//! How a sandbox is set up.

use std::path::PathBuf;
use std::time::Duration;

use crate::permissions;

/// Everything that can be chosen before a sandbox starts; the defaults are Discord's own figures.
#[derive(Debug, Clone)]
pub struct Options {
    /// Child guilds beside the main one.
    pub children: usize,
    /// Ordinary users; each is a member of the main guild and of every third child.
    pub members: usize,
    /// REST port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Gateway port; 0 takes a free one.
    pub gateway_port: u16,
    /// Control port; 0 takes a free one.
    pub control_port: u16,
    /// Requests a second for the whole bot; 0 lifts every limit, also those of routes and budgets.
    pub global_limit: u32,
    /// Whether routes have their own windows (never while the global limit is lifted).
    pub route_limits: bool,
    /// Answers of the REST address are held back by this much.
    pub latency: Duration,
    /// What the bot's role grants in every guild.
    pub bot_permissions: u64,
    /// Bits taken from the bot's role (and from `@everyone`, which would give them back) in the k-th child.
    pub without_permission: Vec<(usize, u64)>,
    /// Whether the application has the GUILD_MEMBERS intent.
    pub members_intent: bool,
    /// Whether the application has the GUILD_PRESENCES intent.
    pub presences_intent: bool,
    /// Whether the application has the MESSAGE_CONTENT intent.
    pub content_intent: bool,
    /// Shards that `/gateway/bot` recommends.
    pub shards: u32,
    /// Identifies in each 5 s per bucket of shards.
    pub max_concurrency: u32,
    /// Identifies in 24 h; one more kills every session and resets the token.
    pub session_starts: u32,
    /// What Hello asks for.
    pub heartbeat_interval: Duration,
    /// How long a dropped session can be resumed.
    pub resume_window: Duration,
    /// Dispatches kept for a resume.
    pub replay_buffer: usize,
    /// Whether entries of bulk bans carry no actor, as Discord's do since 2026.
    pub bulk_ban_hides_actor: bool,
    /// Bans of people who are not members, per guild in 24 h, before 30035.
    pub non_member_bans: u32,
    /// Discord's own API description; by default the file that `DISCORD_OPENAPI` names, if it names one.
    pub openapi: Option<PathBuf>,
    /// Seed of tokens and other noise.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            children: 3,
            members: 10,
            port: 0,
            gateway_port: 0,
            control_port: 0,
            global_limit: 50,
            route_limits: true,
            latency: Duration::ZERO,
            bot_permissions: permissions::LEAST_FOR_BOT,
            without_permission: Vec::new(),
            members_intent: true,
            presences_intent: false,
            content_intent: false,
            shards: 1,
            max_concurrency: 1,
            session_starts: 1_000,
            heartbeat_interval: Duration::from_millis(41_250),
            resume_window: Duration::from_secs(180),
            replay_buffer: 10_000,
            bulk_ban_hides_actor: true,
            non_member_bans: 1_000,
            openapi: std::env::var_os("DISCORD_OPENAPI").filter(|path| !path.is_empty()).map(PathBuf::from),
            seed: 1,
        }
    }
}
