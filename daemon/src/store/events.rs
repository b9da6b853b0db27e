//! `events`: everything `watch` shows, written in the transaction that it tells of.
//!
//! What one job of the writer tells shares rows: a ban in a thousand children is a thousand events, and as many rows
//! would cost as much as the deliveries do. Such a row holds a list, and its sequence is that of the last in it, so that
//! each event has a sequence of its own and readers see no difference.

use super::{Change, StoreError, View};
use rusqlite::params;
use wayhaven_shared::event::{Change as Changed, Event};
use wayhaven_shared::value::Timestamp;

/// How many events are kept for clients that come back: about an hour of a raid.
const KEPT: u64 = 200_000;

/// How often, in events, those that are too old are looked for.
const LOOKED_FOR: u64 = 1_024;

/// How many events share a row at most: a reader who is in the middle of it reads it once more.
const TOGETHER: usize = 256;

/// What a row tells of. What another version wrote and this one does not read still has its place in the order.
fn read(body: &str) -> Vec<Changed> {
    if !body.starts_with('[') {
        return vec![serde_json::from_str(body).unwrap_or(Changed::Other)];
    }
    serde_json::from_str(body).unwrap_or_else(|_| {
        let read = |value| serde_json::from_value(value).unwrap_or(Changed::Other);
        let values = serde_json::from_str::<Vec<serde_json::Value>>(body);
        values.map_or_else(|_| vec![Changed::Other], |values| values.into_iter().map(read).collect())
    })
}

impl View<'_> {
    /// The sequence of the last event, 0 before the first.
    pub(super) fn last_event(&self) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(max(sequence), 0) FROM events";
        let last: i64 = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(last.cast_unsigned())
    }

    /// The events after `sequence`, oldest first, at most `limit`, and whether some between are gone already.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn events_after(&self, sequence: u64, limit: usize) -> Result<(Vec<Event>, bool), StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, body FROM events WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
        )?;
        let limited = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![sequence.cast_signed(), limited])?;
        let (mut events, mut first) = (Vec::new(), None);
        while events.len() < limit
            && let Some(row) = rows.next()?
        {
            let (last, at) = (row.get::<_, i64>(0)?.cast_unsigned(), Timestamp::from_millis(row.get(1)?));
            let told = read(row.get_ref(2)?.as_str().unwrap_or_default());
            let begins = (last + 1).saturating_sub(told.len() as u64);
            first.get_or_insert(begins);
            let numbered = (begins..).zip(told).filter(|(number, _)| *number > sequence);
            events.extend(numbered.map(|(sequence, change)| Event { sequence, at, change }));
        }
        events.truncate(limit);
        Ok((events, first.is_some_and(|first| first > sequence + 1)))
    }
}

impl Change<'_> {
    /// Adds an event, which is stored at the end of the job that tells it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn tell(&self, change: &Changed) -> Result<(), StoreError> {
        let body = serde_json::to_string(change)
            .map_err(|error| StoreError::Row { table: "events", what: error.to_string() })?;
        self.told.borrow_mut().push(body);
        Ok(())
    }

    /// Stores what the job has told.
    pub(super) fn store_told(&self) -> Result<(), StoreError> {
        self.told.take().chunks(TOGETHER).try_for_each(|told| match told {
            [one] => self.add(one, 1),
            _ => self.add(&format!("[{}]", told.join(",")), told.len() as u64),
        })
    }

    /// Forgets what a failed job has told.
    pub(super) fn forget_told(&self) {
        self.told.take();
    }

    /// Adds a row that tells of so many events.
    fn add(&self, body: &str, count: u64) -> Result<(), StoreError> {
        // As AUTOINCREMENT counts, by more than one.
        let sql = "INSERT INTO events (sequence, at, body)
             VALUES (coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) + ?1, ?2, ?3)";
        let values = params![count.cast_signed(), self.now().millis(), body];
        self.connection().prepare_cached(sql)?.execute(values)?;
        let sequence = self.connection().last_insert_rowid().cast_unsigned();
        if sequence / LOOKED_FOR != (sequence - count) / LOOKED_FOR && sequence > KEPT {
            let sql = "DELETE FROM events WHERE sequence <= ?1";
            self.connection().prepare_cached(sql)?.execute([(sequence - KEPT).cast_signed()])?;
        }
        Ok(())
    }
}
