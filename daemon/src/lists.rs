//! Lists of bans as files: what people bring from elsewhere is read here, and ours are written.
//!
//! A file is never held as a whole. [`ListReader`] reads it byte by byte and gives one row at a time; a row is at most
//! [`LONGEST_ROW`] long, whatever stands in it. What makes one row unusable rejects that row, with its line; what makes it
//! impossible to say where rows begin (a quote or a list that never ends) is a fault of the file.

mod cells;
mod elements;
pub mod export;
pub mod fetch;
pub mod import;
pub mod outgoing;
pub mod plan;
pub mod running;
mod source;
pub mod staging;
mod understand;
mod write;

pub use write::{Entry, Writer, cell};

use cells::{Cells, Columns};
use elements::Elements;
use source::Source;
use std::io::Read;
use wayhaven_shared::Fault;
use wayhaven_shared::value::{Timestamp, Untrusted, UserId};

/// The most bytes one row may have: a reason of 4,000 characters, each of four bytes and escaped, fits.
pub const LONGEST_ROW: usize = 64 * 1024;

/// How much of a value that was refused is kept to be shown, in characters.
const SHOWN: usize = 60;

/// A ban as a file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line it begins on, from 1.
    pub line: u64,
    /// Whom.
    pub user: UserId,
    /// Why.
    pub reason: Option<Untrusted>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

/// A row that says nothing that could be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The line it begins on, from 1.
    pub line: u64,
    /// What stands there, cut short.
    pub value: Untrusted,
    /// What is wrong with it.
    pub why: String,
}

impl Rejected {
    fn new(line: u64, value: &[u8], why: impl Into<String>) -> Self {
        // Cut before it is read as text: what was refused for its length is not copied as a whole.
        let start = &value[..value.len().min(SHOWN * 4)];
        let value: String = String::from_utf8_lossy(start).chars().take(SHOWN).collect();
        Self { line, value: Untrusted::clipped(&value), why: why.into() }
    }
}

/// One row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A ban.
    Row(Row),
    /// Something else.
    Rejected(Rejected),
}

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Comma-separated values, with a header or without.
    Csv,
    /// A JSON list, or an object that holds one.
    Json,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Json => "JSON",
        }
    }
}

/// The rows of a file, one at a time. After a fault there are no more.
pub struct ListReader<R> {
    rows: Option<Rows<R>>,
    kind: Kind,
}

enum Rows<R> {
    Csv(Cells<R>, Columns),
    Json(Elements<R>),
}

impl<R: Read> ListReader<R> {
    /// Looks at how the file begins and reads its header.
    ///
    /// # Errors
    /// Where it is empty, no text, or names no users.
    pub fn open(file: R) -> Result<Self, Fault> {
        let (source, kind) = source::open(file)?;
        let rows = match kind {
            Kind::Json => Rows::Json(Elements::open(source)?),
            Kind::Csv => {
                let mut cells = Cells::new(source);
                let columns = Columns::of(&mut cells)?;
                Rows::Csv(cells, columns)
            }
        };
        Ok(Self { rows: Some(rows), kind })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl<R: Read> Iterator for ListReader<R> {
    type Item = Result<Line, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.rows.as_mut()? {
            Rows::Csv(cells, columns) => columns.next(cells),
            Rows::Json(elements) => elements.next(),
        };
        match line.transpose() {
            Some(Ok(line)) => Some(Ok(line)),
            ended => {
                self.rows = None;
                ended
            }
        }
    }
}

#[cfg(test)]
mod tests;
