//! From sources to settings: the strongest value of each key, checked.

mod control;
mod network;

use super::keys::{self, BOT_OWNER, DEBUG, KEYS, Key, MAIN_GUILD, OTHER_VARIABLES, REPLACED};
use super::sources::{Given, Sources, Variables, of_file};
use super::{
    DiscordSettings, LogLevel, LogSettings, ModerationSettings, NetworkSettings, Origin, Setting, Settings,
    one_line, token,
};
use crate::network::Budget;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::value::{GuildId, UserId};

/// What is shown for a secret that is there.
pub(super) const SET: &str = "set";

/// What the budget may be, a second.
const REQUESTS: std::ops::RangeInclusive<u32> = 1..=100_000;
/// How many users an import may take: each is remembered while it is read.
const USERS: std::ops::RangeInclusive<u32> = 1..=1_000_000;
/// How many bans of non-members a day.
const BANS: std::ops::RangeInclusive<u64> = 1..=100_000;
/// How often children are compared.
const EVERY: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(3_600)..=Duration::from_secs(30 * 86_400);
/// How long a closing link retries undos.
const UNDOS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(3_600)..=Duration::from_secs(90 * 86_400);
/// How long names of users may be kept.
const KEPT: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(86_400)..=Duration::from_secs(365 * 86_400);
/// How long a request may take, in seconds.
const SECONDS: std::ops::RangeInclusive<u64> = 1..=120;

/// Reads everything, the file's whole text included, before anything is judged.
pub(super) fn settings(sources: &Sources) -> Result<Settings, Fault> {
    if sources.config_required && sources.file.is_none() {
        return Err(Fault::usage("the settings file that --config names is not there: name another"));
    }
    let mut reader = Reader::new(sources)?;
    reader.warn_of_what_has_no_meaning();
    let main = reader.one_of_variable(MAIN_GUILD)?;
    let settings = Settings {
        discord: reader.discord(main.as_ref())?,
        network: NetworkSettings {
            main_guild: main.as_ref().map(|(guild, _)| *guild),
            mains: reader.many(&keys::MAINS, main.into_iter().collect())?,
            bots: reader.many(&keys::BOTS, Vec::new())?,
            import_cap: reader.import_cap()?,
            nonmember_bans_per_day: reader.nonmember_bans()?,
            reconcile_every: reader.reconcile_every()?,
            undo_limit: reader.undo_limit()?,
            budgets: reader.budgets()?,
        },
        moderation: ModerationSettings {
            direct_messages: reader.flag(&keys::DIRECT_MESSAGES)?.unwrap_or(true),
            keep_names: reader.keep_names()?,
        },
        control: reader.control()?,
        owner_ids: reader.owners()?,
        log: LogSettings { level: reader.level()? },
        secret_files: reader.secret_files(sources),
        warnings: reader.warnings,
        not_understood: Vec::new(),
        files: [&sources.file, &sources.dotenv].into_iter().flatten().map(|(path, _)| path.clone()).collect(),
        origins: KEYS.iter().map(|key| reader.shown.remove(key.name).unwrap_or(unset(key))).collect(),
    };
    Ok(settings)
}

fn unset(key: &'static Key) -> Setting {
    Setting { key, value: key.default.to_owned(), origins: vec![Origin::Default] }
}

struct Reader {
    /// The strongest first.
    variables: Vec<Variables>,
    stored: BTreeMap<String, Given>,
    file: BTreeMap<&'static str, Given>,
    shown: BTreeMap<&'static str, Setting>,
    warnings: Vec<String>,
}

impl Reader {
    fn new(sources: &Sources) -> Result<Self, Fault> {
        let mut variables = vec![Variables::of_environment(&sources.environment)?];
        if let Some((path, text)) = &sources.dotenv {
            variables.push(Variables::of_dotenv(path, text)?);
        }
        let file = match &sources.file {
            Some((path, text)) => of_file(path, text)?,
            None => BTreeMap::new(),
        };
        let stored = sources.stored.iter().map(|one| (one.key.clone(), one.given())).collect();
        Ok(Self { variables, stored, file, shown: BTreeMap::new(), warnings: Vec::new() })
    }

