//! What every moderation operation answers.

use super::Reply;
use super::punishment::{
    Action, DeliveryCounts, DeliveryState, OriginOutcome, PlannedDelivery, Punishment, PunishmentDetail,
};
use super::told::{Told, ToldState};
use crate::operation::Reported;
use crate::report::{Cell, Progress, Report, Table, Text, Tone};
use crate::value::{HoldId, PunishmentId, Timestamp, WarningStep};
use serde::{Deserialize, Serialize};

/// What is said of a guild that is no main.
const HERE_ONLY: &str = "not a main guild: it acts here only";

/// What a moderation operation decided, and how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Punished {
    /// What was stored; nothing after a dry run.
    pub punishment: Option<Punishment>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// Whether the guild is a main; otherwise it acts there only.
    pub network: bool,
    /// How it went in the guild where it was decided.
    pub origin: OriginOutcome,
    /// The deliveries to children, counted by state.
    pub deliveries: DeliveryCounts,
    /// Whether the user is told by direct message; nothing for an action of which nobody is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// When it would end by itself; filled by a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What it replaces: punishments of the same guild, user and measure that lasted longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Replaced>,
    /// When the timeout that Discord shows in this guild would have ended, where this one ends it
    /// early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuts_short: Option<Timestamp>,
    /// What waits for somebody's approval, where something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
    /// What was planned; nothing where something was stored, which says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// What would be delivered where; filled by a dry run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<PlannedDelivery>,
    /// Of a warning: how many there are, and what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<WarningCount>,
    /// Of a warning that was waited for: how the step that it reached was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<StepTaken>,
}

/// How the step that a warning reached was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTaken {
    /// The punishment that it issued.
    pub punishment: PunishmentId,
    /// What that does.
    pub action: Action,
    /// How it went in the guild of the warning.
    pub origin: OriginOutcome,
    /// Its deliveries to children, counted by state.
    pub deliveries: DeliveryCounts,
}

impl From<&PunishmentDetail> for StepTaken {
    fn from(detail: &PunishmentDetail) -> Self {
        Self {
            punishment: detail.punishment.id,
            action: detail.punishment.action,
            origin: detail.origin.clone(),
            deliveries: detail.counts(),
        }
    }
}

impl StepTaken {
    /// For people: `#13 (ban): here applied; children 3 applied`.
    fn cell(&self) -> Cell {
        let here = self.origin.words();
        let words = format!(
            "#{} ({}): here {here}; children {}",
            self.punishment,
            self.action,
            self.deliveries.words()
        );
        let tone = match self.deliveries.attention() {
            0 => self.origin.state.tone(),
            _ => Tone::Warning,
        };
        Cell::toned(Text::prose(&words), tone)
    }
}

/// A punishment that a shorter one replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Which.
    pub id: PunishmentId,
    /// What it did.
    pub action: Action,
    /// When it would have ended; nothing for one without an end.
    pub expires_at: Option<Timestamp>,
}

impl From<&Punishment> for Replaced {
    fn from(one: &Punishment) -> Self {
        Self { id: one.id, action: one.action, expires_at: one.expires_at }
    }
}

impl Replaced {
    /// For people: `#12 (ban without end)`.
    fn words(&self) -> String {
        match self.expires_at {
            None => format!("#{} ({} without end)", self.id, self.action),
            Some(until) => format!("#{} ({} until {until})", self.id, self.action),
        }
    }
}

/// How many warnings somebody has in a guild whose warnings escalate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarningCount {
    /// How many, with this one.
    pub warnings: u64,
    /// The step that is reached, or the next one.
    pub step: Option<WarningStep>,
}

impl WarningCount {
    /// The step that is reached, where one is.
    pub fn reached(self) -> Option<WarningStep> {
        self.step.filter(|step| u64::from(step.warnings()) == self.warnings)
    }

