//! The variable that was meant by a name that is none: by a slip of the pen, without our prefix, or as other bots call it.

use super::keys::{BOT_OWNER, DEBUG, KEYS, MAIN_GUILD, OTHER_VARIABLES, PREFIX};

/// What other bots call what we call otherwise, also behind `DISCORD_` and `BOT_`.
const MEANINGS: &[(&str, &str)] = &[
    ("TOKEN", "BOT_TOKEN"),
    ("OWNER", BOT_OWNER),
    ("OWNER_ID", BOT_OWNER),
    ("OWNERS", "WAYHAVEN_OWNER_IDS"),
    ("GUILD", MAIN_GUILD),
    ("GUILD_ID", MAIN_GUILD),
    ("SERVER_ID", MAIN_GUILD),
    ("MAIN_ID", MAIN_GUILD),
    ("MAINS", "WAYHAVEN_NETWORK_MAINS"),
    ("APP_ID", "APPLICATION_ID"),
    ("CLIENT_ID", "APPLICATION_ID"),
    ("OPERATORS", "WAYHAVEN_CONTROL_OPERATORS"),
    ("OBSERVERS", "WAYHAVEN_CONTROL_OBSERVERS"),
];

/// What variables about Discord itself begin with.
const DISCORD: &str = "DISCORD_";

/// The least likeness, 0 to 1, of a name that is suggested: a name that is less alike misleads.
const ALIKE: f64 = 0.7;

/// What was meant by a name.
pub(super) enum Guess {
    /// It looks like nothing of ours.
    Nothing,
    /// It is for us; nobody knows what is meant.
    Unclear,
    /// This variable.
    Variable(String),
}

/// What was meant by a name with our prefix.
pub(super) fn with_prefix(name: &str) -> Guess {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name).to_uppercase();
    let others = OTHER_VARIABLES.iter().map(|other| (*other).to_owned());
    let all: Vec<_> = KEYS.iter().map(|key| key.variable()).chain(others).collect();
    let seed = || KEYS.iter().find(|key| key.seed_names.contains(&rest.as_str())).map(|key| key.variable());
    let slip = all.iter().find(|known| is_slip(name, known)).cloned();
    let found = slip.or_else(seed).or_else(|| meaning(&rest)).or_else(|| most_alike(name, all));
    found.map_or(Guess::Unclear, Guess::Variable)
}

/// What was meant by a name without our prefix, in a file that is written for us.
pub(super) fn without_prefix(name: &str) -> Guess {
    let upper = name.to_uppercase();
    let seeds = KEYS.iter().flat_map(|key| key.seed_names.iter().copied());
    let near = |known: &&str| {
        let is_cut_short =
            upper.len() >= 8 && known.strip_prefix(upper.as_str()).is_some_and(|end| end.starts_with('_'));
        is_cut_short || is_slip(&upper, known)
    };
    let distance = |known: &&str| strsim::damerau_levenshtein(&upper, known);
    let seed = seeds.chain([MAIN_GUILD, BOT_OWNER, DEBUG]).filter(near).min_by_key(distance);
    let prefixed = format!("{PREFIX}{upper}");
    let ours = || {
        let exact = KEYS.iter().find(|key| key.variable() == prefixed || is_last_part(&upper, key.name));
        let slip = || KEYS.iter().find(|key| is_slip(&upper, key.variable().trim_start_matches(PREFIX)));
        exact
            .map(|key| key.variable())
            .or_else(|| meaning(&upper))
            .or_else(|| slip().map(|key| key.variable()))
    };
    let alike = || {
        let all = KEYS.iter().map(|key| key.variable()).collect();
        upper.starts_with(DISCORD).then(|| most_alike(&prefixed, all))?
    };
    match seed.map(ToOwned::to_owned).or_else(ours).or_else(alike) {
        Some(variable) => Guess::Variable(variable),
        None if upper.starts_with(DISCORD) => Guess::Unclear,
        None => Guess::Nothing,
    }
}

/// Whether the name is the last part of a key's path. A single word may be anybody's.
fn is_last_part(upper: &str, key: &str) -> bool {
    upper.contains('_') && key.rsplit('.').next().is_some_and(|last| last.to_uppercase() == upper)
}

fn meaning(upper: &str) -> Option<String> {
    let bare = upper.strip_prefix(DISCORD).or_else(|| upper.strip_prefix("BOT_"));
    let mut names = [Some(upper), bare].into_iter().flatten();
    let meant = names.find_map(|name| MEANINGS.iter().find(|(other, _)| *other == name));
    meant.map(|(_, variable)| (*variable).to_owned())
}

/// Whether the name is the known one with a slip of the pen.
fn is_slip(name: &str, known: &str) -> bool {
    let most = if known.len() < 8 { 1 } else { 2 };
    strsim::damerau_levenshtein(name, known) <= most
}

/// The variable that looks most like the name, beside the prefix that all have.
fn most_alike(name: &str, variables: Vec<String>) -> Option<String> {
    let bare = |name: &str| name.trim_start_matches(PREFIX).to_owned();
    let likeness = |variable: &String| strsim::normalized_damerau_levenshtein(&bare(name), &bare(variable));
    let best = variables.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) >= ALIKE).then_some(best)
}