    fn warn_of_what_has_no_meaning(&mut self) {
        for (index, place) in self.variables.iter().enumerate() {
            for (name, instead) in REPLACED {
                if let Some(given) = place.get(name) {
                    self.warnings.push(format!("{name} {} is not used: {instead}", given.origin.place()));
                }
            }
            // The first place is the environment, where these belong.
            for name in OTHER_VARIABLES.iter().filter(|_| index > 0) {
                if let Some(given) = place.get(name) {
                    let place = given.origin.place();
                    self.warnings.push(format!(
                        "{name} {place} is not used: it is needed before that file is read, so set it in the \
                         environment"
                    ));
                }
            }
        }
    }

    /// The files in which a token stands.
    fn secret_files(&self, sources: &Sources) -> Vec<PathBuf> {
        let in_file = self.file.contains_key(keys::TOKEN.name).then_some(sources.file.as_ref()).flatten();
        // The first place is the environment.
        let in_dotenv = self
            .variables
            .iter()
            .skip(1)
            .any(|place| keys::TOKEN.variables().any(|name| place.get(&name).is_some()));
        let in_dotenv = in_dotenv.then_some(sources.dotenv.as_ref()).flatten();
        [in_file, in_dotenv].into_iter().flatten().map(|(path, _)| path.clone()).collect()
    }

    /// The strongest value of a key.
    fn strongest(&self, key: &Key) -> Option<Given> {
        let of_variables =
            self.variables.iter().find_map(|place| key.variables().find_map(|name| place.get(&name)));
        of_variables
            .or_else(|| self.stored.get(key.name).cloned())
            .or_else(|| self.file.get(key.name).cloned())
    }

    fn show(&mut self, key: &'static Key, value: String, origins: Vec<Origin>) {
        self.shown.insert(key.name, Setting { key, value, origins });
    }

    /// One value of a key, read by `read`, which says what it must be.
    fn one<T>(
        &mut self,
        key: &'static Key,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<(T, Origin)>, Fault> {
        let Some(given) = self.strongest(key) else { return Ok(None) };
        let text = single(key.name, &given)?;
        let value = read(&text).map_err(|why| refused(key.name, &given.origin, &text, &why))?;
        self.show(key, one_line(&text), vec![given.origin.clone()]);
        Ok(Some((value, given.origin)))
    }

    fn id<T: FromStr>(&mut self, key: &'static Key) -> Result<Option<T>, Fault> {
        Ok(self.one(key, |text| text.parse().map_err(|_| AN_ID.to_owned()))?.map(|(id, _)| id))
    }

