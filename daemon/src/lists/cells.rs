//! Comma-separated values (RFC 4180, and what programs write instead), one record at a time.
//!
//! A quote may be a program's that never quotes. So where a quoted cell goes on over a line that looks like a row, nobody
//! can tell what belongs to whom: each of these lines is rejected by itself, and none of its ids is lost.

mod header;

pub(super) use header::Header;

use super::{LONGEST_ROW, Rejected, Source, values};
use std::collections::VecDeque;
use std::io::Read;
use wayhaven_shared::Fault;
use wayhaven_shared::value::UserId;

/// The most cells a record may have.
const MOST_CELLS: usize = 256;

/// How much of a line within a quoted cell is kept, in bytes: enough to see whether it begins like a row.
const LINE_START: usize = 512;

/// How many lines with ids one quoted cell may have before each is rejected as it comes.
const MOST_INSIDE: usize = 1_000;

/// The records of a file.
pub(super) struct Cells<R> {
    source: Source<R>,
    /// Records that were read ahead: those before the first row, and lines that stand in a quoted cell.
    ahead: VecDeque<Record>,
    /// The line of the quote that stays open over lines that look like rows.
    astray: Option<u64>,
    /// In which cells a row has its user.
    users: Vec<usize>,
    /// How many cells a line within a quoted cell needs to look like a row.
    needed: usize,
}

/// One record: a line, or several where a cell holds line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Record {
    line: u64,
    cells: Vec<Vec<u8>>,
    /// Why it cannot be used, where it cannot.
    broken: Option<String>,
    /// How many numbers it holds that may be ids, beyond those in its cells.
    ids: usize,
}

impl Record {
    fn rejected(&self) -> Option<Rejected> {
        let why = self.broken.as_ref()?;
        let first = self.cells.first().map_or(&[][..], Vec::as_slice);
        let ids = self.ids + self.cells.iter().map(|cell| values::ids_in(cell).count()).sum::<usize>();
        let users = self.ids_of(|_| true);
        Some(Rejected { ids, users, ..Rejected::new(self.line, first, why.as_str()) })
    }

    /// The ids in some of its cells.
    fn ids_of(&self, is: impl Fn(usize) -> bool) -> Vec<UserId> {
        let cells = self.cells.iter().enumerate().filter(|(at, _)| is(*at)).map(|(_, cell)| cell);
        cells.flat_map(|cell| values::ids_in(cell)).filter_map(UserId::new).collect()
    }

    /// A record that cannot be used, whose users stand in these cells if they stand there at all.
    fn rejected_of(&self, users: &[usize]) -> Option<Rejected> {
        let rejected = self.rejected()?;
        let own = self.ids_of(|at| users.contains(&at));
        Some(if own.is_empty() { rejected } else { Rejected { users: own, ..rejected } })
    }
}

/// A line within a quoted cell.
#[derive(Default)]
struct Inside {
    line: u64,
    text: Vec<u8>,
}

impl<R: Read> Cells<R> {
    pub(super) fn new(source: Source<R>) -> Self {
        Self { source, ahead: VecDeque::new(), astray: None, users: vec![0], needed: 1 }
    }

    /// Puts records back in front of what follows.
    fn first(&mut self, records: Vec<Record>) {
        records.into_iter().rev().for_each(|record| self.ahead.push_front(record));
    }

    /// The next record that is not an empty line.
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        if let Some(record) = self.ahead.pop_front() {
            return Ok(Some(record));
        }
        while let Some(opened) = self.astray {
            if self.source.peek()?.is_none() {
                self.astray = None;
                break;
            }
            let line = self.line_astray(opened)?;
            if line.is_some() {
                return Ok(line);
            }
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
        let mut record = Record { line: self.source.line(), cells: vec![Vec::new()], ..Record::default() };
        let (mut kept, mut quoted, mut was_quoted) = (0, false, false);
        // The lines behind the first, as long as a quoted cell goes on.
        let (mut inside, mut with_ids): (Option<Inside>, Vec<Inside>) = (None, Vec::new());
        let broken = |record: &mut Record, why: &str| {
            record.broken.get_or_insert_with(|| why.to_owned());
        };
        loop {
            let at = self.source.line();
            let Some(byte) = self.source.take()? else {
                let last = inside.take();
                if quoted {
                    let why = never_closed(record.line, at);
                    with_ids.extend(last.filter(has_ids));
                    if with_ids.is_empty() {
                        return Err(why);
                    }
                    broken(&mut record, &why.message);
                }
                return Ok(self.ended(record, with_ids));
            };
            let fresh = !was_quoted && record.cells.last().is_none_or(Vec::is_empty);
            match byte {
                b'"' if quoted && self.source.peek()? == Some(b'"') => drop(self.source.take()?),
                b'"' if quoted => {
                    quoted = false;
                    if let Some(line) = inside.take() {
                        if self.looks_like_row(&line.text) {
                            return self.go_astray(record, with_ids, Some(line), true);
                        }
                        with_ids.extend(Some(line).filter(has_ids));
                    }
                    continue;
                }
                b'"' if fresh => {
                    (quoted, was_quoted) = (true, true);
                    continue;
                }
                b'\r' | b'\n' if quoted => {
                    // A line ends with LF, CR, or both: both are one end.
                    let ended = inside.take();
                    if ended.is_none() && self.has_swallowed_user(&record) {
                        return self.go_astray(record, with_ids, None, false);
                    }
                    if let Some(line) = ended.filter(|line| !line.text.is_empty()) {
                        if self.looks_like_row(&line.text) || with_ids.len() >= MOST_INSIDE {
                            return self.go_astray(record, with_ids, Some(line), false);
                        }
                        with_ids.extend(Some(line).filter(has_ids));
                    }
                    inside = Some(Inside { line: self.source.line(), text: Vec::new() });
                }
                _ if quoted => {
                    if let Some(line) = inside.as_mut().filter(|line| line.text.len() < LINE_START) {
                        line.line = at;
                        line.text.push(byte);
                    }
                }
                b'\n' => return Ok(self.ended(record, with_ids)),
                b'\r' => {
                    if self.source.peek()? == Some(b'\n') {
                        self.source.take()?;
                    }
                    return Ok(self.ended(record, with_ids));
                }
                byte if byte == self.source.delimiter() => {
                    was_quoted = false;
                    match record.cells.len() < MOST_CELLS {
                        true => record.cells.push(Vec::new()),
                        false => broken(&mut record, "it has more than 256 cells"),
                    }
                    continue;
                }
                b' ' | b'\t' if was_quoted => continue,
                _ if was_quoted => broken(&mut record, "text stands behind a closing quote"),
                _ => {}
            }
            kept += 1;
            match record.cells.last_mut().filter(|_| kept <= LONGEST_ROW) {
                Some(cell) => cell.push(byte),
                None => broken(&mut record, "it is longer than 64 KiB"),
            }
        }
    }

