//! What notices say. A line about a delivery names the child it is told in and the main, and no other guild.

use crate::discord::embed::lines::{Line, messages as in_messages};
use crate::invocation::concealed;
use crate::store::Place;
use serde_json::Value;
use wayhaven_shared::operations::alert::{Alert, Severity};
use wayhaven_shared::operations::audit::{AuditEntry, AuditResult};
use wayhaven_shared::operations::job::JobState;
use wayhaven_shared::operations::punishment::{Delivery, DeliveryCounts, Punishment};
use wayhaven_shared::operations::sync::{Fate, Imported};
use wayhaven_shared::report::{Text, Tone};
use wayhaven_shared::value::Untrusted;

/// The lines as messages for a place.
pub(super) fn messages(place: Place, lines: &[Line]) -> Vec<Value> {
    match place {
        Place::Log => in_messages("Security alerts", Tone::Warning, lines),
        Place::Punishments => in_messages("Punishments", Tone::Plain, lines),
        Place::Audit => in_messages("Audit", Tone::Quiet, lines),
    }
}

/// What reached a child.
pub(super) fn delivered(delivery: &Delivery, punishment: &Punishment, main: Option<&Untrusted>) -> Line {
    let what = Text::from(format!("{} of ", delivery.action)) + delivery.user_id;
    let mut pieces: Vec<Text> = vec![what + format!(": {}", delivery.state)];
    if let Some(why) = &delivery.reason {
        pieces.extend(["—".into(), Text::Theirs(Untrusted::clipped(why))]);
    }
    pieces.push("· decided in".into());
    pieces.push(Text::guild(punishment.guild_id, main));
    pieces.extend(reason(punishment));
    Line { tone: delivery.state.tone(), pieces }
}

/// How a punishment went, for the guild where it was decided.
pub(super) fn decided(punishment: &Punishment, counts: DeliveryCounts, origin: Option<&Delivery>) -> Line {
    let what = Text::from(format!("{} of ", punishment.action)) + punishment.user_id;
    let mut pieces: Vec<Text> = vec![what + " · by " + punishment.by()];
    let mut tone = Tone::Good;
    if let Some(here) = origin.filter(|here| here.state.tone() != Tone::Good) {
        tone = here.state.tone();
        pieces.push(format!("· here {}", here.state).into());
        if let Some(why) = &here.reason {
            pieces.extend(["—".into(), Text::Theirs(Untrusted::clipped(why))]);
        }
    }
    let total = counts.total();
    if total > 0 {
        let others = DeliveryCounts { applied: 0, ..counts };
        let rest = if others.total() > 0 { format!(" ({})", others.words()) } else { String::new() };
        pieces.push(format!("· {} of {total} children{rest}", counts.applied).into());
        if counts.attention() > 0 {
            tone = Tone::Bad;
        } else if counts.open() > 0 && tone == Tone::Good {
            tone = Tone::Waiting;
        }
    }
    pieces.extend(reason(punishment));
    Line { tone, pieces }
}

/// An import that is over, for its main.
pub(super) fn imported(imported: &Imported, state: JobState) -> Line {
    let file: Text = Text::Theirs(imported.file.clone());
    let mut pieces = vec!["import of".into(), file];
    if state != JobState::Done {
        pieces.push(format!("· {}", state.word()).into());
    }
    pieces.push(format!("· {} new", imported.count(Fate::New)).into());
    if imported.adopted > 0 {
        pieces.push(format!("({} of them banned here before)", imported.adopted).into());
    }
    for rows in imported.rows.iter().filter(|rows| rows.fate != Fate::New && rows.count > 0) {
        pieces.push(format!("· {} {}", rows.count, rows.fate.words()).into());
    }
    match imported.hold {
        Some(hold) if imported.waits => {
            pieces.push(format!("· for the children it waits in hold {hold}").into());
        }
        Some(_) => pieces.push("· on its way to the children".into()),
        None => {}
    }
    Line { tone: state.tone(), pieces }
}

/// An import of its main, for a child.
pub(super) fn import_comes(imported: &Imported, new: u64, main: Option<&Untrusted>) -> Line {
    let bans = if new == 1 { "1 ban".to_owned() } else { format!("{new} bans") };
    let how = if imported.waits { "wait for approval there" } else { "are on their way" };
    let mut pieces: Vec<Text> = vec![format!("import of {bans}, which {how} · decided in").into()];
    pieces.push(Text::guild(imported.main_guild_id, main));
    Line { tone: Tone::Waiting, pieces }
}

fn reason(punishment: &Punishment) -> Vec<Text> {
    punishment.reason.as_ref().map(|reason| vec!["· reason:".into(), reason.into()]).unwrap_or_default()
}

/// An alert.
pub(super) fn alert(kind: &str, severity: Option<Severity>, details: &Untrusted, count: u64) -> Line {
    let urgency = severity.map_or_else(String::new, |severity| format!("{} · ", severity.word()));
    let mut pieces: Vec<Text> = vec![format!("{urgency}{kind}:").into(), Text::Prose(details.clone())];
    if count > 1 {
        pieces.push(format!("({count} times today)").into());
    }
    Line { tone: severity.map_or(Tone::Warning, Severity::tone), pieces }
}

/// An alert that somebody has taken off the list.
pub(super) fn resolved(alert: &Alert) -> Line {
    let mut pieces: Vec<Text> = vec![format!("resolved: {} · by", alert.kind).into()];
    if let Some(resolution) = &alert.resolved {
        pieces.extend([Text::actor(&concealed(&resolution.by)), "·".into(), (&resolution.reason).into()]);
    }
    Line { tone: Tone::Good, pieces }
}

/// A row of the audit. The account of an operator on the machine is nobody's business in a guild.
pub(super) fn audit(entry: &AuditEntry) -> Line {
    let tone = match entry.result {
        AuditResult::Success => Tone::Good,
        AuditResult::Denied => Tone::Warning,
        AuditResult::Error | AuditResult::Interrupted => Tone::Bad,
    };
    let by = match (entry.surface.as_str(), &entry.actor) {
        ("cli" | "console", _) => "an operator".into(),
        (_, Some(actor)) => Text::actor(actor),
        (_, None) => "unknown".into(),
    };
    let mut pieces: Vec<Text> = vec![Text::short(entry.at), entry.title().into()];
    pieces.extend(entry.target.map(|user| Text::from("of ") + user));
    pieces.push(format!("· {} · by", entry.result.word()).into());
    pieces.push(by);
    Line { tone, pieces }
}

/// What did not fit.
pub(super) fn beyond(count: usize, place: Place) -> Line {
    let shows = match place {
        Place::Log => "the console shows them",
        Place::Punishments => "punishment list shows what was decided",
        Place::Audit => "audit log shows them",
    };
    Line { tone: Tone::Plain, pieces: vec![format!("… and {count} more: {shows}").into()] }
}
