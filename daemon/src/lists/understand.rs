//! The meaning of a row, from the values of its columns.
//!
//! A row becomes a ban only if it names exactly one user, says nothing that speaks against a ban in force, and its end
//! is understood. Everything else is rejected or skipped with its reason.

mod user;

use super::columns::{Columns, Field};
use super::values::{self, Act, Banned, End, Status};
use super::{Line, Order, Rejected, Row, Skipped, Unban};
use std::sync::Arc;
use wayhaven_shared::operations::sync::Fate;
use wayhaven_shared::value::{Timestamp, Untrusted, UserId};

/// What one row says, column by column.
#[derive(Debug, Default)]
pub(super) struct Told {
    cells: Vec<Cell>,
    /// Whether the row has to say that its user is banned, and does not so far.
    needs_proof: bool,
    /// The column and the value that deny a ban, and whether they do so whatever the others say.
    denied: Option<(String, bool)>,
    /// Why the row is of another guild.
    other_guild: Option<String>,
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
    /// What is to be read of a row of a list with these columns.
    pub(super) fn of_list(columns: &Columns) -> Self {
        Self { needs_proof: columns.needs_proof(), ..Self::default() }
    }

    /// Looks at a value of any column, also of one that is not read: it may say that the row is no
    /// ban of this list.
    pub(super) fn select(&mut self, columns: &Columns, name: &str, value: &str) {
        let is_certain = match columns.says_banned(name, value) {
            Banned::Yes => {
                self.needs_proof = false;
                None
            }
            Banned::Untold => None,
            Banned::Doubtful => Some(false),
            Banned::No => Some(true),
        };
        if let Some(is_certain) = is_certain.filter(|certain| *certain || self.denied.is_none()) {
            let value = Untrusted::clipped(value).line_within(30);
            self.denied =
                Some((format!("its {name} {value:?} does not say that the user is banned"), is_certain));
        }
        self.other_guild = self.other_guild.take().or_else(|| columns.other_guild(name, value));
    }

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

    /// Everyone whom the row may be about.
    fn users(&self) -> Vec<UserId> {
        let cells = self.filled(Field::is_user);
        cells.flat_map(|cell| values::ids_in(cell.text.as_bytes())).filter_map(UserId::new).collect()
    }

    fn reason(&self) -> Option<&str> {
        let reasons = self.of(|field| field == Field::Reason).map(|cell| cell.text.as_str());
        reasons.filter(|reason| !reason.is_empty()).last()
    }

    /// The cell that says when the row was made.
    fn created_cell(&self) -> Option<&Cell> {
        let rank = |field| match field {
            Field::Created(rank) if rank < 9 => Some(rank),
            _ => None,
        };
        let dated =
            self.filled(|field| rank(field).is_some()).filter(|cell| !values::says_nothing(&cell.text));
        dated.min_by_key(|cell| rank(cell.field))
    }

    /// When the row was made.
    fn created(&self) -> Option<Timestamp> {
        self.created_cell().and_then(|cell| values::time(&cell.text))
    }

    /// The latest time that the row names, beside its end.
    fn dated(&self) -> Option<Timestamp> {
        let dated = self.filled(|field| matches!(field, Field::Created(_)));
        dated.filter_map(|cell| values::time(&cell.text).or_else(|| values::latest_reading(&cell.text))).max()
    }

    fn order(&self) -> Order {
        // The number of a row says nothing: many lists begin with the newest.
        let is_case = |cell: &&Cell| cell.name.to_lowercase().contains("case");
        let case = self.filled(|field| field == Field::Case).find(is_case);
        let case = case.and_then(|cell| cell.text.trim().trim_start_matches('#').parse().ok());
        let created = self.created_cell().filter(|_| self.zone().is_none());
        Order {
            created: created.and_then(|cell| values::time(&cell.text)),
            is_day: created.is_some_and(|cell| values::has_no_clock(&cell.text)),
            case,
        }
    }

    /// A zone that is not read.
    fn zone(&self) -> Option<&Cell> {
        let is_utc = |text: &str| {
            matches!(
                text.to_ascii_lowercase().as_str(),
                "utc" | "gmt" | "z" | "+00:00" | "+0000" | "0" | "etc/utc"
            )
        };
        let mut zones = self.filled(|field| field == Field::Zone);
        zones.find(|cell| !values::says_nothing(&cell.text) && !is_utc(cell.text.trim()))
    }

