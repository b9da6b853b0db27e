//! What would become of each row of a list: the same function for the plan and for the real run.

use super::{Line, Row};
use crate::network::Topology;
use crate::store::{StoreError, View, lasts_longer};
use std::collections::HashSet;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::sync::{Example, Fate, Rows};
use wayhaven_shared::value::{GuildId, Untrusted, UserId};

/// How many rows of each fate are shown.
const SHOWN: usize = 20;

/// A list's rows, judged one after the other. What it keeps has a bound: the users of so many rows as an import takes, and
/// a few rows to show.
#[derive(Debug)]
pub struct Plan {
    main: GuildId,
    most: usize,
    seen: HashSet<UserId>,
    rows: Vec<Rows>,
}

impl Plan {
    /// For a list that is imported into `main`, of which `most` users are taken.
    pub fn new(main: GuildId, most: u32) -> Self {
        let none = |fate| Rows { fate, count: 0, first: Vec::new() };
        let rows = Fate::ALL.map(none).to_vec();
        Self { main, most: usize::try_from(most).unwrap_or(usize::MAX), seen: HashSet::new(), rows }
    }

    /// Goes on with what was counted before.
    pub fn resume(&mut self, rows: Vec<Rows>) {
        self.rows = rows;
    }

    /// The rows so far by what becomes of them.
    pub fn rows(&self) -> &[Rows] {
        &self.rows
    }

    /// How many users are remembered.
    pub fn remembered(&self) -> usize {
        self.seen.len()
    }

    /// A row that was judged before a restart: it is remembered, so that a later one is known to name the same user.
    pub fn pass(&mut self, line: &Line) {
        if let Line::Row(row) = line {
            let _ = self.first_time(row);
        }
    }

    /// Judges a row, counts it, and gives it back where it becomes a ban. What is asked of `view` are the bans so far.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn judge(
        &mut self,
        view: &View<'_>,
        topology: &Topology,
        line: Line,
    ) -> Result<Option<Row>, StoreError> {
        let row = match line {
            Line::Row(row) => row,
            Line::Rejected(one) => {
                self.count(Fate::Invalid, one.line, || (one.value, Some(one.why)));
                return Ok(None);
            }
        };
        let (fate, why) = self.fate(view, topology, &row)?;
        self.count(fate, row.line, || (Untrusted::clipped(&row.user.to_string()), why));
        Ok((fate == Fate::New).then_some(row))
    }

    fn fate(
        &mut self,
        view: &View<'_>,
        topology: &Topology,
        row: &Row,
    ) -> Result<(Fate, Option<String>), StoreError> {
        // What depends on nothing but the file comes first, so that it is the same after a restart.
        if let Err(fate) = self.first_time(row) {
            return Ok((fate, None));
        }
        let now = view.now();
        if row.until.is_some_and(|until| until <= now) {
            return Ok((Fate::Invalid, Some("the ban has ended already".into())));
        }
        if let Some(shield) = topology.protection().shield(self.main, self.main, row.user) {
            return Ok((Fate::Protected, Some(shield.to_string())));
        }
        // A ban that ends earlier than the list says is not enough.
        let longest = view.overlapping(self.main, row.user, Action::Ban, now)?.pop();
        Ok(match longest.filter(|one| !lasts_longer(row.until, one.until)) {
            Some(cause) => (Fate::Already, Some(format!("punishment {}", cause.id))),
            None => (Fate::New, None),
        })
    }

    /// Whether the user was not named before, and there is room.
    fn first_time(&mut self, row: &Row) -> Result<(), Fate> {
        if self.seen.contains(&row.user) {
            return Err(Fate::Duplicate);
        }
        if self.seen.len() >= self.most {
            return Err(Fate::Over);
        }
        self.seen.insert(row.user);
        Ok(())
    }

    fn count(&mut self, fate: Fate, line: u64, shown: impl FnOnce() -> (Untrusted, Option<String>)) {
        let Some(rows) = self.rows.iter_mut().find(|rows| rows.fate == fate) else { return };
        rows.count += 1;
        if rows.first.len() < SHOWN {
            let (value, why) = shown();
            rows.first.push(Example { line, value, why });
        }
    }
}