    fn flag(&mut self, key: &'static Key) -> Result<Option<bool>, Fault> {
        let read = |text: &str| match text.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("it must be true or false".to_owned()),
        };
        Ok(self.one(key, read)?.map(|(flag, _)| flag))
    }

    /// An id in a variable that is no key of its own.
    fn one_of_variable(&self, name: &str) -> Result<Option<(GuildId, Origin)>, Fault> {
        let Some(given) = self.variables.iter().find_map(|place| place.get(name)) else { return Ok(None) };
        let text = single(name, &given)?;
        let id = text.parse().map_err(|_| refused(name, &given.origin, &text, AN_ID))?;
        Ok(Some((id, given.origin)))
    }

    /// The ids of a list and those added to it, each once.
    fn many<T: FromStr + Copy + PartialEq + ToString>(
        &mut self,
        key: &'static Key,
        added: Vec<(T, Origin)>,
    ) -> Result<Vec<T>, Fault> {
        let mut ids = Vec::new();
        let mut origins = Vec::new();
        if let Some(given) = self.strongest(key) {
            ids = list(key.name, &given)?;
            origins.push(given.origin);
        }
        for (id, origin) in added {
            ids.push(id);
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        let mut once = Vec::new();
        ids.into_iter().for_each(|id| {
            if !once.contains(&id) {
                once.push(id)
            }
        });
        if !origins.is_empty() {
            let words: Vec<String> = once.iter().map(ToString::to_string).collect();
            self.show(key, words.join(", "), origins);
        }
        Ok(once)
    }

    fn budget(
        &mut self,
        key: &'static Key,
        otherwise: Budget,
        preset: Option<&Origin>,
    ) -> Result<Budget, Fault> {
        let read = |text: &str| text.parse::<Budget>().map_err(|why| why.to_string());
        if let Some((budget, _)) = self.one(key, read)? {
            return Ok(budget);
        }
        if let Some(origin) = preset {
            self.show(key, otherwise.to_string(), vec![origin.clone()]);
        }
        Ok(otherwise)
    }

    fn owners(&mut self) -> Result<Vec<UserId>, Fault> {
        let added = match self.variables.iter().find_map(|place| place.get(BOT_OWNER)) {
            Some(given) => {
                let ids: Vec<UserId> = list(BOT_OWNER, &given)?;
                ids.into_iter().map(|id| (id, given.origin.clone())).collect()
            }
            None => Vec::new(),
        };
        self.many(&keys::OWNER_IDS, added)
    }

    fn discord(&mut self, main: Option<&(GuildId, Origin)>) -> Result<DiscordSettings, Fault> {
        let (token, token_file) = self.token()?;
        let api_base = self.one(&keys::API_BASE, api_base)?;
        let requests = self.one(&keys::REQUESTS_PER_SECOND, |text| {
            text.parse().ok().filter(|number| REQUESTS.contains(number)).ok_or_else(|| {
                format!("it must be a whole number from {} to {}", REQUESTS.start(), REQUESTS.end())
            })
        })?;
        let timeout = self.one(&keys::REQUEST_TIMEOUT, |text| {
            text.parse().ok().filter(|number| SECONDS.contains(number)).ok_or_else(|| {
                format!("it must be a whole number from {} to {}", SECONDS.start(), SECONDS.end())
            })
        })?;
        let mut operations_guild = self.id(&keys::OPERATIONS_GUILD)?;
        if let (None, Some((guild, origin))) = (operations_guild, main) {
            operations_guild = Some(*guild);
            self.show(&keys::OPERATIONS_GUILD, guild.to_string(), vec![origin.clone()]);
        }
        Ok(DiscordSettings {
            token,
            token_file,
            api_base: api_base.map_or_else(|| keys::API_BASE.default.to_owned(), |(base, _)| base),
            requests_per_second: requests.map_or(49, |(number, _)| number),
            request_timeout: Duration::from_secs(timeout.map_or(15, |(number, _)| number)),
            operations_guild,
            // Read as a user's id, since it has the same bounds.
            application_id: self.id::<UserId>(&keys::APPLICATION_ID)?.map(UserId::get),
            test_guild: self.id(&keys::TEST_GUILD)?,
        })
    }

    /// The token or the file to read it from, whichever was set in the stronger place.
    fn token(&mut self) -> Result<(Option<SecretString>, Option<PathBuf>), Fault> {
        let token = self.strongest(&keys::TOKEN);
        let file = self.strongest(&keys::TOKEN_FILE);
        let (token, file) = match (token, file) {
            (Some(token), Some(file)) if token.origin.strength() == file.origin.strength() => {
                return Err(Fault::usage(format!(
                    "{} {} and {} {} are both set: leave one of them out",
                    keys::TOKEN.name,
                    token.origin,
                    keys::TOKEN_FILE.name,
                    file.origin
                )));
            }
            (Some(token), Some(file)) if token.origin.strength() > file.origin.strength() => {
                (Some(token), None)
            }
            (_, Some(file)) => (None, Some(file)),
            (token, None) => (token, None),
        };
        if let Some(given) = token {
            let text = single(keys::TOKEN.name, &given)?;
            token::check(&text)
                .map_err(|why| Fault::usage(format!("{} {} {why}", keys::TOKEN.name, given.origin)))?;
            self.show(&keys::TOKEN, SET.to_owned(), vec![given.origin]);
            return Ok((Some(SecretString::from(text)), None));
        }
        let Some(given) = file else { return Ok((None, None)) };
        let text = single(keys::TOKEN_FILE.name, &given)?;
        let path = given.origin.directory().unwrap_or(Path::new("")).join(&text);
        self.show(&keys::TOKEN_FILE, path.display().to_string(), vec![given.origin]);
        Ok((None, Some(path)))
    }

    /// `DEBUG=true` counts where it stands, but a level beside it is the more exact word.
    fn level(&mut self) -> Result<LogLevel, Fault> {
        let mut debug = None;
        for place in &self.variables {
            let Some(given) = place.get(DEBUG) else { continue };
            match given.values.join("").trim().to_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => debug = debug.or(Some(given.origin)),
                "false" | "0" | "no" | "off" => {}
                // Other programs read DEBUG too, so this is no reason not to start.
                other => self.warnings.push(format!(
                    "{DEBUG} {} is \"{}\" and is not used: it is true or false",
                    given.origin.place(),
                    one_line(other)
                )),
            }
        }
        let level = self.strongest(&keys::LOG_LEVEL).map(|given| given.origin.strength());
        if let Some(origin) = debug.filter(|debug| level.is_none_or(|level| debug.strength() > level)) {
            self.show(&keys::LOG_LEVEL, LogLevel::Debug.word().to_owned(), vec![origin]);
            return Ok(LogLevel::Debug);
        }
        let level = self.one(&keys::LOG_LEVEL, |text| {
            text.parse().map_err(|()| "it must be trace, debug, info, warn or error".to_owned())
        })?;
        Ok(level.map_or_else(LogLevel::default, |(level, _)| level))
    }
}

