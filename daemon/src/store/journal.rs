//! `gateway_journal`: ban events of a main whose audit entry has not come.
//!
//! What an audit entry tells is worked in the transaction that stores its outcome, so only what has to wait is
//! journalled. A row that is still there at the start is worked then.

use super::rows::{Sql, column, word};
use super::{Change, StoreError, View};
use rusqlite::params;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, Timestamp, UserId};

/// A ban event that waits for its audit entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Its place in the journal.
    pub sequence: i64,
    /// When it came.
    pub received_at: Timestamp,
    /// Where.
    pub guild: GuildId,
    /// Whom it is about.
    pub user: UserId,
    /// What it was.
    pub action: Action,
}

impl View<'_> {
    /// Everything that waits, in the order in which it came.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn awaited(&self) -> Result<Vec<Awaited>, StoreError> {
        let sql =
            "SELECT sequence, received_at, guild_id, user_id, action FROM gateway_journal ORDER BY sequence";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Awaited {
                sequence: row.get("sequence")?,
                received_at: column(row, "received_at")?,
                guild: column(row, "guild_id")?,
                user: column(row, "user_id")?,
                action: word(row, "action", Action::from_word)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Journals an event that waits.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn await_entry(&self, guild: GuildId, user: UserId, action: Action) -> Result<Awaited, StoreError> {
        let sql =
            "INSERT INTO gateway_journal (received_at, guild_id, user_id, action) VALUES (?1, ?2, ?3, ?4)";
        let values = params![self.now().millis(), Sql(guild), Sql(user), action.word()];
        self.connection().prepare_cached(sql)?.execute(values)?;
        let sequence = self.connection().last_insert_rowid();
        Ok(Awaited { sequence, received_at: self.now(), guild, user, action })
    }

    /// Takes the oldest waiting event that an audit entry explains out of the journal.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn entry_came(&self, guild: GuildId, user: UserId, action: Action) -> Result<bool, StoreError> {
        let sql = "DELETE FROM gateway_journal WHERE sequence = (SELECT min(sequence) FROM gateway_journal
                    WHERE guild_id = ?1 AND user_id = ?2 AND action = ?3)";
        let values = params![Sql(guild), Sql(user), action.word()];
        Ok(self.connection().prepare_cached(sql)?.execute(values)? > 0)
    }

    /// Takes one event out of the journal; whether it was still there.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn settle_awaited(&self, sequence: i64) -> Result<bool, StoreError> {
        let sql = "DELETE FROM gateway_journal WHERE sequence = ?1";
        Ok(self.connection().prepare_cached(sql)?.execute([sequence])? > 0)
    }
}
