//! `incident open`, `close`, `list`, `show`: from the moment at which somebody says so to the moment at which it is over.

use super::alert::Severity;
use crate::operation::Reported;
use crate::operations::punishment::{Action, DeliveryState};
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{GuildId, IncidentId, PageSize, Timestamp, Untrusted};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Say that something is going on here: what happens is collected until the incident is closed
///
/// Its log channel is told. One is open at a time.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentOpen {
    /// What is going on
    #[arg(value_name = "REASON")]
    pub reason: Untrusted,
    /// Freeze the propagation of this main too
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub freeze: bool,
}

/// Say that it is over, and keep what happened meanwhile
///
/// --resume is confirmed, because it sends everything that was held at once:
/// --confirm="incident close", or a button on Discord.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IncidentClose {
    /// What came of it
    #[arg(value_name = "CONCLUSION")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Untrusted>,
    /// End the freeze of this main too: sends what was held, and is confirmed
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resume: bool,
}

/// Incidents, newest first
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IncidentList {
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
    /// Go on below this incident, as the page before said
    #[arg(long, value_name = "INCIDENT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<IncidentId>,
}

/// One incident with what happened meanwhile
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentShow {
    /// Its number, as "incident list" shows it
    #[arg(value_name = "INCIDENT")]
    pub id: IncidentId,
}

/// An alert that was raised during an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Raised {
    /// Its kind.
    pub kind: String,
    /// The highest urgency.
    pub severity: Severity,
    /// How often, where it was raised first during the incident; otherwise it is counted once.
    pub occurrences: u64,
    /// What happened, as it was raised last.
    pub details: Untrusted,
}

/// How often something was asked for during an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskedFor {
    /// The operation's words.
    pub operation: String,
    /// How often.
    pub requests: u64,
    /// How often it was refused or failed.
    pub refused: u64,
}

/// What happened during an incident, in its guild.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Collected {
    /// Alerts about the guild, the most urgent first.
    pub alerts: Vec<Raised>,
    /// What was decided there: how much of each.
    pub punishments: Vec<(Action, u64)>,
    /// How many people that was about.
    pub people: u64,
    /// How the deliveries of that stand, by state.
    pub deliveries: Vec<(DeliveryState, u64)>,
    /// How many holds it led to.
    pub holds: u64,
    /// What was asked for, the most frequent first, at most 25.
    pub requests: Vec<AskedFor>,
    /// The rows of the audit that it spans, the first and the last.
    pub audit_rows: (u64, u64),
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// The guild.
    pub guild_id: GuildId,
    /// What is, or was, going on.
    pub reason: Untrusted,
    /// Whether propagation was frozen with it.
    pub froze: bool,
    /// Who said so, as the audit names them.
    pub opened_by: Untrusted,
    /// When.
    pub opened_at: Timestamp,
    /// Who said that it is over.
    #[serde(default)]
    pub closed_by: Option<Untrusted>,
    /// When.
    #[serde(default)]
    pub closed_at: Option<Timestamp>,
    /// What came of it.
    #[serde(default)]
    pub conclusion: Option<Untrusted>,
}

impl Incident {
    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    fn state(&self) -> Cell {
        if self.is_open() { Cell::toned("open", Tone::Bad) } else { Cell::toned("closed", Tone::Good) }
    }
}

/// An incident with what happened meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentDetail {
    /// It.
    pub incident: Incident,
    /// What has happened so far, or had when it was closed.
    pub collected: Collected,
}

