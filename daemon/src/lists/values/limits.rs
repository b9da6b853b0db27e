//! Values that may say that a ban is limited, lifted or none, wherever they stand.
//!
//! A column that is not read is checked with these. A doubt counts as a limit: it costs a refusal, and never a wrong ban.

use super::{Act, act, id_alone, ids_in, is_never, latest_reading, span, status, time, yes_or_no};

/// The longest text that is a time or a length as a whole, in bytes, with room to spare.
const LONGEST_LIMIT: usize = 120;

/// The longest word of a time or a length, in bytes.
const LONGEST_WORD: usize = 40;

/// Words with which a value says nothing. Other words for "never" say that the column is about an end.
pub(in super::super) fn says_nothing(value: &str) -> bool {
    const NOTHING: [&str; 19] = [
        "",
        "none",
        "null",
        "nil",
        "\\n",
        "n/a",
        "na",
        "#n/a",
        "nan",
        "nat",
        "<na>",
        "undefined",
        "not set",
        "-",
        "–",
        "—",
        "--",
        "unknown",
        "?",
    ];
    NOTHING.contains(&value.trim().to_lowercase().as_str())
}

/// Whether a whole value is a state, a type, a time, a length, a number or a word for "never".
pub(in super::super) fn limits(value: &str) -> bool {
    let value = value.trim();
    if says_nothing(value) || id_alone(value).is_some() {
        return false;
    }
    if value.len() > LONGEST_LIMIT {
        return act(value).is_some() || status(value).is_some();
    }
    yes_or_no(value).is_some()
        || is_never(value)
        || time(value).is_some()
        || span(value, None).is_some()
        || latest_reading(value).is_some()
        || act(value).is_some()
        || status(value).is_some()
        || is_number(value)
        || matches!(value, "☑" | "✔" | "✔️" | "✅" | "❎" | "✗" | "✘" | "❌" | "☐")
}

/// A number that is no id: nobody can tell what it counts.
pub(in super::super) fn is_number(value: &str) -> bool {
    let value = value.trim();
    value.len() < 17
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().all(|byte| byte.is_ascii_digit() || b"+-.,% ".contains(&byte))
}

/// Beginnings of words about the type, the end or the state of a ban.
const STEMS: [&str; 57] = [
    "unban",
    "unmut",
    "untime",
    "permanent",
    "permaban",
    "permban",
    "tempban",
    "tempor",
    "expir",
    "revok",
    "lifted",
    "lifting",
    "pardon",
    "rescind",
    "overturn",
    "withdr",
    "appeal",
    "inactiv",
    "active",
    "suspen",
    "warn",
    "kick",
    "mute",
    "softban",
    "timeout",
    "timed",
    "forever",
    "indefinit",
    "lifetime",
    "duration",
    "until",
    "ended",
    "ends",
    "ending",
    "cancel",
    "revert",
    "annul",
    "dismiss",
    "forgiv",
    "reinstat",
    "banned",
    "bann",
    "verwarn",
    "gebannt",
    "entbann",
    "gesperrt",
    "entsperr",
    "aufgehoben",
    "abgelaufen",
    "dauerhaft",
    "befristet",
    "permanente",
    "advertencia",
    "levantad",
    "expuls",
    "averti",
    "définiti",
];
const WHOLE: [&str; 13] =
    ["ban", "bans", "temp", "perm", "perma", "till", "never", "over", "end", "free", "left", "bis", "hasta"];

pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

/// Whether a text holds a word, a length or a date that may limit a ban.
pub(in super::super) fn mentions_limit(text: &str) -> bool {
    let is_limit =
        |word: &String| WHOLE.contains(&word.as_str()) || STEMS.iter().any(|stem| word.starts_with(stem));
    limits(text) || names_span_or_date(text) || words(text).any(|word| is_limit(&word))
}

/// Whether a text holds a length or a date anywhere: `7d`, `7 days`, `2035-01-01`, `1/6/2035`, `<t:…>`.
pub(in super::super) fn names_span_or_date(text: &str) -> bool {
    // Lists are long, and most reasons hold no number.
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return names_written_span(text);
    }
    let parts: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || ",;|()[]{}\"'!?".contains(letter))
        .map(|part| part.trim_matches(|letter: char| !letter.is_alphanumeric()))
        .filter(|part| !part.is_empty())
        .collect();
    let has_digit = |part: &str| part.bytes().any(|byte| byte.is_ascii_digit());
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_day = |part: &str| {
        let numbers: Vec<&str> = part.split(['-', '/', '.']).collect();
        numbers.len() == 3 && (time(part).is_some() || latest_reading(part).is_some())
    };
    // `7-day` and `7_days` are lengths too.
    let joined = |part: &str| span(&part.replace(['-', '_'], " "), None).is_some();
    text.contains("<t:")
        || parts.iter().filter(|part| part.len() <= LONGEST_WORD && has_digit(part)).any(|part| {
            is_day(part)
                || joined(part)
                || (id_alone(part).is_none() && time(part).is_some())
                || begins_like_date(part)
        })
        || parts.windows(2).any(|pair| is_digits(pair[0]) && span(&pair.join(" "), None).is_some())
        || parts
            .windows(3)
            .filter(|three| three.iter().any(|part| has_digit(part)))
            .filter(|three| three.iter().all(|part| part.len() <= LONGEST_WORD))
            .any(|three| latest_reading(&three.join(" ")).is_some())
        || names_written_span(text)
}