    /// For people: `3 of 3: timed out for 1h`, `2 of 3`.
    fn words(self) -> String {
        match (self.reached(), self.step) {
            (Some(step), _) => format!("{} of {}: {}", self.warnings, step.warnings(), step.words()),
            (None, Some(step)) => format!("{} of {}", self.warnings, step.warnings()),
            (None, None) => self.warnings.to_string(),
        }
    }
}

/// The replies that are a [`Punished`], whichever action was asked for.
macro_rules! punished {
    ($reply:expr) => {
        match $reply {
            Reply::Ban(punished)
            | Reply::Unban(punished)
            | Reply::Kick(punished)
            | Reply::Mute(punished)
            | Reply::Unmute(punished)
            | Reply::Timeout(punished)
            | Reply::Untimeout(punished)
            | Reply::Warn(punished) => Some(punished),
            _ => None,
        }
    };
}

impl Reply {
    /// What a moderation operation answered; nothing for another one.
    pub fn punished(&self) -> Option<&Punished> {
        punished!(self)
    }

    /// The same, to be brought up to date as its deliveries go on.
    pub fn punished_mut(&mut self) -> Option<&mut Punished> {
        punished!(self)
    }
}

impl Reported for Punished {
    fn report(&self) -> Report {
        let Some(punishment) = &self.punishment else { return self.preview() };
        let counts = &self.deliveries;
        let verb = punishment.action.past();
        let tone = match (counts.attention() > 0, counts.open() > 0 || !self.origin.state.is_final()) {
            (true, _) => Tone::Warning,
            (false, true) => Tone::Waiting,
            (false, false) => Tone::Good,
        };
        let nowhere =
            tone == Tone::Good && self.origin.state != DeliveryState::Applied && counts.applied == 0;
        let refused = matches!(self.origin.state, DeliveryState::Blocked | DeliveryState::Failed);
        let not_done = self.origin.not_done(punishment, self.told.as_ref());
        let (title, tone) = match (not_done, nowhere) {
            (Some(not_done), _) => (Text::prose(&not_done), Tone::Bad),
            (None, true) => {
                let what = Text::from(format!("the {} of ", punishment.action));
                (what + punishment.user_id + " was done nowhere", Tone::Plain)
            }
            (None, false) => (Text::from(format!("{verb} ")) + punishment.user_id, tone),
        };
        let mut report = Report::new(title, tone)
            .field("Punishment", punishment.id.to_string())
            .field("Reason", Cell::from(punishment.reason.as_ref()));
        if let Some(until) = punishment.expires_at {
            report = report.field("Until", until);
        }
        if let Some(words) = self.replaces_words(punishment.action, punishment.expires_at) {
            report = report.field("Replaces", Cell::toned(words, Tone::Warning));
        }
        report = self.with_cut_short(report);
        if let Some(count) = self.warnings {
            report = report.field("Warnings", count.words());
        }
        if let Some(step) = &self.escalation {
            report = report.field("Led to", step.cell());
        }
        report =
            report.field("Here", Cell::toned(Text::prose(&self.origin.words()), self.origin.state.tone()));
        if let Some(told) = &self.told {
            report = report.field("Told", told.cell());
        }
        report = match (self.network, counts.total()) {
            (false, _) => report.field("Network", HERE_ONLY),
            (true, 0) => report.field("Children", "no child is linked"),
            (true, _) => report.field("Children", Cell::toned(counts.words(), tone)),
        };
        if counts.total() > 0 {
            report.progress = Some(Progress { done: counts.total() - counts.open(), total: counts.total() });
        }
        if counts.held > 0 && refused && !punishment.action.is_undo() {
            let guild = punishment.guild_id;
            report = report.hint(format!(
                "the main could not do it itself, so the children wait: wayhaven sync holds --guild {guild} shows the \
                 hold, wayhaven sync approve HOLD --guild {guild} sends it"
            ));
        } else if let Some(hold) = self.hold.filter(|_| counts.held > 0) {
            report = report.hint(format!(
                "it waits for approval: sync approve {hold} sends it, sync discard {hold} never does"
            ));
        } else if counts.held > 0 {
            report = report.hint("the main is frozen: sync resume sends what is held");
        }
        if counts.attention() > counts.held {
            report = report.hint(format!("punishment show {} tells which guilds and why", punishment.id));
        }
        report
    }