const AN_ID: &str =
    "it must be an id like 123456789012345678 (on Discord: Settings, Advanced, Developer Mode, then Copy ID)";

fn refused(name: &str, origin: &Origin, value: &str, why: &str) -> Fault {
    Fault::usage(format!("{name} {origin} is \"{}\": {why}", shown(value)))
}

/// A refused value without what may be secret in it: a token pasted into the wrong place, a password or a
/// webhook's token in an address.
pub(super) fn shown(value: &str) -> String {
    if token::check(value).is_ok() {
        return "a bot's token".to_owned();
    }
    let Some((scheme, rest)) = value.split_once("://") else { return one_line(value) };
    if rest.contains('@') {
        return format!("{}://…", one_line(scheme));
    }
    match rest.find(['/', '?', '#']) {
        Some(end) if end + 1 < rest.len() => format!("{}://{}/…", one_line(scheme), one_line(&rest[..end])),
        _ => one_line(value),
    }
}

/// The one value of a setting that takes one.
fn single(name: &str, given: &Given) -> Result<String, Fault> {
    match given.values.as_slice() {
        [value] if !given.list => Ok(value.trim().to_owned()),
        _ => Err(Fault::usage(format!("{name} {} is a list: it takes one value", given.origin))),
    }
}

/// The ids of a list, or of one text with commas between.
fn list<T: FromStr>(name: &str, given: &Given) -> Result<Vec<T>, Fault> {
    let parts = given.values.iter().flat_map(|value| value.split(',')).map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_err(|_| refused(name, &given.origin, part, AN_ID)))
        .collect()
}

/// Scheme, host and port of an address that has nothing more.
fn api_base(text: &str) -> Result<String, String> {
    let must = || "it must be an address like https://discord.com, with nothing after the host".to_owned();
    let lower = text.to_lowercase();
    let has_scheme = lower.starts_with("https://") || lower.starts_with("http://");
    // Characters that a URL parser would drop or turn, so that an address is what it looks like.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if !has_scheme || !is_plain {
        return Err(must());
    }
    let url = url::Url::parse(text).map_err(|_| must())?;
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(must)?;
    if !bare || text.contains('@') {
        return Err(must());
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if url.scheme() == "http" && !is_loopback {
        return Err("the token would travel unencrypted: use https, or an address of this machine".into());
    }
    Ok(url.origin().ascii_serialization())
}
