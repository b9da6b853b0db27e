//! The state as cells: header, body, footer, and what lies over them. Everything is drawn anew each time; what
//! did not change is left out where frames become bytes.

mod bars;
mod boxes;
mod overlays;

use super::app::{App, Link, Overlay, Prompt};
use super::list::RowId;
use super::screens::{self, Screen};
use super::theme::Theme;
use crate::render::layout::{Ink, Line, Page, span};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use wayhaven_shared::report::Tone;

/// Below this there is only a note.
const SMALLEST: (u16, u16) = (40, 10);

/// Whether a terminal of this size shows more than the note.
pub(crate) fn fits(size: (u16, u16)) -> bool {
    size.0 >= SMALLEST.0 && size.1 >= SMALLEST.1
}

/// Draws the whole console.
pub(crate) fn draw(app: &App, buffer: &mut Buffer) {
    let area = buffer.area;
    if !fits((area.width, area.height)) {
        return too_small(app, area, buffer);
    }
    let theme = Theme { faded: matches!(app.link, Link::Lost { .. }), ..app.theme };
    let body = Rect::new(area.x, area.y + 1, area.width, area.height - 2);
    bars::header(app, Rect { height: 1, ..area }, buffer);
    match app.panes.last() {
        Some(pane) => {
            let lines = pane.lines(usize::from(body.width.saturating_sub(2)), theme.signs);
            paragraph(&lines, pane.scroll, inner(body), theme, buffer);
        }
        None => list(app, body, theme, buffer),
    }
    bars::footer(app, Rect { y: area.bottom() - 1, height: 1, ..area }, buffer);
    if let Some(Prompt::Palette { editor, chosen, .. }) = &app.prompt {
        overlays::candidates(app, editor, *chosen, body, buffer);
    }
    match &app.overlay {
        Overlay::Nothing => {}
        Overlay::Help(scroll) => overlays::help(app, *scroll, body, buffer),
        Overlay::Dialog(dialog) => overlays::dialog(app, dialog, body, buffer),
    }
}

fn too_small(app: &App, area: Rect, buffer: &mut Buffer) {
    let note = format!("{}x{} is too small", area.width, area.height);
    let way_out = format!("{}x{} at least", SMALLEST.0, SMALLEST.1);
    let leave = match (app.leave_asked, app.prompt.is_some()) {
        (false, _) => "q leaves",
        (true, false) => "q again to leave",
        (true, true) => "q again to leave and drop the line",
    };
    // The question must show on one row too.
    let lines =
        if app.leave_asked { [leave.to_owned(), note, way_out] } else { [note, way_out, leave.to_owned()] };
    for (row, text) in lines.iter().enumerate().take(usize::from(area.height)) {
        let y = area.y + u16::try_from(row).unwrap_or(0);
        buffer.set_stringn(area.x, y, text, usize::from(area.width), Style::new());
    }
}

/// The area without a column at either side.
fn inner(area: Rect) -> Rect {
    Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
}

fn list(app: &App, body: Rect, theme: Theme, buffer: &mut Buffer) {
    let list = app.list();
    let width = u16::try_from(app.list_width()).unwrap_or(body.width).min(body.width);
    let rows = list.rows.iter().enumerate().skip(list.top).take(usize::from(body.height));
    for ((index, row), y) in rows.zip(body.y..) {
        let marked = list.marks.contains(&row.id);
        if marked {
            buffer.set_stringn(body.x, y, "*", 1, theme.style(Ink::Title(Tone::Waiting)));
        }
        buffer.set_line(body.x + 2, y, &theme.line(&row.line), width.saturating_sub(2));
        if list.is_current(index) && app.panes.is_empty() {
            buffer.set_style(Rect::new(body.x, y, width, 1), theme.selected());
        }
    }
    if list.rows.is_empty() {
        paragraph(&nothing(app), 0, inner(body), theme, buffer);
    }
    if width < body.width {
        let beside = Rect { x: body.x + width + 2, width: body.width - width - 3, ..body };
        for y in body.y..body.bottom() {
            buffer.set_stringn(body.x + width, y, boxes::upright(theme), 1, theme.style(Ink::Label));
        }
        if let Some(report) = list.current().and_then(|row| detail(app, row)) {
            let page = Page { width: Some(usize::from(beside.width)), signs: theme.signs };
            paragraph(&page.lay_out(&report), 0, beside, theme, buffer);
        }
    }
}

/// What the row says, beside the list.
fn detail(app: &App, row: RowId) -> Option<wayhaven_shared::Report> {
    match app.screen {
        Screen::Network => screens::network::detail(app.shown(), row),
        Screen::Deliveries => screens::deliveries::detail(app.shown(), row),
        Screen::Messages => None,
    }
}

/// Why there are no rows: never as if all were well where nothing is known.
fn nothing(app: &App) -> Vec<Line> {
    let signs = app.theme.signs;
    let say = |text: &str, tone: Tone| vec![span(signs.text(text), Ink::Toned(tone))];
    let filter = &app.list().filter.text;
    match &app.link {
        _ if !filter.is_empty() => {
            vec![say(&format!("nothing matches /{filter}; Esc takes the filter away"), Tone::Plain)]
        }
        _ if app.screen == Screen::Messages => vec![say(app.screen.empty(), Tone::Quiet)],
        Link::Lost { fault, .. } if app.model.networks.is_none() => {
            let mut lines = vec![say(&format!("{}; retrying", fault.message), Tone::Bad), Vec::new()];
            lines.extend(fault.hints.iter().map(|hint| say(&format!("hint: {hint}"), Tone::Plain)));
            lines
        }
        _ if app.model.networks.is_none() => vec![say("asking the daemon…", Tone::Waiting)],
        _ => vec![say(app.screen.empty(), Tone::Plain)],
    }
}

/// Lines from `scroll` on; in the corner how many are below, so that a cut list never looks whole.
fn paragraph(lines: &[Line], scroll: usize, area: Rect, theme: Theme, buffer: &mut Buffer) {
    let hidden = lines.len().saturating_sub(usize::from(area.height));
    let scroll = scroll.min(hidden);
    for (line, y) in lines.iter().skip(scroll).take(usize::from(area.height)).zip(area.y..) {
        buffer.set_line(area.x, y, &theme.line(line), area.width);
    }
    let below = hidden - scroll;
    if below > 0 && area.height > 0 {
        let text = format!(" {below} more below ");
        let width = u16::try_from(text.len()).unwrap_or(area.width).min(area.width);
        let style = theme.style(Ink::Label).patch(theme.selected());
        buffer.set_stringn(area.right() - width, area.bottom() - 1, &text, usize::from(width), style);
    }
}

#[cfg(test)]
mod tests;
