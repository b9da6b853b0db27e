//! Screen 3: punishments, newest first; of each the exceptions, then its successes folded into one row.

use super::Canvas;
use crate::render::layout::{Ink, Line, span};
use crate::tui::list::{Row, RowId};
use crate::tui::model::{Group, Model};
use shared::operations::punishment::{Delivery, DeliveryCounts, DeliveryState, Punishment};
use shared::report::{Cell, Progress, Text, Tone};
use shared::value::{PunishmentId, Untrusted};
use shared::{Names, Report};
use std::collections::HashMap;
use wayhaven_shared as shared;

/// The columns that a delivery's state takes, with what is left of it.
const STATE: usize = 16;

/// The columns that a punishment's action and number take, with the gap behind them: up to `untimeout 99999`.
const TITLE: std::ops::RangeInclusive<usize> = 9..=16;

/// The gap behind them.
const GAP: usize = 1;

/// What a punishment is called in its row.
fn title(number: PunishmentId, group: &Group) -> String {
    let sample = group.deliveries.values().next().or(group.origin.as_ref());
    let action = group.punishment.as_ref().map(|one| one.action).or(sample.map(|one| one.action));
    format!("{} {number}", action.map_or("?", |action| action.word()))
}

/// The rows, as folded.
pub(crate) fn rows(model: &Model, folds: &HashMap<RowId, bool>, canvas: Canvas) -> Vec<Row> {
    let left = canvas.width.saturating_sub(STATE);
    let room = |some: &[&Delivery]| canvas.reason_room(left, some.iter().map(|one| name(one)));
    let mut rows = Vec::new();
    let titles = model.groups.iter().map(|(number, group)| title(*number, group).len()).max();
    let column = (titles.unwrap_or_default() + GAP).clamp(*TITLE.start(), *TITLE.end());
    for (&number, group) in model.groups.iter().rev() {
        let id = RowId::Punishment(number);
        let open = folds.get(&id).copied().unwrap_or_else(|| group.is_lively());
        rows.push(Row { id, depth: 0, line: heading(number, group, open, column, canvas, &model.names) });
        if !open {
            continue;
        }
        if let Some(origin) = group.origin.as_ref().filter(|origin| origin.state != DeliveryState::Applied) {
            let mut line = delivery(origin, room(&[origin]), canvas);
            line.push(span(" (here)", Ink::Label));
            rows.push(Row { id: RowId::Origin(number), depth: 1, line });
        }
        let mut exceptions: Vec<&Delivery> =
            group.deliveries.values().filter(|delivery| delivery.state != DeliveryState::Applied).collect();
        exceptions.sort_by_key(|delivery| (urgency(delivery.state), delivery.id));
        let why = room(&exceptions);
        rows.extend(exceptions.into_iter().map(|one| Row {
            id: RowId::Delivery(number, one.id),
            depth: 1,
            line: delivery(one, why, canvas),
        }));
        rows.extend(successes(number, group, folds, canvas));
    }
    rows
}

fn urgency(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Failed | DeliveryState::Blocked => 0,
        DeliveryState::Held => 1,
        DeliveryState::Unknown => 2,
        DeliveryState::Sending | DeliveryState::Pending => 3,
        DeliveryState::Skipped | DeliveryState::Superseded | DeliveryState::Applied => 4,
    }
}

/// The worst that is known of a punishment: green only where everything is done.
fn tone(counts: &DeliveryCounts) -> Tone {
    match (counts.blocked + counts.failed, counts.held, counts.open()) {
        (0, 0, 0) => Tone::Good,
        (0, 0, _) => Tone::Waiting,
        (0, _, _) => Tone::Warning,
        _ => Tone::Bad,
    }
}

