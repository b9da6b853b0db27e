//! The meaning of a column or a JSON key, decided by its name.
//!
//! A ban list may name its columns in any way. The invariant is: a column is ignored only where each of its values is
//! harmless. A column that can limit a ban (an end, a length, a type, a status) is read, and where its value is not
//! understood, the row is rejected. Any other column with a value that may limit or lift a ban makes the file unusable,
//! until the operator names the column to be ignored.

mod guilds;
mod kinds;
mod names;
mod purpose;
mod words;

pub(super) use names::{Field, clean};
pub(super) use purpose::is_score;

use guilds::Guilds;
use kinds::Kind;
use purpose::Purpose;
use std::collections::BTreeMap;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::sync::{ColumnRead, ListColumns};
use wayhaven_shared::value::{GuildId, Untrusted};

/// The most different columns or keys of one file.
const MOST_COLUMNS: usize = 256;

/// How many columns and values a refusal shows.
const SHOWN_COLUMNS: usize = 4;
const SHOWN_VALUES: usize = 3;

/// What was seen in a column.
#[derive(Clone, Debug)]
struct Seen {
    field: Field,
    kind: Kind,
    place: usize,
    filled: u64,
    /// Values that may limit or lift a ban, in a column that is not read.
    doubtful: u64,
    /// Whether one of them says so without doubt.
    is_certain: bool,
    samples: Vec<String>,
    /// Values that are no ids, in a column of persons.
    names: u64,
    /// Whether the name says that it is about the one who was acted upon.
    is_target: bool,
    /// Whether it names people other than those who acted.
    is_about_people: bool,
    /// What it says about the kind of its list.
    purpose: Purpose,
    /// Values that say something, also lists and objects.
    present: u64,
    /// Whether it names those who acted.
    is_of_actors: bool,
}

/// Whether a row has to say that its user is banned, because the list also names members, and in
/// which columns it may say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Proof {
    /// Each row is a ban.
    #[default]
    None,
    /// In a column about bans.
    Ban,
    /// In a column about a punishment too: the other columns may stand in a list of bans.
    Punishment,
}

/// What was seen in the columns of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    seen: BTreeMap<String, Seen>,
    /// The columns that the operator wants to be ignored, each with its letters and digits only.
    ignored: Vec<(Untrusted, String)>,
    /// Whether an object beside a key held the id of its user.
    has_nested_user: bool,
    /// Whether the list itself has a name like "bans".
    is_named_bans: bool,
    proof: Proof,
    guilds: Guilds,
}

impl Columns {
    /// For a file of which these columns are not read.
    pub(super) fn ignoring(names: &[Untrusted]) -> Self {
        let ignored = names.iter().map(|name| (name.clone(), plain(name.raw()))).collect();
        Self { ignored, ..Self::default() }
    }

    /// The meaning of a column with this name.
    pub(super) fn meaning(&self, name: &str) -> Field {
        let plain = plain(&clean(name));
        match self.ignored.iter().any(|(_, one)| *one == plain) {
            true => Field::Ignored,
            false => Field::named(name),
        }
    }

