//! What would become of each row of a list: the same function for the plan and for the real run.

use super::order::Objection;
use super::staff::Staff;
use super::survey::{Among, Survey};
use super::{Line, Row};
use crate::network::Topology;
use crate::store::{StoreError, View, lasts_longer};
use std::sync::Arc;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::sync::{Example, Fate, Rows};
use wayhaven_shared::value::{GuildId, Timestamp, Untrusted};

/// How many rows of each fate are shown.
const SHOWN: usize = 20;

/// How much a clock elsewhere may be ahead, in milliseconds.
const AHEAD: i64 = 86_400_000;

/// A list's rows, judged one after the other. What it keeps has a bound: the users of so many rows as an import takes, and
/// a few rows to show.
#[derive(Debug)]
pub struct Plan {
    main: GuildId,
    survey: Arc<Survey>,
    staff: Arc<Staff>,
    /// How many rows came before.
    at: u64,
    rows: Vec<Rows>,
}

impl Plan {
    /// For a list that is imported into `main`.
    pub fn new(main: GuildId, survey: Arc<Survey>, staff: Arc<Staff>) -> Self {
        let none = |fate| Rows { fate, count: 0, first: Vec::new() };
        let rows = Fate::ALL.map(none).to_vec();
        Self { main, survey, staff, at: 0, rows }
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
        self.survey.users()
    }

    /// A row that was judged before a restart.
    pub fn pass(&mut self) {
        self.at += 1;
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
        let at = self.at;
        self.at += 1;
        let row = match line {
            Line::Row(row) => row,
            Line::Unban(one) => {
                let user = one.user.to_string();
                self.count(Fate::OtherType, one.line, || (Untrusted::clipped(&user), Some("unban".into())));
                return Ok(None);
            }
            Line::Skipped(one) => {
                self.count(one.fate, one.line, || (one.value, Some(one.why)));
                return Ok(None);
            }
            Line::Rejected(one) => {
                self.count(Fate::Invalid, one.line, || (one.value, Some(one.why)));
                return Ok(None);
            }
        };
        let (fate, why) = self.fate(view, topology, at, &row)?;
        self.count(fate, row.line, || (Untrusted::clipped(&row.user.to_string()), why));
        Ok((fate == Fate::New).then_some(row))
    }

    fn fate(
        &self,
        view: &View<'_>,
        topology: &Topology,
        at: u64,
        row: &Row,
    ) -> Result<(Fate, Option<String>), StoreError> {
        let now = view.now();
        if let Some(why) = self.impossible(row, now) {
            return Ok((Fate::Invalid, Some(why)));
        }
        let among = self.survey.among(at, row);
        if let Among::Objection(objection) = among {
            return Ok(match objection {
                Objection::Unbanned => (Fate::Cancelled, Some("a later row unbans the user".into())),
                Objection::UnknownOrder => (
                    Fate::Invalid,
                    Some(
                        "another row unbans the user, and no date or case number says which row came later: \
                         write dates like 2026-01-02T03:04:05Z"
                            .into(),
                    ),
                ),
                Objection::Unclear(line) => (
                    Fate::Invalid,
                    Some(format!(
                        "line {line} is about the same user and is not understood: it may lift the ban"
                    )),
                ),
            });
        }
        if row.until.is_some_and(|until| until <= now) {
            return Ok((Fate::Ended, Some("the ban has ended already".into())));
        }
        match among {
            Among::Decides => {}
            Among::Another(line) => return Ok((Fate::Duplicate, Some(format!("line {line} counts")))),
            Among::Over | Among::Objection(_) => return Ok((Fate::Over, None)),
        }
        if let Some(who) = self.staff.who(row.user) {
            return Ok((Fate::Staff, Some(who)));
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

    /// Why there can be no such ban.
    fn impossible(&self, row: &Row, now: Timestamp) -> Option<String> {
        let latest = Timestamp::from_millis(now.millis().saturating_add(AHEAD));
        if Timestamp::of_snowflake(row.user.get()) > latest {
            return Some("Discord has not given out such an id yet".into());
        }
        if self.survey.is_rounded(row.user) {
            return Some("the id ends in zeros as if a spreadsheet had rounded it".into());
        }
        if row.dated.is_some_and(|dated| dated > latest) {
            return Some(
                "its date is in the future, so it may be when the ban ends: name that column expires_at"
                    .into(),
            );
        }
        self.staff.place(row.user).map(|what| format!("it is the id of {what}, and not of a user"))
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
