//! The table.

use super::stage::Place;
use wayhaven_shared::Authority;

/// One operation, as it is asked for everywhere. In its texts `{user}` is whom it is about (another one per surface),
/// `{muted}` is the mute role of the main, `{punishment}` is the latest punishment of `{user}`, and what is typed to
/// confirm something severe.
pub(super) struct Row {
    /// The line after `wayhaven` and in the palette.
    pub(super) line: &'static str,
    /// The slash command's options by name.
    pub(super) options: &'static [(&'static str, &'static str)],
    /// What it needs on Discord.
    pub(super) needs: Authority,
    /// What has to be there before it.
    pub(super) before: Before,
    /// What has to be so after it.
    pub(super) after: After,
}

/// What has to be there before.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Before {
    /// What the row before has left.
    Nothing,
    /// The user is a member of every guild.
    Joined,
}

/// What has to be so afterwards.
#[derive(Clone, Copy)]
pub(super) enum After {
    /// At Discord, in the main and in every child.
    Everywhere(fn(&Place<'_>) -> bool),
    /// What this line of the command line shows then.
    Shows(&'static str, &'static str),
    /// What this line does not show any more.
    ShowsNot(&'static str, &'static str),
    /// It only reads, and its answer shows this.
    Answers(&'static str),
}

use After::{Answers, Everywhere, Shows, ShowsNot};
use Before::{Joined, Nothing};

const USER: (&str, &str) = ("user", "{user}");
const WHY: (&str, &str) = ("reason", "why not");

/// In the order in which they are asked for: one builds on what those before have left.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    Row { line: "config muterole {muted}", options: &[("role", "{muted}")], needs: Authority::Admin, before: Joined, after: Shows("config show", "{muted}") },
    Row { line: "config warnings 9:kick --within=30d", options: &[("steps", "9:kick"), ("within", "30d")], needs: Authority::Admin, before: Nothing, after: Shows("config show", "9:kick") },
    Row { line: "mute {user} --for=2h --reason='why not'", options: &[USER, ("for", "2h"), WHY], needs: Authority::Moderate, before: Joined, after: Everywhere(|place| place.is_muted()) },
    Row { line: "unmute {user}", options: &[USER], needs: Authority::Moderate, before: Nothing, after: Everywhere(|place| !place.is_muted()) },
    Row { line: "timeout {user} --for=1h", options: &[USER, ("for", "1h")], needs: Authority::Moderate, before: Nothing, after: Everywhere(|place| place.is_timed_out()) },
    Row { line: "punishment amend {punishment} --reason=better", options: &[("id", "{punishment}"), ("reason", "better")], needs: Authority::Moderate, before: Nothing, after: Shows("punishment show {punishment}", "better") },
    Row { line: "punishment revert {punishment}", options: &[("punishments", "{punishment}")], needs: Authority::Ban, before: Nothing, after: Everywhere(|place| !place.is_timed_out()) },
    Row { line: "timeout {user} --for=30m", options: &[USER, ("for", "30m")], needs: Authority::Moderate, before: Nothing, after: Everywhere(|place| place.is_timed_out()) },
    Row { line: "untimeout {user}", options: &[USER], needs: Authority::Moderate, before: Nothing, after: Everywhere(|place| !place.is_timed_out()) },
    Row { line: "warn {user} --reason='why not'", options: &[USER, WHY], needs: Authority::Staff, before: Nothing, after: Shows("punishment list --user={user} --limit=1", "warn") },
    Row { line: "kick {user}", options: &[USER], needs: Authority::Kick, before: Nothing, after: Everywhere(|place| !place.is_member()) },
    Row { line: "ban {user} --reason='why not' --delete-days=1", options: &[USER, WHY, ("delete-days", "1")], needs: Authority::Ban, before: Joined, after: Everywhere(|place| place.is_banned()) },
    Row { line: "unban {user}", options: &[USER], needs: Authority::Ban, before: Nothing, after: Everywhere(|place| !place.is_banned()) },
    Row { line: "punishment list --user={user} --limit=3", options: &[USER, ("limit", "3")], needs: Authority::Staff, before: Nothing, after: Answers("{punishment}") },
    Row { line: "punishment show {punishment}", options: &[("id", "{punishment}")], needs: Authority::Staff, before: Nothing, after: Answers("{user}") },
    Row { line: "protect add --user={user} --note='why not'", options: &[USER, ("note", "why not")], needs: Authority::Admin, before: Nothing, after: Shows("protect list", "{user}") },
    Row { line: "protect list --limit=5", options: &[("limit", "5")], needs: Authority::Admin, before: Nothing, after: Answers("{user}") },
    Row { line: "protect remove --user={user}", options: &[USER], needs: Authority::Admin, before: Nothing, after: ShowsNot("protect list", "{user}") },
];
