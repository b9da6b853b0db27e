//! `audit_cursors` and `audit_entries`: how far the audit log of a main or a child was worked, so that what the gateway
//! did not tell can be read there, and nothing is worked twice.
//!
//! A cursor follows what was *read*: an entry that came live says nothing of those before it, which may have been
//! lost. What came live beyond the cursor stands in `audit_entries`.

use super::rows::{Sql, column};
use super::{Change, StoreError, View};
use rusqlite::{OptionalExtension, params};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, Timestamp, UserId};

/// How far a guild's audit log was worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCursor {
    /// Everything up to this entry was worked.
    pub entry: u64,
    /// When the log was last read to its end.
    pub read_at: Timestamp,
    /// Whether it was told that the log cannot be read.
    pub unreadable: bool,
}

impl View<'_> {
    /// How far the guild's audit log was worked; nothing where it never began.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_cursor(&self, guild: GuildId) -> Result<Option<AuditCursor>, StoreError> {
        let sql = "SELECT entry, read_at, unreadable FROM audit_cursors WHERE guild_id = ?1";
        let row = self.connection.prepare_cached(sql)?.query_row([Sql(guild)], |row| {
            Ok(AuditCursor {
                entry: row.get::<_, i64>("entry")?.cast_unsigned(),
                read_at: column(row, "read_at")?,
                unreadable: row.get("unreadable")?,
            })
        });
        Ok(row.optional()?)
    }

    /// Whether a later entry of that measure about the user was worked already: the order in the guild wins.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_outrun(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
        entry: u64,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM audit_entries
             WHERE guild_id = ?1 AND user_id = ?2 AND measure = ?4 AND entry > ?3)";
        let values = params![Sql(guild), Sql(user), entry.cast_signed(), measure.measure().word()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// Begins to follow the guild's audit log now, unless it is followed already: nothing older is taken in.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn follow_audit_log(&self, guild: GuildId) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO audit_cursors (guild_id, entry, read_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let now = self.now();
        let entry = self.skew().first_snowflake(now).cast_signed();
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), entry, now.millis()])?;
        Ok(())
    }

    /// Forgets how far the guild's audit log was worked and begins anew: what its entries mean has changed.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn follow_audit_log_anew(&self, guild: GuildId) -> Result<(), StoreError> {
        let sql = "DELETE FROM audit_cursors WHERE guild_id = ?1";
        self.connection().prepare_cached(sql)?.execute([Sql(guild)])?;
        self.follow_audit_log(guild)
    }

    /// Notes that an entry is worked in this transaction; false where it was before.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_entry(
        &self,
        guild: GuildId,
        entry: u64,
        user: UserId,
        measure: Action,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO audit_entries (guild_id, entry, user_id, measure) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING";
        let values = params![Sql(guild), entry.cast_signed(), Sql(user), measure.measure().word()];
        Ok(self.connection().prepare_cached(sql)?.execute(values)? > 0)
    }

    /// The same of an entry that decides nothing about anybody, and so is no later word than another.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_aside(&self, guild: GuildId, entry: u64, user: UserId) -> Result<bool, StoreError> {
        let sql = "INSERT INTO audit_entries (guild_id, entry, user_id, measure) VALUES (?1, ?2, ?3, '')
             ON CONFLICT DO NOTHING";
        let values = params![Sql(guild), entry.cast_signed(), Sql(user)];
        Ok(self.connection().prepare_cached(sql)?.execute(values)? > 0)
    }

    /// Moves the cursor to an entry up to which everything was worked. It never moves back.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn move_audit_cursor(&self, guild: GuildId, entry: u64) -> Result<(), StoreError> {
        let sql = "UPDATE audit_cursors SET entry = max(entry, ?2) WHERE guild_id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), entry.cast_signed()])?;
        let sql = "DELETE FROM audit_entries WHERE guild_id = ?1
                    AND entry <= (SELECT entry FROM audit_cursors WHERE guild_id = ?1)";
        self.connection().prepare_cached(sql)?.execute([Sql(guild)])?;
        Ok(())
    }

    /// Notes that the log was read to its end.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_log_was_read(&self, guild: GuildId) -> Result<(), StoreError> {
        let sql = "UPDATE audit_cursors SET read_at = ?2, unreadable = 0 WHERE guild_id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(guild), self.now().millis()])?;
        Ok(())
    }

    /// Notes that the log cannot be read; whether that is new.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_log_is_unreadable(&self, guild: GuildId) -> Result<bool, StoreError> {
        let sql = "UPDATE audit_cursors SET unreadable = 1 WHERE guild_id = ?1 AND unreadable = 0";
        Ok(self.connection().prepare_cached(sql)?.execute([Sql(guild)])? > 0)
    }
}
