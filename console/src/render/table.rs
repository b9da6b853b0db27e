//! Tables that fit their page.
//!
//! Ids, times and single words are never cut. Free text gives way first, widest column first; where that is
//! not enough, free text goes onto a line of its own below its row.

use super::layout::{GAP, Ink, Line, Page, Span, span};
use unicode_width::UnicodeWidthStr;
use wayhaven_shared::report::{Cell, Table, Text, Tone};

/// Free text is not cut below this: it would say nothing.
const NARROWEST: usize = 12;

struct Column<'a> {
    heading: &'a str,
    cells: Vec<(String, Tone)>,
    width: usize,
    /// Long text, which may be cut.
    free: bool,
    /// Words and no ids, which may stand below the row.
    wordy: bool,
    /// Stands below its row.
    below: bool,
}

/// The table, line by line.
pub(crate) fn lay_out(page: &Page, table: &Table) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(title) = &table.title {
        lines.push(vec![span(page.signs.text(title), Ink::Title(Tone::Plain))]);
    }
    if table.rows.is_empty() {
        lines.push(vec![span(page.signs.text(&table.empty), Ink::Toned(Tone::Quiet))]);
        return lines;
    }
    let mut columns = columns(page, table);
    if let Some(width) = page.width.filter(|width| !squeeze(&mut columns, *width)) {
        stack(&mut columns, width);
    }
    let (beside, below): (Vec<&Column<'_>>, Vec<&Column<'_>>) =
        columns.iter().partition(|column| !column.below);
    lines.push(heading(page, &beside));
    for row in 0..table.rows.len() {
        lines.push(cells(page, &beside, row));
        lines.extend(continuation(page, &below, row));
    }
    lines
}

fn columns<'a>(page: &Page, table: &'a Table) -> Vec<Column<'a>> {
    let column = |(index, heading): (usize, &'a String)| {
        let inner: Vec<&Cell> = table.rows.iter().filter_map(|row| row.get(index)).collect();
        let free = inner.iter().any(|cell| is_free(cell));
        let text = |cell: &&Cell| (page.signs.beside(cell.tone, &cell.text.line()), cell.tone);
        let cells: Vec<(String, Tone)> = inner.iter().map(text).collect();
        let width = cells.iter().map(|(text, _)| text.width()).chain([heading.width()]).max().unwrap_or(0);
        // What is as short as that already is never in the way.
        let free = free && width > NARROWEST;
        let wordy = cells.iter().all(|(text, _)| text.chars().any(char::is_alphabetic) || !said(text));
        Column { heading, cells, width, free, wordy, below: false }
    };
    table.columns.iter().enumerate().map(column).collect()
}

/// Whether a cell is text that may be cut, not an id, a time or a word of ours.
fn is_free(cell: &Cell) -> bool {
    let line = cell.text.line();
    let lettered = line.chars().any(char::is_alphabetic);
    lettered && (line.contains(' ') || matches!(cell.text, Text::Theirs(_)))
}

