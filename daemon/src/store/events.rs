//! `events`: everything `watch` shows, written in the transaction that it tells of.

use super::{Change, StoreError, View};
use rusqlite::params;
use wayhaven_shared::event::{Change as Changed, Event};
use wayhaven_shared::value::Timestamp;

/// How many events are kept for clients that come back: about an hour of a raid.
const KEPT: u64 = 200_000;

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
        let first: Option<i64> = self
            .connection
            .prepare_cached("SELECT min(sequence) FROM events")?
            .query_row([], |row| row.get(0))?;
        let gap = first.is_some_and(|first| first.cast_unsigned() > sequence + 1);
        let sql = "SELECT sequence, at, body FROM events WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![sequence.cast_signed(), limit], |row| {
            let body: String = row.get(2)?;
            Ok(Event {
                sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                at: Timestamp::from_millis(row.get(1)?),
                // What an older version wrote and this one no longer reads still has its place in the order.
                change: serde_json::from_str(&body).unwrap_or(Changed::Other),
            })
        })?;
        Ok((rows.collect::<Result<_, _>>()?, gap))
    }
}

impl Change<'_> {
    /// Adds an event.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn tell(&self, change: &Changed) -> Result<(), StoreError> {
        let body = serde_json::to_string(change)
            .map_err(|error| StoreError::Row { table: "events", what: error.to_string() })?;
        let sql = "INSERT INTO events (at, body) VALUES (?1, ?2)";
        self.connection().prepare_cached(sql)?.execute(params![self.now().millis(), body])?;
        let sequence = self.connection().last_insert_rowid().cast_unsigned();
        if sequence.is_multiple_of(1_024) && sequence > KEPT {
            let sql = "DELETE FROM events WHERE sequence <= ?1";
            self.connection().prepare_cached(sql)?.execute([(sequence - KEPT).cast_signed()])?;
        }
        Ok(())
    }
}
