//! `punishment list` and `punishment show`, and the shape that a punishment has everywhere.

pub use super::action::Action;
pub use super::delivery::{Delivery, DeliveryCounts, DeliveryState, OriginOutcome, PlannedDelivery};

use super::reversal::{punishments, times};
use super::told::Told;
use crate::operation::Reported;
use crate::report::{Cell, Progress, Report, Table, Text, Tone};
use crate::value::{Evidence, GuildId, PageSize, PunishmentId, Timestamp, Untrusted, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// The latest punishments, newest first
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PunishmentList {
    /// Only those of this user
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
    /// Go on below this punishment, as the page before said
    #[arg(long, value_name = "PUNISHMENT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<PunishmentId>,
}

/// One punishment with every delivery of it
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PunishmentShow {
    /// Which, by its number
    #[arg(value_name = "PUNISHMENT")]
    pub id: PunishmentId,
}

/// Where a punishment came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A slash command.
    Command,
    /// Made by hand in the guild's own UI, and picked up from there.
    Guild,
    /// An operator, by console or command line.
    Operator,
    /// The daemon itself.
    System,
    /// A list that somebody imported.
    Import,
}

impl Origin {
    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Guild => "guild",
            Self::Operator => "operator",
            Self::System => "system",
            Self::Import => "import",
        }
    }

    /// The origin with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Command, Self::Guild, Self::Operator, Self::System, Self::Import]
            .into_iter()
            .find(|origin| origin.word() == word)
    }
}

/// One moderation decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Punishment {
    /// Its number.
    pub id: PunishmentId,
    /// What it does.
    pub action: Action,
    /// Where it was decided.
    pub guild_id: GuildId,
    /// Whom it is for.
    pub user_id: UserId,
    /// Who decided; nothing for an operator, the daemon, and where Discord does not say.
    pub moderator_id: Option<UserId>,
    /// Where it came from.
    pub origin: Origin,
    /// Why, in the moderator's words.
    pub reason: Option<Untrusted>,
    /// `active`, `expired`, `reversed`, `superseded` (a later one has taken its place), or `failed` (Discord knows no such
    /// user).
    pub status: String,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it ends by itself; nothing for one that does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Where what led to it can be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The punishment that led to this one: what it takes back, what has expired, the warning that was one too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<PunishmentId>,
    /// The account of the operator who issued it, as the audit names it. Shown on the socket only, never in a guild.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Untrusted>,
}

impl Punishment {
    /// Who decided, for people.
    pub fn by(&self) -> Text {
        match (self.moderator_id, self.origin) {
            (Some(user), _) => user.into(),
            (None, Origin::Operator) => {
                self.operator.as_ref().map_or_else(|| "operator".into(), |name| name.line().into())
            }
            (None, Origin::Import) => {
                self.operator.as_ref().map_or_else(|| "unknown".into(), |name| name.line().into())
            }
            (None, Origin::System) => "wayhaven".into(),
            (None, _) => "unknown".into(),
        }
    }
}

/// A reason that was corrected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Amendment {
    /// When.
    pub at: Timestamp,
    /// By whom; nothing for an operator.
    pub by: Option<UserId>,
    /// The reason before.
    pub before: Option<Untrusted>,
    /// The reason since then.
    pub after: Untrusted,
}

/// A page of punishments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Punishments {
    /// Newest first.
    pub punishments: Vec<Punishment>,
    /// Where the next page starts.
    pub next: Option<PunishmentId>,
}

impl Reported for Punishments {
    fn report(&self) -> Report {
        let mut table =
            Table::new(["id", "when (UTC)", "action", "status", "user", "by", "reason"], "no punishments");
        for one in &self.punishments {
            table.push([
                one.id.to_string().into(),
                Text::short(one.created_at).into(),
                one.action.word().into(),
                one.status.clone().into(),
                one.user_id.into(),
                one.by().into(),
                Cell::from(one.reason.as_ref()),
            ]);
        }
        Report::new(punishments(self.punishments.len() as u64), Tone::Plain).table(table)
    }

    fn next_cursor(&self) -> Option<String> {
        self.next.map(|id| id.to_string())
    }
}

