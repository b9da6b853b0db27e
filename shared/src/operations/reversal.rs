//! `punishment amend` and `punishment revert`: correcting and taking back what was decided.

use super::punishment::{Action, DeliveryCounts, Punishment};
use crate::fault::Fault;
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Tone};
use crate::value::{Account, GuildId, PunishmentId, Span, Untrusted, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Correct the reason of a punishment; both versions are kept
///
/// What is still to be sent carries the new reason. Discord's own audit logs cannot be changed: where it was delivered
/// already, they keep the reason that was sent. Only the guild that decided it may correct it.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PunishmentAmend {
    /// Which, by its number
    #[arg(value_name = "PUNISHMENT")]
    pub id: PunishmentId,
    /// Why, as it should have been said
    #[arg(long, value_name = "TEXT")]
    pub reason: Untrusted,
}

/// Take punishments back: those named, or all of a moderator's since a while
///
/// Only punishments of the guild in which it is asked for. --dry-run counts what would happen. Each is taken back where
/// Wayhaven did it and no other cause remains: where another punishment of that guild is active for the same user, that
/// one applies. Kicks and warnings cannot be undone, and are only marked as reverted. What was interrupted is finished by
/// asking again.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PunishmentRevert {
    /// Which, by their numbers; or else --moderator with --since
    #[arg(value_name = "PUNISHMENT")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub punishments: Vec<PunishmentId>,
    /// Instead of numbers: all that this moderator decided since then
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moderator: Option<UserId>,
    /// Instead of numbers: all punishments of this account of the daemon's machine since then
    #[arg(long, value_name = "ACCOUNT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Account>,
    /// How far back, as 2h; goes with --moderator or --operator
    #[arg(long, value_name = "SPAN")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Span>,
    /// Why, as it will stand in each guild's audit log
    #[arg(long, value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Untrusted>,
}

/// Which punishments are to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant<'r> {
    /// These.
    Named(&'r [PunishmentId]),
    /// All that the moderator decided within the span.
    DecidedBy(UserId, Span),
    /// All that the operator issued within the span.
    IssuedBy(&'r Account, Span),
}

impl PunishmentRevert {
    /// Which punishments are meant.
    ///
    /// # Errors
    /// Where it is said in both ways, in none, or half.
    pub fn meant(&self) -> Result<Meant<'_>, Fault> {
        let message = match (self.punishments.as_slice(), self.moderator, &self.operator, self.since) {
            (named @ [_, ..], None, None, None) => return Ok(Meant::Named(named)),
            ([], Some(moderator), None, Some(since)) => return Ok(Meant::DecidedBy(moderator, since)),
            ([], None, Some(operator), Some(since)) => return Ok(Meant::IssuedBy(operator, since)),
            ([], Some(_), Some(_), _) => "--moderator and --operator contradict: name one of them",
            ([_, ..], ..) => {
                "numbers of punishments contradict --moderator, --operator and --since: name one way only"
            }
            ([], Some(_), None, None) => {
                "--moderator was given without --since: it has to be said how far back"
            }
            ([], None, Some(_), None) => {
                "--operator was given without --since: it has to be said how far back"
            }
            ([], None, None, Some(_)) => {
                "--since was given without --moderator or --operator: it has to be said whose punishments"
            }
            ([], None, None, None) => "nothing was named that is to be reverted",
        };
        Err(Fault::usage(message)
            .hint("wayhaven punishment revert 42 43 reverts these; wayhaven punishment list shows the numbers")
            .hint("wayhaven punishment revert --moderator=USER --since=2h reverts all that they issued since then")
            .hint("wayhaven punishment revert --operator=ACCOUNT --since=2h does so for an operator"))
    }
}