    /// Why a date or a note of the row may say that its ban is limited.
    fn doubt(&self) -> Option<String> {
        let shown = |cell: &Cell| (cell.name.to_string(), Untrusted::clipped(&cell.text).line_within(30));
        for cell in self.filled(|field| matches!(field, Field::Created(_) | Field::Note | Field::Zone)) {
            let text = cell.text.trim();
            if values::says_nothing(text) || (cell.field == Field::Zone && values::is_zone(text)) {
                continue;
            }
            let (name, text) = match cell.field {
                Field::Created(rank)
                    if rank < 9 && values::time(text).is_none() && values::latest_reading(text).is_none() =>
                {
                    shown(cell)
                }
                Field::Zone => {
                    let (name, text) = shown(cell);
                    return Some(format!("its {name} {text:?} is no time zone"));
                }
                Field::Note if says_limit(&cell.name, text) => {
                    let (name, text) = shown(cell);
                    return Some(format!(
                        "its {name} {text:?} may say that the ban ends, was lifted or is none"
                    ));
                }
                _ => continue,
            };
            return Some(format!(
                "its {name} {text:?} is no date that is understood: write it like 2026-01-02T03:04:05Z"
            ));
        }
        None
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
                    let began = match self.created_cell() {
                        Some(created) => format!(
                            "its {} {:?}, which says when it began, is not understood",
                            created.name,
                            Untrusted::clipped(&created.text).line_within(30)
                        ),
                        None => "no column says when it began".to_owned(),
                    };
                    return Err(Why::Rejected(format!(
                        "its {} says how long it lasts, and {began}",
                        cell.name
                    )));
                }
            }
        }
        if let Some(zone) = self.zone().filter(|_| !ends.is_empty()) {
            let shown = Untrusted::clipped(&zone.text).line_within(30);
            return Err(Why::Rejected(format!(
                "its {} is {shown:?}, which is not read: write its end in UTC, like 2026-01-02T03:04:05Z",
                zone.name
            )));
        }
        // Of several ends the first counts: nobody is banned for longer than any column says.
        match ends.into_iter().min() {
            None if needs_end => Err(Why::Rejected("it is a temporary ban without an end".to_owned())),
            end => Ok(end),
        }
    }
}

/// Whether a note is a state, a type, a time or an end, or begins with one that lifts or limits a ban.
fn says_limit(name: &str, text: &str) -> bool {
    let is_proof = ["proof", "evidence"].iter().any(|word| name.to_lowercase().contains(word));
    if is_proof && values::yes_or_no(text).is_some() {
        return false;
    }
    let is_number = values::is_number(text) && values::yes_or_no(text).is_none();
    let is_ban = values::act(text) == Some(Act::Ban) || values::status(text) == Some(Status::InForce);
    (values::limits(text) && !is_number && !is_ban)
        || values::leads_with_lifting(text)
        || values::mentions_unban(text)
        || values::names_end(text)
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
    let named = told.user();
    let users = match &named {
        Ok(user) => vec![*user],
        Err(_) => told.users(),
    };
    let order = told.order();
    let reject = |value: &str, why: String| {
        let users = users.clone();
        Line::Rejected(Rejected { ids, users, order, ..Rejected::new(line, value.as_bytes(), why) })
    };
    let shown = match &named {
        Ok(user) => user.to_string(),
        Err((text, _)) => values::bare(text).to_owned(),
    };
    let skip = |fate: Fate, why: String| {
        Line::Skipped(Skipped { line, value: Untrusted::clipped(&shown), fate, why })
    };
    if let Some(why) = told.other_guild.clone() {
        return skip(Fate::Invalid, why);
    }
    if told.needs_proof || told.denied.as_ref().is_some_and(|(_, is_certain)| *is_certain) {
        let nothing =
            || "the list also names users who are not banned, and nothing in the row says ban".into();
        let why = told.denied.as_ref().map_or_else(nothing, |(why, _)| why.clone());
        return skip(Fate::OtherType, why);
    }
    // A row of another type is none of our business, whomever it names.
    let act = match told.act() {
        Ok(act) => act,
        Err(why) => return reject(&shown, why),
    };
    if act == Act::Other {
        let said = told.filled(|field| field == Field::Type).next().map_or("", |cell| cell.text.as_str());
        let why = Untrusted::clipped(said).line_within(30);
        return skip(Fate::OtherType, why);
    }
    let user = match named {
        Ok(user) if user.get() >= values::LEAST_ID => user,
        Ok(_) => return reject(&shown, "the number is too small for a user's id".into()),
        Err((_, why)) => return reject(&shown, why),
    };
    if act == Act::Unban {
        return Line::Unban(Unban { line, user, order });
    }
    let until = match told.end(act == Act::TemporaryBan) {
        Ok(until) => until,
        Err(Why::Rejected(why)) => return reject(&shown, why),
        Err(Why::Skipped(fate, why)) => {
            return skip(fate, why);
        }
    };
    if let Some(why) = told.doubt() {
        return reject(&shown, why);
    }
    let reason = told.reason();
    if told.cells.iter().any(|cell| cell.text.contains('\0')) {
        return reject(&shown, "the row holds a zero byte".into());
    }
    let reason = reason.map(Untrusted::clipped);
    Line::Row(Row { line, user, reason, until, order, dated: told.dated() })
}
