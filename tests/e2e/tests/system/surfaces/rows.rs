//! The table.

use super::stage::Place;
use wayhaven_shared::Authority;

/// One operation, as it is asked for everywhere. In its texts `{user}` is whom it is about (another one per surface),
/// `{muted}` is the mute role of the main, `{main}` and `{child}` are that guild and one of its children, `{punishment}` is
/// the latest punishment of `{user}`, `{hold}` the newest hold, `{job}` the newest job, `{list}` a list that names the user,
/// `{file}` a file that is not there yet, and `{alert}`, `{incident}` and `{drill}` the newest of each.
pub(super) struct Row {
    /// The line after `wayhaven` and in the palette.
    pub(super) line: &'static str,
    /// The slash command's options by name.
    pub(super) options: &'static [(&'static str, &'static str)],
    /// Where it is asked for.
    pub(super) of: Of,
    /// What it needs on Discord.
    pub(super) needs: Authority,
    /// What has to be there before it.
    pub(super) before: Before,
    /// What has to be so after it.
    pub(super) after: After,
}

/// The guild in which it is asked for.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Main,
    Child,
}

/// What has to be there before.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Before {
    /// What the row before has left.
    Nothing,
    /// The user is a member of every guild.
    Joined,
    /// The child is linked, and the user banned there by the main.
    Banned,
    /// A ban of the user waits for approval.
    Held,
    /// The user is banned nowhere, and on a list.
    Listed,
    /// A child is compared, and Discord does not answer.
    Comparing,
    /// No incident is open in the main.
    Calm,
    /// One is.
    Incident,
}

