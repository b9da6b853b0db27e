//! What a column that is not read may hold.
//!
//! Invariant: such a column is ignored only where each of its values is harmless. Its name says which values are: a
//! column of names may hold the name of a user who calls himself `warn`, and an unknown column may hold no such word.

use super::names::Field;
use super::words::{ACTORS, PERSONS, PLACES, TYPE_OWNERS};
use crate::lists::values;

/// What a column that is not read may hold, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything: it is about messages that were deleted, or the operator said so.
    Free,
    /// Names of people or places. One may be any word, and not each of them.
    Names,
    /// Yes or no, about something else than the ban.
    Flags,
    /// Numbers of records.
    Records,
    /// Numbers of records that are no bans, as `warn_id`: without a column of types each row is one.
    OtherRecords,
    /// Times that are no end.
    Dates,
    /// Links, pictures, counts.
    Other,
    /// Nobody knows.
    Unknown,
}

/// The share of values that look like a type or a state, from which on a column holds no names: 1 of 5.
const NAMES_SHARE: u64 = 5;

/// The most words of a value that may be a state in a language that is not known.
const STATE_WORDS: usize = 3;

const FLAGS: [&str; 19] = [
    "is", "was", "has", "user", "member", "bot", "system", "notified", "dm", "dmed", "sent", "silent",
    "verified", "mfa", "premium", "nitro", "deaf", "webhook", "partial",
];
const NO_BANS: [&str; 12] = [
    "warn", "warns", "warning", "warnings", "mute", "strike", "kick", "timeout", "note", "reminder",
    "verbal", "jail",
];
const RECORDS: [&str; 10] = ["oid", "id", "ids", "uuid", "guid", "nonce", "hash", "number", "no", "key"];
const OTHER: [&str; 60] = [
    "avatar",
    "url",
    "uri",
    "link",
    "jump",
    "image",
    "images",
    "picture",
    "icon",
    "banner",
    "color",
    "colour",
    "accent",
    "hex",
    "attachment",
    "attachments",
    "source",
    "origin",
    "email",
    "mail",
    "locale",
    "language",
    "country",
    "region",
    "platform",
    "game",
    "discriminator",
    "discrim",
    "tag",
    "flags",
    "bitfield",
    "badge",
    "badges",
    "public",
    "premium",
    "count",
    "counts",
    "points",
    "point",
    "score",
    "level",
    "xp",
    "rank",
    "total",
    "messages",
    "warnings",
    "infractions",
    "rule",
    "rules",
    "category",
    "severity",
    "risk",
    "gender",
    "decoration",
    "version",
    "page",
    "user",
    "member",
    "bot",
    "asset",
];
const DATES: [&str; 27] = [
    "created",
    "creation",
    "joined",
    "join",
    "date",
    "time",
    "timestamp",
    "issued",
    "since",
    "start",
    "started",
    "began",
    "banned",
    "added",
    "updated",
    "modified",
    "edited",
    "logged",
    "last",
    "first",
    "seen",
    "registered",
    "birthday",
    "erstellt",
    "beginn",
    "at",
    "on",
];