fn heading(
    number: PunishmentId,
    group: &Group,
    open: bool,
    column: usize,
    canvas: Canvas,
    names: &Names,
) -> Line {
    let signs = canvas.signs;
    let counts = group.counts();
    let progress = Progress { done: counts.total() - counts.open(), total: counts.total() };
    let sample = group.deliveries.values().next().or(group.origin.as_ref());
    let known = group.punishment.as_ref();
    let user = known.map(|one| one.user_id).or(sample.map(|one| one.user_id));
    let tone = tone(&counts);
    let mut line = vec![
        span(canvas.fold(open), Ink::Title(Tone::Plain)),
        span(signs.fit(&title(number, group), column), Ink::Title(Tone::Plain)),
    ];
    if counts.total() > 0 {
        let done = format!("{}/{}", progress.done, progress.total);
        line.push(span(signs.fit(&done, 8), Ink::Toned(tone)));
        if canvas.width >= 60 {
            line.push(span(signs.bar(progress, canvas.width / 10), Ink::Toned(tone)));
            line.push(span("  ", Ink::Label));
        }
    } else {
        line.push(span(signs.fit("here", 8), Ink::Label));
    }
    let user = user.map_or_else(|| "?".into(), |user| signs.text(&names.user(user)));
    line.push(span(user, Ink::Toned(Tone::Plain)));
    if let Some(over) = known.filter(|one| one.status != "active") {
        line.push(span(format!("  {}", over.status), Ink::Label));
    }
    if let Some(one) = known.filter(|_| canvas.width >= 60) {
        line.push(span(format!("  by {}", signs.text(&moderator(one, names))), Ink::Label));
    }
    if let Some(reason) = known.and_then(|one| one.reason.as_ref()) {
        line.push(span(
            format!("  {}", signs.text(&reason.line_within(canvas.width))),
            Ink::Toned(Tone::Plain),
        ));
    }
    line
}

/// Who decided: the name alone where it is known, since the id stands beside the list.
fn moderator(one: &Punishment, names: &Names) -> String {
    let mut by = one.by();
    by.name(names);
    by.named().map_or_else(|| by.line(), |(name, _)| name)
}

/// Where a delivery goes: the guild's name, or its id.
fn name(one: &Delivery) -> String {
    one.guild_name.as_ref().map_or_else(|| one.guild_id.to_string(), Untrusted::line)
}

fn delivery(one: &Delivery, why: usize, canvas: Canvas) -> Line {
    let signs = canvas.signs;
    let state = format!("{} {}", sign(one.state, canvas), one.state);
    let mut line = vec![
        span("  ", Ink::Toned(Tone::Plain)),
        span(signs.fit(&state, STATE - 2), Ink::Toned(one.state.tone())),
    ];
    let mut left = canvas.width.saturating_sub(STATE);
    if canvas.width >= 60 {
        let tries = if one.attempts < 2 { String::new() } else { format!(", {} tries", one.attempts) };
        let reason = one.reason.as_deref().map_or(String::new(), |reason| format!("{reason}{tries}"));
        line.push(span(signs.fit(&reason, why), Ink::Toned(Tone::Plain)));
        line.push(span("  ", Ink::Toned(Tone::Plain)));
        left = left.saturating_sub(why + 2);
    }
    line.push(span(signs.cut(&name(one), left), Ink::Toned(Tone::Plain)));
    line
}

/// The delivery's own sign, with the cross that the terminal can show.
fn sign(state: DeliveryState, canvas: Canvas) -> String {
    match state.glyph() {
        'x' => canvas.signs.tone(Tone::Bad).to_owned(),
        other => other.to_string(),
    }
}

fn successes(number: PunishmentId, group: &Group, folds: &HashMap<RowId, bool>, canvas: Canvas) -> Vec<Row> {
    let id = RowId::Applied(number);
    let counts = group.counts();
    if counts.applied == 0 {
        return Vec::new();
    }
    let open = folds.get(&id).copied().unwrap_or(false);
    let times = group.latencies().map_or(String::new(), |(median, late)| {
        format!("    p50 {}  p99 {}", seconds(median), seconds(late))
    });
    let mut rows = vec![Row {
        id,
        depth: 1,
        line: vec![
            span("  ", Ink::Toned(Tone::Plain)),
            span(format!("+ {} applied", counts.applied), Ink::Toned(Tone::Good)),
            span(times, Ink::Label),
            span(if open { "" } else { "    (folded)" }, Ink::Label),
        ],
    }];
    if open {
        let applied = group.deliveries.values().filter(|one| one.state == DeliveryState::Applied);
        rows.extend(applied.map(|one| Row {
            id: RowId::Delivery(number, one.id),
            depth: 2,
            line: delivery(one, canvas.width / 2, canvas),
        }));
    }
    rows
}

