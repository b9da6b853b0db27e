//! What lies over the body: the palette's candidates, the keys, questions.

use super::{boxes, paragraph};
use crate::render::layout::{Ink, Line, Page, span};
use crate::tui::app::App;
use crate::tui::dialog::{Dialog, Focus, Question};
use crate::tui::editor::Editor;
use crate::tui::keymap::BINDINGS;
use crate::tui::palette;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use shared::Effect;
use shared::report::Tone;
use wayhaven_shared as shared;

/// How many candidates are shown at once.
const CANDIDATES: usize = 8;

/// What the palette could complete to, and what the operation is for.
pub(super) fn candidates(app: &App, editor: &Editor, chosen: usize, body: Rect, buffer: &mut Buffer) {
    let found = palette::complete(editor, &app.grammar);
    let signs = app.theme.signs;
    let first = (chosen + 1).saturating_sub(CANDIDATES);
    let shown: Vec<_> = found.candidates.iter().enumerate().skip(first).take(CANDIDATES).collect();
    let widest = shown.iter().map(|(_, one)| one.word.len()).max().unwrap_or(0).min(24);
    // The bottom row is the line that is typed, so that what is wrong with it is told here.
    let width = usize::from(body.width).saturating_sub(4);
    let told = |told: &crate::tui::messages::Message| -> Vec<Line> {
        let text = signs.text(&signs.beside(Tone::Bad, &told.text));
        let wrapped = crate::render::signs::wrap(&text, width);
        wrapped.into_iter().map(|row| vec![span(row, Ink::Toned(Tone::Bad))]).collect()
    };
    let help = vec![span(signs.cut(&found.help, width), Ink::Label)];
    let foot: Vec<Line> = match (app.messages.line_error(), app.messages.toast(app.now)) {
        (Some(wrong), _) => told(wrong),
        // An error of something else, that nobody has read yet.
        (None, Some(other)) if app.messages.is_unread(other) => {
            std::iter::once(help).chain(told(other)).collect()
        }
        _ => vec![help],
    };
    let height = u16::try_from(shown.len() + foot.len() + 2).unwrap_or(u16::MAX);
    let height = height.min(body.height);
    let area = Rect { y: body.bottom() - height, height, ..body };
    let inside = boxes::framed("Tab completes, Enter asks, Esc closes", area, app.theme, buffer);
    let room = usize::from(inside.width);
    let mut lines: Vec<Line> = Vec::new();
    for (_, one) in &shown {
        lines.push(vec![
            span(signs.fit(&one.word, widest), Ink::Title(Tone::Plain)),
            span(
                format!("  {}", signs.cut(&one.help, room.saturating_sub(widest + 2))),
                Ink::Toned(Tone::Plain),
            ),
        ]);
    }
    lines.extend(foot);
    paragraph(&lines, 0, inside, app.theme, buffer);
    if let Some(place) = shown.iter().position(|(index, _)| *index == chosen) {
        let y = inside.y + u16::try_from(place).unwrap_or(0);
        if y < inside.bottom() {
            buffer.set_style(Rect::new(inside.x, y, inside.width, 1), app.theme.selected());
        }
    }
}

/// The keys of this screen, and why a disabled one is disabled.
pub(super) fn help(app: &App, scroll: usize, body: Rect, buffer: &mut Buffer) {
    let mut lines: Vec<Line> = Vec::new();
    for binding in BINDINGS.iter().filter(|binding| binding.works_on(app.screen)) {
        let refusal = app.refusal(binding.effect);
        let ink = if refusal.is_some() { Ink::Label } else { Ink::Toned(Tone::Plain) };
        lines.push(vec![
            span(app.theme.signs.fit(binding.label, 8), Ink::Title(Tone::Plain)),
            span(app.theme.signs.text(binding.help), ink),
        ]);
        if let Some(why) = refusal {
            let why = app.theme.signs.text(&format!("disabled: {why}"));
            let wrapped =
                crate::render::signs::wrap(&why, usize::from(body.width).min(76).saturating_sub(14));
            lines.extend(
                wrapped
                    .into_iter()
                    .map(|why| vec![span("          ", Ink::Label), span(why, Ink::Toned(Tone::Warning))]),
            );
        }
    }
    let height = u16::try_from(lines.len() + 2).unwrap_or(body.height);
    let title = format!("keys on {}: j k scroll, q closes", app.screen.word());
    let inside = boxes::centred(&title, (76, height), body, app.theme, buffer);
    paragraph(&lines, scroll, inside, app.theme, buffer);
}

/// A question with its buttons.
pub(super) fn dialog(app: &App, dialog: &Dialog, body: Rect, buffer: &mut Buffer) {
    let width = body.width.min(84);
    let room = usize::from(width.saturating_sub(4));
    let (title, lines) = match &dialog.question {
        Question::Leave => {
            let then = match app.is_demo {
                true => "the demo ends, and its daemon with it",
                false => "the daemon continues without the console",
            };
            ("leave the console?", vec![vec![span(then, Ink::Toned(Tone::Plain))]])
        }
        Question::Apply(proposal) => {
            let summary = app.theme.signs.text(&proposal.summary);
            let summary = crate::render::signs::wrap(&summary, room);
            let mut lines: Vec<Line> =
                summary.into_iter().map(|row| vec![span(row, Ink::Title(Tone::Plain))]).collect();
            lines.push(vec![span(app.theme.signs.cut(&proposal.line, room), Ink::Label)]);
            lines.push(Vec::new());
            lines.extend(Page { width: Some(room), signs: app.theme.signs }.lay_out(&proposal.preview));
            ("do this?", lines)
        }
    };
    let extra = if dialog.wanted().is_some() { 5 } else { 4 };
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(extra);
    let inside = boxes::centred(title, (width, height), body, app.theme, buffer);
    let text = Rect { height: inside.height.saturating_sub(extra - 2), ..inside };
    paragraph(&lines, dialog.scroll, text, app.theme, buffer);
    let mut y = inside.bottom().saturating_sub(1);
    buttons(app, dialog, Rect { y, height: 1, ..inside }, buffer);
    if let Some(name) = dialog.wanted() {
        y = y.saturating_sub(1);
        let line = vec![
            span(app.theme.signs.text(&format!("type {name} to go on: ")), Ink::Title(Tone::Warning)),
            span(app.theme.signs.text(dialog.typed.text()), Ink::Toned(Tone::Plain)),
        ];
        buffer.set_line(inside.x, y, &app.theme.line(&line), inside.width);
    }
}

fn buttons(app: &App, dialog: &Dialog, area: Rect, buffer: &mut Buffer) {
    let act = match &dialog.question {
        Question::Leave => "y leave",
        Question::Apply(proposal) if proposal.effect == Effect::Severe => "do it",
        Question::Apply(_) => "y do it",
    };
    let mut x = area.x;
    for (focus, text) in [(Focus::Cancel, "Esc cancel"), (Focus::Do, act)] {
        let ready = focus == Focus::Cancel || dialog.may_do();
        let ink = if ready { Ink::Title(Tone::Plain) } else { Ink::Label };
        let button = format!("[ {text} ]");
        let mut style = app.theme.style(ink);
        if dialog.focus == focus {
            style = style.patch(app.theme.selected());
        }
        let room = usize::from(area.right().saturating_sub(x));
        x = buffer.set_stringn(x, area.y, &button, room, style).0.saturating_add(2).min(area.right());
    }
}