    /// Notes a column.
    ///
    /// # Errors
    /// Where a file has more columns than any table.
    pub(super) fn note(&mut self, name: &str, field: Field) -> Result<(), Fault> {
        if self.seen.contains_key(name) {
            return Ok(());
        }
        if self.seen.len() >= MOST_COLUMNS {
            return Err(Fault::usage(format!("the file has more than {MOST_COLUMNS} different columns"))
                .hint("export the list with a column user_id, a column reason and a column expires_at"));
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        let tokens = names::tokens(last);
        let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
        // The number of a record's version, as Mongoose writes it.
        let joined = if last == "__v" { last.to_owned() } else { tokens.concat() };
        let kind = Kind::of(field, &words, &joined);
        let is_target = words.iter().any(|word| words::TARGETS.contains(word)) && !field.limits();
        let is_other = |word: &&str| words::ACTORS.contains(word) || words::PLACES.contains(word);
        let is_about_people = kind == Kind::Names && !words.iter().any(is_other);
        let new = Seen {
            field,
            kind,
            place: self.seen.len(),
            filled: 0,
            doubtful: 0,
            is_certain: false,
            samples: Vec::new(),
            names: 0,
            is_target,
            is_about_people,
            purpose: Purpose::of(field, &words, &joined, is_in_user(name)),
            present: 0,
            is_of_actors: words.iter().any(|word| words::ACTORS.contains(word)),
        };
        self.guilds.column(name, field, &words, &joined);
        self.seen.insert(name.to_owned(), new);
        Ok(())
    }

    /// Notes a value of a column that was noted before.
    pub(super) fn value(&mut self, name: &str, value: &str) {
        let value = value.trim();
        let Some(seen) = self.seen.get_mut(name).filter(|_| !value.is_empty()) else { return };
        seen.filled += 1;
        seen.present += u64::from(!super::values::says_nothing(value));
        self.guilds.value(name, value);
        if matches!(seen.field, Field::Person | Field::Irrelevant) {
            let is_name = value.chars().any(|letter| letter.is_alphabetic() && !matches!(letter, 'e' | 'E'));
            seen.names += u64::from(is_name && super::values::ids_in(value.as_bytes()).next().is_none());
        }
        if is_checked(seen.field) && (seen.kind.doubts(value) || seen.kind.is_certain(value)) {
            seen.doubtful += 1;
            seen.is_certain |= seen.kind.is_certain(value);
            let sample = Untrusted::clipped(value).line_within(30);
            if seen.samples.len() < SHOWN_VALUES && !seen.samples.contains(&sample) {
                seen.samples.push(sample);
            }
        }
    }

    /// Notes that the user is named by an object beside a key.
    pub(super) fn user_is_nested(&mut self) {
        self.has_nested_user = true;
    }

    /// Whether an object or a list of this name beside the list of bans is about other things: the guild, who exported it.
    pub(super) fn is_beside(&self, name: &str) -> bool {
        let field = self.meaning(name);
        let tokens = names::tokens(name);
        let singular: Vec<&str> =
            tokens.iter().map(|token| token.strip_suffix('s').unwrap_or(token)).collect();
        let is_other = |word: &&str| words::ACTORS.contains(word) || words::PLACES.contains(word);
        field == Field::Irrelevant && singular.iter().all(is_other)
    }

    /// Whether an object of this name within another one says nothing of the ban: also one of Discord's own.
    pub(super) fn is_elsewhere(&self, name: &str) -> bool {
        const OF_USERS: [&str; 5] =
            ["primaryguild", "clan", "avatardecorationdata", "collectibles", "displaynamestyles"];
        OF_USERS.contains(&plain(name).as_str()) || self.is_beside(name)
    }

    /// Whether a column or an object of this name may hold anything: it is about somebody else, a place, or deleted
    /// messages.
    pub(super) fn holds_anything(&self, name: &str) -> bool {
        let is_other = |seen: &Seen| match seen.kind {
            Kind::Free => true,
            Kind::Names => !seen.is_about_people,
            _ => false,
        };
        self.seen.get(name).is_some_and(is_other)
    }

    /// Whether this column of persons also holds names, so that digits in it may be a name.
    pub(super) fn holds_names(&self, name: &str) -> bool {
        self.seen.get(name).is_some_and(|seen| seen.names > 0)
    }

    /// Whether there is a column of this meaning.
    pub(super) fn has(&self, field: Field) -> bool {
        self.seen.values().any(|seen| seen.field == field)
    }

    /// Refuses a file with a column that may say when a ban ends, or that it is none, and is not understood; one of which
    /// nobody can tell who is banned; and one without a column that is to be ignored.
    ///
    /// # Errors
    /// Which columns.
    pub(super) fn check(&mut self, main: GuildId) -> Result<(), Fault> {
        let is_there = |name: &str| self.seen.keys().any(|one| plain(one) == name);
        if let Some((name, _)) = self.ignored.iter().find(|(_, plain)| !is_there(plain)) {
            let all: Vec<String> =
                self.in_order().into_iter().take(12).map(|(name, _)| shown(name)).collect();
            return Err(Fault::usage(format!(
                "the file has no column {:?} that could be ignored; it has {}",
                name.line_within(40),
                all.join(", ")
            ))
            .hint("name the column as in the file"));
        }
        self.check_users()?;
        self.check_purpose()?;
        self.guilds.check(main)?;
        let refused: Vec<_> = self
            .in_order()
            .into_iter()
            // The column of the users is read, row by row.
            .filter(|(_, seen)| seen.field != Field::Id || self.has(Field::User) || self.has_nested_user)
            .filter(|(_, seen)| {
                is_checked(seen.field)
                    && !(seen.kind == Kind::OtherRecords && self.has(Field::Type))
                    && (seen.is_certain || seen.kind.is_refused(seen.doubtful, seen.filled))
            })
            .take(SHOWN_COLUMNS)
            .collect();
        if refused.is_empty() {
            return Ok(());
        }
        let described: Vec<String> = refused
            .iter()
            .map(|(name, seen)| {
                let samples: Vec<String> = seen.samples.iter().map(|one| format!("{one:?}")).collect();
                format!("{:?} (values like {})", shown(name), samples.join(", "))
            })
            .collect();
        let (columns, are) = if refused.len() == 1 { ("column", "is") } else { ("columns", "are") };
        let flags: Vec<String> =
            refused.iter().map(|(name, _)| format!("--ignore-column={}", flag_value(name))).collect();
        Err(Fault::usage(format!(
            "the {columns} {} {are} not understood and may say that a ban ends, was lifted or is none",
            described.join(" and ")
        ))
        .hint(
            "rename the column: expires_at for when the ban ends, created_at for when it was made, type for ban or warning, \
             active for yes or no, reason for free text",
        )
        .hint(format!("or add {} if that says nothing about who is banned and until when", flags.join(" "))))
    }

    /// Refuses a file whose column of ids may be that of a log's entries, or of those who acted.
    fn check_users(&self) -> Result<(), Fault> {
        let is_name = |seen: &Seen| seen.names > 0 && matches!(seen.field, Field::Person | Field::Irrelevant);
        let is_log = self.has(Field::Type);
        let named = |is: &dyn Fn(&Seen) -> bool| self.in_order().into_iter().find(|(_, seen)| is(seen));
        let Some((target, seen)) =
            named(&|seen| is_name(seen) && (seen.is_target || (is_log && seen.is_about_people)))
        else {
            return Ok(());
        };
        let has_user = self.has(Field::User) || self.has_nested_user;
        let is_ambiguous = match has_user {
            true => {
                seen.is_target && !self.seen.values().any(|seen| seen.field == Field::User && seen.is_target)
            }
            false => self.has(Field::Id),
        };
        if !is_ambiguous {
            return Ok(());
        }
        let of = |field| named(&|seen: &Seen| seen.field == field).map(|(name, _)| shown(name));
        let ids = of(Field::User).or_else(|| of(Field::Id)).unwrap_or_default();
        let target = shown(target);
        Err(Fault::usage(format!(
            "the column {ids:?} may hold other ids than those of the banned users, who are named in the column {target:?}"
        ))
        .hint(format!("rename {ids:?} to target_id if it holds the ids of the banned users"))
        .hint("or export the list with the ids of the banned users"))
    }

    fn in_order(&self) -> Vec<(&str, &Seen)> {
        let mut all: Vec<_> = self.seen.iter().map(|(name, seen)| (name.as_str(), seen)).collect();
        all.sort_by_key(|(_, seen)| seen.place);
        all
    }

    /// The columns for the report.
    pub(super) fn shown(&self) -> ListColumns {
        let all = self.in_order();
        let mut shown = ListColumns::default();
        let has = |field| all.iter().any(|(_, seen)| seen.field == field);
        let has_user = has(Field::User) || self.has_nested_user;
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
                None if seen.field == Field::Ignored => shown.ignored_on_request.push(name),
                None => shown.ignored.push(name),
            }
        }
        shown
    }
}

/// Whether a column of this meaning is not read in full, so that its values have to be harmless.
fn is_checked(field: Field) -> bool {
    matches!(
        field,
        Field::Unknown
            | Field::Irrelevant
            | Field::Created(9)
            | Field::Case
            | Field::Person
            | Field::Mention
            | Field::Id
    )
}

/// Whether a path leads into the object of a user.
fn is_in_user(path: &str) -> bool {
    path.split_once('.').is_some_and(|(first, _)| Field::named(first).is_user())
}

/// A name's letters and digits in small letters, or the name where it has none.
fn plain(name: &str) -> String {
    let letters: String =
        name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if letters.is_empty() { name.trim().to_owned() } else { letters }
}

/// A column's name as `--ignore-column` takes it, without spaces, since Discord parts names at spaces.
fn flag_value(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_alphanumeric() && letter != '.');
    let joined = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
    if joined.is_empty() { shown(name) } else { joined }
}

fn shown(name: &str) -> String {
    Untrusted::clipped(name).line_within(40)
}

#[cfg(test)]
mod tests;