fn seconds(millis: i64) -> String {
    format!("{}.{} s", millis / 1_000, millis.rem_euclid(1_000) / 100)
}

/// What stands beside the list for a row of it.
pub(crate) fn detail(model: &Model, id: RowId) -> Option<Report> {
    match id {
        RowId::Punishment(number) | RowId::Applied(number) => {
            let group = model.groups.get(&number)?;
            let counts = group.counts();
            let mut report = Report::new(format!("punishment {number}"), tone(&counts));
            if let Some(one) = &group.punishment {
                report = report
                    .field("Action", one.action.word())
                    .field("User", one.user_id)
                    .field("By", one.by())
                    .field("From", one.origin.word())
                    .field("Guild", one.guild_id)
                    .field("When", Text::short(one.created_at));
                if let Some(until) = one.expires_at {
                    report = report.field("Until", Text::short(until));
                }
                if one.status != "active" {
                    report = report.field("Status", one.status.clone());
                }
                report = report.field("Reason", Cell::from(one.reason.as_ref()));
            }
            if let Some(origin) = &group.origin {
                report = report.field("Here", Cell::toned(origin.state.word(), origin.state.tone()));
            }
            report = report.field("Children", counts.words());
            report.progress = (counts.total() > 0)
                .then(|| Progress { done: counts.total() - counts.open(), total: counts.total() });
            Some(report)
        }
        RowId::Origin(number) => model.groups.get(&number)?.origin.as_ref().map(delivery_detail),
        RowId::Delivery(number, id) => model.groups.get(&number)?.deliveries.get(&id).map(delivery_detail),
        _ => None,
    }
    .map(|report| report.named(&model.names))
}

fn delivery_detail(one: &Delivery) -> Report {
    let report = Report::new(format!("delivery {}", one.id), one.state.tone())
        .field("Punishment", one.punishment_id.to_string())
        .field("Action", one.action.word())
        .field("User", one.user_id)
        .field("Guild", Text::guild(one.guild_id, one.guild_name.as_ref()))
        .field("State", Cell::toned(one.state.word(), one.state.tone()))
        .field("Tries", one.attempts.to_string())
        .field("Stored", Text::short(one.created_at))
        .field("Changed", Text::short(one.updated_at));
    match &one.reason {
        Some(reason) => report.field("Why", Text::prose(reason)),
        None => report,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::signs::Signs;
    use crate::tui::samples;
    use shared::operations::punishment::Action;

    #[test]
    fn a_long_action_stands_clear_of_its_counts_and_what_is_over_says_so() {
        let mut model = Model::default();
        let mut snapshot = samples::snapshot();
        let over = &mut snapshot.punishments[0];
        over.action = Action::Untimeout;
        over.status = "reversed".into();
        over.expires_at = Some(over.created_at);
        let id = over.id;
        model.replace(snapshot);
        for width in [40, 80, 120] {
            let canvas = Canvas { width, signs: Signs { ascii: true } };
            let rows = rows(&model, &HashMap::new(), canvas);
            let row = rows.iter().find(|row| row.id == RowId::Punishment(id)).unwrap();
            let text: String = row.line.iter().map(|span| span.text.as_str()).collect();
            assert!(
                text.contains("untimeout 42 ") && text.contains("912345678901234567  reversed  "),
                "{width}: {text}"
            );
        }
        let fields = detail(&model, RowId::Punishment(id)).unwrap().fields;
        let field = |name: &str| fields.iter().find(|(of, _)| of == name).map(|(_, cell)| cell.text.line());
        assert_eq!(field("Until").as_deref(), Some("2026-01-02 10:30:00"));
        assert_eq!(field("Status").as_deref(), Some("reversed"));
    }
}