/// A punishment whose reason was corrected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PunishmentAmended {
    /// As it is now, or would be.
    pub punishment: Punishment,
    /// The reason before.
    pub before: Option<Untrusted>,
    /// Whether the reason was that one already.
    pub already: bool,
    /// How often it was corrected by now.
    pub amended: u64,
    /// Deliveries that are still to be sent, and carry the new reason.
    pub open: u64,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for PunishmentAmended {
    fn report(&self) -> Report {
        let title = match (self.already, self.dry_run) {
            (true, _) => "that is its reason already: nothing changed",
            (false, true) => "nothing was changed: the reason would be corrected",
            (false, false) => "the reason is corrected",
        };
        let mut report = Report::new(title, Tone::Good)
            .field("Punishment", format!("{} {}", self.punishment.action, self.punishment.id))
            .field("User", self.punishment.user_id)
            .field("Reason", Cell::from(self.punishment.reason.as_ref()));
        if !self.already {
            report = report.field("Before", Cell::from(self.before.as_ref()));
        }
        report
            .field("Corrected", times(self.amended))
            .field("Still to be sent", self.open.to_string())
            .hint("Discord's own audit logs keep the reason that was sent: nobody can change them")
    }
}

/// Something counted by action, and by reason where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Which action.
    pub action: Action,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many.
    pub count: u64,
}

/// Counts while they are made, in the order in which they come.
#[derive(Clone, Debug, Default)]
pub struct Counts(Vec<Counted>);

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, action: Action, reason: Option<String>) {
        match self.0.iter_mut().find(|one| one.action == action && one.reason == reason) {
            Some(one) => one.count += 1,
            None => self.0.push(Counted { action, reason, count: 1 }),
        }
    }

    /// Adds what others have counted.
    pub fn extend(&mut self, others: &[Counted]) {
        for other in others {
            match self.0.iter_mut().find(|one| one.action == other.action && one.reason == other.reason) {
                Some(one) => one.count += other.count,
                None => self.0.push(other.clone()),
            }
        }
    }
}

impl From<Counts> for Vec<Counted> {
    fn from(counts: Counts) -> Self {
        let mut counted = counts.0;
        counted.sort_by(|one, other| (one.action, &one.reason).cmp(&(other.action, &other.reason)));
        counted
    }
}

/// `3 ban, 1 timeout (banned there by its own staff)`.
pub fn words(counted: &[Counted]) -> String {
    let word = |one: &Counted| match &one.reason {
        Some(reason) => format!("{} {} ({reason})", one.count, one.action),
        None => format!("{} {}", one.count, one.action),
    };
    match counted {
        [] => "none".into(),
        some => some.iter().map(word).collect::<Vec<_>>().join(", "),
    }
}

/// `once`, or `3 times`.
pub(super) fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// `1 punishment`, or `3 punishments`.
pub(super) fn punishments(count: u64) -> String {
    if count == 1 { "1 punishment".to_owned() } else { format!("{count} punishments") }
}

/// Punishments that were taken back, or would be, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reverted {
    /// The guild that decided them.
    pub guild_id: GuildId,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// All that were named or found, by action.
    pub found: Vec<Counted>,
    /// Reverted before.
    pub already: u64,
    /// Ended by themselves before.
    pub expired: u64,
    /// Undos, which are not reverted: what they took back is decided anew.
    pub undos: u64,
    /// Kicks and warnings, which cannot be undone and are only marked.
    pub marked: u64,
    /// Those beside which another of that guild and measure is active: nothing is undone, and that one applies.
    pub one_of_several: u64,
    /// Those that are undone.
    pub undone: u64,
    /// What the undos come to in the children: pending where it is taken back, skipped where it stays.
    pub deliveries: DeliveryCounts,
    /// Why it stays, where it does.
    pub stay: Vec<Counted>,
}

impl Reverted {
    /// None of anything.
    pub fn none(guild_id: GuildId, dry_run: bool) -> Self {
        Self {
            guild_id,
            dry_run,
            found: Vec::new(),
            already: 0,
            expired: 0,
            undos: 0,
            marked: 0,
            one_of_several: 0,
            undone: 0,
            deliveries: DeliveryCounts::default(),
            stay: Vec::new(),
        }
    }

