//! Values of cells: times, lengths, types and statuses, in the forms that other programs write.
//!
//! A form that can be read in two ways is not understood. A time without a zone is in UTC, as bots write it.

use wayhaven_shared::value::{Timestamp, UserId};

/// The least id of a user: Discord's ids have 17 digits or more since it opened.
pub(super) const LEAST_ID: u64 = 10_000_000_000_000_000;

/// Milliseconds.
const SECOND: i64 = 1_000;
const DAY: i64 = 86_400 * SECOND;

/// An end of a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Never,
    At(Timestamp),
    /// So many milliseconds after the ban.
    After(i64),
}

/// What was done to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Ban,
    /// A ban that has an end.
    TemporaryBan,
    Unban,
    /// Anything else: a warning, a kick.
    Other,
}

/// How a value looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Id,
    /// A time, a length, a type or a status.
    Limiting,
    Text,
}

/// How the value of an unknown column looks.
pub(super) fn shape(value: &str) -> Shape {
    let value = value.trim();
    if id_alone(value).is_some() {
        return Shape::Id;
    }
    let limits = time(value).is_some()
        || span(value, None).is_some()
        || act(value).is_some()
        || status(value).is_some();
    if limits { Shape::Limiting } else { Shape::Text }
}

/// A whole value that is an id or a mention of a user.
pub(super) fn id_alone(value: &str) -> Option<UserId> {
    let value = bare(value);
    value.parse::<UserId>().ok().filter(|user| user.get() >= LEAST_ID)
}

/// A cell without white space and without what keeps a spreadsheet from changing digits: `'1`, `="1"`.
pub(super) fn bare(value: &str) -> &str {
    let value = value.trim_matches(|letter: char| letter.is_whitespace() || letter == '\u{200b}');
    let formula = value.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    formula.unwrap_or(value).trim_start_matches('\'')
}

/// The numbers in a text that may be ids of Discord: 17 to 19 digits.
pub(super) fn ids_in(text: &[u8]) -> impl Iterator<Item = u64> {
    let runs = text.split(|byte| !byte.is_ascii_digit()).filter(|run| (17..=19).contains(&run.len()));
    runs.filter_map(|run| std::str::from_utf8(run).ok()?.parse().ok()).filter(|id| *id >= LEAST_ID)
}

/// Words that can only mean that there is no end.
pub(super) fn is_never(value: &str) -> bool {
    let value: String = value.trim().chars().take(32).flat_map(char::to_lowercase).collect();
    let value = value.trim_matches(|letter| matches!(letter, '"' | '\'' | '(' | ')' | '.' | '!'));
    matches!(
        value,
        "" | "forever"
            | "for ever"
            | "never"
            | "never expires"
            | "does not expire"
            | "no expiry"
            | "no expiration"
            | "no end"
            | "permanent"
            | "permanently"
            | "permanent ban"
            | "perm"
            | "perma"
            | "permaban"
            | "none"
            | "null"
            | "nil"
            | "\\n"
            | "n/a"
            | "na"
            | "#n/a"
            | "nan"
            | "nat"
            | "<na>"
            | "undefined"
            | "not set"
            | "-"
            | "–"
            | "—"
            | "indefinite"
            | "indefinitely"
            | "infinite"
            | "infinity"
            | "inf"
            | "∞"
            | "unlimited"
            | "lifetime"
            | "eternal"
            | "always"
            | "nie"
            | "niemals"
            | "dauerhaft"
            | "unbefristet"
            | "permanente"
            | "nunca"
            | "jamais"
    )
}

/// Yes or no.
pub(super) fn yes_or_no(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "1" | "t" | "on" | "✓" | "✅" | "ja" => Some(true),
        "false" | "no" | "n" | "0" | "f" | "off" | "❌" | "nein" => Some(false),
        _ => None,
    }
}

/// An end; nothing where it is not understood. `unit` is the seconds of a bare number, or 0 for milliseconds.
pub(super) fn end(value: &str) -> Option<End> {
    if is_never(value) {
        return Some(End::Never);
    }
    time(value).map(End::At).or_else(|| span(value, None).map(End::After))
}

/// A length; nothing where it is not understood.
pub(super) fn length(value: &str, unit: Option<u64>) -> Option<End> {
    if is_never(value) {
        return Some(End::Never);
    }
    span(value, unit).map(End::After)
}

/// A point in time.
pub(super) fn time(value: &str) -> Option<Timestamp> {
    let value = value.trim();
    // Discord's form: <t:1767323045:R>.
    let inner = value.strip_prefix("<t:").and_then(|rest| rest.strip_suffix('>'));
    if let Some(inner) = inner {
        let (seconds, style) = inner.split_once(':').unwrap_or((inner, "f"));
        let is_style = style.len() == 1 && "tTdDfFRsS".contains(style);
        return seconds.parse::<i64>().ok().filter(|_| is_style).map(|at| millis(at.saturating_mul(SECOND)));
    }
    unix(value).or_else(|| value.parse().ok()).or_else(|| calendar(value))
}

