//! `audit stats`: the audit in figures.

use super::log::AuditResult;
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{GuildId, Timestamp, Untrusted, WindowDays};
use clap::Args;
use serde::{Deserialize, Serialize};

/// The audit in figures: what was asked for how often, by whom, and what came of it
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditStats {
    /// How far back, in days (default 7)
    #[arg(long, value_name = "DAYS")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<WindowDays>,
}

/// How one operation was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationCount {
    /// Its words.
    pub operation: String,
    /// How often.
    pub requests: u64,
    /// How often it was refused.
    pub denied: u64,
    /// How often it failed, or was interrupted.
    pub failed: u64,
    /// How long it took in the mean, in microseconds; nothing where that was not measured.
    pub mean_us: Option<u64>,
}

/// How often somebody asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActorCount {
    /// Who, as the audit names them.
    pub actor: Untrusted,
    /// How often.
    pub requests: u64,
    /// How often they were refused.
    pub denied: u64,
}

/// A day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DayCount {
    /// When it begins, in UTC.
    pub day: Timestamp,
    /// How much was asked for.
    pub requests: u64,
    /// How much of it was refused.
    pub denied: u64,
    /// How much of it failed, or was interrupted.
    pub failed: u64,
}

/// The audit in figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditFigures {
    /// The guild that they are about; nothing for all of them.
    #[serde(default)]
    pub guild_id: Option<GuildId>,
    /// How many days.
    pub days: u16,
    /// How often each result came about.
    pub results: Vec<(AuditResult, u64)>,
    /// How often it was asked for on each surface.
    pub surfaces: Vec<(String, u64)>,
    /// Those asked for most, at most ten.
    pub operations: Vec<OperationCount>,
    /// Those who asked most, at most ten.
    pub actors: Vec<ActorCount>,
    /// Each day on which something was asked for, oldest first.
    pub by_day: Vec<DayCount>,
}

impl AuditFigures {
    /// How much was asked for.
    pub fn requests(&self) -> u64 {
        self.results.iter().map(|(_, count)| count).sum()
    }
}

impl Reported for AuditFigures {
    fn report(&self) -> Report {
        let requests = match self.requests() {
            1 => "1 request".to_owned(),
            several => format!("{several} requests"),
        };
        let days = if self.days == 1 { "day".to_owned() } else { format!("{} days", self.days) };
        let mut report = Report::new(format!("{requests} in the last {days}"), Tone::Plain);
        for (result, count) in &self.results {
            let tone = if *count == 0 { Tone::Quiet } else { result.tone() };
            report = report.field(&capital(result.word()), Cell::toned(count.to_string(), tone));
        }
        let surfaces = self.surfaces.iter().map(|(surface, count)| format!("{surface} {count}"));
        let surfaces = surfaces.collect::<Vec<_>>().join(", ");
        report = report.field("On", if surfaces.is_empty() { "—".to_owned() } else { surfaces });

        let mut operations =
            Table::new(["operation", "requests", "denied", "failed", "mean"], "nothing was asked for");
        for one in &self.operations {
            operations.push([
                one.operation.clone().into(),
                one.requests.to_string().into(),
                one.denied.to_string().into(),
                one.failed.to_string().into(),
                one.mean_us.map_or_else(|| "—".to_owned(), milliseconds).into(),
            ]);
        }
        let mut actors = Table::new(["by", "requests", "denied"], "nobody");
        for one in &self.actors {
            actors.push([
                Text::actor(&one.actor).into(),
                one.requests.to_string().into(),
                one.denied.to_string().into(),
            ]);
        }
        let mut by_day = Table::new(["day (UTC)", "requests", "denied", "failed"], "none");
        for one in &self.by_day {
            let day = one.day.short();
            by_day.push([
                day.get(..10).unwrap_or_default().to_owned().into(),
                one.requests.to_string().into(),
                one.denied.to_string().into(),
                one.failed.to_string().into(),
            ]);
        }
        report
            .table(operations.titled("Asked for most"))
            .table(actors.titled("Asked most"))
            .table(by_day.titled("By day"))
    }
}

/// Milliseconds with one digit behind the point: `1.5 ms`.
fn milliseconds(micros: u64) -> String {
    format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
