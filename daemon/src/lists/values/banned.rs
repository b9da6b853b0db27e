//! Values of columns about bans, in a list that also names users who are not banned.
//!
//! Invariant: a value that may deny a ban proves none. The row is then counted as no ban.

use super::limits::{leads_with_state, says_nothing, words};
use super::{Act, Status, act, status, yes_or_no};

/// Whether a value says that a user is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Banned {
    Yes,
    /// Nothing is said.
    Untold,
    /// It may say that there is no ban: another column decides.
    Doubtful,
    /// It says that there is no ban, whatever another column says.
    No,
}

/// Words that deny what follows them.
const NEGATIONS: [&str; 33] = [
    "not", "no", "never", "non", "nor", "neither", "without", "isn", "isnt", "wasn", "wasnt", "hasn",
    "hasnt", "aren", "nobody", "noone", "nothing", "none", "nie", "niemals", "nicht", "kein", "keine",
    "keiner", "niemand", "pas", "jamais", "aucun", "nunca", "jamas", "nadie", "ningun", "niet",
];
const BANS: [&str; 11] = [
    "ban", "bans", "banned", "bann", "gebannt", "baneado", "banido", "banni", "bannato", "gesperrt",
    "punished",
];
/// Words that say that a member is none of those who are banned.
const CLEAN: [&str; 18] = [
    "clean",
    "clear",
    "cleared",
    "ok",
    "okay",
    "fine",
    "good",
    "innocent",
    "allowed",
    "safe",
    "trusted",
    "normal",
    "exempt",
    "immune",
    "null",
    "nil",
    "undefined",
    "na",
];

/// How many words behind a negation may be what it denies: `not currently under a ban`.
const DENIED_WITHIN: usize = 4;

/// Whether a text says that nobody is banned: `was never banned`, `unbanned after an appeal`. A text
/// like `do not unban` says the opposite.
fn denies(words: &[String]) -> bool {
    let is_any = |word: &String, list: &[&str]| list.contains(&word.as_str());
    (0..words.len()).any(|at| {
        let behind = &words[at + 1..words.len().min(at + 1 + DENIED_WITHIN)];
        let before = &words[at.saturating_sub(2)..at];
        let lifts = ["unban", "entbann", "pardon"].iter().any(|stem| words[at].starts_with(stem));
        (is_any(&words[at], &NEGATIONS) && behind.iter().any(|word| is_any(word, &BANS)))
            || (lifts
                && !before.iter().any(|word| is_any(word, &NEGATIONS) || word == "dont" || word == "don"))
    })
}

/// What a value says of a ban by its whole: nothing, a zero, a state, what was done.
fn whole(value: &str) -> Option<Banned> {
    let is_zero = !value.is_empty() && value.bytes().all(|byte| b"0.-+ ".contains(&byte));
    if says_nothing(value) || is_zero || yes_or_no(value) == Some(false) {
        return Some(Banned::Untold);
    }
    if yes_or_no(value) == Some(true) || matches!(value, "☑" | "✔" | "✔️") {
        return Some(Banned::Yes);
    }
    if !value.contains(char::is_alphanumeric) {
        return Some(Banned::Doubtful);
    }
    match (status(value), act(value)) {
        (Some(Status::InForce), _) | (_, Some(Act::Ban)) => Some(Banned::Yes),
        (Some(Status::Lifted), _) | (_, Some(Act::Unban)) => Some(Banned::No),
        (Some(Status::Ended), _) | (_, Some(Act::TemporaryBan | Act::Other)) => Some(Banned::Doubtful),
        (None, None) => None,
    }
}

/// Whether a value of a column about bans says that there is one.
pub(in super::super) fn banned(value: &str) -> Banned {
    let value = value.trim();
    if let Some(said) = whole(value) {
        return said;
    }
    let words: Vec<String> = words(value).collect();
    if denies(&words) {
        return Banned::No;
    }
    if is_clean(&words) || leads_with_state(value) { Banned::Doubtful } else { Banned::Yes }
}

/// The same of a column that names who banned: a moderator may have any name, but `nobody` is none.
pub(in super::super) fn banned_by(value: &str) -> Banned {
    let value = value.trim();
    let words: Vec<String> = words(value).collect();
    match whole(value) {
        Some(Banned::Untold) => Banned::Untold,
        _ if denies(&words) => Banned::No,
        _ if is_clean(&words) || !value.contains(char::is_alphanumeric) => Banned::Doubtful,
        _ => Banned::Yes,
    }
}

/// Whether a text begins with a negation or a word for a clean record.
fn is_clean(words: &[String]) -> bool {
    const PASSED: [&str; 12] =
        ["is", "was", "has", "been", "user", "member", "the", "this", "status", "in", "still", "currently"];
    let mut rest = words.iter().map(String::as_str).skip_while(|word| PASSED.contains(word));
    let (first, second) = (rest.next().unwrap_or_default(), rest.next().unwrap_or_default());
    NEGATIONS.contains(&first) || CLEAN.contains(&first) || (first, second) == ("n", "a")
}

/// `No reason provided`, as bots write it of a punishment for which no reason was given.
pub(in super::super) fn is_default_reason(value: &str) -> bool {
    let words: Vec<String> = words(value).filter(|word| word != "was").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["no", "reason", "provided" | "given" | "specified" | "stated" | "supplied"]
            | ["reason", "not", "provided" | "given" | "specified" | "stated" | "supplied"]
    )
}
