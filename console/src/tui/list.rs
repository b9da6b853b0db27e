//! A list of rows with a selection that follows its row's id, marks, folds and a filter.

use crate::render::layout::Line;
use shared::value::{DeliveryId, GuildId, PunishmentId};
use std::collections::{BTreeSet, HashMap};
use wayhaven_shared as shared;

/// What a row stands for: the selection is kept by it and not by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum RowId {
    /// A main guild.
    Main(GuildId),
    /// A child of a main: main, child.
    Child(GuildId, GuildId),
    /// A punishment.
    Punishment(PunishmentId),
    /// How a punishment went where it was decided.
    Origin(PunishmentId),
    /// A delivery of a punishment.
    Delivery(PunishmentId, DeliveryId),
    /// The folded successes of a punishment.
    Applied(PunishmentId),
    /// A message.
    Message(u64),
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What it stands for.
    pub(crate) id: RowId,
    /// How deep it is in its tree: a row belongs to the nearest one above that is less deep.
    pub(crate) depth: u8,
    /// What it says.
    pub(crate) line: Line,
}

impl Row {
    /// Its text, as the filter sees it.
    fn text(&self) -> String {
        self.line.iter().map(|span| span.text.as_str()).collect::<String>().to_lowercase()
    }
}

/// Which rows are shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// As it was typed: a substring, or `!` and a substring that must not be there.
    pub(crate) text: String,
}

impl Filter {
    fn accepts(&self, row: &Row) -> bool {
        match self.text.strip_prefix('!') {
            Some("") => true,
            Some(unwanted) => !row.text().contains(&unwanted.to_lowercase()),
            None => row.text().contains(&self.text.to_lowercase()),
        }
    }

    /// The rows that are accepted, and those that they belong to: without its punishment or its main nobody could tell what
    /// a row is about.
    fn apply(&self, rows: Vec<Row>) -> Vec<Row> {
        let mut kept = Vec::new();
        let mut above: Vec<Row> = Vec::new();
        for row in rows {
            above.retain(|one| one.depth < row.depth);
            if self.accepts(&row) {
                kept.append(&mut above);
                kept.push(row);
            } else {
                above.push(row);
            }
        }
        kept
    }
}

/// A list as the person left it.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// The rows that the filter lets through.
    pub(crate) rows: Vec<Row>,
    /// Which rows are shown.
    pub(crate) filter: Filter,
    /// Marked rows.
    pub(crate) marks: BTreeSet<RowId>,
    /// Folded or unfolded by hand: open or not.
    pub(crate) folds: HashMap<RowId, bool>,
    /// The first row on the screen.
    pub(crate) top: usize,
    selected: Option<RowId>,
    index: usize,
}

impl List {
    /// New rows: the selection stays on its id, or where it was when that is gone.
    pub(crate) fn set(&mut self, rows: Vec<Row>, height: usize) {
        self.rows = rows;
        if !self.filter.text.is_empty() {
            self.rows = self.filter.apply(std::mem::take(&mut self.rows));
        }
        if let Some(place) = self.rows.iter().position(|row| Some(row.id) == self.selected) {
            self.index = place;
        }
        self.marks.retain(|mark| self.rows.iter().any(|row| row.id == *mark));
        self.select(self.index, height);
    }

    /// Selects the row at a place, or the nearest there is, and keeps it on the screen.
    pub(crate) fn select(&mut self, index: usize, height: usize) {
        self.index = index.min(self.rows.len().saturating_sub(1));
        self.selected = self.rows.get(self.index).map(|row| row.id).or(self.selected);
        let height = height.max(1);
        if self.index < self.top {
            self.top = self.index;
        } else if self.index >= self.top + height {
            self.top = self.index + 1 - height;
        }
        self.top = self.top.min(self.rows.len().saturating_sub(height));
    }

    /// Moves the selection.
    pub(crate) fn step(&mut self, by: isize, height: usize) {
        self.select(self.index.saturating_add_signed(by), height);
    }

    /// What keys act on.
    pub(crate) fn current(&self) -> Option<RowId> {
        self.rows.get(self.index).map(|row| row.id)
    }

    /// Whether the row at this place is the selected one.
    pub(crate) fn is_current(&self, index: usize) -> bool {
        self.index == index
    }

    /// Selects the row with this id, as soon as it is there.
    pub(crate) fn seek(&mut self, id: RowId) {
        self.selected = Some(id);
    }

    /// Marks the selected row or takes its mark away, and goes on to the next.
    pub(crate) fn toggle_mark(&mut self, height: usize) {
        let Some(id) = self.current() else { return };
        if !self.marks.remove(&id) {
            self.marks.insert(id);
        }
        self.step(1, height);
    }

    /// The marked rows, or the selected one where none is marked.
    pub(crate) fn chosen(&self) -> Vec<RowId> {
        match self.marks.is_empty() {
            false => self.rows.iter().map(|row| row.id).filter(|id| self.marks.contains(id)).collect(),
            true => self.current().into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::layout::{Ink, span};
    use shared::report::Tone;

    fn rows(numbers: &[u64]) -> Vec<Row> {
        let row = |number: &u64| Row {
            id: RowId::Message(*number),
            depth: 0,
            line: vec![span(format!("Row {number}"), Ink::Toned(Tone::Plain))],
        };
        numbers.iter().map(row).collect()
    }

    #[test]
    fn the_selection_stays_on_its_row_when_others_come_and_go() {
        let mut list = List::default();
        list.set(rows(&[1, 2, 3]), 2);
        list.step(1, 2);
        list.set(rows(&[9, 8, 1, 2, 3]), 2);
        assert_eq!(list.current(), Some(RowId::Message(2)));
        assert!(list.top <= 3 && 3 < list.top + 2);
        list.set(rows(&[9, 8, 1, 3]), 2);
        assert_eq!(list.current(), Some(RowId::Message(3)), "where it was");
        list.set(Vec::new(), 2);
        assert_eq!(list.current(), None);
        list.step(5, 2);
    }

    #[test]
    fn a_filter_takes_a_substring_or_its_inverse() {
        let mut list = List::default();
        let shown = |list: &mut List, text: &str| {
            list.filter.text = text.into();
            list.set(rows(&[1, 2, 12]), 9);
            list.rows.len()
        };
        assert_eq!(shown(&mut list, "row"), 3);
        assert_eq!(shown(&mut list, "2"), 2);
        assert_eq!(shown(&mut list, "!2"), 1);
        assert_eq!(shown(&mut list, "!"), 3);
    }

    #[test]
    fn a_filter_keeps_what_a_row_belongs_to_and_nothing_else() {
        let tree = [(1, 0), (11, 1), (12, 1), (123, 2), (2, 0), (21, 1), (3, 0), (31, 1), (13, 0)];
        let rows = || {
            let row = |(number, depth): (u64, u8)| Row { depth, ..rows(&[number]).remove(0) };
            tree.into_iter().map(row).collect()
        };
        let mut list = List::default();
        let mut shown = |text: &str| {
            list.filter.text = text.into();
            list.set(rows(), 20);
            list.rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        let ids = |numbers: &[u64]| numbers.iter().map(|number| RowId::Message(*number)).collect::<Vec<_>>();
        assert_eq!(shown("123"), ids(&[1, 12, 123]), "with the rows above it");
        assert_eq!(shown("21"), ids(&[2, 21]));
        assert_eq!(shown("31"), ids(&[3, 31]));
        assert_eq!(shown("13"), ids(&[13]));
        assert_eq!(shown("!1"), ids(&[2, 3]), "what is not wanted comes in by no other row");
        assert_eq!(shown("nothing"), ids(&[]));
    }
}