/// `2035-01-01T00:00` without a readable zone, and the like: a year with a month.
fn begins_like_date(part: &str) -> bool {
    let bytes = part.as_bytes();
    bytes.len() >= 7
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && matches!(bytes[4], b'-' | b'/' | b'.')
        && bytes[5].is_ascii_digit()
        && (b"12".contains(&bytes[0]))
}

/// `one week`, `a month`, `seven days`.
fn names_written_span(text: &str) -> bool {
    const NUMBERS: [&str; 16] = [
        "a", "an", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve",
        "thirty", "few", "several",
    ];
    let words: Vec<String> = words(text).collect();
    words.windows(2).any(|pair| {
        NUMBERS.contains(&pair[0].as_str())
            && pair[1].len() > 2
            && span(&format!("1 {}", pair[1]), None).is_some()
    })
}

/// Whether a text begins with a state, a type, a length or an end: `7d spam`, `(warned) caps`, `UNBANNED 2026-03-01`.
/// Words for a ban itself may stand in front: `banned until 2035`.
pub(in super::super) fn leads_with_limit(text: &str) -> bool {
    let rest = behind_ban(text);
    let Some(first) = rest.first() else { return false };
    leads_with_state(text)
        || (first.len() > 1 && yes_or_no(first).is_some())
        || names_span_or_date(&rest[..rest.len().min(2)].join(" "))
}

/// The first words of a text, without those for a ban itself in front.
fn behind_ban(text: &str) -> Vec<String> {
    const PASSED: [&str; 16] = [
        "ban", "banned", "bans", "is", "was", "has", "been", "got", "user", "member", "the", "status",
        "state", "type", "action", "for",
    ];
    let text = text.trim_start_matches(|letter: char| !letter.is_alphanumeric() && letter != '<');
    let separates = |letter: char| letter.is_whitespace() || ",;:|()[]{}".contains(letter);
    let parts = text.split(separates).filter(|part| !part.is_empty()).take(6).map(str::to_lowercase);
    parts.skip_while(|part| PASSED.contains(&part.as_str())).collect()
}

/// The same, but only of a state or a type: `(warned) caps`, `not banned`.
pub(super) fn leads_with_state(text: &str) -> bool {
    const LEADS: [&str; 29] = [
        "unban",
        "pardon",
        "lifted",
        "revok",
        "expir",
        "ended",
        "ends",
        "end",
        "inactiv",
        "appeal",
        "warn",
        "kick",
        "mute",
        "tempban",
        "temp",
        "softban",
        "timeout",
        "timed",
        "withdr",
        "rescind",
        "overturn",
        "until",
        "till",
        "removed",
        "cancel",
        "entbann",
        "aufgehoben",
        "verwarn",
        "bis",
    ];
    // Whole words only: `temple` and `ending` are others.
    const WHOLE_LEADS: [&str; 5] = ["end", "ends", "temp", "bis", "till"];
    let rest = behind_ban(text);
    let Some(first) = rest.first() else { return false };
    let is_negated = matches!(first.as_str(), "not" | "no")
        && rest.iter().skip(1).any(|word| matches!(word.as_str(), "ban" | "banned" | "longer" | "active"));
    let leads = |stem: &&str| match WHOLE_LEADS.contains(stem) {
        true => first == stem,
        false => first.starts_with(*stem),
    };
    is_negated || LEADS.iter().any(leads) || matches!(act(first), Some(Act::Unban | Act::TemporaryBan))
}

/// Whether a text begins with a word that lifts a ban, or with its end: `unbanned after an appeal`, `until 2035`.
pub(in super::super) fn leads_with_lifting(text: &str) -> bool {
    const OTHER_ACTS: [&str; 6] = ["warn", "kick", "mute", "softban", "timeout", "verwarn"];
    let first = words(text).next().unwrap_or_default();
    leads_with_limit(text) && !OTHER_ACTS.iter().any(|act| first.starts_with(act))
}

/// Whether a text says anywhere that somebody was unbanned.
pub(in super::super) fn mentions_unban(text: &str) -> bool {
    words(text).any(|word| ["unban", "entbann", "pardoned"].iter().any(|stem| word.starts_with(stem)))
}

/// Whether the text behind an id names another user as it names the first: nothing but words like `and` stand before it.
pub(in super::super) fn names_further_id(text: &str) -> bool {
    const JOINING: [&str; 20] = [
        "and", "also", "as", "well", "plus", "with", "together", "or", "then", "both", "und", "auch", "y",
        "e", "et", "ou", "oder", "sowie", "too", "amp",
    ];
    let Some(id) = ids_in(text.as_bytes()).next().map(|id| id.to_string()) else { return false };
    let Some((before, _)) = text.split_once(id.as_str()) else { return true };
    let before: Vec<String> = words(before).collect();
    // One word is a name, or joins two users in a language that is not known.
    before.len() < 2 || before.iter().all(|word| JOINING.contains(&word.as_str()))
}

/// Whether a text says anywhere when something ends: `see the ticket, ends 2035-01-01`.
pub(in super::super) fn names_end(text: &str) -> bool {
    const ENDS: [&str; 9] =
        ["until", "till", "ends", "ending", "expires", "expiring", "expired", "bis", "hasta"];
    names_span_or_date(text) && words(text).any(|word| ENDS.contains(&word.as_str()))
}