    fn pending(&self) -> Option<PunishmentId> {
        self.punishment.as_ref().map(|punishment| punishment.id)
    }
}

impl Punished {
    /// For people: `#12 (ban without end): the ban now ends at 2026-…`.
    fn replaces_words(&self, action: Action, until: Option<Timestamp>) -> Option<String> {
        if self.replaces.is_empty() {
            return None;
        }
        let replaced: Vec<String> = self.replaces.iter().map(Replaced::words).collect();
        let verb = if self.dry_run { "would end" } else { "now ends" };
        Some(format!("{}: the {action} {verb} at {}", replaced.join(", "), until?))
    }

    /// Says which timeout ends earlier than it would have without this one.
    fn with_cut_short(&self, report: Report) -> Report {
        let Some(until) = self.cuts_short else { return report };
        let verb = if self.dry_run { "would end" } else { "ends" };
        let words = format!("the present timeout {verb} early: it was to last until {until}");
        report.field("Cuts short", Cell::toned(words, Tone::Warning))
    }

    fn preview(&self) -> Report {
        let mut table = Table::new(["guild", "would be", "why"], "no child is linked");
        for planned in &self.plan {
            table.push([
                Text::guild(planned.guild_id, planned.guild_name.as_ref()).into(),
                Cell::toned(planned.state.word(), planned.state.tone()),
                Text::prose(planned.reason.as_deref().unwrap_or("—")).into(),
            ]);
        }
        let mut report = Report::new("nothing was changed: this is what would happen", Tone::Plain)
            .field("Here", Cell::toned(Text::prose(&self.origin.words()), self.origin.state.tone()));
        if let Some(until) = self.expires_at {
            report = report.field("Until", until);
        }
        if let Some(words) = self.action.and_then(|action| self.replaces_words(action, self.expires_at)) {
            report = report.field("Replaces", Cell::toned(words, Tone::Warning));
        }
        report = self.with_cut_short(report);
        if let Some(told) = &self.told {
            report = report.field("Told", would_be(told));
        }
        if let Some(count) = self.warnings {
            report = report.field("Warnings", count.words());
        }
        if !self.network {
            return report.field("Network", HERE_ONLY);
        }
        report = report.field("Children", self.deliveries.words());
        if let Some(absent) = self.action.and_then(where_absent).filter(|_| self.deliveries.pending > 0) {
            report = report.field("Absent", absent);
        }
        report.table(table)
    }
}

/// What a plan cannot know without asking every child: what becomes of it where the user is no member.
fn where_absent(action: Action) -> Option<&'static str> {
    match action {
        Action::Kick | Action::Unmute | Action::Untimeout => Some("where they are no member it is skipped"),
        Action::Mute | Action::Timeout => Some("where they are no member it is done when they join"),
        Action::Ban | Action::Unban | Action::Warn => None,
    }
}

