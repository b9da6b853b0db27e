//! The meaning of a row, from the values of its columns.
//!
//! A row becomes a ban only if it names exactly one user, says nothing that speaks against a ban in force, and its end
//! is understood. Everything else is rejected or skipped with its reason.

use super::columns::Field;
use super::values::{self, Act, End, Status};
use super::{Line, Order, Rejected, Row, Skipped, Unban};
use std::sync::Arc;
use wayhaven_shared::operations::sync::Fate;
use wayhaven_shared::value::{Timestamp, Untrusted, UserId};

/// What one row says, column by column.
#[derive(Debug, Default)]
pub(super) struct Told {
    cells: Vec<Cell>,
}

#[derive(Debug)]
struct Cell {
    field: Field,
    /// The column's name, for the reason of a rejection.
    name: Arc<str>,
    text: String,
    /// Whether the column also holds names, so that digits may be one.
    names: bool,
}

impl Told {
    /// Takes a value.
    pub(super) fn say(&mut self, field: Field, name: &Arc<str>, text: String, names: bool) {
        self.cells.push(Cell { field, name: Arc::clone(name), text, names });
    }

    /// Whether the row has a column of this meaning.
    pub(super) fn has(&self, field: Field) -> bool {
        self.of(|other| other == field).next().is_some()
    }