/// What has to be so afterwards.
#[derive(Clone, Copy)]
pub(super) enum After {
    /// At Discord, in the main and in every child.
    Everywhere(fn(&Place<'_>) -> bool),
    /// What this line of the command line shows then.
    Shows(&'static str, &'static str),
    /// What this line comes to show.
    Becomes(&'static str, &'static str),
    /// What this line does not show any more.
    ShowsNot(&'static str, &'static str),
    /// In the child, whose link is closed by then.
    Left(fn(&Place<'_>) -> bool),
    /// The list that was asked for names the user.
    Exported,
    /// It only reads, and its answer shows this.
    Answers(&'static str),
}

use After::{Answers, Becomes, Everywhere, Exported, Left, Shows, ShowsNot};
use Before::{Banned, Calm, Comparing, Held, Incident, Joined, Listed, Nothing};
use Of::{Child, Main};

const USER: (&str, &str) = ("user", "{user}");
const WHY: (&str, &str) = ("reason", "why not");

/// What concerns people, in the order in which it is asked for: one builds on what those before have left.
#[rustfmt::skip]
pub(super) const PEOPLE: &[Row] = &[
    Row { line: "config muterole {muted}", options: &[("role", "{muted}")], of: Main, needs: Authority::Admin, before: Joined, after: Shows("config show", "{muted}") },
    Row { line: "config warnings 9:kick --within=30d", options: &[("steps", "9:kick"), ("within", "30d")], of: Main, needs: Authority::Admin, before: Nothing, after: Shows("config show", "9:kick") },
    Row { line: "mute {user} --for=2h --reason='why not'", options: &[USER, ("for", "2h"), WHY], of: Main, needs: Authority::Moderate, before: Joined, after: Everywhere(|place| place.is_muted()) },
    Row { line: "unmute {user}", options: &[USER], of: Main, needs: Authority::Moderate, before: Nothing, after: Everywhere(|place| !place.is_muted()) },
    Row { line: "timeout {user} --for=1h", options: &[USER, ("for", "1h")], of: Main, needs: Authority::Moderate, before: Nothing, after: Everywhere(|place| place.is_timed_out()) },
    Row { line: "punishment amend {punishment} --reason=better", options: &[("id", "{punishment}"), ("reason", "better")], of: Main, needs: Authority::Moderate, before: Nothing, after: Shows("punishment show {punishment}", "better") },
    Row { line: "punishment revert {punishment}", options: &[("punishments", "{punishment}")], of: Main, needs: Authority::Ban, before: Nothing, after: Everywhere(|place| !place.is_timed_out()) },
    Row { line: "timeout {user} --for=30m", options: &[USER, ("for", "30m")], of: Main, needs: Authority::Moderate, before: Nothing, after: Everywhere(|place| place.is_timed_out()) },
    Row { line: "untimeout {user}", options: &[USER], of: Main, needs: Authority::Moderate, before: Nothing, after: Everywhere(|place| !place.is_timed_out()) },
    Row { line: "warn {user} --reason='why not'", options: &[USER, WHY], of: Main, needs: Authority::Staff, before: Nothing, after: Shows("punishment list --user={user} --limit=1", "warn") },
    Row { line: "kick {user}", options: &[USER], of: Main, needs: Authority::Kick, before: Nothing, after: Everywhere(|place| !place.is_member()) },
    Row { line: "ban {user} --reason='why not' --delete-days=1", options: &[USER, WHY, ("delete-days", "1")], of: Main, needs: Authority::Ban, before: Joined, after: Everywhere(|place| place.is_banned()) },
    Row { line: "unban {user}", options: &[USER], of: Main, needs: Authority::Ban, before: Nothing, after: Everywhere(|place| !place.is_banned()) },
    Row { line: "punishment list --user={user} --limit=3", options: &[USER, ("limit", "3")], of: Main, needs: Authority::Staff, before: Nothing, after: Answers("{punishment}") },
    Row { line: "punishment show {punishment}", options: &[("id", "{punishment}")], of: Main, needs: Authority::Staff, before: Nothing, after: Answers("{user}") },
    Row { line: "protect add --user={user} --note='why not'", options: &[USER, ("note", "why not")], of: Main, needs: Authority::Admin, before: Nothing, after: Shows("protect list", "{user}") },
    Row { line: "protect list --limit=5", options: &[("limit", "5")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("{user}") },
    Row { line: "protect remove --user={user}", options: &[USER], of: Main, needs: Authority::Admin, before: Nothing, after: ShowsNot("protect list", "{user}") },
    Row { line: "sync exception add {user} --until=30d --reason='why not'", options: &[USER, ("until", "30d"), WHY], of: Child, needs: Authority::Admin, before: Nothing, after: Shows("sync exception list --user={user}", "why not") },
    Row { line: "sync exception list --user={user}", options: &[USER], of: Child, needs: Authority::Admin, before: Nothing, after: Answers("{user}") },
    Row { line: "sync exception remove {user}", options: &[USER], of: Child, needs: Authority::Admin, before: Nothing, after: ShowsNot("sync exception list --user={user}", "why not") },
];

/// What concerns deliveries, jobs and lists, in its order too.
#[rustfmt::skip]
pub(super) const SYNC: &[Row] = &[
    Row { line: "sync holds", options: &[], of: Main, needs: Authority::Admin, before: Held, after: Answers("maximum") },
    Row { line: "sync holds", options: &[], of: Child, needs: Authority::Admin, before: Nothing, after: Answers("maximum") },
    Row { line: "sync approve {hold}", options: &[("id", "{hold}")], of: Main, needs: Authority::Admin, before: Held, after: Everywhere(|place| place.is_banned()) },
    Row { line: "sync discard {hold}", options: &[("id", "{hold}")], of: Main, needs: Authority::Admin, before: Held, after: ShowsNot("sync holds", "{user}") },
    Row { line: "setup doctor {child}", options: &[("child", "{child}")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("Ban Members") },
    Row { line: "sync reconcile {child}", options: &[("child", "{child}")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("reconcile") },
    Row { line: "job show {job}", options: &[("id", "{job}")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("reconcile") },
    Row { line: "job list --limit=3", options: &[("limit", "3")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("reconcile") },
    Row { line: "sync import {list}", options: &[("file", "{list}")], of: Main, needs: Authority::Admin, before: Listed, after: Everywhere(|place| !place.is_main() || place.is_banned()) },
    Row { line: "sync export --source=discord --format=json --output={file}", options: &[("source", "discord"), ("format", "json")], of: Main, needs: Authority::Admin, before: Nothing, after: Exported },
    Row { line: "job cancel {job}", options: &[("id", "{job}")], of: Main, needs: Authority::Admin, before: Comparing, after: Becomes("job list --limit=1", "cancelled") },
];

/// What concerns trust: what was asked for, what a person should look at, and what would happen.
#[rustfmt::skip]
pub(super) const TRUST: &[Row] = &[
    Row { line: "warn {user} --reason='why not'", options: &[USER, WHY], of: Main, needs: Authority::Staff, before: Joined, after: Shows("audit warnings {user}", "why not") },
    Row { line: "audit warnings {user}", options: &[USER], of: Main, needs: Authority::Staff, before: Nothing, after: Answers("why not") },
    Row { line: "audit log --user={user} --limit=5", options: &[USER, ("limit", "5")], of: Main, needs: Authority::Staff, before: Nothing, after: Answers("warn") },
    Row { line: "audit stats --days=2", options: &[("days", "2")], of: Main, needs: Authority::Staff, before: Nothing, after: Answers("discord") },
    Row { line: "audit export --user={user} --output={file}", options: &[USER], of: Main, needs: Authority::Admin, before: Nothing, after: Exported },
    Row { line: "audit verify", options: &[], of: Main, needs: Authority::Owner, before: Nothing, after: Answers("audit_verif") },
    Row { line: "incident open 'why not'", options: &[("reason", "why not")], of: Main, needs: Authority::Admin, before: Calm, after: Shows("incident list --limit=1", "why not") },
    Row { line: "incident show {incident}", options: &[("id", "{incident}")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("why not") },
    Row { line: "incident list --limit=3", options: &[("limit", "3")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("why not") },
    Row { line: "alert list --limit=5", options: &[("limit", "5")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("incident") },
    Row { line: "alert show {alert}", options: &[("id", "{alert}")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("incident") },
    Row { line: "alert resolve {alert} seen", options: &[("id", "{alert}"), ("reason", "seen")], of: Main, needs: Authority::Admin, before: Nothing, after: Shows("alert list --all --limit=1", "seen") },
    Row { line: "incident close 'all clear'", options: &[("conclusion", "all clear")], of: Main, needs: Authority::Admin, before: Incident, after: Shows("incident list --limit=1", "all clear") },
    Row { line: "drill run --user={user}", options: &[USER], of: Main, needs: Authority::Admin, before: Nothing, after: Shows("drill list --limit=2", "{user}") },
    Row { line: "drill list --limit=5", options: &[("limit", "5")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("{user}") },
    Row { line: "drill show {drill}", options: &[("id", "{drill}")], of: Main, needs: Authority::Admin, before: Nothing, after: Answers("arrives") },
];

/// What concerns the links of the network.
#[rustfmt::skip]
pub(super) const LINKS: &[Row] = &[
    Row { line: "setup remove-child {child} --undo", options: &[("child", "{child}"), ("undo", "true")], of: Main, needs: Authority::Admin, before: Banned, after: Left(|place| !place.is_banned()) },
    Row { line: "setup leave {main} --undo", options: &[("main", "{main}"), ("undo", "true")], of: Child, needs: Authority::Admin, before: Banned, after: Left(|place| !place.is_banned()) },
    Row { line: "setup remove-child {child} --keep", options: &[("child", "{child}"), ("keep", "true")], of: Main, needs: Authority::Admin, before: Banned, after: Left(|place| place.is_banned()) },
    Row { line: "setup leave {main} --keep", options: &[("main", "{main}"), ("keep", "true")], of: Child, needs: Authority::Admin, before: Banned, after: Left(|place| place.is_banned()) },
];
