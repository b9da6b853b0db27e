//! The header of a table: which cell means what. A file may also have none.

use super::super::columns::{self, Field, clean};
use super::super::understand::{self, Told};
use super::super::values::{self, Act};
use super::super::{Line, Noted, Rejected};
use super::{Cells, Record};
use std::io::Read;
use std::sync::Arc;
use wayhaven_shared::Fault;
use wayhaven_shared::value::Untrusted;

/// The header of the lists that Wayhaven writes: its quotes are in order.
const OURS: [&str; 5] = ["user_id", "reason", "expires_at", "moderator_id", "created_at"];

/// Which cell means what.
#[derive(Debug)]
pub(in super::super) enum Header {
    /// A column for each cell.
    Named(Vec<(Arc<str>, Field)>),
    /// An id begins each line, and a reason may follow.
    Absent { id: Arc<str>, reason: Arc<str> },
}

impl Header {
    /// Reads the header, or finds that there is none.
    ///
    /// # Errors
    /// Where the first record is neither a header that names the users nor begins with a user's id.
    pub(in super::super) fn of<R: Read>(cells: &mut Cells<R>, columns: &mut Noted) -> Result<Self, Fault> {
        let mut commented = Vec::new();
        let first = loop {
            let Some(first) = cells.next()? else {
                return Err(Fault::usage("the file has no row").hint("each row needs the id of a user"));
            };
            // A spreadsheet's own line, which names the separator, and comments.
            let only = first.cells.first().filter(|_| first.cells.len() <= 2);
            note_part(&first, columns);
            let is_separator = only.is_some_and(|cell| cell.to_ascii_lowercase().starts_with(b"sep="));
            let names_users = first.cells.iter().any(|cell| columns.meaning(cell).is_user());
            match is_separator || (is_comment(&first) && !names_users) {
                true if has_id(&first) => {
                    commented.push(Record { broken: Some(COMMENTED.to_owned()), ..first });
                }
                true => {}
                false => break first,
            }
        };
        let fields: Vec<Field> = first.cells.iter().map(|cell| columns.meaning(cell)).collect();
        // A row of data is no header, whatever words stand in it.
        if first.broken.is_none() && !has_id(&first) && fields.iter().any(|field| field.is_user()) {
            let names = first.cells.iter().map(|cell| clean(&String::from_utf8_lossy(cell)));
            let named: Vec<(Arc<str>, Field)> = names.zip(fields).collect();
            if let Noted::New(columns) = columns {
                named.iter().try_for_each(|(name, field)| columns.note(name, *field))?;
            }
            let users = (0..).zip(&named).filter(|(_, (_, field))| field.is_user());
            cells.users = users.map(|(at, _)| at).collect();
            let is_ours = named.iter().map(|(name, _)| &**name).eq(OURS);
            cells.needed = if is_ours { OURS.len() } else { 1 };
            cells.first(commented);
            return Ok(Self::Named(named));
        }
        let id = first.cells.first().map_or(&[][..], Vec::as_slice);
        if first.broken.is_none() && !looks_like_id(id) {
            let names: Vec<String> = first.cells.iter().take(12).map(|cell| shown(cell)).collect();
            return Err(Fault::usage(format!(
                "line {} names no column of user ids: {}",
                first.line,
                names.join(", ")
            ))
            .hint("name that column user_id; the columns reason and expires_at are read too")
            .hint("or leave the header out and begin each line with a user id"));
        }
        commented.push(first);
        cells.first(commented);
        let (id, reason) = (Arc::from("first cell"), Arc::from("rest of the line"));
        if let Noted::New(columns) = columns {
            columns.note(&id, Field::User)?;
            columns.note(&reason, Field::Reason)?;
        }
        (cells.users, cells.needed) = (vec![0], 1);
        Ok(Self::Absent { id, reason })
    }

    /// The next row.
    pub(in super::super) fn next<R: Read>(
        &self,
        cells: &mut Cells<R>,
        columns: &mut Noted,
    ) -> Result<Option<Line>, Fault> {
        loop {
            let Some(mut record) = cells.next()? else { return Ok(None) };
            let users: &[usize] = if matches!(self, Self::Named(_)) { &cells.users } else { &[] };
            // Below a header the first cell may be a reason, such as `server: advertising`.
            if !names_user(&record, users) {
                note_part(&record, columns);
            }
            if let Some(rejected) = record.rejected_of(users) {
                return Ok(Some(Line::Rejected(rejected)));
            }
            let is_used = |at: usize| match self {
                Self::Named(named) => named.get(at).is_none_or(|(_, field)| is_read(*field)),
                Self::Absent { .. } => true,
            };
            let mut broken = (0..).zip(&record.cells).filter(|(at, _)| is_used(*at));
            if let Some((_, cell)) = broken.find(|(_, cell)| std::str::from_utf8(cell).is_err()) {
                let rejected = Rejected::new(record.line, cell, NO_TEXT);
                record.broken = Some(NO_TEXT.to_owned());
                let (ids, users) =
                    record.rejected_of(users).map_or((0, Vec::new()), |one| (one.ids, one.users));
                return Ok(Some(Line::Rejected(Rejected { ids, users, ..rejected })));
            }
            match self {
                Self::Named(named) => {
                    return row(named, record, cells, columns).map(Some);
                }
                Self::Absent { .. } if is_comment(&record) && !has_id(&record) => {}
                Self::Absent { id, reason } => {
                    let delimiter = char::from(cells.source.delimiter());
                    return Ok(Some(line_without_header(&record, delimiter, id, reason)));
                }
            }
        }
    }
}