fn millis(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Seconds, milliseconds or microseconds since 1970, between 2001 and 2100.
fn unix(value: &str) -> Option<Timestamp> {
    let whole = value.split_once('.').map_or(value, |(whole, fraction)| {
        if fraction.bytes().all(|byte| byte.is_ascii_digit()) { whole } else { "" }
    });
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    match number {
        1_000_000_000..=4_102_444_800 => Some(millis(number * SECOND)),
        1_000_000_000_000..=4_102_444_800_000 => Some(millis(number)),
        1_000_000_000_000_000..=4_102_444_800_000_000 => Some(millis(number / 1_000)),
        _ => None,
    }
}

/// `2026-01-02`, `2026-01-02 03:04`, `2026/01/02 03:04:05.678`, with or without a zone.
fn calendar(value: &str) -> Option<Timestamp> {
    let mut text = value.replace('/', "-");
    if matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
        text.replace_range(10..11, " ");
    }
    let text =
        text.trim_end_matches(|letter: char| letter.is_alphabetic() && "UTCGMZutcgmz".contains(letter));
    let text = text.trim_end();
    let (day, clock) = text.split_once(' ').map_or((text, "00:00"), |(day, clock)| (day, clock.trim()));
    let mut parts = day.split('-');
    let mut part = |length: usize| {
        parts.next().filter(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (year, month, of_month) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() {
        return None;
    }
    let (clock, zone) = match clock.find(['+', '-']) {
        Some(at) => (clock[..at].trim_end(), &clock[at..]),
        None => (clock, "+00:00"),
    };
    // RFC 3339 wants the seconds, and a colon in the zone.
    let seconds = if clock.matches(':').count() == 1 { ":00" } else { "" };
    let zone = match zone.len() {
        3 => format!("{zone}:00"),
        5 if zone.is_ascii() => format!("{}:{}", &zone[..3], &zone[3..]),
        _ => zone.to_owned(),
    };
    format!("{year}-{month}-{of_month}T{clock}{seconds}{zone}").parse().ok()
}

const LENGTHS: [(&[&str], i64); 8] = [
    (&["ms", "millisecond", "milliseconds"], 1),
    (&["s", "sec", "secs", "second", "seconds"], SECOND),
    (&["m", "min", "mins", "minute", "minutes"], 60 * SECOND),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600 * SECOND),
    (&["d", "day", "days"], DAY),
    (&["w", "wk", "wks", "week", "weeks"], 7 * DAY),
    // The shortest month and year, so that nobody is banned for longer.
    (&["mo", "mos", "mon", "month", "months"], 28 * DAY),
    (&["y", "yr", "yrs", "year", "years"], 365 * DAY),
];

/// A length in milliseconds: `7d`, `1 week, 2 days`, `P7DT1H`, `7 days, 0:00:00`, `24:00:00`, or a number with `unit`
/// seconds (0 for milliseconds).
fn span(value: &str, unit: Option<u64>) -> Option<i64> {
    let value = value.trim().to_ascii_lowercase();
    if let Some(unit) = unit
        && let Ok(number) = value.parse::<f64>()
    {
        let each = if unit == 0 { 1.0 } else { unit as f64 * 1_000.0 };
        let total = number * each;
        return (1.0..1e15).contains(&total).then_some(total as i64);
    }
    let text = match value.strip_prefix('p') {
        // In ISO 8601 the months stand before the T, the minutes behind it.
        Some(iso) if iso.starts_with(|first: char| first.is_ascii_digit() || first == 't') => {
            let (days, clock) = iso.split_once('t').unwrap_or((iso, ""));
            format!("{} {clock}", days.replace('m', "mo"))
        }
        _ => value,
    };
    let (mut total, mut any) = (0_i64, false);
    let text = text.replace([',', '+'], " ").replace(" and ", " ");
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        if rest.starts_with(':') {
            total = total.checked_add(clock(number, rest)?)?;
            any = true;
            break;
        }
        rest = rest.trim_start();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let word = &rest[..letters];
        let (_, each) = LENGTHS.into_iter().find(|(words, _)| words.contains(&word))?;
        total = total.checked_add(number.checked_mul(each)?)?;
        any = true;
        rest = rest[letters..].trim_start();
    }
    (any && total > 0).then_some(total)
}

