//! Tables that fit their page.
//!
//! Ids, times and single words are never cut. Free text gives way first, widest column first; where that is
//! not enough, free text goes onto a line of its own below its row.

use super::layout::{GAP, Ink, Line, Page, Span, span};
use unicode_width::UnicodeWidthStr;
use wayhaven_shared::report::{Cell, Table, Text, Tone};

/// How much of a name, with the brackets around its id, there is beside other columns. Where that is too much, free text
/// goes below its row first.
const PART_OF_NAME: usize = 9;

/// Free text is not cut below this: it would say nothing.
const NARROWEST: usize = 12;

struct Column<'a> {
    heading: &'a str,
    cells: Vec<Piece>,
    width: usize,
    /// It is not made narrower than that.
    narrowest: usize,
    /// Long text, which may be cut.
    free: bool,
    /// Words and no ids, which may stand below the row.
    wordy: bool,
    /// Stands below its row.
    below: bool,
}

/// What stands in a cell.
struct Piece {
    text: String,
    tone: Tone,
    /// The id at the end of `text`, which is not cut where the name before it is.
    id: Option<String>,
}

impl Column<'_> {
    /// Whether it holds users or guilds with their names.
    fn is_named(&self) -> bool {
        self.cells.iter().any(|cell| cell.id.is_some())
    }
}

impl Piece {
    /// The text in so many columns.
    fn fit(&self, page: &Page, width: usize) -> String {
        let Some(id) = self.id.as_ref().filter(|_| self.text.width() > width) else {
            return page.signs.fit(&self.text, width);
        };
        let tail = format!(" ({id})");
        let name = self.text.strip_suffix(&tail).unwrap_or_default();
        match width.checked_sub(tail.width()).filter(|left| *left >= 3) {
            Some(left) => page.signs.fit(&format!("{}{tail}", page.signs.cut(name, left)), width),
            None => page.signs.fit(id, width),
        }
    }
}

/// The table, line by line.
pub(crate) fn lay_out(page: &Page, table: &Table) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(title) = &table.title {
        lines.push(vec![span(page.signs.text(&title.line()), Ink::Title(Tone::Plain))]);
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
        let piece = |cell: &&Cell| Piece {
            text: page.signs.beside(cell.tone, &cell.text.line()),
            tone: cell.tone,
            id: cell.text.named().map(|(_, id)| id),
        };
        let cells: Vec<Piece> = inner.iter().map(piece).collect();
        let width = cells.iter().map(|cell| cell.text.width()).chain([heading.width()]).max().unwrap_or(0);
        let ids = cells.iter().filter_map(|cell| cell.id.as_ref()).map(|id| id.width()).max();
        let narrowest = ids.map_or(NARROWEST, |ids| ids + PART_OF_NAME).max(heading.width());
        // What is as short as that already is never in the way.
        let free = free && width > NARROWEST;
        let wordy = |cell: &Piece| cell.text.chars().any(char::is_alphabetic) || !said(&cell.text);
        let wordy = cells.iter().all(|cell| cell.id.is_none() && wordy(cell));
        Column { heading, cells, width, narrowest, free, wordy, below: false }
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
        let widest = columns.iter_mut().filter(|column| column.free && column.width > column.narrowest);
        let Some(widest) = widest.max_by_key(|column| column.width) else { return false };
        widest.width = widest.width.saturating_sub(excess.min(4)).max(widest.narrowest);
    }
}

/// Puts free text below its row, and what else is words as far as necessary. A user or a guild stays in its row, at the
/// worst by the id alone.
fn stack(columns: &mut [Column<'_>], width: usize) {
    columns.iter_mut().for_each(|column| {
        column.below = column.free && !column.is_named();
        if column.is_named() {
            column.width = column.width.min(column.narrowest - PART_OF_NAME);
        }
    });
    put_words_below(columns, width);
    // Names get what room there is then.
    let used: usize =
        columns.iter().filter(|column| !column.below).map(|column| column.width + GAP.len()).sum();
    let mut left = (width + GAP.len()).saturating_sub(used);
    for column in columns.iter_mut().filter(|column| column.is_named()) {
        let whole = column.cells.iter().map(|cell| cell.text.width()).max().unwrap_or(0);
        let more = whole.saturating_sub(column.width).min(left);
        column.width += more;
        left -= more;
    }
}

/// Puts what is words below its row, from the last column on, until the rest fits.
fn put_words_below(columns: &mut [Column<'_>], width: usize) {
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
        let cell = column.cells.get(row)?;
        Some(span(cell.fit(page, column.width), Ink::Toned(cell.tone)))
    }))
}

/// What did not fit beside the others, below them and indented.
fn continuation(page: &Page, columns: &[&Column<'_>], row: usize) -> Option<Line> {
    let texts: Vec<&Piece> =
        columns.iter().filter_map(|column| column.cells.get(row)).filter(|cell| said(&cell.text)).collect();
    let room = page.width?.saturating_sub(4);
    let share = (room / texts.len().max(1)).saturating_sub(GAP.len()).max(NARROWEST);
    (!texts.is_empty()).then(|| {
        let mut spans = vec![span("    ", Ink::Toned(Tone::Plain))];
        spans.extend(line(
            texts.into_iter().map(|cell| span(page.signs.cut(&cell.text, share), Ink::Toned(cell.tone))),
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
    fn a_name_is_cut_and_its_id_never_is() {
        let id = "123456789012345678";
        let user = id.parse().unwrap();
        let mut table = Table::new(["state", "user", "why"], "none");
        let name = Untrusted::clipped("a-rather-long-name-of-somebody");
        let why = "the bot lacks a permission that it needs there";
        table.push(["applied".into(), Text::User(user, Some(name)).into(), why.into()]);
        let text = |width: usize| -> String {
            let page = Page { width: Some(width), signs: Signs::default() };
            let line = |line: Line| line.into_iter().map(|span| span.text).collect::<String>() + "\n";
            lay_out(&page, &table).into_iter().map(line).collect()
        };
        for width in [30, 40, 50, 60, 80, 140] {
            let text = text(width);
            assert!(text.lines().all(|line| line.width() <= width), "{width}\n{text}");
            let row = text.lines().nth(1).unwrap();
            assert!(row.contains(id), "{width}\n{text}");
            assert_eq!(row.contains("a-rat"), width >= 40, "{width}\n{text}");
        }
        assert!(text(140).contains(&format!("a-rather-long-name-of-somebody ({id})")));
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
