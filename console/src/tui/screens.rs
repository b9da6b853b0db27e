//! The screens: each turns the model into rows, and the selected row into what stands beside the list.

pub(crate) mod deliveries;
pub(crate) mod network;

use super::list::{Row, RowId};
use super::messages::Messages;
use crate::render::layout::{Ink, span};
use crate::render::signs::Signs;
use shared::report::Tone;
use unicode_width::UnicodeWidthStr;
use wayhaven_shared as shared;

/// A screen with a list on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Screen {
    /// Mains and children.
    Network,
    /// Punishments on their way.
    Deliveries,
    /// What the console told.
    Messages,
}

impl Screen {
    /// Those that Tab goes through, in order.
    pub(crate) const ALL: [Self; 3] = [Self::Network, Self::Deliveries, Self::Messages];

    /// Its word in the palette and the breadcrumbs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Deliveries => "deliveries",
            Self::Messages => "messages",
        }
    }

    /// Its place in [`Self::ALL`].
    pub(crate) fn place(self) -> usize {
        Self::ALL.iter().position(|screen| *screen == self).unwrap_or(0)
    }

    /// What it says where it has no rows.
    pub(crate) fn empty(self) -> &'static str {
        match self {
            Self::Network => "no guild is a main yet: `:setup main-guild --guild GUILD-ID` makes one",
            Self::Deliveries => "nothing was punished yet",
            Self::Messages => "nothing was told yet",
        }
    }
}

/// What rows are made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    /// Columns.
    pub(crate) width: usize,
    /// What can be shown.
    pub(crate) signs: Signs,
}

impl Canvas {
    /// How much of `left` columns a reason gets, before names that stand last in their rows.
    pub(crate) fn reason_room(self, left: usize, names: impl Iterator<Item = String>) -> usize {
        let widest = names.map(|name| name.width()).max().unwrap_or(0).clamp(8, (left * 2 / 5).max(8));
        left.saturating_sub(widest + 2)
    }

    /// The sign before what can be folded.
    pub(crate) fn fold(self, open: bool) -> &'static str {
        match (open, self.signs.ascii) {
            (true, false) => "▾ ",
            (false, false) => "▸ ",
            (true, true) => "v ",
            (false, true) => "> ",
        }
    }
}

/// Messages, newest first.
pub(crate) fn messages(messages: &Messages, canvas: Canvas) -> Vec<Row> {
    let row = |message: &super::messages::Message| Row {
        id: RowId::Message(message.number),
        depth: 0,
        line: vec![
            span(format!("{}  ", message.at.clock()), Ink::Label),
            span(
                canvas.signs.beside(message.tone, &message.text),
                Ink::Toned(if message.tone == Tone::Good { Tone::Plain } else { message.tone }),
            ),
        ],
    };
    messages.iter().map(row).collect()
}
