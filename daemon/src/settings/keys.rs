//! The table of settings: every key with its names, its default and its help. What the file may hold, which
//! variables count and what `settings show` prints all come from here.

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Its path in `wayhaven.toml`.
    pub name: &'static str,
    /// Names of the seed that still work, beside `WAYHAVEN_…`.
    pub seed_names: &'static [&'static str],
    /// What holds without it, for people.
    pub default: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Whether a change of it takes effect at the next start only.
    pub restart: bool,
}

impl Key {
    /// Its variable: `discord.api_base` is `WAYHAVEN_DISCORD_API_BASE`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_uppercase())
    }

    /// Every variable that sets it, the strongest first.
    pub fn variables(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.variable()).chain(self.seed_names.iter().map(|name| (*name).to_owned()))
    }
}

/// What the variables of ours begin with.
pub(super) const PREFIX: &str = "WAYHAVEN_";

/// Variables with our prefix that are no settings: where things lie, and what the command line reads.
pub(super) const OTHER_VARIABLES: &[&str] = &["WAYHAVEN_HOME", "WAYHAVEN_HOST", "WAYHAVEN_GUILD"];

/// A name of the seed that has no meaning here, and what replaces it.
pub(super) const REPLACED: &[(&str, &str)] = &[
    ("DATABASE_URL", "the store is one SQLite file in the data directory, which wayhaven paths names"),
    ("CLIENT_ID", "APPLICATION_ID is the same number, and Discord tells it anyway"),
];

/// A seed variable that adds to a list instead of replacing it.
pub(super) const MAIN_GUILD: &str = "MAIN_GUILD_ID";
/// The other one.
pub(super) const BOT_OWNER: &str = "BOT_OWNER_ID";
/// `DEBUG=true` is the seed's way to say `LOG_LEVEL=debug`.
pub(super) const DEBUG: &str = "DEBUG";

macro_rules! keys {
    ($($constant:ident = $name:literal, [$($seed:literal),*], $default:literal, $help:literal $(, $trait:ident)*;)*) => {
        $(
            pub(super) static $constant: Key = Key {
                name: $name,
                seed_names: &[$($seed),*],
                default: $default,
                help: $help,
                secret: keys!(@secret $($trait)*),
                restart: keys!(@restart $($trait)*),
            };
        )*
        /// Every setting there is, in the order in which they are shown.
        pub static KEYS: &[&Key] = &[$(&$constant),*];
    };
    (@secret secret $($rest:ident)*) => { true };
    (@secret restart $($rest:ident)*) => { keys!(@secret $($rest)*) };
    (@secret) => { false };
    (@restart restart $($rest:ident)*) => { true };
    (@restart secret $($rest:ident)*) => { keys!(@restart $($rest)*) };
    (@restart) => { false };
}

keys! {
    TOKEN = "discord.token", ["BOT_TOKEN"], "none", "The bot's token", secret, restart;
    TOKEN_FILE = "discord.token_file", [], "none", "A file that holds the token and nothing else", restart;
    API_BASE = "discord.api_base", ["DISCORD_API_BASE"], "https://discord.com", "Where Discord's API is", restart;
    REQUESTS_PER_SECOND = "discord.requests_per_second", ["DISCORD_REQUESTS_PER_SECOND"], "49",
        "Requests to Discord a second at most, 1 to 100000", restart;
    REQUEST_TIMEOUT = "discord.request_timeout", [], "15",
        "Seconds after which a request to Discord is given up and tried again, 1 to 120", restart;
    OPERATIONS_GUILD = "discord.operations_guild", [], "MAIN_GUILD_ID",
        "The guild in which the commands for owners are registered";
    APPLICATION_ID = "discord.application_id", ["APPLICATION_ID"], "asked of Discord",
        "The application's id; checked against Discord", restart;
    TEST_GUILD = "discord.test_guild", ["TEST_GUILD_ID"], "none", "A guild for trying things out";
    MAINS = "network.mains", [], "none", "The guilds that may become mains; MAIN_GUILD_ID adds one";
    BOTS = "network.bots", [], "none", "Other bots whose punishments in a main count like a person's";
    IMPORT_CAP = "network.import_cap", [], "100000", "The most users that one sync import takes, 1 to 1000000";
    NONMEMBER_BANS = "network.nonmember_bans_per_day", [], "900",
        "Bans of non-members that a backfill sends to one guild a day at most, 1 to 100000";
    RECONCILE_EVERY = "network.reconcile_every", [], "1d",
        "How often each child is compared with what its mains have decided, 1h to 30d";
    UNDO_LIMIT = "network.undo_limit", [], "7d",
        "How long a closing link retries undos before it gives up those that cannot be done, 1h to 90d";
    BUDGET = "network.budget", [], "standard",
        "How much is propagated before somebody has to approve it: standard, or strict (5/1m and 20/5m)";
    MODERATOR_BUDGET = "network.moderator_budget", [], "30/1m",
        "What one moderator propagates before the rest is held, as 30/1m";
    NETWORK_BUDGET = "network.network_budget", [], "100/5m",
        "What all moderators of a main propagate together before the rest is held, as 100/5m";
    DIRECT_MESSAGES = "moderation.direct_messages", [], "true",
        "Whether users are told of a ban, kick or warning by direct message before it, true or false";
    KEEP_NAMES = "moderation.keep_names", [], "30d",
        "How long the name of a user is kept after Discord sent it last, 1d to 365d";
    OPERATORS = "control.operators", [], "none",
        "Who of this machine may do on the socket what an administrator may: user:NAME, group:NAME, by name or number";
    OBSERVERS = "control.observers", [], "none",
        "Who of this machine may read on the socket: user:NAME, group:NAME, by name or number";
    SOCKET_GROUP = "control.group", [], "the daemon's own",
        "The group that the socket belongs to, by name or number: only its members can open it", restart;
    OWNER_IDS = "owner_ids", [], "none", "The users who may do everything; BOT_OWNER_ID adds to them";
    LOG_LEVEL = "log.level", ["LOG_LEVEL"], "info", "trace, debug, info, warn or error; DEBUG=true is debug";
}

/// Whether a variable of this name counts, or is answered with what replaces it.
pub(super) fn is_known(name: &str) -> bool {
    OTHER_VARIABLES.contains(&name)
        || [MAIN_GUILD, BOT_OWNER, DEBUG].contains(&name)
        || REPLACED.iter().any(|(replaced, _)| *replaced == name)
        || KEYS.iter().any(|key| key.variables().any(|variable| variable == name))
}

/// The key with this path.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().copied().find(|key| key.name == name)
}

/// How alike two names must be for one to be meant by the other: what is less so is no help.
const ALIKE: f64 = 0.75;

/// Asks whether the key path is meant that looks most like `name`, by its path or one of its variables; nothing where none
/// looks like it.
pub(super) fn meant(name: &str) -> String {
    let wanted = name.to_lowercase();
    let likeness = |key: &Key| {
        let last = key.name.rsplit('.').next().unwrap_or(key.name);
        key.variables()
            .chain([key.name.to_owned(), last.to_owned()])
            .map(|candidate| strsim::jaro_winkler(&wanted, &candidate.to_lowercase()))
            .fold(0.0_f64, f64::max)
    };
    let closer =
        |best: &'static Key, key: &'static Key| if likeness(key) > likeness(best) { key } else { best };
    let best = KEYS.iter().copied().fold(&TOKEN, closer);
    if likeness(best) < ALIKE { String::new() } else { format!(": did you mean {}?", best.name) }
}
