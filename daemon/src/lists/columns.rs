//! The meaning of a column or a JSON key, decided by its name.
//!
//! A ban list may name its columns in any way. The invariant is: a column that can limit a ban (an end, a length, a type,
//! a status) is never ignored. Where its values are not understood, the row is rejected.

mod names;

pub(super) use names::{Field, clean};

use super::values::{self, Shape};
use std::collections::BTreeMap;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::sync::{ColumnRead, ListColumns};
use wayhaven_shared::value::Untrusted;

/// The most different columns or keys of one file.
const MOST_COLUMNS: usize = 256;

/// What was seen in a column.
#[derive(Clone, Debug)]
struct Seen {
    field: Field,
    place: usize,
    filled: u64,
    /// Values that look like an end, a length, a type or a status.
    limiting: u64,
    /// Values that are no ids, in a column of persons.
    names: u64,
}

/// What was seen in the columns of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    seen: BTreeMap<String, Seen>,
}

impl Columns {
    /// Notes a column.
    ///
    /// # Errors
    /// Where a file has more columns than any table.
    pub(super) fn note(&mut self, name: &str, field: Field) -> Result<(), Fault> {
        if self.seen.len() >= MOST_COLUMNS && !self.seen.contains_key(name) {
            return Err(Fault::usage(format!("the file has more than {MOST_COLUMNS} different columns"))
                .hint("export the list with a column user_id, a column reason and a column expires_at"));
        }
        let place = self.seen.len();
        let new = Seen { field, place, filled: 0, limiting: 0, names: 0 };
        self.seen.entry(name.to_owned()).or_insert(new);
        Ok(())
    }

    /// Notes a value of a column that was noted before.
    pub(super) fn value(&mut self, name: &str, field: Field, value: &str) {
        let value = value.trim();
        if value.is_empty() || !matches!(field, Field::Unknown | Field::Person) {
            return;
        }
        let Some(seen) = self.seen.get_mut(name) else { return };
        seen.filled += 1;
        if field == Field::Unknown {
            seen.limiting += u64::from(values::shape(value) == Shape::Limiting);
        } else {
            let is_name = value.chars().any(|letter| letter.is_alphabetic() && !matches!(letter, 'e' | 'E'));
            seen.names += u64::from(is_name && values::ids_in(value.as_bytes()).next().is_none());
        }
    }

    /// Whether this column of persons also holds names, so that digits in it may be a name.
    pub(super) fn holds_names(&self, name: &str) -> bool {
        self.seen.get(name).is_some_and(|seen| seen.names > 0)
    }

    /// Whether there is a column of this meaning.
    pub(super) fn has(&self, field: Field) -> bool {
        self.seen.values().any(|seen| seen.field == field)
    }

    /// Refuses a file with a column that may say when a ban ends, or that it is none, and is not understood.
    ///
    /// # Errors
    /// The first such column.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let is_limiting = |seen: &Seen| {
            seen.field == Field::Unknown && seen.limiting > 0 && 2 * seen.limiting >= seen.filled
        };
        let mut found: Vec<_> = self.seen.iter().filter(|(_, seen)| is_limiting(seen)).collect();
        found.sort_by_key(|(_, seen)| seen.place);
        let Some((name, _)) = found.first() else { return Ok(()) };
        let name = Untrusted::clipped(name).line_within(40);
        Err(Fault::usage(format!(
            "the column {name:?} is not understood: its values look like times, lengths, types or statuses, so it may \
             limit the bans"
        ))
        .hint("rename the column to expires_at if it says when the ban ends, to created_at if it says when it was made")
        .hint("remove the column from the file if it has nothing to do with the ban"))
    }

    /// The columns for the report.
    pub(super) fn shown(&self) -> ListColumns {
        let mut all: Vec<_> = self.seen.iter().collect();
        all.sort_by_key(|(_, seen)| seen.place);
        let mut shown = ListColumns::default();
        let has = |field| all.iter().any(|(_, seen)| seen.field == field);
        let has_user = has(Field::User);
        for (name, seen) in &all {
            let name = Untrusted::clipped(name);
            // A record's own id, and names where there are ids, are not read.
            let is_passed_over = match seen.field {
                Field::Id => has_user,
                Field::Person => seen.names > 0 && (has_user || has(Field::Id)),
                Field::Created(9) => true,
                _ => false,
            };
            match seen.field.words().filter(|_| !is_passed_over) {
                Some(words) => shown.read.push(ColumnRead { name, meaning: words.to_owned() }),
                None => shown.ignored.push(name),
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests;