/// Hours, minutes and seconds behind the hours.
fn clock(hours: i64, rest: &str) -> Option<i64> {
    let parts: Vec<&str> = rest.split(':').skip(1).collect();
    let [minutes, seconds] = parts.as_slice() else { return None };
    let seconds = seconds.split('.').next()?;
    let two = |part: &str| part.parse::<i64>().ok().filter(|number| part.len() == 2 && *number < 60);
    Some(((hours.checked_mul(60)? + two(minutes)?) * 60 + two(seconds)?) * SECOND)
}

/// What a type says; nothing where it is not understood.
pub(super) fn act(value: &str) -> Option<Act> {
    const FILLERS: [&str; 17] = [
        "user",
        "member",
        "guild",
        "server",
        "discord",
        "the",
        "action",
        "auto",
        "automatic",
        "event",
        "log",
        "case",
        "was",
        "manual",
        "moderation",
        "type",
        "id",
    ];
    let value: String = value.chars().take(60).collect();
    let words = value.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut key = String::new();
    for word in words.flat_map(split_camel).map(|word| word.to_lowercase()) {
        if !FILLERS.contains(&word.as_str()) {
            key.push_str(&word);
        }
    }
    Some(match key.as_str() {
        "ban" | "bans" | "banned" | "banadd" | "banadded" | "bancreate" | "permban" | "permaban"
        | "permanentban" | "banpermanent" | "banperm" | "banperma" | "bannedpermanently" | "hackban"
        | "forceban" | "preban" | "massban" | "hardban" => Act::Ban,
        "tempban" | "temporaryban" | "bantemp" | "bantemporary" | "timedban" | "bantimed" | "tban"
        | "tempbanned" | "temporarilybanned" | "bannedtemporarily" | "temphackban" => Act::TemporaryBan,
        "unban" | "unbans" | "unbanned" | "unbanadd" | "banremove" | "banremoved" | "removeban"
        | "banlift" | "banlifted" | "liftban" | "pardon" | "pardoned" | "banpardon" | "banrevoke"
        | "banrevoked" | "revokeban" | "bandelete" | "bandeleted" | "deban" | "banexpire" | "banexpired"
        | "tempbanexpire" | "tempbanexpired" | "banend" | "banended" | "tempbanend" | "tempbanended"
        | "unhackban" | "unforceban" | "untempban" | "tempunban" | "massunban" => Act::Unban,
        "softban" | "softbanned" | "softbans" | "kick" | "kicks" | "kicked" | "masskick" | "warn"
        | "warns" | "warned" | "warning" | "warnings" | "verbal" | "verbalwarn" | "verbalwarning"
        | "strike" | "strikes" | "note" | "notes" | "mute" | "muted" | "mutes" | "tempmute" | "permmute"
        | "permamute" | "textmute" | "voicemute" | "unmute" | "unmuted" | "timeout" | "timeouts"
        | "timedout" | "untimeout" | "timeoutremove" | "timeoutremoved" | "removetimeout" | "unwarn"
        | "removewarn" | "clearwarn" | "clearwarnings" | "jail" | "unjail" | "quarantine"
        | "unquarantine" | "isolate" | "deafen" | "undeafen" | "voicekick" | "vckick" | "disconnect"
        | "voiceban" | "vcban" | "voiceunban" | "vcunban" | "channelban" | "chatban" | "threadban"
        | "ticketban" | "botban" | "commandban" | "shadowban" | "censor" | "censored" | "purge" | "clear"
        | "prune" | "slowmode" | "lock" | "unlock" | "nick" | "nickname" | "roleadd" | "roleremove"
        | "addrole" | "removerole" | "role" | "automod" | "antispam" | "watchlist" | "softwarn" => Act::Other,
        _ => return None,
    })
}

/// `MemberBanAdd` has three words.
fn split_camel(word: &str) -> Vec<String> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut lower = false;
    for letter in word.chars() {
        if letter.is_uppercase() && lower {
            parts.push(String::new());
        }
        lower = letter.is_lowercase();
        if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    parts
}

/// The state of a ban in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    InForce,
    Ended,
    Lifted,
}

/// What a status says; nothing where it is not understood.
pub(super) fn status(value: &str) -> Option<Status> {
    Some(match value.trim().to_lowercase().as_str() {
        "active" | "ongoing" | "enforced" | "in force" | "in effect" | "current" | "applied" | "banned"
        | "enabled" | "aktiv" => Status::InForce,
        "expired" | "inactive" | "ended" | "over" | "finished" | "completed" | "past" | "abgelaufen"
        | "inaktiv" => Status::Ended,
        "revoked" | "lifted" | "pardoned" | "unbanned" | "removed" | "deleted" | "cancelled" | "canceled"
        | "reverted" | "overturned" | "resolved" | "void" | "voided" | "undone" | "appealed" | "disabled"
        | "rescinded" | "reversed" | "aufgehoben" => Status::Lifted,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
