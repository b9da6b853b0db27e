//! Values of cells: times, lengths, types and statuses, in the forms that other programs write.
//!
//! A form that can be read in two ways is not understood. A time without a zone is in UTC, as bots write it.

mod banned;
mod dates;
mod limits;

pub(super) use banned::{Banned, banned, banned_by, is_default_reason};
pub(super) use dates::{has_no_clock, is_zone, latest_reading, span, time};
pub(super) use limits::{
    is_number, leads_with_lifting, leads_with_limit, limits, mentions_limit, mentions_unban, names_end,
    names_further_id, names_span_or_date, says_nothing,
};

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

/// Whether a line begins a part of a list: `Guild: Home (1234)`, `# Server Home`.
pub(super) fn begins_part_of_guild(line: &str) -> bool {
    let line: String = line.trim().chars().take(200).flat_map(char::to_lowercase).collect();
    let text = line.trim_start_matches(['#', '/', '=', '-', '*', '[', ' ']);
    let is_heading = text.len() < line.len();
    let Some(rest) = ["guild", "server"].into_iter().find_map(|word| text.strip_prefix(word)) else {
        return false;
    };
    let named = rest.trim_start();
    let named =
        ["id", "name"].into_iter().find_map(|word| named.strip_prefix(word)).unwrap_or(named).trim_start();
    named.starts_with([':', '=']) || (is_heading && rest.starts_with(' '))
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
