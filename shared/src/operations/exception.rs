//! `sync exception add`, `remove` and `list`: what a child does not apply to somebody, whichever main decides it.

use super::punishment::{Action, DeliveryCounts, DeliveryState};
use crate::operation::Reported;
use crate::report::{Cell, Clock, Report, Table, Text, Tone};
use crate::value::{ExceptionId, GuildId, PageSize, Timestamp, Until, Untrusted, UserId};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// What an exception can be of: what stands until it is taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Bans.
    #[default]
    Ban,
    /// Mutes.
    Mute,
    /// Timeouts.
    Timeout,
}

impl Measure {
    /// The one that does this; nothing where it leaves nothing behind.
    pub fn of(action: Action) -> Option<Self> {
        [Self::Ban, Self::Mute, Self::Timeout].into_iter().find(|measure| measure.action() == action)
    }

    /// What is not applied.
    pub fn action(self) -> Action {
        match self {
            Self::Ban => Action::Ban,
            Self::Mute => Action::Mute,
            Self::Timeout => Action::Timeout,
        }
    }
}

/// Do not apply what mains decide about a user in this child
///
/// Asked for in the child, and good for it alone and for one measure. What is decided from now on is skipped there, and so
/// is what is still on its way; what was done there before stays, unless --lift takes it back. Asking once more replaces the
/// exception that is there. Where it ends, what the mains have decided applies again.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncExceptionAdd {
    /// Whom
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// What is not applied (default ban)
    #[arg(long, value_name = "MEASURE", value_enum)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
    /// When it ends by itself: a span like 3d, or a date like 2026-12-01
    #[arg(long, value_name = "SPAN|DATE")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Why, for those who read the list
    #[arg(long, value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Untrusted>,
    /// Also take back what Wayhaven did there, where nothing else causes it
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lift: bool,
}

/// End an exception: what the mains have decided applies again
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncExceptionRemove {
    /// Whose
    #[arg(value_name = "USER")]
    pub user: UserId,
    /// Of which measure (default ban)
    #[arg(long, value_name = "MEASURE", value_enum)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
}

/// The exceptions of this guild, newest first
///
/// Those that it has asked for, and those that its staff have made by taking back what was delivered.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncExceptionList {
    /// Only those for this user
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
    /// Go on below this exception, as the page before said
    #[arg(long, value_name = "EXCEPTION")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<ExceptionId>,
}

/// How an exception came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionOrigin {
    /// The guild's own staff have taken back what was delivered; their own punishment ends it.
    Override,
    /// It was asked for.
    Command,
}

impl ExceptionOrigin {
    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Command => "command",
        }
    }

    /// The origin with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Override, Self::Command].into_iter().find(|origin| origin.word() == word)
    }
}

/// What a guild does not apply to somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exception {
    /// Its number.
    pub id: ExceptionId,
    /// The guild.
    pub guild_id: GuildId,
    /// To whom.
    pub user_id: UserId,
    /// What.
    pub measure: Action,
    /// How it came to be.
    pub origin: ExceptionOrigin,
    /// When it ends by itself; nothing for one that does not.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<Untrusted>,
    /// Who made it, where that is known; nothing also for an operator.
    pub by: Option<UserId>,
    /// Since when.
    pub since: Timestamp,
}

impl Exception {
    fn maker(&self) -> Text {
        match (self.by, self.origin) {
            (Some(user), _) => user.into(),
            (None, ExceptionOrigin::Command) => "operator".into(),
            (None, ExceptionOrigin::Override) => "not known".into(),
        }
    }
}

/// When an exception ends.
fn end(until: Option<Timestamp>) -> Text {
    until.map_or_else(|| "does not by itself".into(), |until| Text::Time(until, Clock::Zoned))
}

/// A page of exceptions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exceptions {
    /// Newest first.
    pub exceptions: Vec<Exception>,
    /// Where the next page starts.
    pub next: Option<ExceptionId>,
}

impl Reported for Exceptions {
    fn report(&self) -> Report {
        let headers = ["id", "guild", "user", "not applied", "since (UTC)", "ends", "made by", "how", "why"];
        let mut table = Table::new(headers, "no exceptions: whatever mains decide is applied");
        for one in &self.exceptions {
            table.push([
                one.id.to_string().into(),
                one.guild_id.into(),
                one.user_id.into(),
                one.measure.to_string().into(),
                Text::short(one.since).into(),
                end(one.until).into(),
                one.maker().into(),
                one.origin.word().into(),
                Cell::from(one.reason.as_ref()),
            ]);
        }
        let title = match self.exceptions.len() {
            1 => "1 exception".to_owned(),
            count => format!("{count} exceptions"),
        };
        Report::new(title, Tone::Plain).table(table)
    }

    fn next_cursor(&self) -> Option<String> {
        self.next.map(|id| id.to_string())
    }
}

/// What becomes of what Wayhaven did there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Before {
    /// Nothing of a main's stands there.
    Nothing,
    /// It stays: nobody asked for it to be taken back.
    Stays,
    /// It was to be taken back, and stays for this reason.
    Kept {
        /// Why.
        reason: String,
    },
    /// It is taken back.
    Lifted {
        /// Where its undo stands.
        state: DeliveryState,
        /// Why, where it is not simply sent.
        reason: Option<String>,
    },
}