/// One punishment with its deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PunishmentDetail {
    /// The decision.
    pub punishment: Punishment,
    /// How it went where it was decided.
    pub origin: OriginOutcome,
    /// Whether the user was told by direct message; nothing for one made by hand, and where nobody is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// One per child, those that need a person first.
    pub deliveries: Vec<Delivery>,
    /// How its reason was corrected, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amendments: Vec<Amendment>,
    /// Of a warning: what became of the step that it reached. Nothing of an older daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalated>,
}

/// What became of the step that a warning reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalated {
    /// Whether the step is still to be carried out.
    pub due: bool,
    /// The punishment that the step issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub punishment: Option<PunishmentId>,
}

impl PunishmentDetail {
    /// The deliveries counted by state. What takes one back in a child that has left is none of them.
    pub fn counts(&self) -> DeliveryCounts {
        let own = |delivery: &&Delivery| delivery.action == self.punishment.action;
        self.deliveries.iter().filter(own).map(|delivery| delivery.state).collect()
    }

    /// The reasons it had, oldest first.
    fn versions(&self) -> Table {
        let mut table = Table::new(["corrected (UTC)", "by", "before"], "never corrected");
        for one in &self.amendments {
            table.push([
                Text::short(one.at).into(),
                one.by.map_or_else(|| Text::from("operator"), Text::from).into(),
                Cell::from(one.before.as_ref()),
            ]);
        }
        table
    }

    /// Whether something still moves, here or in a child, or on its way to the user.
    pub fn is_moving(&self) -> bool {
        self.origin.state.is_moving()
            || self.deliveries.iter().any(|delivery| delivery.state.is_moving())
            || self.told.as_ref().is_some_and(Told::is_waiting)
            || self.awaits_step()
    }

    /// Whether the step that a warning reached is still to be carried out.
    pub fn awaits_step(&self) -> bool {
        self.escalation.is_some_and(|step| step.due)
    }
}

impl Reported for PunishmentDetail {
    fn report(&self) -> Report {
        let one = &self.punishment;
        let counts = self.counts();
        let mut table =
            Table::new(["state", "guild", "tries", "why"], "delivered nowhere: no child is linked");
        for delivery in &self.deliveries {
            let taken_back =
                (delivery.action != one.action).then(|| format!("{}, with the link", delivery.action));
            let why: Vec<String> = taken_back.into_iter().chain(delivery.reason.clone()).collect();
            table.push([
                delivery.state_cell(),
                Text::guild(delivery.guild_id, delivery.guild_name.as_ref()).into(),
                delivery.attempts.to_string().into(),
                if why.is_empty() { "—".into() } else { Text::prose(&why.join(": ")).into() },
            ]);
        }
        let title = Text::from(format!("{} {} {}", one.action, one.id, one.status));
        let (title, tone) = match self.origin.not_done(one, self.told.as_ref()) {
            Some(not_done) => (title + ": " + Text::prose(&not_done), Tone::Bad),
            None => (title, Tone::Plain),
        };
        let mut report = Report::new(title, tone)
            .field("User", one.user_id)
            .field("By", one.by())
            .field("Reason", Cell::from(one.reason.as_ref()))
            .field("When", one.created_at);
        if let Some(until) = one.expires_at {
            report = report.field("Until", until);
        }
        if let Some(evidence) = &one.evidence {
            report = report.field("Evidence", evidence.to_string());
        }
        if let Some(because) = one.because {
            report = report.field("Because of", format!("punishment {because}"));
        }
        match self.escalation {
            Some(Escalated { punishment: Some(id), .. }) => {
                report = report.field("Led to", format!("punishment {id}"));
            }
            Some(Escalated { due: true, .. }) => report = report.field("Led to", "its step is due"),
            _ => {}
        }
        report =
            report.field("Here", Cell::toned(Text::prose(&self.origin.words()), self.origin.state.tone()));
        if let Some(told) = &self.told {
            report = report.field("Told", told.cell());
        }
        report = report.field("Children", counts.words()).table(table);
        if !self.amendments.is_empty() {
            report = report.field("Corrected", times(self.amendments.len() as u64)).table(self.versions());
        }
        report.progress = (counts.total() > 0)
            .then(|| Progress { done: counts.total() - counts.open(), total: counts.total() });
        report
    }
}
