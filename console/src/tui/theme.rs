//! Ink as colour and weight: sixteen colours on the terminal's own background. Whoever wants none gets none
//! from here, because crossterm's own NO_COLOR also takes reverse video away.

use crate::render::layout::{self, Ink};
use crate::render::signs::Signs;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use wayhaven_shared::report::Tone;

/// How things are drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    /// Whether there is colour.
    pub(crate) colour: bool,
    /// Which signs there are.
    pub(crate) signs: Signs,
    /// Whether what is shown is old: no colour says that something is well.
    pub(crate) faded: bool,
}

impl Theme {
    /// The style of an ink.
    pub(crate) fn style(self, ink: Ink) -> Style {
        if self.faded {
            return Style::new().add_modifier(Modifier::DIM);
        }
        match ink {
            Ink::Title(tone) => self.tone(tone).add_modifier(Modifier::BOLD),
            Ink::Toned(tone) => self.tone(tone),
            Ink::Label => Style::new().add_modifier(Modifier::DIM),
            Ink::Hint => self.coloured(Color::Cyan),
        }
    }

    fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Good => self.coloured(Color::Green),
            Tone::Waiting => self.coloured(Color::Cyan),
            Tone::Warning => self.coloured(Color::Yellow),
            Tone::Bad => self.coloured(Color::Red).add_modifier(Modifier::BOLD),
            Tone::Quiet => Style::new().add_modifier(Modifier::DIM),
        }
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// The row or button that keys act on.
    pub(crate) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A laid-out line for ratatui.
    pub(crate) fn line(self, line: &layout::Line) -> Line<'static> {
        let spans = line.iter().map(|span| Span::styled(span.text.clone(), self.style(span.ink)));
        Line::from(spans.collect::<Vec<_>>())
    }
}