/// What `sync exception add` and `remove` did, or would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExceptionChanged {
    /// The child.
    pub guild_id: GuildId,
    /// Whom it is about.
    pub user_id: UserId,
    /// What it is about.
    pub measure: Action,
    /// The exception as it is from now on; nothing where there is none any more, or only the plan was asked for.
    pub exception: Option<Exception>,
    /// Whether there is one from now on, or would be.
    pub is_excepted: bool,
    /// The one that was there before.
    pub before: Option<Exception>,
    /// Whether anything is new.
    pub changed: bool,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Deliveries that were still open, and are not sent any more; what is on its way right now is followed to its end.
    pub open: u64,
    /// What becomes of what was done there before; for an exception that ends, nothing.
    pub done: Option<Before>,
    /// Deliveries that apply again, by state, where the exception ends.
    pub again: DeliveryCounts,
    /// Whether the guild protects the user besides, so that nothing of a main's reaches them there anyway.
    #[serde(default)]
    pub protected: bool,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl ExceptionChanged {
    fn title(&self) -> String {
        let measure = self.measure;
        let would = |text: String| if self.dry_run { format!("nothing was changed: {text}") } else { text };
        match (self.changed, self.is_excepted, &self.before) {
            (false, true, _) => "that exception is there already: nothing changed".to_owned(),
            (false, false, _) => format!("there is no exception from a {measure}: nothing changed"),
            (true, true, None) if self.dry_run => {
                would(format!("no main's {measure} would be applied there"))
            }
            (true, true, None) => format!("no main's {measure} is applied there from now on"),
            (true, true, Some(_)) if self.dry_run => {
                would("the exception that is there would be replaced".into())
            }
            (true, true, Some(_)) => "the exception that was there is replaced".to_owned(),
            (true, false, _) if self.dry_run => would("the exception would end".into()),
            (true, false, _) => "the exception has ended".to_owned(),
        }
    }
}

impl Reported for ExceptionChanged {
    fn report(&self) -> Report {
        let mut report = Report::new(self.title(), Tone::Good)
            .field("Guild", self.guild_id)
            .field("User", self.user_id)
            .field("Measure", self.measure.to_string());
        if let Some(before) = self.before.as_ref().filter(|_| self.is_excepted && self.changed) {
            let was = Text::from(format!("{} #{} by ", before.origin.word(), before.id)) + before.maker();
            let was = was + ", ends: " + end(before.until);
            report = report.field("Before", was);
        }
        if !self.is_excepted {
            if self.changed {
                let again = match self.again.total() {
                    0 => "nothing of a main's: nothing to do".to_owned(),
                    _ => self.again.words(),
                };
                report = report.field("Applies again", again);
            }
            return report;
        }
        report = report.field("Ends", end(self.until));
        if self.open > 0 {
            report = report.field("Open deliveries not sent", self.open.to_string());
        }
        match &self.done {
            None | Some(Before::Nothing) => report.field("Done there before", "nothing of a main's"),
            Some(Before::Stays) => report
                .field("Done there before", Cell::toned("it stays", Tone::Warning))
                .hint("--lift, asked for again, takes back what Wayhaven did there"),
            Some(Before::Kept { reason }) => report
                .field(
                    "Done there before",
                    Cell::toned(Text::prose(&format!("it stays: {reason}")), Tone::Warning),
                )
                .hint(format!("the child's own {} takes it back", self.undo())),
            Some(Before::Lifted { state, reason }) => {
                let why = reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
                report.field("Done there before", format!("it is taken back ({state}{why})"))
            }
        }
    }

    fn warnings(&self) -> Vec<String> {
        let warning =
            "the guild protects them: nothing of a main's reaches them there, with or without an exception";
        (self.protected && self.is_excepted).then(|| warning.to_owned()).into_iter().collect()
    }
}

impl ExceptionChanged {
    fn undo(&self) -> &'static str {
        self.measure.undo().map_or("undo", Action::word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed() -> ExceptionChanged {
        ExceptionChanged {
            guild_id: GuildId::new(1).unwrap(),
            user_id: UserId::new(2).unwrap(),
            measure: Action::Ban,
            exception: None,
            is_excepted: true,
            before: None,
            changed: true,
            until: None,
            open: 0,
            done: Some(Before::Stays),
            again: DeliveryCounts::default(),
            protected: false,
            dry_run: false,
        }
    }

    #[test]
    fn what_stays_there_is_said_with_the_way_to_have_it_lifted() {
        let hints = |done| ExceptionChanged { done: Some(done), ..changed() }.report().hints.join(" ");
        assert!(hints(Before::Stays).contains("--lift"));
        assert!(hints(Before::Kept { reason: "x".into() }).contains("unban"));
        assert!(hints(Before::Nothing).is_empty());
    }

    #[test]
    fn a_plan_says_that_nothing_was_changed() {
        for is_excepted in [true, false] {
            let plan = ExceptionChanged { dry_run: true, is_excepted, ..changed() };
            assert!(plan.report().title.starts_with("nothing was changed"), "{plan:?}");
        }
    }
}