/// Narrows free columns until the table fits; false where it cannot.
fn squeeze(columns: &mut [Column<'_>], width: usize) -> bool {
    let gaps = GAP.len() * columns.len().saturating_sub(1);
    loop {
        let total: usize = columns.iter().map(|column| column.width).sum::<usize>() + gaps;
        let Some(excess) = total.checked_sub(width).filter(|excess| *excess > 0) else { return true };
        let floor = |column: &Column<'_>| NARROWEST.max(column.heading.width());
        let widest = columns.iter_mut().filter(|column| column.free && column.width > floor(column));
        let Some(widest) = widest.max_by_key(|column| column.width) else { return false };
        widest.width = widest.width.saturating_sub(excess.min(4)).max(floor(widest));
    }
}

/// Puts free text below its row, and from the last column on what else is words, until the rest fits.
fn stack(columns: &mut [Column<'_>], width: usize) {
    columns.iter_mut().for_each(|column| column.below = column.free);
    loop {
        let beside = columns.iter().filter(|column| !column.below);
        let total: usize = beside.map(|column| column.width + GAP.len()).sum();
        let words = columns.iter_mut().skip(1).rfind(|column| column.wordy && !column.below);
        match words.filter(|_| total > width + GAP.len()) {
            Some(words) => words.below = true,
            None => return,
        }
    }
}

/// Whether a cell says anything.
fn said(text: &str) -> bool {
    !text.is_empty() && text != "—" && text != "-"
}

fn heading(page: &Page, columns: &[&Column<'_>]) -> Line {
    line(columns.iter().map(|column| span(page.signs.fit(column.heading, column.width), Ink::Label)))
}

fn cells(page: &Page, columns: &[&Column<'_>], row: usize) -> Line {
    line(columns.iter().filter_map(|column| {
        let (text, tone) = column.cells.get(row)?;
        Some(span(page.signs.fit(text, column.width), Ink::Toned(*tone)))
    }))
}

/// What did not fit beside the others, below them and indented.
fn continuation(page: &Page, columns: &[&Column<'_>], row: usize) -> Option<Line> {
    let texts: Vec<&(String, Tone)> =
        columns.iter().filter_map(|column| column.cells.get(row)).filter(|(text, _)| said(text)).collect();
    let room = page.width?.saturating_sub(4);
    let share = (room / texts.len().max(1)).saturating_sub(GAP.len()).max(NARROWEST);
    (!texts.is_empty()).then(|| {
        let mut spans = vec![span("    ", Ink::Toned(Tone::Plain))];
        spans.extend(line(
            texts.into_iter().map(|(text, tone)| span(page.signs.cut(text, share), Ink::Toned(*tone))),
        ));
        spans
    })
}

/// The spans with gaps between them and nothing behind the last.
fn line(spans: impl Iterator<Item = Span>) -> Line {
    let mut line: Line = Vec::new();
    for one in spans {
        if !line.is_empty() {
            line.push(span(GAP, Ink::Toned(Tone::Plain)));
        }
        line.push(one);
    }
    if let Some(last) = line.last_mut() {
        last.text.truncate(last.text.trim_end().len());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::signs::Signs;
    use wayhaven_shared::value::Untrusted;

    fn table() -> Table {
        let mut table = Table::new(["state", "user", "guild", "why", "name"], "none");
        let name = |name: &str| Cell::from(&Untrusted::clipped(name));
        let id = "123456789012345678";
        let why = "403 missing permission: give the bot Ban Members there";
        table.push([
            Cell::toned("x blocked", Tone::Bad),
            id.into(),
            id.into(),
            why.into(),
            name("日本語サーバー"),
        ]);
        table.push([
            Cell::toned("applied", Tone::Good),
            id.into(),
            id.into(),
            "—".into(),
            name("ru\u{1b}[2J"),
        ]);
        table
    }

    fn text(width: Option<usize>) -> String {
        let page = Page { width, signs: Signs::default() };
        let line = |line: Line| line.into_iter().map(|span| span.text).collect::<String>() + "\n";
        lay_out(&page, &table()).into_iter().map(line).collect()
    }

    #[test]
    fn free_text_gives_way_and_ids_never_do() {
        for width in [50, 60, 70, 80, 100] {
            let text = text(Some(width));
            assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
            assert_eq!(text.matches("123456789012345678").count(), 4, "{width}:\n{text}");
        }
        insta::assert_snapshot!("table_at_80", text(Some(80)));
        insta::assert_snapshot!("table_at_60", text(Some(60)));
    }

    #[test]
    fn short_words_go_below_too_where_ids_alone_fill_the_line() {
        let mut table = Table::new(["state", "user", "guild", "punishment", "why", "name"], "none");
        let id = "123456789012345678";
        let name = Cell::from(&Untrusted::clipped("film-club"));
        table.push(["+ applied".into(), id.into(), id.into(), "6".into(), "—".into(), name]);
        let page = Page { width: Some(64), signs: Signs::default() };
        let line = |line: Line| line.into_iter().map(|span| span.text).collect::<String>();
        let lines: Vec<String> = lay_out(&page, &table).into_iter().map(line).collect();
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(lines.iter().all(|line| line.width() <= 64), "{lines:#?}");
        assert_eq!(lines[2], "    film-club");
    }

    #[test]
    fn a_file_gets_everything() {
        assert!(text(None).contains("give the bot Ban Members there"));
    }
}