impl Reported for IncidentDetail {
    fn report(&self) -> Report {
        let (one, all) = (&self.incident, &self.collected);
        let tone = if one.is_open() { Tone::Bad } else { Tone::Plain };
        let mut report = Report::new(format!("incident {}", one.id), tone)
            .field("State", one.state())
            .field("Guild", one.guild_id)
            .field("Reason", Cell::from(&one.reason))
            .field("Opened", Text::from(one.opened_at) + if one.froze { ", and froze" } else { "" })
            .field("By", Text::actor(&one.opened_by));
        if let (Some(at), Some(by)) = (one.closed_at, &one.closed_by) {
            report = report.field("Closed", at).field("By whom", Text::actor(by));
        }
        if let Some(conclusion) = &one.conclusion {
            report = report.field("Conclusion", Cell::from(conclusion));
        }
        let words =
            |counts: Vec<String>| if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
        let decided = all.punishments.iter().map(|(action, count)| format!("{count} {action}")).collect();
        let delivered = all.deliveries.iter().map(|(state, count)| format!("{count} {state}")).collect();
        report = report
            .field("Decided", words(decided))
            .field("People", all.people.to_string())
            .field("Deliveries", words(delivered))
            .field("Holds", all.holds.to_string())
            .field(
                "Audit rows",
                match all.audit_rows {
                    (0, _) => "none yet".to_owned(),
                    (first, last) => format!("{first} to {last}"),
                },
            );
        let mut alerts = Table::new(["severity", "times", "kind", "what"], "none");
        for alert in &all.alerts {
            alerts.push([
                Cell::toned(alert.severity.word(), alert.severity.tone()),
                alert.occurrences.to_string().into(),
                alert.kind.clone().into(),
                Text::Prose(alert.details.clone()).into(),
            ]);
        }
        let mut requests = Table::new(["operation", "requests", "refused"], "nothing");
        for one in &all.requests {
            requests.push([
                one.operation.clone().into(),
                one.requests.to_string().into(),
                one.refused.to_string().into(),
            ]);
        }
        report = report.table(alerts.titled("Alerts")).table(requests.titled("Asked for"));
        if one.is_open() {
            report = report.hint("incident close CONCLUSION ends it and keeps this");
        }
        report
    }
}

/// Incidents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incidents {
    /// Newest first.
    pub incidents: Vec<Incident>,
    /// Where the next page starts.
    #[serde(default)]
    pub next: Option<IncidentId>,
}

impl Reported for Incidents {
    fn report(&self) -> Report {
        let headers = ["incident", "state", "opened (UTC)", "closed (UTC)", "guild", "reason", "conclusion"];
        let mut table = Table::new(headers, "none, and may it stay so");
        for one in &self.incidents {
            table.push([
                one.id.to_string().into(),
                one.state(),
                Text::short(one.opened_at).into(),
                one.closed_at.map_or_else(|| Text::from("—"), Text::short).into(),
                one.guild_id.into(),
                Cell::from(&one.reason),
                Cell::from(one.conclusion.as_ref()),
            ]);
        }
        let title = match self.incidents.len() {
            1 => "1 incident".to_owned(),
            several => format!("{several} incidents"),
        };
        Report::new(title, Tone::Plain).table(table)
    }

    fn next_cursor(&self) -> Option<String> {
        self.next.map(|id| id.to_string())
    }
}

/// Whether an incident was opened or closed, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentChanged {
    /// The incident, as it stands; nothing for a plan to open one.
    #[serde(default)]
    pub detail: Option<IncidentDetail>,
    /// Whether it was closed, and not opened.
    pub closed: bool,
    /// How many deliveries a freeze stopped, or its end let go; nothing where none was asked for.
    #[serde(default)]
    pub deliveries: Option<u64>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for IncidentChanged {
    fn report(&self) -> Report {
        let which =
            self.detail.as_ref().map_or_else(String::new, |detail| format!(" {}", detail.incident.id));
        let (title, tone) = match (self.closed, self.dry_run) {
            (false, false) => (format!("incident{which} is open"), Tone::Bad),
            (true, false) => (format!("incident{which} is closed"), Tone::Good),
            (false, true) => ("nothing was changed: an incident would be opened".to_owned(), Tone::Plain),
            (true, true) => (format!("nothing was changed: incident{which} would be closed"), Tone::Plain),
        };
        let shown = self.detail.as_ref().map(Reported::report).unwrap_or_default();
        let mut report = Report { title: title.into(), tone, ..shown };
        if let Some(count) = self.deliveries {
            let what = if self.closed { "Go on" } else { "Frozen" };
            let deliveries = if count == 1 { "1 delivery".to_owned() } else { format!("{count} deliveries") };
            report = report.field(what, deliveries);
        }
        report
    }
}