/// Whether one of the columns of users holds an id that is not a guild's.
fn names_user(record: &Record, users: &[usize]) -> bool {
    let mut cells = users.iter().filter_map(|at| record.cells.get(*at));
    cells.any(|cell| {
        values::ids_in(cell).next().is_some() && !values::begins_part_of_guild(&String::from_utf8_lossy(cell))
    })
}

/// A line that begins the part of a guild.
fn note_part(record: &Record, columns: &mut Noted) {
    let (Some(first), Noted::New(columns)) = (record.cells.first(), columns) else { return };
    let text = String::from_utf8_lossy(first);
    if values::begins_part_of_guild(&text) {
        columns.part_of_guild(&text);
    }
}

const COMMENTED: &str = "it is commented out";
const NO_TEXT: &str = "it is not text in UTF-8";

fn is_read(field: Field) -> bool {
    !matches!(field, Field::Irrelevant | Field::Ignored | Field::Unknown)
}

/// A row below a header.
fn row<R: Read>(
    named: &[(Arc<str>, Field)],
    mut record: Record,
    cells: &Cells<R>,
    columns: &mut Noted,
) -> Result<Line, Fault> {
    let line = record.line;
    let reject = |mut record: Record, why: String| {
        record.broken = Some(why);
        let rejected = record.rejected_of(&cells.users);
        Ok(Line::Rejected(rejected.unwrap_or_else(|| Rejected::new(line, b"", "it cannot be read"))))
    };
    if let Some(why) = header_again(named, &record)? {
        return reject(record, why.to_owned());
    }
    let blank = |cell: &Vec<u8>| cell.trim_ascii().is_empty();
    if record.cells.len() > named.len() && !record.cells[named.len()..].iter().all(blank) {
        // A reason that was not quoted ends where the line does.
        if named.last().is_none_or(|(_, field)| *field != Field::Reason) {
            return reject(
                record,
                "it has more cells than the header: a comma may stand in a cell without quotes".to_owned(),
            );
        }
        // A cell that may be an end, a state or a user is no part of a reason.
        let more = record.cells[named.len()..].iter().map(|cell| String::from_utf8_lossy(cell).into_owned());
        if let Some(cell) = more.into_iter().find(|cell| may_be_more_than_text(cell)) {
            let cell = Untrusted::clipped(&cell).line_within(30);
            return reject(
                record,
                format!(
                    "it has more cells than the header, and {cell:?} may be more than a part of its reason"
                ),
            );
        }
        let rest = record.cells.split_off(named.len() - 1);
        record.cells.push(rest.join(&cells.source.delimiter()));
    }
    if let Some((name, _)) =
        named.get(record.cells.len()..).into_iter().flatten().find(|(_, field)| field.limits())
    {
        let why = format!("it ends before its {}", Untrusted::clipped(name).line_within(30));
        return reject(record, why);
    }
    let mut told = Told::of_list(columns.columns());
    for (cell, (name, field)) in record.cells.iter().zip(named) {
        let text = String::from_utf8_lossy(cell);
        let text = unescaped(&text);
        let names = match columns {
            Noted::New(columns) => {
                columns.value(name, text);
                false
            }
            Noted::Known(columns) => {
                if columns.selects_rows() {
                    told.select(columns, name, text);
                }
                *field == Field::Person && columns.holds_names(name)
            }
        };
        if is_read(*field) {
            told.say(*field, name, text.to_owned(), names);
        }
    }
    Ok(understand::row(line, told))
}

/// Whether a row is the header once more: lists are joined in this way.
fn header_again(named: &[(Arc<str>, Field)], record: &Record) -> Result<Option<&'static str>, Fault> {
    let text = |cell: &Vec<u8>| String::from_utf8_lossy(cell).trim().to_lowercase();
    let mut pairs = record.cells.iter().zip(named);
    if pairs.all(|(cell, (name, _))| text(cell) == name.to_lowercase()) {
        return Ok(Some("it is the header again"));
    }
    let fields: Vec<Field> = record.cells.iter().map(|cell| self::named(cell)).collect();
    let known = fields.iter().filter(|field| is_read(**field) && **field != Field::Case).count();
    if known > 1 && fields.iter().any(|field| field.is_user()) && !has_id(record) {
        return Err(Fault::usage(format!(
            "line {} is another header: the file holds several lists with different columns",
            record.line
        ))
        .hint("save each list as a file of its own"));
    }
    Ok(None)
}

