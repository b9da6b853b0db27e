//! A list is read through before any row is judged: what its columns hold, which users were unbanned, and which of several
//! rows decides about a user. A file is read two or three times; of its rows only one number per user is kept.

use super::columns::{Columns, Field};
use super::order::{Objection, Objections};
use super::values::LEAST_ID;
use super::{Kind, Line, ListReader, Row};
use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};
use std::sync::Arc;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::sync::ListColumns;
use wayhaven_shared::value::{GuildId, Timestamp, Untrusted, UserId};

/// So improbable a number of ids that end in zeros cannot be a coincidence.
const COINCIDENCE: f64 = 0.01;

/// How many ids that look rounded are kept, so that each is counted once.
const MOST_ROUNDED: usize = 1_000_000;

/// What a file as a whole says.
#[derive(Debug)]
pub struct Survey {
    kind: Kind,
    columns: Arc<Columns>,
    deciders: HashMap<UserId, Decider>,
    objections: Objections,
    rounded: HashSet<UserId>,
}

/// The row that decides about a user: the first of those that last longest.
#[derive(Clone, Copy, Debug)]
struct Decider {
    /// Its place in the file, from 0.
    at: u64,
    line: u64,
    until: Option<Timestamp>,
}

/// What a row means, beside the other rows of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Among {
    /// It decides.
    Decides,
    /// The row in this line lasts at least as long.
    Another(u64),
    /// The user was unbanned later, or nobody knows whether.
    Objection(Objection),
    /// There are more users than are taken.
    Over,
}

impl Survey {
    /// Reads a file through for the import into `main`, from its beginning, without these columns.
    ///
    /// # Errors
    /// Where it is no list, has a column that may limit the bans and is not understood, or is of
    /// another kind, its bans are of several guilds and none is the main, or its ids were rounded.
    pub(super) fn of<R: Read + Seek>(
        file: &mut R,
        main: GuildId,
        most: u32,
        ignored: &[Untrusted],
    ) -> Result<Self, Fault> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let (mut survey, has_objections) = Self::columns_of(file, main, ignored)?;
        if has_objections {
            let mut objections = Objections::default();
            for line in survey.read(&mut *file)? {
                match line? {
                    Line::Unban(unban) => objections.unban(unban.user, unban.order)?,
                    Line::Rejected(one) => objections.unclear(&one)?,
                    Line::Row(_) | Line::Skipped(_) => {}
                }
            }
            survey.objections = objections;
        }
        for (at, line) in (0..).zip(survey.read(&mut *file)?) {
            let Line::Row(row) = line? else { continue };
            if survey.objections.against(row.user, row.order).is_some() {
                continue;
            }
            let new = Decider { at, line: row.line, until: row.until };
            let count = survey.deciders.len();
            match survey.deciders.get_mut(&row.user) {
                Some(decider) if lasts_longer(new.until, decider.until) => *decider = new,
                Some(_) => {}
                None if count >= most => {}
                None => drop(survey.deciders.insert(row.user, new)),
            }
        }
        Ok(survey)
    }

    /// The first reading: the columns, and whether somebody is unbanned or named by a row that is not understood.
    fn columns_of<R: Read + Seek>(
        file: &mut R,
        main: GuildId,
        ignored: &[Untrusted],
    ) -> Result<(Self, bool), Fault> {
        rewind(file)?;
        let mut reader = ListReader::open_ignoring(file, ignored)?;
        let (mut has_objections, mut rows, mut useful) = (false, 0_u64, 0_u64);
        let mut first = None;
        let mut rounded = Rounded::default();
        for line in reader.by_ref() {
            rows += 1;
            match line? {
                Line::Row(row) => rounded.see(row.user),
                Line::Unban(unban) => {
                    has_objections = true;
                    rounded.see(unban.user);
                }
                Line::Skipped(_) => {}
                Line::Rejected(one) if one.ids > 0 => has_objections |= !one.users.is_empty(),
                Line::Rejected(one) => {
                    first.get_or_insert(one);
                    continue;
                }
            }
            useful += 1;
        }
        if let Some(one) = first.filter(|_| useful == 0) {
            return Err(Fault::usage(format!(
                "none of the {rows} rows of the file names a user; line {}: {}",
                one.line, one.why
            ))
            .hint("save the list as CSV with a column user_id, or as JSON"));
        }
        let mut columns = reader.columns().clone();
        columns.check(main)?;
        // Some rows are rejected only once it is known what the columns of the whole file hold.
        has_objections |= [Field::Type, Field::Person].into_iter().any(|field| columns.has(field));
        let survey = Self {
            kind: reader.kind(),
            columns: Arc::new(columns),
            deciders: HashMap::new(),
            objections: Objections::default(),
            rounded: rounded.check()?,
        };
        Ok((survey, has_objections))
    }

    /// The rows of the same file, from its beginning.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(super) fn read<R: Read + Seek>(&self, mut file: R) -> Result<ListReader<R>, Fault> {
        rewind(&mut file)?;
        ListReader::open_again(file, Arc::clone(&self.columns))
    }

    /// What the file is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Which of its columns are read.
    pub fn columns(&self) -> ListColumns {
        self.columns.shown()
    }

    /// How many users it bans.
    pub fn users(&self) -> usize {
        self.deciders.len()
    }

    /// What a row means beside the others, by its place in the file.
    pub(super) fn among(&self, at: u64, row: &Row) -> Among {
        if let Some(objection) = self.objections.against(row.user, row.order) {
            return Among::Objection(objection);
        }
        match self.deciders.get(&row.user) {
            Some(decider) if decider.at == at => Among::Decides,
            Some(decider) => Among::Another(decider.line),
            None => Among::Over,
        }
    }

    /// Whether the id looks like one that a spreadsheet has rounded, in a list too short for that to be a coincidence.
    pub(super) fn is_rounded(&self, user: UserId) -> bool {
        self.rounded.contains(&user)
    }
}

