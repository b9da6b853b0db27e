//! Ids in running text: `user 55 owns guild 100` becomes `user alice (55) owns guild Main (100)`.
//!
//! Faults, alerts and notes are stored and sent as text with plain ids. The text says what an id is by the word before
//! it. A number as long as a snowflake is an id without such a word too, but not in a hint, which has commands to paste.

use super::Names;
use crate::value::{GuildId, UserId};
use std::ops::Range;

/// The shortest snowflake that Discord has made for a user or a guild, in digits.
const SNOWFLAKE: usize = 17;

/// What the word before a number says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    User,
    Guild,
    /// A snowflake of something.
    Either,
}

/// The numbers in the text that may be ids of users or guilds.
pub fn quoted(text: &str) -> Vec<u64> {
    ids(text).into_iter().map(|(_, id, _)| id).collect()
}

/// The text with the names of the ids in it. In a hint (`command` is true) only ids after a word like *guild* are
/// named, so that commands in it stay as they are.
pub fn with_names(text: &str, names: &Names, command: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (place, id, kind) in ids(text) {
        let user = || names.users.get(&UserId::new(id)?);
        let guild = || names.guilds.get(&GuildId::new(id)?);
        let name = match kind {
            Kind::User => user(),
            Kind::Guild => guild(),
            Kind::Either if command => None,
            Kind::Either => user().or_else(guild),
        };
        let Some(name) = name else { continue };
        out.push_str(&text[copied..place.start]);
        out.push_str(&super::beside(Some(name), &text[place.clone()]));
        copied = place.end;
    }
    out.push_str(&text[copied..]);
    out
}

/// Where the ids stand, and what they are.
fn ids(text: &str) -> Vec<(Range<usize>, u64, Kind)> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
        let digits = &text[start..at];
        let before = &text[..start];
        let Some(kind) = kind(before, digits.len()).filter(|_| is_whole(before, &text[at..])) else {
            continue;
        };
        if let Some(id) = digits.parse().ok().filter(|id| *id > 0) {
            found.push((start..at, id, kind));
        }
    }
    found
}

/// Whether the number is a word of its own: no part of an address, an option, a mention or a time, and not named yet.
fn is_whole(before: &str, after: &str) -> bool {
    let opens = before.chars().next_back().is_none_or(|letter| letter == ' ' || letter == '"');
    let mut rest = after.chars();
    let closes = match rest.next() {
        None => true,
        // Behind a mark that ends a word there is nothing more of the number.
        Some('.' | ',' | ':' | ';') => rest.next().is_none_or(|letter| letter == ' '),
        Some(letter) => matches!(letter, ' ' | ')' | '"' | '\''),
    };
    opens && closes
}

fn kind(before: &str, digits: usize) -> Option<Kind> {
    let word = before.strip_suffix(' ').and_then(|before| before.rsplit(' ').next()).unwrap_or_default();
    match word {
        "user" | "User" | "moderator" => Some(Kind::User),
        "guild" | "Guild" | "main" | "Main" | "child" | "Child" => Some(Kind::Guild),
        // The value of an option stays as it can be typed.
        option if option.starts_with('-') => None,
        _ if digits >= SNOWFLAKE => Some(Kind::Either),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Untrusted;

    const ALICE: u64 = 123_456_789_012_345_678;

    fn names() -> Names {
        let named = |name: &str| Untrusted::clipped(name);
        let users = [(55, "alice"), (ALICE, "al\u{202e}ice\n")];
        let guilds = [(100, "Main"), (55, "wrong")];
        Names {
            users: users.map(|(id, name)| (UserId::new(id).unwrap(), named(name))).into(),
            guilds: guilds.map(|(id, name)| (GuildId::new(id).unwrap(), named(name))).into(),
        }
    }

    fn named(text: &str) -> String {
        with_names(text, &names(), false)
    }

    #[test]
    fn the_word_before_a_number_says_whose_name_it_gets() {
        assert_eq!(named("user 55 owns guild 100, and so"), "user alice (55) owns guild Main (100), and so");
        assert_eq!(named("main 100: 55 bans, 100 mutes"), "main Main (100): 55 bans, 100 mutes");
        assert_eq!(named("user 56 in guild 7"), "user 56 in guild 7");
        assert_eq!(named("user \"55\"."), "user \"55\".");
    }

    #[test]
    fn a_snowflake_is_named_without_a_word_and_its_name_is_clean() {
        assert_eq!(named(&format!("banned {ALICE}.")), format!("banned alice ({ALICE})."));
    }

    #[test]
    fn what_is_typed_or_named_already_stays() {
        let same = |text: &str| assert_eq!(named(text), text);
        same("wayhaven sync approve 1 --guild 100");
        same(&format!("--guild {ALICE} and --user={ALICE}"));
        same(&format!("alice ({ALICE}), <@{ALICE}>, https://x/{ALICE}/y and 1{ALICE}"));
        same(&format!("setup remove-child 100, after guild 100.5 and guild 100/{ALICE}"));
        let hint = format!("guild 100 wants: /setup accept {ALICE}");
        assert_eq!(with_names(&hint, &names(), true), hint.replace("guild 100", "guild Main (100)"));
    }

    #[test]
    fn every_id_that_can_be_named_is_quoted() {
        assert_eq!(quoted(&format!("user 55, main 100, {ALICE}, 7 bans, guild 0")), [55, 100, ALICE]);
        assert!(quoted("guild 99999999999999999999999 ünïcödé 5").is_empty());
    }
}