/// Whether the user would be told.
fn would_be(told: &Told) -> String {
    match (told.state, &told.reason) {
        (ToldState::Waiting | ToldState::Told, _) => "would be told by direct message".to_owned(),
        (ToldState::Failed | ToldState::NotTold, Some(reason)) => format!("would not be told: {reason}"),
        (ToldState::Failed | ToldState::NotTold, None) => "would not be told".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn said(of: &Value) -> String {
        let punished: Punished = serde_json::from_value(of.clone()).unwrap();
        let report = punished.report();
        let fields = report.fields.iter().map(|(name, cell)| format!("{name}: {}", cell.text.line()));
        std::iter::once(report.title.line()).chain(fields).collect::<Vec<_>>().join("\n")
    }

    fn kick(network: bool, here: &str, applied: u64, skipped: u64) -> Value {
        json!({"punishment": {"id": "4", "action": "kick", "guild_id": "1000", "user_id": "7", "moderator_id": null,
                   "origin": "operator", "reason": null, "status": "active", "created_at": "2026-01-02T10:30:00Z"},
               "dry_run": false, "network": network, "plan": [],
               "origin": {"guild_id": "1000", "state": here, "reason": null},
               "deliveries": {"pending": 0, "held": 0, "sending": 0, "blocked": 0, "unknown": 0, "applied": applied,
                              "skipped": skipped, "failed": 0, "superseded": 0}})
    }

    #[test]
    fn the_headline_says_what_was_not_done_here_and_who_was_notified_of_it_all_the_same() {
        let with = |state: &str, told: Option<&str>| {
            let mut reply = kick(true, state, 0, 0);
            reply["origin"]["reason"] = json!("403 no");
            if let Some(told) = told {
                reply["told"] = json!({ "state": told });
            }
            said(&reply).lines().next().unwrap().to_owned()
        };
        let notified = "7 was notified by direct message, but was not kicked: 403 no";
        for state in ["blocked", "failed"] {
            assert_eq!(with(state, None), "7 was not kicked in this guild: 403 no");
            assert_eq!(with(state, Some("not_told")), "7 was not kicked in this guild: 403 no");
            assert_eq!(with(state, Some("told")), notified);
        }
        assert_eq!(with("skipped", Some("told")), notified);
        assert_eq!(with("applied", Some("told")), "kicked 7");
        let mut undo = kick(true, "blocked", 0, 0);
        undo["punishment"]["action"] = json!("untimeout");
        assert!(said(&undo).starts_with("the untimeout of 7 failed in this guild: "), "{}", said(&undo));
    }

    #[test]
    fn what_was_done_nowhere_is_not_told_as_done() {
        assert!(said(&kick(true, "skipped", 0, 3)).starts_with("the kick of 7 was done nowhere\n"));
        assert!(said(&kick(true, "skipped", 1, 2)).starts_with("kicked 7\n"));
        assert!(said(&kick(true, "applied", 0, 3)).starts_with("kicked 7\n"));
        assert!(said(&kick(true, "pending", 0, 3)).starts_with("kicked 7\n"), "it is on its way");
    }

    #[test]
    fn what_the_main_could_not_do_is_not_told_as_done() {
        let mut asked = kick(true, "blocked", 0, 0);
        asked["origin"]["reason"] = json!("403 the user ranks above the bot");
        asked["deliveries"]["held"] = json!(3);
        let refused = "7 was not kicked in this guild: 403 the user ranks above the bot\n";
        assert!(said(&asked).starts_with(refused), "{}", said(&asked));
        let punished: Punished = serde_json::from_value(asked.clone()).unwrap();
        let hints = punished.report().hints;
        assert!(hints.iter().any(|hint| hint.contains("wayhaven sync holds --guild 1000")), "{hints:?}");
        asked["deliveries"]["applied"] = json!(1);
        assert!(said(&asked).starts_with(refused), "the main is what was asked for");
    }

    #[test]
    fn what_is_replaced_is_said_with_the_new_end() {
        let mut asked = kick(true, "applied", 0, 0);
        asked["punishment"]["action"] = json!("ban");
        asked["punishment"]["expires_at"] = json!("2026-01-03T10:30:00Z");
        asked["replaces"] = json!([{"id": "12", "action": "ban", "expires_at": null}]);
        let words = said(&asked);
        assert!(words.contains("Replaces: #12 (ban without end): the ban now ends at 2026-01-03"), "{words}");
    }

    #[test]
    fn that_it_acts_there_only_is_said_before_and_after() {
        let mut asked = kick(false, "pending", 0, 0);
        assert!(said(&asked).contains("Network: not a main guild: it acts here only"));
        (asked["punishment"], asked["dry_run"]) = (Value::Null, json!(true));
        let plan = said(&asked);
        assert!(plan.contains("Network: not a main guild: it acts here only"), "{plan}");
        asked["network"] = json!(true);
        assert!(said(&asked).contains("Children: none"));
    }
}