fn rewind(file: &mut impl Seek) -> Result<(), Fault> {
    file.rewind().map_err(|error| Fault::unavailable(format!("the file cannot be read again: {error}")))
}

/// No end is later than any.
fn lasts_longer(one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    match (one, other) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(one), Some(other)) => one > other,
    }
}

/// Ids that were rounded. Spreadsheets keep 15 digits and write zeros for the rest: of an id of 18 digits three, which of
/// thousand ids one has by chance. Programs that keep numbers as doubles write the shortest decimals of the nearest one.
#[derive(Default)]
struct Rounded {
    /// How many end in zeros by chance.
    expected: f64,
    found: HashSet<UserId>,
    /// How many ids are large enough to be rounded as doubles, and how many look so.
    large: u32,
    doubles: HashSet<UserId>,
}

/// How often an id looks like a rounded double by chance, at most.
const DOUBLES: f64 = 0.1;

/// Whether it is improbable that so many look rounded by chance (Poisson).
fn is_improbable(found: usize, expected: f64) -> bool {
    // Of many, far beyond the deviation; there the sum below would vanish.
    if expected > 100.0 {
        return found as f64 > expected + 6.0 * expected.sqrt();
    }
    let (mut term, mut below) = ((-expected).exp(), 0.0);
    for number in 0_u32.. {
        if usize::try_from(number).is_ok_and(|number| number >= found) {
            break;
        }
        below += term;
        term *= expected / f64::from(number + 1);
    }
    found > 0 && 1.0 - below < COINCIDENCE
}

impl Rounded {
    fn see(&mut self, user: UserId) {
        let id = user.get();
        if id < LEAST_ID {
            return;
        }
        let zeros = 10_u64.pow(id.ilog10().saturating_sub(14));
        self.expected += 1.0 / zeros as f64;
        // Below that a double keeps all but the last digit.
        if id >= 100_000_000_000_000_000 {
            self.large = self.large.saturating_add(1);
            if (id as f64).to_string() == id.to_string() && self.doubles.len() < MOST_ROUNDED {
                self.doubles.insert(user);
            }
        }
        if id.is_multiple_of(zeros) && self.found.len() < MOST_ROUNDED {
            self.found.insert(user);
        }
    }

    /// Refuses the file where several were rounded; the one that seems to be.
    fn check(self) -> Result<HashSet<UserId>, Fault> {
        let (zeros, doubles) = (self.found.len(), self.doubles.len());
        let refused = if zeros > 1 && is_improbable(zeros, self.expected) {
            format!(
                "{zeros} ids end in zeros as if a spreadsheet had rounded them: they would be other users"
            )
        } else if doubles > 1 && is_improbable(doubles, f64::from(self.large) * DOUBLES) {
            format!(
                "{doubles} ids look as if a program had rounded them as numbers: they would be other users"
            )
        } else if is_improbable(zeros, self.expected) {
            return Ok(self.found);
        } else {
            return Ok(HashSet::new());
        };
        Err(Fault::usage(refused)
            .hint("export the list again and do not open it in a spreadsheet, or format the column of ids as text first"))
    }
}
