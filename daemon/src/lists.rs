//! Lists of bans as files: what people bring from elsewhere is read here, and ours are written.
//!
//! A file is never held as a whole. [`ListReader`] reads it byte by byte and gives one row at a time; a row is at most
//! [`LONGEST_ROW`] long, whatever stands in it. What makes one row unusable rejects that row, with its line; what makes it
//! impossible to say where rows begin (a quote or a list that never ends) is a fault of the file.
//!
//! An import never bans a user whom the list does not name, never for longer than the list says, and loses no row without a
//! word: each row is a ban, an unban, skipped or rejected, and is counted.

mod cells;
mod columns;
mod elements;
pub mod export;
mod fetch;
pub mod import;
mod order;
pub mod plan;
mod running;
mod source;
mod staff;
mod survey;
mod understand;
mod values;
mod write;

pub use write::Writer;

use crate::attachment::Attachment;
use crate::jobs::Jobs;
use crate::services::Services;
use crate::uploads::Uploads;
use cells::{Cells, Header};
use columns::Columns;
use elements::Elements;
use source::Source;
use std::io::Read;
use std::sync::Arc;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::Job;
use wayhaven_shared::operations::sync::Fate;
use wayhaven_shared::value::{Timestamp, Untrusted, UploadId, UserId};

/// The most bytes one row may have: a reason of 4,000 characters, each of four bytes and escaped, fits.
pub const LONGEST_ROW: usize = 64 * 1024;

/// How much of a value that was refused is kept to be shown, in characters.
const SHOWN: usize = 60;

/// Imports and exports of lists. Clones share everything.
#[derive(Clone)]
pub struct Lists {
    services: Services,
    jobs: Jobs,
    uploads: Uploads,
}

impl Lists {
    /// Imports and exports as jobs of `jobs`, with files of `uploads`.
    pub fn new(services: Services, jobs: Jobs, uploads: Uploads) -> Self {
        Self { services, jobs, uploads }
    }

    /// Begins an import of a file that was sent, or only looks at what it would do.
    ///
    /// # Errors
    /// Where one is running in that main, or the file is no list.
    pub async fn import(
        &self,
        import: import::Import,
        file: UploadId,
        asked_by: String,
        dry_run: bool,
    ) -> Result<Job, Fault> {
        running::begin(self, import, file, asked_by, dry_run).await
    }

    /// Begins an export.
    ///
    /// # Errors
    /// Where there is no room for a file, or the store fails.
    pub async fn export(
        &self,
        export: export::Export,
        asked_by: String,
        dry_run: bool,
    ) -> Result<Job, Fault> {
        export::begin(self, export, asked_by, dry_run).await
    }

    /// Fetches a file that a member attached on Discord.
    ///
    /// # Errors
    /// Where Discord does not give it, or there is no room for it.
    pub async fn fetch(&self, user: UserId, file: &Attachment) -> Result<UploadId, Fault> {
        fetch::fetch(self, user, file).await
    }

    /// Resumes an import that was running when the daemon stopped.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn resume(&self, job: &Job) -> Result<(), Fault> {
        running::resume(self, job.id).await
    }

    /// Removes files that belong to no running import. Called at the start, before imports resume.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn sweep(&self) -> Result<(), Fault> {
        running::sweep(self).await
    }
}

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
    /// Its place among the rows of the same user.
    pub order: Order,
    /// The latest time that it names beside its end.
    pub dated: Option<Timestamp>,
}

/// What tells which of two rows came later. The order in the file does not: many lists begin with the newest row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Whether that is a day without a time.
    pub is_day: bool,
    /// Its case number.
    pub case: Option<u64>,
}

/// A row that says that a user was unbanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unban {
    /// The line it begins on, from 1.
    pub line: u64,
    /// Whom.
    pub user: UserId,
    /// Its place among the rows of the same user.
    pub order: Order,
}

