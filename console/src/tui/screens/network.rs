//! Screen 2: each main with its children, those that need a person first.

use super::Canvas;
use crate::render::layout::{Ink, span};
use crate::tui::list::{Row, RowId};
use crate::tui::model::Model;
use shared::Report;
use shared::operations::setup::{Child, Mode, Network};
use shared::report::{Cell, Text, Tone};
use shared::value::GuildId;
use std::collections::HashMap;
use wayhaven_shared as shared;

/// The rows, as folded.
pub(crate) fn rows(model: &Model, folds: &HashMap<RowId, bool>, canvas: Canvas) -> Vec<Row> {
    let mut rows = Vec::new();
    for network in model.networks.iter().flatten() {
        let id = RowId::Main(network.main_guild_id);
        let open = folds.get(&id).copied().unwrap_or(true);
        rows.push(Row { id, depth: 0, line: main(network, open, canvas) });
        if open {
            let names = network.children.iter().map(|child| name(child) + locked(child));
            let why = canvas.reason_room(canvas.width.saturating_sub(31), names);
            rows.extend(network.children.iter().map(|child| Row {
                id: RowId::Child(network.main_guild_id, child.link.child_guild_id),
                depth: 1,
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
    // Before what a narrow screen cuts.
    let frozen = network
        .freeze_word()
        .map_or_else(String::new, |word| format!("  {}", canvas.signs.beside(Tone::Warning, word)));
    let held = network
        .holds_words()
        .map_or_else(String::new, |words| format!("  {}", canvas.signs.beside(Tone::Warning, &words)));
    let locked = if network.locked { "  locked" } else { "" };
    vec![
        span(format!("{}# main  ", canvas.fold(open)), Ink::Title(Tone::Plain)),
        span(canvas.signs.beside(tone, word), Ink::Toned(tone)),
        span(frozen, Ink::Toned(Tone::Warning)),
        span(held, Ink::Toned(Tone::Warning)),
        span(children, Ink::Label),
        span(canvas.signs.text(&name), Ink::Title(Tone::Plain)),
        span(locked, Ink::Toned(Tone::Warning)),
    ]
}

/// A child's name, or its id.
fn name(child: &Child) -> String {
    let link = &child.link;
    link.child_name.as_ref().map_or_else(|| link.child_guild_id.to_string(), |name| name.line())
}

/// What stands after the name of a child whose links are locked.
fn locked(child: &Child) -> &'static str {
    if child.locked { "  locked" } else { "" }
}

/// Why deliveries are blocked there, or else what goes on there in the background.
fn background(child: &Child) -> String {
    child.reason.clone().or_else(|| Some(child.job_words()?.line())).unwrap_or_default()
}

fn row(child: &Child, why: usize, canvas: Canvas) -> crate::render::layout::Line {
    let (word, tone) = child.health();
    let signs = canvas.signs;
    let mode = if child.link.mode == Mode::Monitor { Tone::Quiet } else { Tone::Plain };
    // A link that is not active says so where its health would stand.
    let mut line = vec![
        span("  ", Ink::Toned(Tone::Plain)),
        span(signs.fit(&signs.beside(tone, word), 11), Ink::Toned(tone)),
        span(signs.fit(child.link.mode.word(), 8), Ink::Toned(mode)),
    ];
    let mut left = canvas.width.saturating_sub(21);
    if canvas.width >= 60 {
        line.push(span(signs.fit(&format!("open {}", child.deliveries.open()), 10), Ink::Label));
        line.push(span(signs.fit(&background(child), why), Ink::Toned(Tone::Plain)));
        line.push(span("  ", Ink::Toned(Tone::Plain)));
        left = left.saturating_sub(12 + why);
    }
    let locked = locked(child);
    let name = signs.cut(&name(child), left.saturating_sub(locked.len()));
    line.push(span(name, Ink::Toned(Tone::Plain)));
    line.push(span(locked, Ink::Toned(Tone::Warning)));
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

/// Whether a guild's links can be changed.
fn lock(locked: bool) -> Cell {
    if locked { Cell::toned("locked", Tone::Warning) } else { Cell::from("not locked") }
}

/// Whether anything leaves a main.
fn propagation(network: &Network) -> Cell {
    network.freeze_word().map_or_else(|| Cell::from("not frozen"), |word| Cell::toned(word, Tone::Warning))
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
                .field("Guild", Text::guild(main, network.main_name.as_ref()))
                .field("Presence", Cell::toned(word, tone))
                .field("Propagation", propagation(network))
                .field("Links", lock(network.locked))
                .field("Security level", network.security_level.word());
            let report = report.field("Children", network.children.len().to_string());
            Some(match network.holds_words() {
                Some(words) => report
                    .field("Approval", Cell::toned(words, Tone::Warning))
                    .hint("sync holds shows what waits; sync approve sends it, sync discard never does"),
                None => report,
            })
        }
        RowId::Child(main, guild) => {
            let child = child(model, main, guild)?;
            let (word, tone) = child.health();
            let report = Report::new("child", Tone::Plain)
                .field("Guild", Text::guild(guild, child.link.child_name.as_ref()))
                .field("Main", Text::guild(main, network(model, main)?.main_name.as_ref()))
                .field("Health", Cell::toned(word, tone))
                .field("Presence", child.presence.clone())
                .field("State", child.link.state.clone())
                .field("Links", lock(child.locked))
                .field("Mode", child.link.mode.word())
                .field("Actions", child.link.actions())
                .field("Deliveries", child.deliveries.words());
            let report = match child.job_words() {
                Some(words) => report.field("Job", Cell::from(Some(&words))),
                None => report,
            };
            Some(match &child.reason {
                Some(reason) => report.field("Why", Text::prose(reason)),
                None => report,
            })
        }
        _ => None,
    }
    .map(|report| report.named(&model.names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::layout::Line;
    use crate::render::signs::Signs;
    use crate::tui::samples;
    use shared::value::GuildId;

    fn words(line: &Line) -> String {
        line.iter().map(|span| span.text.as_str()).collect()
    }

    #[test]
    fn what_is_proposed_closing_or_locked_says_so_in_its_row_and_beside_it() {
        let mut model = Model::default();
        let mut snapshot = samples::snapshot();
        if let Some(dashboard) = &mut snapshot.dashboard {
            let network = &mut dashboard.networks[0];
            network.locked = true;
            network.children[0].link.state = "proposed".into();
            network.children[1].link.state = "closing".into();
            network.children[2].locked = true;
        }
        model.replace(snapshot);
        for width in [40, 80, 120] {
            let canvas = Canvas { width, signs: Signs { ascii: true } };
            let rows = rows(&model, &HashMap::new(), canvas);
            let of = |child: u64| {
                let id = RowId::Child(GuildId::new(1000).unwrap(), GuildId::new(child).unwrap());
                words(&rows.iter().find(|row| row.id == id).unwrap().line)
            };
            assert!(words(&rows[0].line).contains("locked"), "{width}");
            assert!(of(2001).contains("proposed") && !of(2001).contains("FAIL"), "{width}: {}", of(2001));
            assert!(of(2002).contains("closing"), "{width}: {}", of(2002));
            assert!(of(2003).ends_with("  locked"), "{width}: {}", of(2003));
            assert!(!of(2004).contains("locked"), "{width}: {}", of(2004));
        }
        let shown = |child: u64| {
            let id = RowId::Child(GuildId::new(1000).unwrap(), GuildId::new(child).unwrap());
            let fields = detail(&model, id).unwrap().fields;
            let field = |name: &str| fields.iter().find(|(of, _)| of == name).unwrap().1.text.line();
            (field("State"), field("Links"), field("Actions"))
        };
        let shown_as = |state: &str, links: &str| (state.to_owned(), links.to_owned(), "ban".to_owned());
        assert_eq!(shown(2001), shown_as("proposed", "not locked"));
        assert_eq!(shown(2003), shown_as("active", "locked"));
    }

    #[test]
    fn a_frozen_main_says_so_within_a_narrow_row_and_beside_it() {
        for (except_reversals, word) in [(false, "frozen"), (true, "frozen but for unbans")] {
            let mut model = Model::default();
            let mut snapshot = samples::snapshot();
            if let Some(dashboard) = &mut snapshot.dashboard {
                dashboard.networks[0].frozen = true;
                dashboard.networks[0].except_reversals = except_reversals;
            }
            model.replace(snapshot);
            let canvas = Canvas { width: 40, signs: Signs { ascii: true } };
            let row = words(&rows(&model, &HashMap::new(), canvas)[0].line);
            assert!(row.chars().take(40).collect::<String>().contains(word), "{row}");
            let main = RowId::Main(GuildId::new(1000).unwrap());
            let fields = detail(&model, main).unwrap().fields;
            let shown = fields.iter().find(|(of, _)| of == "Propagation").unwrap();
            assert_eq!(shown.1.text.line(), word);
        }
    }

    #[test]
    fn a_locked_child_keeps_its_whole_name_where_there_is_room() {
        let mut model = Model::default();
        let mut snapshot = samples::snapshot();
        if let Some(dashboard) = &mut snapshot.dashboard {
            for child in &mut dashboard.networks[0].children {
                child.locked = true;
                child.link.child_name = Some(shared::value::Untrusted::clipped("night-owls"));
            }
        }
        model.replace(snapshot);
        let canvas = Canvas { width: 80, signs: Signs { ascii: true } };
        for row in &rows(&model, &HashMap::new(), canvas)[1..5] {
            assert!(words(&row.line).ends_with("night-owls  locked"), "{}", words(&row.line));
        }
    }
}
