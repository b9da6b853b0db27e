//! The order of the rows of one user: whether a ban came behind the unbans, and behind the rows that nobody understands.
//!
//! Only dates and case numbers tell it. Where they do not, the user is not banned.

use super::{Order, Rejected};
use std::collections::HashMap;
use wayhaven_shared::Fault;
use wayhaven_shared::value::UserId;

/// How many unbans, and how many users of rows that are not understood, are kept of one file.
const MOST_KEPT: usize = 1_000_000;

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// Which of two rows came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Later {
    Ban,
    Other,
    Unknown,
}

/// Whether a ban or another row of its user came later. Of the same moment the other row counts, so that nobody stays
/// banned by mistake.
fn later(ban: Order, other: Order) -> Later {
    let is_behind = |one: Order, other: Order| match (one.created, other.created) {
        // A day is over at its end.
        (Some(one), Some(day)) if other.is_day => one.millis() >= day.millis().saturating_add(DAY),
        (Some(one), Some(time)) => one > time,
        _ => false,
    };
    let by_case = match (ban.case, other.case) {
        (Some(ban), Some(other)) if ban > other => Later::Ban,
        (Some(ban), Some(other)) if ban < other => Later::Other,
        _ => Later::Unknown,
    };
    if ban.created.is_none() || other.created.is_none() {
        return by_case;
    }
    match (is_behind(ban, other), is_behind(other, ban), by_case) {
        // The dates say the one, and the case numbers the other.
        (true, _, Later::Other) => Later::Unknown,
        (true, ..) => Later::Ban,
        (false, true, _) | (false, false, Later::Unknown) => Later::Other,
        (false, false, by_case) => by_case,
    }
}

/// What stands against the bans of a user.
#[derive(Debug, Default)]
struct Against {
    unbans: Vec<Order>,
    /// A row that is not understood: its line, and its order where all of them have a date.
    unclear: Option<(u64, Order)>,
}

/// What stands against a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// The user was unbanned later.
    Unbanned,
    /// The user was unbanned, and nobody knows whether before or later.
    UnknownOrder,
    /// The row in this line is about the user, and is not understood.
    Unclear(u64),
}

/// What stands against the bans of a file, by user.
#[derive(Debug, Default)]
pub(super) struct Objections {
    by_user: HashMap<UserId, Against>,
    kept: usize,
}

impl Objections {
    /// Takes an unban.
    ///
    /// # Errors
    /// Where there are too many.
    pub(super) fn unban(&mut self, user: UserId, order: Order) -> Result<(), Fault> {
        let unbans = &mut self.by_user.entry(user).or_default().unbans;
        if unbans.last() != Some(&order) {
            unbans.push(order);
            self.kept += 1;
        }
        self.check()
    }

    /// Takes a row that is not understood.
    ///
    /// # Errors
    /// Where there are too many.
    pub(super) fn unclear(&mut self, row: &Rejected) -> Result<(), Fault> {
        // Its case number may be a part that is not understood.
        let order = Order { case: None, ..row.order };
        for user in &row.users {
            let unclear = &mut self.by_user.entry(*user).or_default().unclear;
            match unclear {
                None => {
                    *unclear = Some((row.line, order));
                    self.kept += 1;
                }
                Some((line, kept)) if later(*kept, order) != Later::Ban => {
                    (*line, *kept) = match kept.created {
                        None => (*line, *kept),
                        Some(_) => (row.line, order),
                    };
                }
                Some(_) => {}
            }
        }
        self.check()
    }

    fn check(&self) -> Result<(), Fault> {
        if self.kept <= MOST_KEPT {
            return Ok(());
        }
        Err(Fault::usage(format!(
            "the file has more than {MOST_KEPT} unbans and rows that are not understood"
        ))
        .hint("import a list of the bans in force instead of a history"))
    }

    /// What stands against a ban of this user.
    pub(super) fn against(&self, user: UserId, ban: Order) -> Option<Objection> {
        let against = self.by_user.get(&user)?;
        let mut objection = None;
        for unban in &against.unbans {
            match later(ban, *unban) {
                Later::Ban => {}
                Later::Other => return Some(Objection::Unbanned),
                Later::Unknown => objection = Some(Objection::UnknownOrder),
            }
        }
        let unclear = against.unclear.filter(|(_, order)| later(ban, *order) != Later::Ban);
        objection.or_else(|| unclear.map(|(line, _)| Objection::Unclear(line)))
    }
}