/// A row that is understood and is no ban in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The line it begins on, from 1.
    pub line: u64,
    /// The user, or what stands there instead.
    pub value: Untrusted,
    /// Why it is skipped: another type, ended, or lifted.
    pub fate: Fate,
    /// What the row says of it.
    pub why: String,
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
    /// How many numbers it holds that may be ids.
    pub ids: usize,
    /// Whom it may be about: nobody knows what it says of them.
    pub users: Vec<UserId>,
    /// Its place among the rows of the same user.
    pub order: Order,
}

impl Rejected {
    fn new(line: u64, value: &[u8], why: impl Into<String>) -> Self {
        // Cut before it is read as text: what was refused for its length is not copied as a whole.
        let start = &value[..value.len().min(SHOWN * 4)];
        let value: String = String::from_utf8_lossy(start).chars().take(SHOWN).collect();
        let ids = values::ids_in(start).count();
        let (users, order) = (Vec::new(), Order::default());
        Self { line, value: Untrusted::clipped(&value), why: why.into(), ids, users, order }
    }
}

/// One row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A ban.
    Row(Row),
    /// An unban.
    Unban(Unban),
    /// No ban in force.
    Skipped(Skipped),
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
    columns: Noted,
}

/// What is known of the columns of a file while it is read.
#[derive(Clone, Debug)]
enum Noted {
    /// It is read for the first time, and what its columns hold is noted.
    New(Columns),
    /// It was read before.
    Known(Arc<Columns>),
}

impl Noted {
    fn columns(&self) -> &Columns {
        match self {
            Self::New(columns) => columns,
            Self::Known(columns) => columns,
        }
    }

    /// Notes a column, where that is not known yet.
    fn note(&mut self, name: &str, field: columns::Field) -> Result<(), Fault> {
        match self {
            Self::New(seen) => seen.note(&columns::clean(name), field),
            Self::Known(_) => Ok(()),
        }
    }

    /// The meaning of the column that this cell of the header names.
    fn meaning(&self, name: &[u8]) -> columns::Field {
        self.columns().meaning(&String::from_utf8_lossy(name))
    }
}

enum Rows<R> {
    Csv(Cells<R>, Header),
    Json(Elements<R>),
}

impl<R: Read> ListReader<R> {
    /// Looks at how the file begins and reads its header.
    ///
    /// # Errors
    /// Where it is empty, no text, or names no users.
    pub fn open(file: R) -> Result<Self, Fault> {
        Self::open_ignoring(file, &[])
    }

    /// Like [`open`](Self::open), without reading these columns.
    ///
    /// # Errors
    /// Where it is empty, no text, or names no users.
    pub fn open_ignoring(file: R, ignored: &[Untrusted]) -> Result<Self, Fault> {
        Self::begin(file, Noted::New(Columns::ignoring(ignored)))
    }

    /// Like [`open`](Self::open), for a file whose columns are known from reading it once: a column of users that also
    /// holds names is no column of ids.
    fn open_again(file: R, columns: Arc<Columns>) -> Result<Self, Fault> {
        Self::begin(file, Noted::Known(columns))
    }

    fn begin(file: R, mut columns: Noted) -> Result<Self, Fault> {
        let (source, kind, shape) = source::open(file)?;
        let rows = match kind {
            Kind::Json => Rows::Json(Elements::open(source, shape, &mut columns)?),
            Kind::Csv => {
                let mut cells = Cells::new(source);
                let header = Header::of(&mut cells, &mut columns)?;
                Rows::Csv(cells, header)
            }
        };
        Ok(Self { rows: Some(rows), kind, columns })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What was seen in its columns so far.
    fn columns(&self) -> &Columns {
        self.columns.columns()
    }
}

impl<R: Read> Iterator for ListReader<R> {
    type Item = Result<Line, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.rows.as_mut()? {
            Rows::Csv(cells, header) => header.next(cells, &mut self.columns),
            Rows::Json(elements) => elements.next(&mut self.columns),
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
