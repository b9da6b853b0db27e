//! Screen 2: each main with its children, those that need a person first.

use super::Canvas;
use crate::render::layout::{Ink, span};
use crate::tui::list::{Row, RowId};
use crate::tui::model::Model;
use shared::Report;
use shared::operations::setup::{Child, Mode, Network};
use shared::report::{Cell, Tone};
use shared::value::GuildId;
use std::collections::HashMap;
use wayhaven_shared as shared;

/// The rows, as folded.
pub(crate) fn rows(model: &Model, folds: &HashMap<RowId, bool>, canvas: Canvas) -> Vec<Row> {
    let mut rows = Vec::new();
    for network in model.networks.iter().flatten() {
        let id = RowId::Main(network.main_guild_id);
        let open = folds.get(&id).copied().unwrap_or(true);
        rows.push(Row { id, line: main(network, open, canvas) });
        if open {
            let why = canvas.reason_room(canvas.width.saturating_sub(30), network.children.iter().map(name));
            rows.extend(network.children.iter().map(|child| Row {
                id: RowId::Child(network.main_guild_id, child.link.child_guild_id),
                line: row(child, why, canvas),
            }));
        }
    }
    rows
}

fn main(network: &Network, open: bool, canvas: Canvas) -> crate::render::layout::Line {
    let (word, tone) = presence(&network.presence);
    let name =
        network.main_name.as_ref().map_or_else(|| network.main_guild_id.to_string(), |name| name.line());
    let waiting: u64 = network.children.iter().map(|child| child.deliveries.open()).sum();
    let children = format!("  {} children  open {waiting}  ", network.children.len());
    vec![
        span(format!("{}# main  ", canvas.fold(open)), Ink::Title(Tone::Plain)),
        span(canvas.signs.beside(tone, word), Ink::Toned(tone)),
        span(children, Ink::Label),
        span(canvas.signs.text(&name), Ink::Title(Tone::Plain)),
    ]
}

/// A child's name, or its id.
fn name(child: &Child) -> String {
    let link = &child.link;
    link.child_name.as_ref().map_or_else(|| link.child_guild_id.to_string(), |name| name.line())
}

fn row(child: &Child, why: usize, canvas: Canvas) -> crate::render::layout::Line {
    let (word, tone) = child.health();
    let signs = canvas.signs;
    let mode = if child.link.mode == Mode::Monitor { Tone::Quiet } else { Tone::Plain };
    let mut line = vec![
        span("  ", Ink::Toned(Tone::Plain)),
        span(signs.fit(&signs.beside(tone, word), 10), Ink::Toned(tone)),
        span(signs.fit(child.link.mode.word(), 8), Ink::Toned(mode)),
    ];
    let mut left = canvas.width.saturating_sub(20);
    if canvas.width >= 60 {
        line.push(span(signs.fit(&format!("open {}", child.deliveries.open()), 10), Ink::Label));
        line.push(span(signs.fit(child.reason.as_deref().unwrap_or(""), why), Ink::Toned(Tone::Plain)));
        line.push(span("  ", Ink::Toned(Tone::Plain)));
        left -= 12 + why;
    }
    line.push(span(signs.cut(&name(child), left), Ink::Toned(Tone::Plain)));
    line
}

/// A main has no link, so its health is its presence alone.
fn presence(presence: &str) -> (&'static str, Tone) {
    match presence {
        "ok" => ("ok", Tone::Good),
        "unavailable" => ("outage", Tone::Warning),
        "absent" => ("absent", Tone::Bad),
        _ => ("unknown", Tone::Waiting),
    }
}

/// A child of a main.
pub(crate) fn child(model: &Model, main: GuildId, child: GuildId) -> Option<&Child> {
    let network = model.networks.iter().flatten().find(|network| network.main_guild_id == main)?;
    network.children.iter().find(|one| one.link.child_guild_id == child)
}

/// A main.
pub(crate) fn network(model: &Model, main: GuildId) -> Option<&Network> {
    model.networks.iter().flatten().find(|network| network.main_guild_id == main)
}

/// What stands beside the list for a row of it.
pub(crate) fn detail(model: &Model, id: RowId) -> Option<Report> {
    match id {
        RowId::Main(main) => {
            let network = network(model, main)?;
            let (word, tone) = presence(&network.presence);
            let report = Report::new("main", Tone::Plain)
                .field("Guild", main.to_string())
                .field("Name", Cell::from(network.main_name.as_ref()))
                .field("Presence", Cell::toned(word, tone));
            Some(report.field("Children", network.children.len().to_string()))
        }
        RowId::Child(main, guild) => {
            let child = child(model, main, guild)?;
            let (word, tone) = child.health();
            let allowed: Vec<&str> = child.link.allowed_actions.iter().map(|action| action.word()).collect();
            let report = Report::new("child", Tone::Plain)
                .field("Guild", guild.to_string())
                .field("Name", Cell::from(child.link.child_name.as_ref()))
                .field("Main", main.to_string())
                .field("Health", Cell::toned(word, tone))
                .field("Presence", child.presence.clone())
                .field("Mode", child.link.mode.word())
                .field("Actions", allowed.join(", "))
                .field("Deliveries", child.deliveries.words());
            Some(match &child.reason {
                Some(reason) => report.field("Why", reason.clone()),
                None => report,
            })
        }
        _ => None,
    }
}
