//! A report as lines of inked spans: the one layout that the terminal and the console share. Only how ink
//! becomes colour differs between the two.

use super::signs::{Signs, wrap};
use super::table;
use unicode_width::UnicodeWidthStr;
use wayhaven_shared::Report;
use wayhaven_shared::report::Tone;

/// What a span is, from which each renderer makes colour and weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// A value with its tone.
    Toned(Tone),
    /// The line that says what happened.
    Title(Tone),
    /// The name of a field, the heading of a column.
    Label,
    /// A way on.
    Hint,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Clean text: nothing in it moves a cursor.
    pub(crate) text: String,
    /// What it is.
    pub(crate) ink: Ink,
}

/// One line.
pub(crate) type Line = Vec<Span>;

/// A span.
pub(crate) fn span(text: impl Into<String>, ink: Ink) -> Span {
    Span { text: text.into(), ink }
}

/// What a report is laid out for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Columns; nothing where the text goes into a file or a pipe, and is not cut.
    pub(crate) width: Option<usize>,
    /// What can be shown.
    pub(crate) signs: Signs,
}

/// How wide a progress bar is at most.
const WIDEST_BAR: usize = 30;

/// The space between two columns.
pub(crate) const GAP: &str = "  ";

impl Page {
    /// The report, line by line.
    pub(crate) fn lay_out(&self, report: &Report) -> Vec<Line> {
        let mut lines = vec![self.title(report)];
        self.fields(report, &mut lines);
        if let Some(progress) = report.progress {
            let width = self.width.map_or(WIDEST_BAR, |width| width.saturating_sub(20).clamp(4, WIDEST_BAR));
            lines.push(vec![
                span(self.signs.bar(progress, width), Ink::Toned(report.tone)),
                span(format!(" {}/{}", progress.done, progress.total), Ink::Toned(Tone::Plain)),
            ]);
        }
        for table in &report.tables {
            lines.push(Vec::new());
            lines.extend(table::lay_out(self, table));
        }
        if !report.hints.is_empty() && !report.tables.is_empty() {
            lines.push(Vec::new());
        }
        for hint in &report.hints {
            lines.extend(self.labelled("hint: ", &self.signs.text(hint), Ink::Hint, Ink::Hint));
        }
        lines
    }

    fn title(&self, report: &Report) -> Line {
        let sign = self.signs.tone(report.tone);
        let parted = if sign.is_empty() { "" } else { " " };
        vec![span(
            format!("{sign}{parted}{}", self.signs.text(&report.title.line())),
            Ink::Title(report.tone),
        )]
    }

    fn fields(&self, report: &Report, lines: &mut Vec<Line>) {
        let widest = report.fields.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
        for (name, cell) in &report.fields {
            let value = self.signs.beside(cell.tone, &cell.text.line());
            let label = format!("{}{GAP}", self.signs.fit(name, widest));
            lines.extend(self.labelled(&label, &value, Ink::Label, Ink::Toned(cell.tone)));
        }
    }

    /// A label and text that goes on below itself where it is longer than the line.
    fn labelled(&self, label: &str, text: &str, label_ink: Ink, ink: Ink) -> Vec<Line> {
        let indent = label.width();
        let parts = match self.width {
            Some(width) => wrap(text, width.saturating_sub(indent).max(8)),
            None => vec![text.to_owned()],
        };
        let first = |index: usize| if index == 0 { label.to_owned() } else { " ".repeat(indent) };
        let line = |(index, part)| vec![span(first(index), label_ink), span(part, ink)];
        parts.into_iter().enumerate().map(line).collect()
    }
}
