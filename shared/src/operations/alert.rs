//! `alert list`, `show`, `resolve`: what a person should look at.

use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{AlertId, GuildId, IncidentId, PageSize, Timestamp, Untrusted, UserId};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Security alerts that nobody has resolved, those seen last first
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertList {
    /// Those that were resolved too
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Only those that are at least so urgent
    #[arg(long, value_name = "SEVERITY", value_enum)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Only those of this kind, as in "local_override"
    #[arg(long, value_name = "KIND")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Untrusted>,
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
    /// Go on below this alert, as the page before said
    #[arg(long, value_name = "ALERT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<AlertId>,
}

/// One alert with everything that is known of it
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertShow {
    /// Its number, as "alert list" shows it
    #[arg(value_name = "ALERT")]
    pub id: AlertId,
}

/// Say that an alert was looked at, and what came of it; what comes after that raises it anew
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertResolve {
    /// Its number, as "alert list" shows it
    #[arg(value_name = "ALERT")]
    pub id: AlertId,
    /// What was done about it, or why nothing has to be
    #[arg(value_name = "REASON")]
    pub reason: Untrusted,
}

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To know of.
    Low,
    /// To look at some time.
    Medium,
    /// To look at today.
    High,
    /// To look at now.
    Critical,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.word() == word)
    }

    /// How it stands.
    pub fn tone(self) -> Tone {
        match self {
            Self::Low => Tone::Quiet,
            Self::Medium => Tone::Warning,
            Self::High | Self::Critical => Tone::Bad,
        }
    }
}

/// How an alert was resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// When.
    pub at: Timestamp,
    /// By whom, as the audit names them.
    pub by: Untrusted,
    /// What was done about it.
    pub reason: Untrusted,
}

/// A security alert: one per kind, guild and day, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number.
    pub id: AlertId,
    /// Its kind.
    pub kind: String,
    /// The highest urgency that it was raised with.
    pub severity: Severity,
    /// The guild that it is about; nothing where it is about the daemon.
    #[serde(default)]
    pub guild_id: Option<GuildId>,
    /// Who is behind it, or whom it is about, as it was raised last.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// What happened, as it was raised last.
    pub details: Untrusted,
    /// How often it was raised.
    pub occurrences: u64,
    /// When first.
    pub first_at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
    /// How it was resolved, where it was.
    #[serde(default)]
    pub resolved: Option<Resolution>,
    /// The incident that was open when it was raised last, where one was.
    #[serde(default)]
    pub incident_id: Option<IncidentId>,
}

impl Alert {
    fn place(&self) -> Text {
        self.guild_id.as_ref().into()
    }
}

impl Reported for Alert {
    fn report(&self) -> Report {
        let title = format!("alert {}: {}", self.id, self.kind);
        let tone = if self.resolved.is_some() { Tone::Good } else { self.severity.tone() };
        let mut report = Report::new(title, tone)
            .field("Severity", Cell::toned(self.severity.word(), self.severity.tone()))
            .field("Guild", self.place())
            .field("User", Text::from(self.user_id.as_ref()))
            .field("What", Text::Prose(self.details.clone()))
            .field(
                "Raised",
                if self.occurrences == 1 { "once".to_owned() } else { format!("{} times", self.occurrences) },
            )
            .field("First", self.first_at)
            .field("Last", self.last_at);
        if let Some(incident) = self.incident_id {
            report = report.field("Incident", incident.to_string());
        }
        match &self.resolved {
            Some(resolved) => report
                .field("Resolved", resolved.at)
                .field("By", Text::actor(&resolved.by))
                .field("Reason", Cell::from(&resolved.reason)),
            None => {
                let hint = format!("alert resolve {} REASON takes it off the list", self.id);
                report.hint(hint)
            }
        }
    }
}

/// Alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// Newest first.
    pub alerts: Vec<Alert>,
    /// How many nobody has resolved, of all that the caller may see.
    pub open: u64,
    /// Where the next page starts.
    #[serde(default)]
    pub next: Option<AlertId>,
}

impl Reported for Alerts {
    fn report(&self) -> Report {
        let headers = ["alert", "severity", "last (UTC)", "times", "guild", "kind", "what", "resolved"];
        let mut table = Table::new(headers, "none");
        for alert in &self.alerts {
            table.push([
                alert.id.to_string().into(),
                Cell::toned(alert.severity.word(), alert.severity.tone()),
                Text::short(alert.last_at).into(),
                alert.occurrences.to_string().into(),
                alert.place().into(),
                alert.kind.clone().into(),
                Text::Prose(alert.details.clone()).into(),
                Cell::from(alert.resolved.as_ref().map(|resolved| &resolved.reason)),
            ]);
        }
        let (title, tone) = match self.open {
            0 => ("no open alert".to_owned(), Tone::Good),
            1 => ("1 open alert".to_owned(), Tone::Warning),
            several => (format!("{several} open alerts"), Tone::Warning),
        };
        Report::new(title, tone).table(table)
    }

    fn next_cursor(&self) -> Option<String> {
        self.next.map(|id| id.to_string())
    }
}

/// Whether an alert was resolved, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertResolved {
    /// The alert, as it stands.
    pub alert: Alert,
    /// Whether somebody had resolved it already.
    pub already: bool,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for AlertResolved {
    fn report(&self) -> Report {
        let id = self.alert.id;
        let (title, tone) = match (self.already, self.dry_run) {
            (true, _) => (format!("alert {id} is resolved already: nothing changed"), Tone::Warning),
            (_, true) => (format!("nothing was changed: alert {id} would be resolved"), Tone::Plain),
            (_, false) => (format!("alert {id} is resolved"), Tone::Good),
        };
        let Report { fields, .. } = self.alert.report();
        let mut report = Report::new(title, tone).field("Kind", self.alert.kind.clone());
        report.fields.extend(fields);
        report
    }
}
