//! How a sandbox is set up.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::{permissions, rest, wire};

/// The window of a route in place of the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteWindow {
    /// Its name in the table of routes, as `ban-write`, `bans`, `kick`, `bulk-ban`.
    pub bucket: String,
    /// In which guild (all if none).
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub guild: Option<u64>,
    /// Requests.
    pub limit: u32,
    /// Seconds.
    pub seconds: u32,
}

/// How many direct messages can be opened in how long, before 40003.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DmWindow {
    /// New channels; one that is open already counts for nothing.
    pub opens: usize,
    /// Seconds, over which it slides.
    pub seconds: u32,
}

/// HTTP statuses and codes that FACTS could only guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guesses {
    /// Of 30035, too many bans of non-members.
    pub non_member_bans: u16,
    /// Of 30034, too many commands created in a day.
    pub command_creates: u16,
    /// Of 500000, a bulk ban that banned nobody.
    pub bulk_ban_failed: u16,
    /// Of requests to a guild in an outage.
    pub outage: u16,
    /// Of 40003, direct messages opened too fast.
    pub dms_too_fast: u16,
    /// The code, with 403, where a guild requires two-factor authentication and the bot's owner does not use it: 60003 as
    /// documented, or 50013 as seen.
    pub without_two_factor: u32,
    /// The code where a ban that does not exist is lifted: 10026 as documented, or 50013 as seen.
    pub missing_ban: u32,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            non_member_bans: 400,
            command_creates: 429,
            bulk_ban_failed: 400,
            outage: 503,
            dms_too_fast: 403,
            without_two_factor: 60003,
            missing_ban: 10026,
        }
    }
}

/// What of the options can be changed while the sandbox runs, as `POST /options` takes it; what is left out stays.
/// Durations are milliseconds in JSON.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Changes {
    /// See [`Options::global_limit`].
    pub global_limit: Option<u32>,
    /// See [`Options::route_limits`].
    pub route_limits: Option<bool>,
    /// See [`Options::windows`].
    pub windows: Option<Vec<RouteWindow>>,
    /// See [`Options::big_ban_list`]; 0 ends it.
    pub big_ban_list: Option<usize>,
    /// See [`Options::invalid_requests`].
    pub invalid_requests: Option<usize>,
    /// See [`Options::edge_ban`].
    #[serde(rename = "edge_ban_ms", deserialize_with = "wire::optional_millis")]
    pub edge_ban: Option<Duration>,
    /// See [`Options::non_member_bans`].
    pub non_member_bans: Option<u32>,
    /// See [`Options::bulk_ban_hides_actor`].
    pub bulk_ban_hides_actor: Option<bool>,
    /// See [`Options::audit_log_by_target`].
    pub audit_log_by_target: Option<bool>,
    /// See [`Options::timeout_survives_rejoin`].
    pub timeout_survives_rejoin: Option<bool>,
    /// See [`Options::dm_window`]; 0 opens in 0 seconds ends it.
    pub dm_window: Option<DmWindow>,
    /// See [`Options::guesses`]; statuses left out are the default ones.
    pub guesses: Option<Guesses>,
    /// See [`Options::latency`].
    #[serde(rename = "latency_ms", deserialize_with = "wire::optional_millis")]
    pub latency: Option<Duration>,
    /// See [`Options::shards`].
    pub shards: Option<u32>,
    /// See [`Options::max_concurrency`].
    pub max_concurrency: Option<u32>,
    /// See [`Options::identify_window`].
    #[serde(rename = "identify_window_ms", deserialize_with = "wire::optional_millis")]
    pub identify_window: Option<Duration>,
    /// See [`Options::session_starts`].
    pub session_starts: Option<u32>,
    /// See [`Options::resume_window`].
    #[serde(rename = "resume_window_ms", deserialize_with = "wire::optional_millis")]
    pub resume_window: Option<Duration>,
    /// See [`Options::replay_buffer`].
    pub replay_buffer: Option<usize>,
    /// See [`Options::time_factor`].
    pub time_factor: Option<u32>,
}

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
    /// Buckets of shards (`shard_id % max_concurrency`), each with one identify in a window; a bot without shards has
    /// that many identifies in a window.
    pub max_concurrency: u32,
    /// How long the window of identifies is.
    pub identify_window: Duration,
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
    /// Whether audit logs can be asked for a target: `target_id` is in the OpenAPI description, and nobody has tried it.
    pub audit_log_by_target: bool,
    /// Whether a timeout that still runs holds again for a member who left and rejoins.
    pub timeout_survives_rejoin: bool,
    /// How fast direct messages can be opened; not limited if none, since nobody could read Discord's figure.
    pub dm_window: Option<DmWindow>,
    /// The windows of some routes in place of the usual ones.
    pub windows: Vec<RouteWindow>,
    /// Ban lists of at least so many entries give one page a minute, whatever the headers say (FACTS C2).
    pub big_ban_list: Option<usize>,
    /// Invalid requests in 10 minutes before the edge answers everything itself.
    pub invalid_requests: usize,
    /// How long the edge does that.
    pub edge_ban: Duration,
    /// Statuses nobody could read anywhere.
    pub guesses: Guesses,
    /// How many times as fast as time the sandbox's clock goes; with 0 it only moves when it is advanced.
    /// Heartbeats and latencies concern real connections and keep real time.
    pub time_factor: u32,
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
            identify_window: Duration::from_secs(5),
            session_starts: 1_000,
            heartbeat_interval: Duration::from_millis(41_250),
            resume_window: Duration::from_secs(180),
            replay_buffer: 10_000,
            bulk_ban_hides_actor: true,
            non_member_bans: 1_000,
            audit_log_by_target: true,
            timeout_survives_rejoin: true,
            dm_window: None,
            windows: Vec::new(),
            big_ban_list: None,
            invalid_requests: 10_000,
            edge_ban: Duration::from_secs(600),
            guesses: Guesses::default(),
            time_factor: 1,
            openapi: std::env::var_os("DISCORD_OPENAPI").filter(|path| !path.is_empty()).map(PathBuf::from),
            seed: 1,
        }
    }
}