    fn of(&self, is: impl Fn(Field) -> bool) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(move |cell| is(cell.field))
    }

    fn filled(&self, is: impl Fn(Field) -> bool) -> impl Iterator<Item = &Cell> {
        self.of(is).filter(|cell| !cell.text.trim().is_empty())
    }

    /// The user whom the row names.
    fn user(&self) -> Result<UserId, (String, String)> {
        let reject = |text: &str, why: &str| Err((text.to_owned(), why.to_owned()));
        let strict: Vec<&Cell> = self.filled(|field| field == Field::User).collect();
        let is_named = self.of(|field| field == Field::User).next().is_some();
        let mut found: Vec<UserId> = Vec::new();
        let mut refused: Option<(String, String)> = None;
        let is_small = |user: UserId| user.get() < values::LEAST_ID;
        let has_id = strict.iter().any(|cell| is_id(&cell.text));
        for cell in &strict {
            match user_in(&cell.text) {
                // A row number is nobody's id.
                Ok(user) if is_small(user) && has_id => {}
                Ok(user) => found.push(user),
                Err(why) => {
                    refused.get_or_insert((cell.text.clone(), why.to_owned()));
                }
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        if is_named && found.is_empty() {
            return reject("", "no user is named");
        }
        // Beside a column of user ids, `id` is the record's own, and a column of persons may hold names.
        let mut others: Vec<&Cell> =
            self.filled(|field| matches!(field, Field::Person | Field::Mention)).collect();
        if !is_named {
            others.extend(self.filled(|field| field == Field::Id));
        }
        let ids_elsewhere = is_named || self.filled(|field| field == Field::Id).any(|cell| is_id(&cell.text));
        for cell in &others {
            let may_be_name = cell.names && !cell.text.trim().starts_with("<@");
            if may_be_name && ids_elsewhere {
                continue;
            }
            match user_in(&cell.text) {
                // A case number or a name of digits is nobody's id.
                Ok(user) if is_small(user) && others.len() + strict.len() > 1 => {}
                Ok(_) if may_be_name => {
                    return reject(
                        &cell.text,
                        "the column also holds names, so these digits may be a name: name the column of ids user_id",
                    );
                }
                Ok(user) => found.push(user),
                Err(why) if why == SEVERAL => return reject(&cell.text, why),
                Err(_) => {}
            }
        }
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [user] => Ok(*user),
            [] => {
                let text = others.first().map_or("", |cell| cell.text.as_str());
                let why = match user_in(text) {
                    Ok(_) => "the number is too small for a user's id",
                    Err(why) => why,
                };
                reject(text, why)
            }
            several => {
                let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
                reject(&ids.join(" or "), "two columns name different users: remove one of them")
            }
        }
    }

    fn reason(&self) -> Option<&str> {
        let reasons = self.of(|field| field == Field::Reason).map(|cell| cell.text.as_str());
        reasons.filter(|reason| !reason.is_empty()).last()
    }

    /// When the row was made.
    fn created(&self) -> Option<Timestamp> {
        let rank = |field| match field {
            Field::Created(rank) if rank < 9 => Some(rank),
            _ => None,
        };
        let dated = self.filled(|field| rank(field).is_some());
        let best = dated.min_by_key(|cell| rank(cell.field))?;
        values::time(&best.text)
    }

    /// The latest time that the row names, beside its end.
    fn dated(&self) -> Option<Timestamp> {
        let dated = self.filled(|field| matches!(field, Field::Created(_)));
        dated.filter_map(|cell| values::time(&cell.text)).max()
    }

    fn order(&self) -> Order {
        let case = self.filled(|field| field == Field::Case).next();
        let case = case.and_then(|cell| cell.text.trim().trim_start_matches('#').parse().ok());
        Order { created: self.created(), case }
    }

    /// What was done.
    fn act(&self) -> Result<Act, String> {
        let mut act = Act::Ban;
        for cell in self.of(|field| field == Field::Type) {
            let said = values::act(&cell.text).ok_or_else(|| {
                let text = Untrusted::clipped(&cell.text).line_within(30);
                match text.is_empty() {
                    true => format!("its {} is empty", cell.name),
                    false => format!("its {} {text:?} is not understood", cell.name),
                }
            })?;
            act = match (act, said) {
                (Act::Other, _) | (_, Act::Other) => Act::Other,
                (Act::Unban, Act::Ban | Act::TemporaryBan) => Act::Unban,
                (_, said) => said,
            };
        }
        Ok(act)
    }

    /// The ban's end, and whether it has to have one; or why the row is no ban in force.
    fn end(&self, temporary: bool) -> Result<Option<Timestamp>, Why> {
        let mut ends: Vec<Timestamp> = Vec::new();
        let mut needs_end = temporary;
        let created = self.created();
        let unclear = |cell: &Cell| {
            let text = Untrusted::clipped(&cell.text).line_within(30);
            Why::Rejected(format!("its {} {text:?} is not understood", cell.name))
        };
        for cell in self.cells.iter() {
            let text = cell.text.trim();
            let end = match cell.field {
                Field::Until => values::end(text).ok_or_else(|| not_an_end(cell))?,
                Field::Length(unit) => values::length(text, unit).ok_or_else(|| not_an_end(cell))?,
                Field::Left if values::is_never(text) => End::Never,
                Field::Left => {
                    let why = format!("its {} counts from a time that the file does not name", cell.name);
                    return Err(Why::Rejected(why));
                }
                Field::InForce => match values::yes_or_no(text) {
                    Some(true) => continue,
                    Some(false) => {
                        return Err(Why::Skipped(Fate::Ended, format!("its {} says no", cell.name)));
                    }
                    None => return Err(unclear(cell)),
                },
                Field::Lifted => match lifted(text) {
                    Lifted::No => continue,
                    Lifted::At(at) => End::At(at),
                    Lifted::Yes => {
                        return Err(Why::Skipped(
                            Fate::Cancelled,
                            format!("its {} says that it was lifted", cell.name),
                        ));
                    }
                },
                Field::Status if text.is_empty() => continue,
                Field::Status => match values::status(text).ok_or_else(|| unclear(cell))? {
                    Status::InForce => continue,
                    Status::Ended => {
                        return Err(Why::Skipped(Fate::Ended, format!("its {} says so", cell.name)));
                    }
                    Status::Lifted => {
                        return Err(Why::Skipped(Fate::Cancelled, format!("its {} says so", cell.name)));
                    }
                },
                Field::Permanent | Field::Temporary if text.is_empty() => continue,
                Field::Permanent | Field::Temporary => {
                    let yes = values::yes_or_no(text).ok_or_else(|| unclear(cell))?;
                    needs_end |= yes == (cell.field == Field::Temporary);
                    continue;
                }
                _ => continue,
            };
            match (end, created) {
                (End::Never, _) => {}
                (End::At(at), _) => ends.push(at),
                (End::After(millis), Some(created)) => {
                    ends.push(Timestamp::from_millis(created.millis().saturating_add(millis)));
                }
                (End::After(_), None) => {
                    let why =
                        format!("its {} says how long it lasts, and no column says when it began", cell.name);
                    return Err(Why::Rejected(why));
                }
            }
        }
        // Of several ends the first counts: nobody is banned for longer than any column says.
        match ends.into_iter().min() {
            None if needs_end => Err(Why::Rejected("it is a temporary ban without an end".to_owned())),
            end => Ok(end),
        }
    }
}

