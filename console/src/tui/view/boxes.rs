//! Boxes over the body.

use crate::render::layout::Ink;
use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;
use wayhaven_shared::report::Tone;

/// A line between two panes.
pub(super) fn upright(theme: Theme) -> &'static str {
    if theme.signs.ascii { "|" } else { "│" }
}

/// An empty box of at most this size in the middle of the body; says what is inside.
pub(super) fn centred(title: &str, size: (u16, u16), body: Rect, theme: Theme, buffer: &mut Buffer) -> Rect {
    let (width, height) = (size.0.min(body.width), size.1.min(body.height));
    let x = body.x + (body.width - width) / 2;
    let y = body.y + (body.height - height) / 2;
    framed(title, Rect::new(x, y, width, height), theme, buffer)
}

/// An empty box; says what is inside.
pub(super) fn framed(title: &str, area: Rect, theme: Theme, buffer: &mut Buffer) -> Rect {
    for y in area.y..area.bottom() {
        // A wide letter that reaches into the box would push its edge aside.
        if let Some(beside) = area.x.checked_sub(1).filter(|x| buffer[(*x, y)].symbol().width() > 1) {
            buffer[(beside, y)].set_symbol(" ");
        }
        for x in area.x..area.right() {
            buffer[(x, y)].reset();
        }
    }
    let (across, corners) =
        if theme.signs.ascii { ("-", ["+"; 4]) } else { ("─", ["┌", "┐", "└", "┘"]) };
    let style = theme.style(Ink::Label);
    let (last_x, last_y) = (area.right().saturating_sub(1), area.bottom().saturating_sub(1));
    for x in area.x..area.right() {
        buffer.set_stringn(x, area.y, across, 1, style);
        buffer.set_stringn(x, last_y, across, 1, style);
    }
    for y in area.y..area.bottom() {
        buffer.set_stringn(area.x, y, upright(theme), 1, style);
        buffer.set_stringn(last_x, y, upright(theme), 1, style);
    }
    let places = [(area.x, area.y), (last_x, area.y), (area.x, last_y), (last_x, last_y)];
    for ((x, y), corner) in places.into_iter().zip(corners) {
        buffer.set_stringn(x, y, corner, 1, style);
    }
    let room = usize::from(area.width.saturating_sub(4));
    let title = format!(" {} ", theme.signs.cut(title, room.saturating_sub(2)));
    buffer.set_stringn(area.x + 2, area.y, &title, room, theme.style(Ink::Title(Tone::Plain)));
    Rect::new(area.x + 2, area.y + 1, area.width.saturating_sub(4), area.height.saturating_sub(2))
}