    /// A whole record. If it cannot be used, the lines within it that hold ids are rejected by themselves.
    fn ended(&mut self, record: Record, with_ids: Vec<Inside>) -> Record {
        if record.broken.is_some() {
            let opened = record.line;
            self.ahead.extend(with_ids.into_iter().map(|line| line_of(opened, line)));
        }
        record
    }

    /// A quoted cell goes on over a line that looks like a row: from here on each line is rejected by itself, up to the line
    /// in which the quote is closed.
    fn go_astray(
        &mut self,
        record: Record,
        with_ids: Vec<Inside>,
        mut line: Option<Inside>,
        closed: bool,
    ) -> Result<Record, Fault> {
        let opened = record.line;
        let why = match &line {
            Some(line) => {
                format!("its quote stays open over line {}, which looks like a row of its own", line.line)
            }
            None => "its quote stays open over the cell of the user".to_owned(),
        };
        match line.as_mut().filter(|_| closed) {
            Some(line) => self.rest_of_line(&mut line.text)?,
            None => self.astray = Some(opened),
        }
        self.ahead.extend(with_ids.into_iter().chain(line).map(|line| line_of(opened, line)));
        // Only its first line is its own.
        let cells = record.cells.into_iter().map(|cell| {
            let end = cell.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(cell.len());
            cell[..end].to_vec()
        });
        Ok(Record { line: opened, cells: cells.collect(), broken: Some(why), ids: 0 })
    }

    /// A line in a cell whose quote is astray, where it holds an id.
    fn line_astray(&mut self, opened: u64) -> Result<Option<Record>, Fault> {
        let mut line = Inside { line: self.source.line(), text: Vec::new() };
        loop {
            match self.source.take()? {
                None => break,
                Some(b'"') if self.source.peek()? == Some(b'"') => drop(self.source.take()?),
                Some(b'"') => {
                    self.astray = None;
                    self.rest_of_line(&mut line.text)?;
                    break;
                }
                Some(b'\r' | b'\n') => break,
                Some(byte) if line.text.len() < LINE_START => line.text.push(byte),
                Some(_) => {}
            }
        }
        Ok(Some(line).filter(has_ids).map(|line| line_of(opened, line)))
    }

    /// Takes what is left of a line, and keeps its beginning.
    fn rest_of_line(&mut self, text: &mut Vec<u8>) -> Result<(), Fault> {
        while !matches!(self.source.peek()?, None | Some(b'\r' | b'\n')) {
            let byte = self.source.take()?;
            text.extend(byte.filter(|_| text.len() < LINE_START));
        }
        Ok(())
    }

    /// Whether a line within a quoted cell has a cell that is an id, as a row has.
    fn looks_like_row(&self, text: &[u8]) -> bool {
        let cells = || text.split(|byte| *byte == self.source.delimiter());
        cells().count() >= self.needed && cells().any(is_id)
    }

    /// Whether the quoted cell, which goes on behind the first line, seems to hold the cell of the user.
    fn has_swallowed_user(&self, record: &Record) -> bool {
        let current = record.cells.len().saturating_sub(1);
        let Some(text) = record.cells.last().filter(|_| self.users.iter().all(|at| *at > current)) else {
            return false;
        };
        text.split(|byte| *byte == self.source.delimiter()).skip(1).any(is_id)
    }
}

fn is_id(cell: &[u8]) -> bool {
    let text = String::from_utf8_lossy(cell);
    values::id_alone(text.trim_matches('"')).is_some()
}

fn has_ids(line: &Inside) -> bool {
    values::ids_in(&line.text).next().is_some()
}

fn line_of(opened: u64, Inside { line, text }: Inside) -> Record {
    let why =
        format!("it stands in a cell whose quote is opened in line {opened}: close the quote, or remove it");
    Record { line, cells: vec![text], broken: Some(why), ids: 0 }
}

fn never_closed(opened: u64, ended: u64) -> Fault {
    Fault::usage(format!(
        "a quote that is opened in the row of line {opened} is not closed until the file ends in line {ended}"
    ))
    .hint("close the quote; a quote within a quoted cell is written twice")
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
