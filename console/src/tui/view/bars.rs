//! The first line and the last: where one is and how fresh it is; what keys do and what needs a person.

use crate::render::layout::{Ink, Line, span};
use crate::render::signs::Signs;
use crate::tui::app::{App, Link, Mode, Prompt};
use crate::tui::editor::Editor;
use crate::tui::keymap::{BINDINGS, Binding, Command};
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use shared::operations::status::ConnectionState;
use shared::report::Tone;
use unicode_width::UnicodeWidthStr;
use wayhaven_shared as shared;

/// Breadcrumbs on the left; how the daemon is reached, the mode and the time on the right.
pub(super) fn header(app: &App, area: Rect, buffer: &mut Buffer) {
    let right = state(app);
    let left = breadcrumbs(app);
    spread(left, right, area, app.theme, buffer);
}

fn breadcrumbs(app: &App) -> Line {
    let list = app.list();
    let mut words = vec!["wayhaven".to_owned(), app.screen.word().to_owned()];
    words.extend(app.panes.iter().map(|pane| pane.title.clone()));
    let mut text = words.join(" › ");
    if app.panes.is_empty() && !list.filter.text.is_empty() && !matches!(app.prompt, Some(Prompt::Filter(_)))
    {
        text.push_str(&format!("  /{}", list.filter.text));
    }
    if !list.marks.is_empty() {
        text.push_str(&format!("  {} marked", list.marks.len()));
    }
    vec![span(app.theme.signs.text(&text), Ink::Title(Tone::Plain))]
}

fn state(app: &App) -> Line {
    let mut parts: Vec<(String, Tone)> = Vec::new();
    if let Some(frozen) = &app.frozen {
        parts.push((format!("paused +{}", grouped(frozen.missed)), Tone::Warning));
    }
    if let Some(at) = app.gap {
        parts.push((format!("gap {}", minute(at)), Tone::Warning));
    }
    let discord = app.model.status.as_ref().map(|status| &status.discord);
    match (&app.link, discord) {
        (Link::Starting, _) => parts.push(("CONNECTING".into(), Tone::Waiting)),
        (Link::Lost { since, .. }, _) => {
            let seconds = app.now.elapsed.saturating_sub(*since) / 1_000;
            parts.push((format!("STALE {seconds} s"), Tone::Bad));
        }
        (Link::Live, Some(discord)) if discord.state != ConnectionState::Ready => {
            parts.push((format!("discord {}", discord.state.word()), discord.tone()));
        }
        // What nobody has said yet is not shown as live.
        (Link::Live, None) => parts.push(("LIVE?".into(), Tone::Waiting)),
        (Link::Live, Some(_)) => parts.push(("LIVE".into(), Tone::Good)),
    }
    parts.push(match app.mode {
        Mode::Observe => ("observe".into(), Tone::Plain),
        Mode::Write { until } => {
            let minutes = until.saturating_sub(app.now.elapsed).div_ceil(60_000);
            (format!("WRITE {minutes}m"), Tone::Warning)
        }
    });
    parts.push((minute(app.now.wall), Tone::Plain));
    let mut line = Vec::new();
    for (text, tone) in parts {
        let ink = if tone == Tone::Plain { Ink::Toned(tone) } else { Ink::Title(tone) };
        line.push(span(text, ink));
        line.push(span("  ", Ink::Toned(Tone::Plain)));
    }
    line.pop();
    line
}

fn minute(at: shared::value::Timestamp) -> String {
    at.clock().chars().take(5).collect()
}

fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The prompt, a toast, or what the keys do.
pub(super) fn footer(app: &App, area: Rect, buffer: &mut Buffer) {
    match &app.prompt {
        Some(Prompt::Palette { editor, .. }) => return typed(":", editor, area, app.theme, buffer),
        Some(Prompt::Filter(editor)) => return typed("/", editor, area, app.theme, buffer),
        None => {}
    }
    let signs = app.theme.signs;
    let mut right = Vec::new();
    if app.is_asking() {
        right.push(span("asking…  ", Ink::Toned(Tone::Waiting)));
    }
    match app.model.status.as_ref().map_or(0, |status| status.alerts) {
        0 => {}
        1 => right.push(span("!1 alert", Ink::Title(Tone::Warning))),
        more => right.push(span(format!("!{more} alerts"), Ink::Title(Tone::Warning))),
    }
    right.iter_mut().for_each(|span| span.text = signs.text(&span.text));
    let taken: usize = right.iter().map(|span| span.text.width()).sum();
    let left = match app.messages.toast(app.now) {
        Some(toast) => {
            let room = usize::from(area.width).saturating_sub(taken + 3);
            let text = signs.beside(toast.tone, &toast.text);
            // An error stays: how it goes away is said behind it.
            let behind = match (app.messages.is_unread(toast), app.messages.unread()) {
                (false, _) => String::new(),
                (true, 0 | 1) => "  Esc dismisses".to_owned(),
                (true, errors) => format!("  Esc dismisses, {} more", errors - 1),
            };
            let text = signs.cut(&text, room.saturating_sub(behind.width()));
            vec![span(text, Ink::Title(toast.tone)), span(behind, Ink::Label)]
        }
        None => hints(app, usize::from(area.width).saturating_sub(taken + 2)),
    };
    spread(left, right, area, app.theme, buffer);
}

/// What the keys do, as far as it fits; how to get help always does.
fn hints(app: &App, room: usize) -> Line {
    let works = |binding: &&Binding| binding.works_on(app.screen);
    let shown = |binding: &&Binding| app.panes.is_empty() || !binding.command.wants_list();
    let text = |hint: &str| app.theme.signs.text(hint) + "  ";
    let hinting: Vec<(&Binding, String)> = BINDINGS
        .iter()
        .filter(works)
        .filter(shown)
        .filter_map(|binding| match (binding.command, app.list().marks.len()) {
            (Command::Revert, marked @ 1..) => Some((binding, text(&format!("u revert {marked} marked…")))),
            _ => Some((binding, text(binding.hint?))),
        })
        .collect();
    let help = hinting.iter().find(|(binding, _)| binding.command == Command::Help);
    let mut left = room.saturating_sub(help.map_or(0, |(_, text)| text.width()));
    let mut line = Vec::new();
    for (binding, text) in hinting {
        let wide = if binding.command == Command::Help { 0 } else { text.width() };
        if wide > left {
            continue;
        }
        left -= wide;
        let ink = if app.refusal(binding.effect).is_some() { Ink::Label } else { Ink::Toned(Tone::Plain) };
        line.push(span(text, ink));
    }
    line
}

/// A prompt with its cursor, scrolled so that the cursor is seen.
fn typed(sign: &str, editor: &Editor, area: Rect, theme: Theme, buffer: &mut Buffer) {
    let shown = Signs { ascii: theme.signs.ascii };
    let (before, behind) = editor.parts();
    let (before, behind) = (shown.text(before), shown.text(behind));
    let room = usize::from(area.width).saturating_sub(3);
    let mut start = 0;
    while before[start..].width() > room {
        start += before[start..].chars().next().map_or(1, char::len_utf8);
    }
    let style = theme.style(Ink::Toned(Tone::Plain));
    let (x, _) = buffer.set_stringn(area.x, area.y, sign, 1, theme.style(Ink::Title(Tone::Plain)));
    let (cursor, _) = buffer.set_stringn(x, area.y, &before[start..], room, style);
    buffer.set_stringn(cursor, area.y, &behind, usize::from(area.right() - cursor), style);
    buffer.set_style(Rect::new(cursor, area.y, 1, 1), theme.selected());
}

/// One line with something at either end; the right end goes first where both do not fit.
fn spread(left: Line, right: Line, area: Rect, theme: Theme, buffer: &mut Buffer) {
    let width = |line: &Line| line.iter().map(|span| span.text.width()).sum::<usize>();
    let taken = u16::try_from(width(&right)).unwrap_or(area.width).min(area.width);
    let left_room = area.width.saturating_sub(taken + if taken > 0 { 3 } else { 1 });
    buffer.set_line(area.x + 1, area.y, &theme.line(&left), left_room);
    buffer.set_line(area.right() - taken - 1.min(area.width - taken), area.y, &theme.line(&right), taken);
}