enum Why {
    Rejected(String),
    Skipped(Fate, String),
}

fn not_an_end(cell: &Cell) -> Why {
    let text = Untrusted::clipped(&cell.text).line_within(30);
    Why::Rejected(format!(
        "its end ({} {text:?}) is not understood: write it like 2026-01-02T03:04:05Z, or never",
        cell.name
    ))
}

enum Lifted {
    No,
    At(Timestamp),
    Yes,
}

fn lifted(text: &str) -> Lifted {
    if values::is_never(text) || values::yes_or_no(text) == Some(false) {
        return Lifted::No;
    }
    values::time(text).map_or(Lifted::Yes, Lifted::At)
}

/// What a row says.
pub(super) fn row(line: u64, told: Told) -> Line {
    let ids = told.cells.iter().map(|cell| values::ids_in(cell.text.as_bytes()).count()).sum();
    let reject = |value: &str, why: String| {
        Line::Rejected(Rejected { ids, ..Rejected::new(line, value.as_bytes(), why) })
    };
    let named = told.user();
    let shown = match &named {
        Ok(user) => user.to_string(),
        Err((text, _)) => values::bare(text).to_owned(),
    };
    // A row of another type is none of our business, whomever it names.
    let act = match told.act() {
        Ok(act) => act,
        Err(why) => return reject(&shown, why),
    };
    if act == Act::Other {
        let said = told.filled(|field| field == Field::Type).next().map_or("", |cell| cell.text.as_str());
        let why = Untrusted::clipped(said).line_within(30);
        return Line::Skipped(Skipped {
            line,
            value: Untrusted::clipped(&shown),
            fate: Fate::OtherType,
            why,
        });
    }
    let user = match named {
        Ok(user) if user.get() >= values::LEAST_ID => user,
        Ok(_) => return reject(&shown, "the number is too small for a user's id".into()),
        Err((_, why)) => return reject(&shown, why),
    };
    if act == Act::Unban {
        return Line::Unban(Unban { line, user, order: told.order() });
    }
    let until = match told.end(act == Act::TemporaryBan) {
        Ok(until) => until,
        Err(Why::Rejected(why)) => return reject(&shown, why),
        Err(Why::Skipped(fate, why)) => {
            return Line::Skipped(Skipped { line, value: Untrusted::clipped(&shown), fate, why });
        }
    };
    let reason = told.reason();
    if told.cells.iter().any(|cell| cell.text.contains('\0')) {
        return reject(&shown, "the row holds a zero byte".into());
    }
    let reason = reason.map(Untrusted::clipped);
    Line::Row(Row { line, user, reason, until, order: told.order(), dated: told.dated() })
}

const SEVERAL: &str = "several ids in one cell: put each on a line of its own";

fn is_id(text: &str) -> bool {
    values::id_alone(text).is_some()
}

/// The user whom a cell names: an id, a mention, or a name with the id in parentheses behind it.
fn user_in(text: &str) -> Result<UserId, &'static str> {
    let text = values::bare(text);
    if let Ok(user) = text.parse::<UserId>() {
        return Ok(user);
    }
    let mut ids = values::ids_in(text.as_bytes());
    match (ids.next(), ids.next()) {
        (Some(_), Some(_)) => Err(SEVERAL),
        (Some(id), None) => {
            let forms = [format!("({id})"), format!("[{id}]"), format!("<@{id}>"), format!("<@!{id}>")];
            let is_named = forms.iter().any(|form| text.ends_with(form.as_str()));
            UserId::new(id).filter(|_| is_named).ok_or("it is not a user's id alone")
        }
        _ => Err(no_id(text)),
    }
}

/// What is wrong with text that is no id.
fn no_id(text: &str) -> &'static str {
    let is_rounded = text.starts_with(|first: char| first.is_ascii_digit())
        && text.contains(['.', 'E', 'e'])
        && text.bytes().all(|byte| byte.is_ascii_digit() || b".,+Ee".contains(&byte));
    match text {
        "" => "no user is named",
        _ if is_rounded => "a spreadsheet has rounded the id: format the column as text and export again",
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => "the number is too large for a user's id",
        _ => "it is not a user's id",
    }
}
