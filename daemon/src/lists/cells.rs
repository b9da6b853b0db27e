//! Comma-separated values (RFC 4180, and what programs write instead), one record at a time.

use super::understand::{self, Field, Told};
use super::{LONGEST_ROW, Line, Rejected, Source};
use std::io::Read;
use wayhaven_shared::Fault;
use wayhaven_shared::value::Untrusted;

/// The most cells a record may have.
const MOST_CELLS: usize = 256;

/// The records of a file.
pub(super) struct Cells<R> {
    source: Source<R>,
    /// A record that was read to see whether it is a header, and is none.
    back: Option<Record>,
}

/// One record: a line, or several where a cell holds line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    line: u64,
    cells: Vec<Vec<u8>>,
    /// Why it cannot be used, where it cannot.
    broken: Option<&'static str>,
}

impl<R: Read> Cells<R> {
    pub(super) fn new(source: Source<R>) -> Self {
        Self { source, back: None }
    }

    /// The next record that is not an empty line.
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        if let Some(record) = self.back.take() {
            return Ok(Some(record));
        }
        loop {
            if self.source.peek()?.is_none() {
                return Ok(None);
            }
            let record = self.record()?;
            let blank = |cell: &Vec<u8>| cell.trim_ascii().is_empty();
            if record.broken.is_some() || !record.cells.iter().all(blank) {
                return Ok(Some(record));
            }
        }
    }

    /// Reads one record. Beyond the bounds it is read on and not kept.
    fn record(&mut self) -> Result<Record, Fault> {
        let mut record = Record { line: self.source.line(), cells: vec![Vec::new()], broken: None };
        let (mut kept, mut quoted, mut was_quoted) = (0, false, false);
        loop {
            let at = self.source.line();
            let Some(byte) = self.source.take()? else {
                if quoted {
                    return Err(never_closed(record.line, at));
                }
                return Ok(record);
            };
            let fresh = !was_quoted && record.cells.last().is_none_or(Vec::is_empty);
            match byte {
                b'"' if quoted && self.source.peek()? == Some(b'"') => drop(self.source.take()?),
                b'"' if quoted => {
                    quoted = false;
                    continue;
                }
                b'"' if fresh => {
                    (quoted, was_quoted) = (true, true);
                    continue;
                }
                _ if quoted => {}
                b'\n' => return Ok(record),
                b'\r' => {
                    if self.source.peek()? == Some(b'\n') {
                        self.source.take()?;
                    }
                    return Ok(record);
                }
                byte if byte == self.source.delimiter() => {
                    was_quoted = false;
                    match record.cells.len() < MOST_CELLS {
                        true => record.cells.push(Vec::new()),
                        false => record.broken = Some("it has more than 256 cells"),
                    }
                    continue;
                }
                b' ' | b'\t' if was_quoted => continue,
                _ if was_quoted => {
                    record.broken = Some("text stands behind a closing quote");
                    continue;
                }
                _ => {}
            }
            kept += 1;
            match record.cells.last_mut().filter(|_| kept <= LONGEST_ROW) {
                Some(cell) => cell.push(byte),
                None => record.broken = Some("it is longer than 64 KiB"),
            }
        }
    }
}

fn never_closed(opened: u64, ended: u64) -> Fault {
    Fault::usage(format!(
        "a quote that is opened in the row of line {opened} is not closed until the file ends in line {ended}"
    ))
    .hint("close the quote; a quote within a quoted cell is written twice")
}

/// Which cell says what.
#[derive(Debug)]
pub(super) struct Columns {
    fields: Vec<Option<Field>>,
}

impl Columns {
    /// Reads the header, or finds that there is none.
    ///
    /// # Errors
    /// Where the first record is neither a header that names the users nor begins with a user's id.
    pub(super) fn of<R: Read>(cells: &mut Cells<R>) -> Result<Self, Fault> {
        let Some(first) = cells.next()? else {
            return Err(Fault::usage("the file has no row"));
        };
        let name = |cell: &Vec<u8>| Field::named(&String::from_utf8_lossy(cell));
        let fields: Vec<Option<Field>> = first.cells.iter().map(name).collect();
        if first.broken.is_none() && fields.iter().flatten().any(|field| field.is_user()) {
            return Ok(Self { fields });
        }
        let id = first.cells.first().map_or(&[][..], Vec::as_slice);
        if first.broken.is_none() && !looks_like_id(id) {
            let names: Vec<String> = first.cells.iter().take(12).map(|cell| shown(cell)).collect();
            return Err(Fault::usage(format!(
                "line {} names no column of user ids: {}",
                first.line,
                names.join(", ")
            ))
            .hint("call it user_id; reason and expires_at are read too, other columns are passed over")
            .hint("or leave the header out and begin each line with a user id"));
        }
        // Ids alone, or ids and what else there is: the second is why.
        cells.back = Some(first);
        Ok(Self { fields: vec![Some(Field::ID), Some(Field::REASON)] })
    }

    /// The next row.
    pub(super) fn next<R: Read>(&self, cells: &mut Cells<R>) -> Result<Option<Line>, Fault> {
        let Some(record) = cells.next()? else { return Ok(None) };
        let first = record.cells.first().map_or(&[][..], Vec::as_slice);
        if let Some(why) = record.broken {
            return Ok(Some(Line::Rejected(Rejected::new(record.line, first, why))));
        }
        let mut told = Told::default();
        for (cell, field) in record.cells.iter().zip(&self.fields) {
            let Some(field) = field else { continue };
            match std::str::from_utf8(cell) {
                Ok(text) => told.say(*field, unescaped(text).to_owned()),
                Err(_) => {
                    let rejected = Rejected::new(record.line, cell, "it is not text in UTF-8");
                    return Ok(Some(Line::Rejected(rejected)));
                }
            }
        }
        Ok(Some(understand::row(record.line, told)))
    }
}

fn shown(cell: &[u8]) -> String {
    Untrusted::clipped(&String::from_utf8_lossy(cell)).line_within(30)
}

/// Digits, or a mention: so begins a file without a header, even if the id turns out to be none.
fn looks_like_id(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    let cell = cell.strip_prefix(b"'").unwrap_or(cell);
    cell.starts_with(b"<@") || cell.first().is_some_and(u8::is_ascii_digit)
}

/// What begins a formula in a spreadsheet, and the quote that keeps it from being one.
pub(super) const DANGEROUS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// A cell without the quote that keeps a spreadsheet from reading it as a formula.
fn unescaped(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(DANGEROUS)).unwrap_or(cell)
}

#[cfg(test)]
impl<R: Read> Cells<R> {
    /// Every cell there is.
    pub(super) fn all(&mut self) -> Result<Vec<Vec<u8>>, Fault> {
        let mut cells = Vec::new();
        while let Some(record) = self.next()? {
            cells.extend(record.cells);
        }
        Ok(cells)
    }
}