impl Kind {
    /// What a column with these words in its name may hold.
    pub(super) fn of(field: Field, tokens: &[&str], joined: &str) -> Self {
        let all = |lists: &[&[&str]]| {
            !tokens.is_empty() && tokens.iter().all(|token| lists.iter().any(|list| list.contains(token)))
        };
        let any = |words: &[&str]| tokens.iter().any(|token| words.contains(token));
        let messages: [&str; 17] = [
            "delete", "deleted", "purge", "purged", "message", "messages", "msg", "msgs", "history", "days",
            "day", "seconds", "hours", "hour", "min", "minutes", "of",
        ];
        let is_record = |last: &&str| RECORDS.contains(last) && (tokens.len() > 1 || last.len() > 2);
        if field != Field::Ignored && any(&NO_BANS) && tokens.last().is_some_and(is_record) {
            return Self::OtherRecords;
        }
        match (field, joined) {
            (Field::Ignored, _) => return Self::Free,
            (Field::Person | Field::Mention, _) => return Self::Names,
            (Field::Case | Field::Id, _) => return Self::Records,
            (Field::Created(_), _) => return Self::Dates,
            // Members of Discord's own objects.
            (_, "communicationdisableduntil") => return Self::Dates,
            (_, "premiumtype" | "__v") => return Self::Records,
            (_, "mfaenabled" | "identityenabled") => return Self::Flags,
            _ => {}
        }
        if any(&["delete", "deleted", "purge", "purged"]) && tokens.len() > 1 && all(&[&messages]) {
            return Self::Free;
        }
        let names: [&str; 17] = [
            "name",
            "names",
            "username",
            "usernames",
            "nick",
            "nickname",
            "display",
            "global",
            "full",
            "old",
            "new",
            "the",
            "of",
            "discord",
            "handle",
            "usertag",
            "id",
        ];
        let by: [&str; 8] =
            ["banned", "ban", "issued", "punished", "created", "added", "actioned", "imposed"];
        let is_by = tokens.last() == Some(&"by") || tokens.contains(&"by");
        let tag = ["tag"];
        let names_of_people = all(&[&names, &tag, &PERSONS, &ACTORS]) && (any(&PERSONS) || any(&ACTORS));
        if names_of_people
            || all(&[&names, &PERSONS, &ACTORS, &PLACES])
            || (is_by && all(&[&names, &tag, &PERSONS, &ACTORS, &by]))
        {
            return Self::Names;
        }
        if all(&[&FLAGS]) && any(&FLAGS[5..]) {
            return Self::Flags;
        }
        let is_code = any(&["type", "status", "state", "action", "kind"]);
        if tokens.last().is_some_and(is_record) && !is_code {
            return Self::Records;
        }
        if all(&[&OTHER, &names, &PERSONS, &PLACES, &TYPE_OWNERS]) && any(&OTHER) {
            return Self::Other;
        }
        if all(&[&DATES]) {
            return Self::Dates;
        }
        Self::Unknown
    }

    /// Whether one value alone makes the file unusable.
    pub(super) fn is_strict(self) -> bool {
        self != Self::Names
    }

    /// Whether a value may limit or lift a ban, as far as anybody can tell.
    pub(super) fn doubts(self, value: &str) -> bool {
        let value = value.trim();
        if values::says_nothing(value) || (self != Self::OtherRecords && is_harmless(value)) {
            return false;
        }
        match self {
            Self::Free => false,
            Self::OtherRecords => true,
            Self::Names => {
                values::limits(value) && !values::is_number(value) || values::yes_or_no(value).is_some()
            }
            Self::Flags => values::yes_or_no(value).is_none() && values::mentions_limit(value),
            Self::Records => {
                let number = value.trim_start_matches('#');
                let is_code = number.bytes().any(|byte| byte.is_ascii_digit())
                    && !number.contains(char::is_whitespace)
                    && values::span(number, None).is_none()
                    && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.#/".contains(&byte));
                !is_code || (values::names_span_or_date(value) && !values::is_number(number))
            }
            Self::Dates => {
                let is_date = values::time(value).is_some() || values::latest_reading(value).is_some();
                !is_date && (values::mentions_limit(value) || is_state(value))
            }
            Self::Other => !values::is_number(value) && values::mentions_limit(value),
            Self::Unknown => values::mentions_limit(value) || is_state(value),
        }
    }

    /// Whether a value is no name: a text about an end.
    pub(super) fn is_certain(self, value: &str) -> bool {
        self == Self::Names
            && values::leads_with_limit(value)
            && values::names_span_or_date(value)
            && value.contains(' ')
    }

    /// Whether so many doubtful values of all of them are too many.
    pub(super) fn is_refused(self, doubtful: u64, filled: u64) -> bool {
        match self.is_strict() {
            true => doubtful > 0,
            false => doubtful > 0 && doubtful * NAMES_SHARE >= filled,
        }
    }
}

/// An id, a mention, a link, a name with its discriminator, a line of signs.
fn is_harmless(value: &str) -> bool {
    let is_one = !value.contains(char::is_whitespace);
    let is_mention =
        is_one && value.ends_with('>') && ["<@", "<#"].iter().any(|begin| value.starts_with(begin));
    let is_link = is_one && ["https://", "http://"].iter().any(|begin| value.starts_with(begin));
    let is_tag = value.rsplit_once('#').is_some_and(|(name, digits)| {
        !name.is_empty() && digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    // A rule between the rows of a table.
    let is_rule = value.len() >= 3 && value.bytes().all(|byte| byte.is_ascii_punctuation());
    is_mention || is_link || is_tag || is_rule || values::id_alone(value).is_some()
}

/// A few words, which may be a state in any language. A code, such as a picture's, is none.
fn is_state(value: &str) -> bool {
    let is_code = value.len() >= 8
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    !is_code && value.split_whitespace().count() <= STATE_WORDS
}