    /// How many change.
    pub fn changed(&self) -> u64 {
        self.marked + self.one_of_several + self.undone
    }
}

impl Reported for Reverted {
    fn report(&self) -> Report {
        let changed = self.changed();
        let title = match (changed, self.dry_run) {
            (0, _) => "there is nothing to revert".to_owned(),
            (_, true) => format!("nothing was changed: {} would be reverted", punishments(changed)),
            (1, false) => "1 punishment is reverted".to_owned(),
            (_, false) => format!("{changed} punishments are reverted"),
        };
        let verb = |then: &str, now: &str| if self.dry_run { then.to_owned() } else { now.to_owned() };
        let tone = if self.deliveries.open() > 0 { Tone::Waiting } else { Tone::Good };
        let mut table = Table::new(["punishments", "what becomes of them"], "none was named or found");
        let rows = [
            (self.undone, verb("would be undone", "undone")),
            (self.one_of_several, "one of several causes: another is active, so nothing is undone".into()),
            (self.marked, "cannot be undone (kicks, warnings): only marked as reverted".into()),
            (self.already, "reverted before".into()),
            (self.expired, "ended by themselves".into()),
            (self.undos, "undos, which are not reverted: decide anew".into()),
        ];
        for (count, what) in rows.into_iter().filter(|(count, _)| *count > 0) {
            table.push([count.to_string().into(), what.into()]);
        }
        let mut report = Report::new(title, tone)
            .field("Guild", self.guild_id)
            .field("Found", words(&self.found))
            .field("Taken back in children", self.deliveries.open().to_string())
            .field("Stays in children", self.deliveries.skipped.to_string());
        if !self.stay.is_empty() {
            report = report.field("Why it stays", words(&self.stay));
        }
        report = report.table(table);
        match self.dry_run {
            false if changed > 0 => {
                report.hint("sync deliveries shows how far it is; punishment list what is reverted")
            }
            _ => report,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_reverted_is_said_in_one_way_and_whole() {
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let revert = crate::grammar::find("punishment revert").unwrap();
            crate::grammar::parse_arguments(revert, &words).unwrap()
        };
        for words in
            [&["42", "43"][..], &["--moderator=7", "--since=2h"], &["--operator=alice", "--since=2h"]]
        {
            assert_eq!(of(words).check(), Ok(()), "{words:?}");
        }
        for (words, says) in [
            (&[][..], "nothing was named"),
            (&["--reason=x"], "nothing was named"),
            (&["42", "--moderator=7", "--since=2h"], "contradict"),
            (&["42", "--moderator=7"], "contradict"),
            (&["42", "--since=2h"], "contradict"),
            (&["42", "--operator=alice", "--since=2h"], "contradict"),
            (&["--operator=alice", "--moderator=7", "--since=2h"], "contradict"),
            (&["--operator=alice"], "without --since"),
            (&["--moderator=7"], "without --since"),
            (&["--since=2h"], "without --moderator"),
        ] {
            let fault = of(words).check().unwrap_err();
            assert_eq!(fault.kind, crate::FaultKind::Usage);
            assert!(fault.message.contains(says), "{words:?}: {fault}");
            assert!(fault.hints[1].contains("--moderator=USER --since=2h"), "both ways are named: {fault}");
        }
    }

    #[test]
    fn one_is_one_in_every_count() {
        let mut one = Reverted { undone: 1, ..Reverted::none(GuildId::new(1).unwrap(), true) };
        assert_eq!(one.report().title, "nothing was changed: 1 punishment would be reverted");
        one.dry_run = false;
        assert_eq!(one.report().title, "1 punishment is reverted");
        one.marked = 2;
        assert_eq!(one.report().title, "3 punishments are reverted");
        assert_eq!((times(1), times(2)), ("once".to_owned(), "2 times".to_owned()));
    }
}