/// A line of a file without a header: an id, and what follows it is the reason.
fn line_without_header(record: &Record, delimiter: char, id: &Arc<str>, reason: &Arc<str>) -> Line {
    let reject = |why: &str| {
        let rejected = Record { broken: Some(why.to_owned()), ..record.clone() }.rejected();
        Line::Rejected(rejected.unwrap_or_else(|| Rejected::new(record.line, b"", why)))
    };
    if is_comment(record) {
        return reject(COMMENTED);
    }
    let mut texts = record.cells.iter().map(|cell| unescaped(std::str::from_utf8(cell).unwrap_or_default()));
    let first = values::bare(texts.next().unwrap_or_default());
    let (user, behind) =
        match first.split_once(|letter: char| letter.is_whitespace() || SEPARATORS.contains(&letter)) {
            Some((user, behind)) if values::id_alone(user.trim_end_matches([':', '-', '.'])).is_some() => {
                (user.trim_end_matches([':', '-', '.']), behind)
            }
            _ => (first, ""),
        };
    let behind =
        behind.trim_start_matches(|letter: char| letter.is_whitespace() || "-–—:#/".contains(letter));
    let behind = behind.trim_start_matches(SEPARATORS);
    let parts: Vec<&str> = [behind].into_iter().chain(texts).collect();
    let filled = || parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    if values::names_further_id(filled().collect::<Vec<_>>().join(", ").as_str()) {
        return reject("several ids on one line: put each on a line of its own");
    }
    // Without a header nobody can tell whether that is when the ban ends.
    if let Some(part) = filled().flat_map(segments).find(|part| may_be_more_than_text(part)) {
        let part = Untrusted::clipped(part).line_within(30);
        return reject(&format!(
            "{part:?} may be an end or a type: begin the file with a header like user_id,reason,expires_at"
        ));
    }
    let all = filled().collect::<Vec<_>>().join(", ");
    if columns::is_score(&all) {
        let all = Untrusted::clipped(&all).line_within(30);
        return reject(&format!("{all:?} is no reason of a ban, but something about a member"));
    }
    let mut told = Told::default();
    told.say(Field::User, id, user.to_owned(), false);
    let separator = delimiter.to_string();
    let text = parts.iter().skip_while(|part| part.is_empty()).copied().collect::<Vec<_>>().join(&separator);
    told.say(Field::Reason, reason, text, false);
    understand::row(record.line, told)
}

/// The parts of a text between separators and brackets.
fn segments(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', '|', '\t', '(', ')', '[', ']', ':', '–', '—'])
        .flat_map(|part| part.split(" - "))
        .map(|part| part.trim_matches(|letter: char| letter.is_whitespace() || "-*_~`\"'".contains(letter)))
        .filter(|part| !part.is_empty())
}

/// Whether a piece of a line may be a user, an end, a state or a type, and not only a part of its reason.
fn may_be_more_than_text(text: &str) -> bool {
    let text = text.trim();
    let is_ban = values::act(text) == Some(Act::Ban) || values::is_never(text);
    values::id_alone(text).is_some()
        || (values::limits(text) && !is_ban)
        || values::leads_with_limit(text)
        || values::names_span_or_date(text)
        || values::mentions_unban(text)
}

const SEPARATORS: [char; 4] = [',', ';', '|', '\t'];

fn named(cell: &[u8]) -> Field {
    Field::named(&String::from_utf8_lossy(cell))
}

fn is_comment(record: &Record) -> bool {
    let first = record.cells.first().map_or(&[][..], |cell| cell.trim_ascii());
    first.starts_with(b"#") || first.starts_with(b"//")
}

fn has_id(record: &Record) -> bool {
    record.cells.iter().any(|cell| values::ids_in(cell).next().is_some())
}

fn shown(cell: &[u8]) -> String {
    Untrusted::clipped(&String::from_utf8_lossy(cell)).line_within(30)
}

/// Digits, or a mention: so begins a file without a header, even if the id turns out to be none.
fn looks_like_id(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    let cell = cell.strip_prefix(b"'").unwrap_or(cell);
    let cell = cell.strip_prefix(b"=\"").unwrap_or(cell);
    cell.starts_with(b"<@")
        || cell.first().is_some_and(u8::is_ascii_digit)
        || values::ids_in(cell).next().is_some()
}

/// A cell without the quote that keeps a spreadsheet from reading it as a formula.
fn unescaped(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(crate::uploads::DANGEROUS)).unwrap_or(cell)
}