impl Options {
    /// What in them cannot be, if something cannot.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.windows.iter().find(|window| !rest::is_bucket(&window.bucket)) {
            Some(unknown) => Err(format!("no route has a window named {:?}", unknown.bucket)),
            None => Ok(()),
        }
    }

    /// These options with changes.
    ///
    /// # Errors
    /// Why they cannot be.
    pub(crate) fn changed(&self, changes: Changes) -> Result<Self, String> {
        fn set<T>(place: &mut T, change: Option<T>) {
            if let Some(change) = change {
                *place = change;
            }
        }
        let mut options = self.clone();
        set(&mut options.global_limit, changes.global_limit);
        set(&mut options.route_limits, changes.route_limits);
        set(&mut options.windows, changes.windows);
        set(&mut options.big_ban_list, changes.big_ban_list.map(|most| (most > 0).then_some(most)));
        set(&mut options.invalid_requests, changes.invalid_requests);
        set(&mut options.edge_ban, changes.edge_ban);
        set(&mut options.non_member_bans, changes.non_member_bans);
        set(&mut options.bulk_ban_hides_actor, changes.bulk_ban_hides_actor);
        set(&mut options.audit_log_by_target, changes.audit_log_by_target);
        set(&mut options.timeout_survives_rejoin, changes.timeout_survives_rejoin);
        let none = DmWindow { opens: 0, seconds: 0 };
        set(&mut options.dm_window, changes.dm_window.map(|window| (window != none).then_some(window)));
        set(&mut options.guesses, changes.guesses);
        set(&mut options.latency, changes.latency);
        set(&mut options.shards, changes.shards);
        set(&mut options.max_concurrency, changes.max_concurrency);
        set(&mut options.identify_window, changes.identify_window);
        set(&mut options.session_starts, changes.session_starts);
        set(&mut options.resume_window, changes.resume_window);
        set(&mut options.replay_buffer, changes.replay_buffer);
        set(&mut options.time_factor, changes.time_factor);
        options.check()?;
        Ok(options)
    }
}
